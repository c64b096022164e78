// The model that commands use when no --model is given.
import Q3GGUF

#if Mini
import Q3Mini
#endif

enum BuiltInModel {
    static let name = "q3-mini"

    #if Mini
    /// Opens it, and says on stderr which model that is, unless it was asked for by name.
    static func open(isAskedFor: Bool) throws -> GGUFFile {
        if !isAskedFor, Notice.isDue(name) {
            Terminal.say(
                "using \(name), the small English model that is built in; for better vectors: "
                    + "q3 pull qwen3-embedding-0.6b, then --model qwen3-embedding-0.6b (said once a day)")
        }
        return try Mini.file()
    }

    /// Throws where no model is built in.
    static func check() throws {}

    /// Bytes of the model's file; nil where no model is built in.
    static var byteCount: Int? { try? Mini.file().byteCount }
    #else
    static func open(isAskedFor: Bool) throws -> GGUFFile {
        throw Failure(.usage, "--model is missing; this q3 has no built-in model, which is the trait Mini")
    }

    static func check() throws { _ = try open(isAskedFor: false) }

    static var byteCount: Int? { nil }
    #endif
}
