// The model that is part of the program: small, English, and there without a download.
import CMini
public import Q3Embedding
public import Q3GGUF
public import Q3Model

/// q3-mini, an embedding model of 9 MB for English texts; `Sources/CMini/README.md` says what it can do and what not.
///
///     let embedder = try Embedder.mini()
///     let vectors = try await embedder.embed(["The capital of China is Beijing.", "Gravity pulls bodies together."])
///
/// Queries and documents are embedded alike; it was trained without instructions.
public enum Mini {
    /// What stands where a file has its path, and what `--model` takes.
    public static let name = "q3-mini"

    /// `GGUFFile.mini()`.
    package static func file() throws(GGUFError) -> GGUFFile {
        let file = unsafe q3_mini()
        let bytes = unsafe UnsafeRawBufferPointer(start: file.bytes, count: file.count)
        return try unsafe GGUFFile(immortal: bytes, name: "\(name) (built in)")
    }
}

extension GGUFFile {
    /// The built-in model's file, in the memory of the program. Throws `GGUFError` if the program itself is damaged.
    public static func mini() throws(GGUFError) -> GGUFFile { try Mini.file() }
}

extension Embedder {
    /// The built-in model.
    public static func mini(options: ModelOptions = ModelOptions()) throws -> Embedder {
        try Embedder(file: Mini.file(), options: options)
    }
}
