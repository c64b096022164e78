// Writes GGUF v3 files of any size: the header from memory, tensor data streamed chunk by chunk.
import Q3System

/// Collects metadata and tensors, then writes them as one file.
///
///     var writer = GGUFWriter()
///     writer.set("general.architecture", to: .string("qwen3"))
///     writer.addTensor("output_norm.weight", shape: [1024], type: .f32) { chunk, offset in
///         // fill `chunk` with the tensor's bytes from `offset` on
///     }
///     try writer.write(to: "model.gguf")
///
/// Data is aligned to the value of `general.alignment`, 32 where that is not set.
public struct GGUFWriter: Sendable {
    /// Fills a zeroed chunk with a tensor's bytes from byte `offset` on. Chunks come in order and hold at most 1 MiB.
    public typealias Fill = @Sendable (_ chunk: inout MutableRawSpan, _ offset: Int) -> Void

    private struct Tensor: Sendable {
        let name: String
        let shape: [UInt64]
        let type: TensorType
        let content: Content
    }

    private enum Content: Sendable {
        case bytes([UInt8])
        case fill(Fill)
        case later
    }

    private var pairs: [(key: String, value: MetadataValue)] = []
    private var indexOfKey: [ExactText: Int] = [:]
    private var tensors: [Tensor] = []

    private static let chunkByteCount = 1 << 20

    /// Without metadata and tensors yet.
    public init() {}

    /// Sets the value of a key; a key set again keeps its place.
    public mutating func set(_ key: String, to value: MetadataValue) {
        if let index = indexOfKey[ExactText(key)] {
            pairs[index].value = value
        } else {
            indexOfKey[ExactText(key)] = pairs.count
            pairs.append((key, value))
        }
    }

    /// Adds a tensor whose bytes are made while the file is written. `shape` has the fastest axis first.
    public mutating func addTensor(_ name: String, shape: [Int], type: TensorType, fill: @escaping Fill) {
        add(name, shape, type, .fill(fill))
    }

    /// Adds a tensor with its bytes. `shape` has the fastest axis first.
    public mutating func addTensor(_ name: String, shape: [Int], type: TensorType, bytes: [UInt8]) {
        add(name, shape, type, .bytes(bytes))
    }

    /// Adds a tensor of zeros, whose bytes are written into what `create` returns. `shape` has the fastest axis first.
    public mutating func addTensor(_ name: String, shape: [Int], type: TensorType) {
        add(name, shape, type, .later)
    }

    private mutating func add(_ name: String, _ shape: [Int], _ type: TensorType, _ content: Content) {
        // A negative extent becomes a huge one, which the check refuses.
        let shape = shape.map { UInt64(bitPattern: Int64($0)) }
        tensors.append(Tensor(name: name, shape: shape, type: type, content: content))
    }

    /// Writes the file. It is written beside `path` under another name and renamed when it is whole and on disk, so
    /// `path` holds the old file or the new one, never a part. Throws `cannotWrite`, or what `GGUFFile` would throw
    /// for such names, shapes and alignment, before anything is written.
    public func write(to path: String) throws(GGUFError) {
        try create(at: path).commit()
    }

    /// Writes all that is known beside `path`, for tensors to be written in any order; throws what `write` throws. The file
    /// appears when that is committed. `announcing` is called with its name until then, before it exists.
    public func create(
        at path: String, announcing: (_ temporaryPath: String) -> Void = { _ in }
    ) throws(GGUFError) -> GGUFOutput {
        let alignment = try checkedAlignment()
        let (header, places) = try encodeHeader(alignment: alignment)
        guard let dataStart = header.count.checkedRoundedUp(to: alignment),
            let byteCount = (places.last.map { $0.offset.checkedAdding($0.byteCount) } ?? 0)?
                .checkedAdding(dataStart)?.checkedRoundedUp(to: alignment)
        else { throw .cannotWrite(path: path, code: EFBIG) }
        let output: GGUFOutput
        do throws(SystemError) {
            let file = try AtomicFile(path: path, announcing: announcing)
            try file.resize(to: tensors.isEmpty ? header.count : byteCount)
            unsafe try file.write(header.span.bytes, at: 0)
            output = GGUFOutput(file: file, dataStart: dataStart, tensors: places)
        } catch {
            throw .cannotWrite(path: path, code: error.code)
        }
        for (index, tensor) in tensors.enumerated() { try write(tensor, at: index, to: output) }
        return output
    }

