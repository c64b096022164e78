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
    /// The path that it was opened at, of a split model that of one part; "q3-mini (built in)" and the like for a file in
    /// memory.
    public let path: String
    /// Bytes of the whole file, or of all parts.
    public let byteCount: Int
    /// Version of the container format.
    public let version: UInt32
    /// Alignment of tensor data in the file in bytes; a power of two, down to 1.
    public let alignment: Int
    /// The key-value pairs.
    public let metadata: Metadata
    /// The tensor table, in file order.
    public let tensors: [TensorInfo]

    /// The files that it is in: several for a split model, in the order of their numbers.
    private let parts: [MappedFile]
    private let indexOfTensor: [ExactText: Int]

    /// Opens a regular file and checks it; of a split model, whichever part is given, all parts. `copying` reads all of
    /// it into memory of this process instead of mapping it, for folders where others may write. Throws `GGUFError`.
    public convenience init(path: String, copying: Bool = false) throws(GGUFError) {
        let file = try MappedFile(path: path, copying: copying)
        try self.init(path: path, parts: SplitModel.parts(from: file, Header(of: file), copying: copying))
    }

    /// Uses a file that is in memory already, without copying it: one that is part of the program, say.
    ///
    /// The bytes must stay where they are, and as they are, while the process lives; they may have any alignment.
    /// `name` stands where a file has its path. Throws `GGUFError`.
    @unsafe public convenience init(immortal bytes: UnsafeRawBufferPointer, name: String) throws(GGUFError) {
        let file = try unsafe MappedFile(immortal: bytes, name: name)
        let header = try Header(of: file)
        if let place = try header.metadata.splitPlace() { throw .splitUnsupported(parts: place.count) }
        try self.init(path: name, parts: [(file, header)])
    }

    private init(path: String, parts: [(file: MappedFile, header: Header)]) throws(GGUFError) {
        self.path = path
        self.parts = parts.map(\.file)
        byteCount = parts.reduce(0) { $0 + $1.file.byteCount }
        let first = parts[0].header
        version = first.version
        alignment = first.alignment
        metadata = first.metadata
        guard parts.count > 1 else {
            tensors = first.tensorTable.tensors
            indexOfTensor = first.tensorTable.indexOfName
            return
        }
        var tensors: [TensorInfo] = []
        var indexOfTensor: [ExactText: Int] = [:]
        for (number, part) in parts.enumerated() {
            for var tensor in part.header.tensorTable.tensors {
                guard indexOfTensor.updateValue(tensors.count, forKey: ExactText(tensor.name)) == nil else {
                    throw .badPart(path: part.file.path, .tensorTwice(tensor.name))
                }
                tensor.part = number
                tensors.append(tensor)
            }
        }
        (self.tensors, self.indexOfTensor) = (tensors, indexOfTensor)
    }

    /// Paths of all files that it is in.
    package var paths: [String] { parts.map(\.path) }

    /// The tensor of that name, nil if there is none.
    public func tensor(named name: String) -> TensorInfo? {
        indexOfTensor[ExactText(name)].map { tensors[$0] }
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
        unsafe parts[tensor.part].bytes(in: tensor.offset..<tensor.offset + tensor.byteCount)
    }

    /// Copies bytes of one of this file's own tensors, from the tensor's byte `offset` on. Unlike `bytes(of:)` that maps
    /// nothing into memory: for one pass over a large file.
    @unsafe package func read(
        _ tensor: TensorInfo, at offset: Int, into memory: UnsafeMutableRawBufferPointer
    ) throws(GGUFError) {
        guard let end = offset.checkedAdding(memory.count), offset >= 0, end <= tensor.byteCount else {
            throw .wrongByteCount(tensor: tensor.name, expected: tensor.byteCount, got: memory.count)
        }
        unsafe try parts[tensor.part].read(at: tensor.offset + offset, into: memory)
    }

    /// Copies bytes of the file as a whole, from the byte `offset` on, of which there are as many. Parts follow each
    /// other.
    @unsafe package func read(at offset: Int, into memory: UnsafeMutableRawBufferPointer) throws(GGUFError) {
        var (start, done) = (0, 0)
        for part in parts where done < memory.count {
            let end = start + part.byteCount
            if offset + done < end {
                let count = min(memory.count - done, end - offset - done)
                let place = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[done..<done + count])
                unsafe try part.read(at: offset + done - start, into: place)
                done += count
            }
            start = end
        }
    }

    /// Throws `changed` if the file was written or cut since it was opened. One system call: call it once per batch,
    /// since a cut file reads as zeros or kills the process. A file replaced or deleted by name is still whole here.
    /// A writer that restores size and modification time stays unnoticed: do not map files that others may write.
    public func checkUnchanged() throws(GGUFError) {
        for part in parts { try part.checkUnchanged() }
    }
}
