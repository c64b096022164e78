// One GGUF file, mapped and checked: metadata, tensor table, and the bytes of each tensor in place.
import Q3System

/// A GGUF model file of version 2 or 3 in memory, mapped as a rule.
///
/// Opening checks the whole header, so everything that this type returns lies inside the file; no tensor is read until
/// its bytes are touched. The map is released with the last reference to the file, its metadata or its string arrays.
///
///     let file = try GGUFFile(path: "Qwen3-Embedding-0.6B-Q8_0.gguf")
///     let layers = try file.metadata.required("qwen3.block_count", as: UInt32.self)
///     let matrix = file.tensor(named: "token_embd.weight")
public final class GGUFFile: Sendable {
    /// The path that it was opened at; "q3-mini (built in)" and the like for a file in memory.
    public let path: String
    /// Bytes of the whole file.
    public let byteCount: Int
    /// Version of the container format.
    public let version: UInt32
    /// Bytes to whose multiples tensor data is aligned in the file; a power of two, down to 1.
    public let alignment: Int
    /// The key-value pairs.
    public let metadata: Metadata
    /// The tensor table, in file order.
    public let tensors: [TensorInfo]

    private let mapping: MappedFile
    private let indexOfTensor: [String: Int]

    /// Opens a regular file and checks it. `copying` reads all of it into memory of this process instead of mapping it,
    /// for folders where others may write. Throws `GGUFError`.
    public convenience init(path: String, copying: Bool = false) throws(GGUFError) {
        try self.init(MappedFile(path: path, copying: copying))
    }

    /// Uses a file that is in memory already, without copying it: one that is part of the program, say.
    ///
    /// The bytes must stay where they are, and as they are, while the process lives; they may have any alignment. `name`
    /// stands where a file has its path. Throws `GGUFError`.
    @unsafe public convenience init(immortal bytes: UnsafeRawBufferPointer, name: String) throws(GGUFError) {
        try self.init(unsafe MappedFile(immortal: bytes, name: name))
    }

    private init(_ mapping: MappedFile) throws(GGUFError) {
        self.mapping = mapping
        let header = try Header(of: mapping)
        path = mapping.path
        byteCount = mapping.byteCount
        version = header.version
        alignment = header.alignment
        metadata = header.metadata
        tensors = header.tensorTable.tensors
        indexOfTensor = header.tensorTable.indexOfName
    }

    /// The tensor of that name, nil if there is none.
    public func tensor(named name: String) -> TensorInfo? {
        indexOfTensor[name].map { tensors[$0] }
    }

    /// Calls `body` with the bytes of one of this file's own tensors, in the map: aligned only as `alignment` promises.
    public func withBytes<R, E: Error>(
        of tensor: TensorInfo, _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        try withExtendedLifetime(self) { () throws(E) in try body(unsafe RawSpan(_unsafeBytes: bytes(of: tensor))) }
    }

    /// Copies bytes of one of this file's own tensors into all of `memory`, from the tensor's byte `offset` on. Unlike
    /// `withBytes(of:)` that maps nothing into memory: for one pass over a large file. Throws `GGUFError.wrongByteCount` for
    /// bytes outside the tensor, `cannotOpen` or `changed` where the file cannot be read.
    public func read(_ tensor: TensorInfo, at offset: Int, into memory: inout MutableRawSpan) throws(GGUFError) {
        try unsafe memory.withUnsafeMutableBytes { memory throws(GGUFError) in
            unsafe try read(tensor, at: offset, into: memory)
        }
    }

    /// The bytes of one of this file's own tensors, in the map: valid while the file lives, and aligned only as
    /// `alignment` promises.
    @unsafe package func bytes(of tensor: TensorInfo) -> UnsafeRawBufferPointer {
        unsafe mapping.bytes(in: tensor.offset..<tensor.offset + tensor.byteCount)
    }

    /// Copies bytes of one of this file's own tensors, from the tensor's byte `offset` on. Unlike `bytes(of:)` that maps
    /// nothing into memory: for whoever passes once over a large file.
    @unsafe package func read(
        _ tensor: TensorInfo, at offset: Int, into memory: UnsafeMutableRawBufferPointer
    ) throws(GGUFError) {
        guard let end = offset.checkedAdding(memory.count), offset >= 0, end <= tensor.byteCount else {
            throw .wrongByteCount(tensor: tensor.name, wanted: tensor.byteCount, got: memory.count)
        }
        unsafe try mapping.read(at: tensor.offset + offset, into: memory)
    }

    /// Copies bytes of the file as a whole, from the byte `offset` on, of which there are as many.
    @unsafe package func read(at offset: Int, into memory: UnsafeMutableRawBufferPointer) throws(GGUFError) {
        unsafe try mapping.read(at: offset, into: memory)
    }

    /// Throws `changed` if the file was written or cut since it was opened. One system call: call it once per batch,
    /// since a cut file reads as zeros or kills the process. A file replaced or deleted by name is still whole here.
    /// A writer that restores size and modification time stays unnoticed: do not map files that others may write.
    public func checkUnchanged() throws(GGUFError) {
        try mapping.checkUnchanged()
    }
}