    private func write(_ tensor: Tensor, at index: Int, to output: GGUFOutput) throws(GGUFError) {
        switch tensor.content {
        case .bytes(let bytes):
            unsafe try output.write(bytes.span.bytes, toTensor: index, at: 0)
        case .fill(let fill):
            let byteCount = output.tensors[index].byteCount
            for offset in stride(from: 0, to: byteCount, by: Self.chunkByteCount) {
                var chunk = [UInt8](repeating: 0, count: min(Self.chunkByteCount, byteCount - offset))
                var elements = chunk.mutableSpan
                var span = unsafe elements.mutableBytes
                fill(&span, offset)
                unsafe try output.write(chunk.span.bytes, toTensor: index, at: offset)
            }
        case .later:
            break
        }
    }

    // MARK: - Header

    private func checkedAlignment() throws(GGUFError) -> Int {
        guard let index = indexOfKey[ExactText(Metadata.alignmentKey)] else { return Metadata.defaultAlignment }
        return try Metadata.alignment(from: pairs[index].value)
    }

    private func encodeHeader(alignment: Int) throws(GGUFError) -> (bytes: [UInt8], places: [TensorInfo]) {
        var bytes = Array("GGUF".utf8)
        bytes.appendScalar(UInt32(3))
        bytes.appendScalar(UInt64(tensors.count))
        bytes.appendScalar(UInt64(pairs.count))
        for (key, value) in pairs {
            if let fault = GGUFError.TextFault(in: key, limit: HeaderLimits.keyByteCount) {
                throw .badKey(fault, at: bytes.count)
            }
            bytes.appendString(key)
            bytes.appendScalar(value.type.rawValue)
            bytes.appendValue(value)
        }
        var places: [TensorInfo] = []
        var names: Set<ExactText> = []
        var place = DataPlace(after: 0, alignment: alignment)
        for tensor in tensors {
            if let fault = GGUFError.TextFault(in: tensor.name, limit: TensorInfo.nameLimit) {
                throw .badTensorName(fault, at: bytes.count)
            }
            guard names.insert(ExactText(tensor.name)).inserted else {
                throw .duplicateTensor(tensor.name, at: bytes.count)
            }
            let info = try place.put(
                name: tensor.name, shape: tensor.shape, type: tensor.type, position: bytes.count)
            if case .bytes(let content) = tensor.content, content.count != info.byteCount {
                throw .wrongByteCount(tensor: tensor.name, expected: info.byteCount, got: content.count)
            }
            bytes.appendString(tensor.name)
            bytes.appendScalar(UInt32(tensor.shape.count))
            for extent in tensor.shape { bytes.appendScalar(extent) }
            bytes.appendScalar(tensor.type.rawValue)
            bytes.appendScalar(UInt64(info.offset))
            places.append(info)
        }
        return (bytes, places)
    }
}

extension [UInt8] {
    fileprivate mutating func appendValue(_ value: MetadataValue) {
        switch value {
        case .uint8(let value): appendScalar(value)
        case .int8(let value): appendScalar(value)
        case .uint16(let value): appendScalar(value)
        case .int16(let value): appendScalar(value)
        case .uint32(let value): appendScalar(value)
        case .int32(let value): appendScalar(value)
        case .uint64(let value): appendScalar(value)
        case .int64(let value): appendScalar(value)
        case .float32(let value): appendScalar(value)
        case .float64(let value): appendScalar(value)
        case .bool(let value): append(value ? 1 : 0)
        case .string(let value): appendString(value)
        case .array(let array):
            appendScalar(array.elementType.rawValue)
            appendScalar(UInt64(array.count))
            unsafe array.storage.withBytes { unsafe append(contentsOf: $0) }
        }
    }
}
