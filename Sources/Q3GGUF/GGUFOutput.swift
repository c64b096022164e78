// A GGUF file whose tensors are being written, in any order and by any thread.
import Q3System

/// What `GGUFWriter.create` returns. The file appears under its name with `commit`; without it nothing remains.
public final class GGUFOutput: Sendable {
    private let file: AtomicFile
    private let dataStart: Int
    /// The tensors in file order; offsets count from the start of the data.
    let tensors: [TensorInfo]

    init(file: AtomicFile, dataStart: Int, tensors: [TensorInfo]) {
        self.file = file
        self.dataStart = dataStart
        self.tensors = tensors
    }

    /// The name that the file has until it is committed, so that an interrupted process can remove it.
    public var temporaryPath: String { file.partPath }

    /// Writes bytes of the tensor of that number, from the tensor's byte `offset` on. Threads may do this at the same time.
    public func write(_ bytes: RawSpan, toTensor index: Int, at offset: Int) throws(GGUFError) {
        let tensor = tensors[index]
        guard let end = offset.checkedAdding(bytes.byteCount), offset >= 0, end <= tensor.byteCount else {
            throw .wrongByteCount(tensor: tensor.name, expected: tensor.byteCount, got: offset + bytes.byteCount)
        }
        do throws(SystemError) {
            try file.write(bytes, at: dataStart + tensor.offset + offset)
        } catch {
            throw .cannotWrite(path: file.path, code: error.code)
        }
    }

    /// Flushes the file to disk and gives it its name, replacing an older one.
    public func commit() throws(GGUFError) {
        do throws(SystemError) {
            try file.commit()
        } catch {
            throw .cannotWrite(path: file.path, code: error.code)
        }
    }
}
