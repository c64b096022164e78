// Looks at every weight of a file for one that is no finite number.
public import Q3GGUF
import Q3Kernels
import Synchronization

/// A weight that is NaN or infinite: damage, since no model has such.
public struct WeightFault: Sendable, Equatable {
    public let tensor: String
    public let type: TensorType
    /// Which of the tensor's blocks, from 0; a value where the type has no blocks.
    public let block: Int
}

/// What was looked at.
public struct WeightReport: Sendable, Equatable {
    /// Values that were decoded.
    public internal(set) var valueCount = 0
    /// The first fault of each tensor that has any, in the order of the file.
    public internal(set) var faults: [WeightFault] = []
    /// Tensors of types that q3 does not read.
    public internal(set) var unreadTensors: [String] = []
}

public enum WeightCheck {
    /// Decodes every block on all cores, in memory that does not grow with the file. Throws `GGUFError` and `ConvertError`.
    public static func run(_ file: GGUFFile, options: ConvertOptions = ConvertOptions()) throws -> WeightReport {
        let threads = try options.checkedThreads()
        let scratch = (0..<threads).map { _ in Scratch(valueCount: pieceLength) }
        var pieces: [(tensor: TensorInfo, values: Range<Int>)] = []
        var report = WeightReport()
        for tensor in file.tensors {
            guard WeightCodec.canDecode(typeID: tensor.type.rawValue) else {
                report.unreadTensors.append(tensor.name)
                continue
            }
            report.valueCount += tensor.elementCount
            for start in stride(from: 0, to: tensor.elementCount, by: pieceLength) {
                pieces.append((tensor, start..<min(start + pieceLength, tensor.elementCount)))
            }
        }
        let total = pieces.reduce(0) { $0 + $1.tensor.type.byteCount($1.values.count) }
        let done = Atomic(0)
        let found = Mutex<(faults: [Int: WeightFault], error: (any Error)?)>(([:], nil))
        Parallel.forEach(count: pieces.count, threads: threads) { item, thread in
            let (tensor, values) = pieces[item]
            do {
                if let fault = try firstFault(tensor, values, of: file, with: scratch[thread]) {
                    found.withLock { $0.faults[item] = fault }
                }
            } catch {
                found.withLock { $0.error = $0.error ?? error }
            }
            let byteCount = tensor.type.byteCount(values.count)
            options.progress(done.add(byteCount, ordering: .relaxed).newValue, total)
        }
        let (faults, error) = found.withLock { $0 }
        if let error { throw error }
        try file.checkUnchanged()
        for (_, fault) in faults.sorted(by: { $0.key < $1.key }) where report.faults.last?.tensor != fault.tensor {
            report.faults.append(fault)
        }
        return report
    }

    /// A multiple of every block.
    private static let pieceLength = 1 << 15

    private static func firstFault(
        _ tensor: TensorInfo, _ range: Range<Int>, of file: GGUFFile, with scratch: Scratch
    ) throws -> WeightFault? {
        let codec = WeightCodec()
        let source = unsafe scratch.source.prefix(tensor.type.byteCount(range.count))
        let values = unsafe scratch.values.prefix(range.count)
        unsafe try file.read(tensor, at: tensor.type.byteCount(range.lowerBound), into: source)
        unsafe codec.decode(source.readOnly, typeID: tensor.type.rawValue, into: values)
        // Σ (x - x)² is no finite number if any x is none; only then is it worth to look for which.
        guard unsafe !codec.difference(values.readOnly, values.readOnly).isFinite,
            let index = unsafe values.firstIndex(where: { !$0.isFinite })
        else { return nil }
        return WeightFault(
            tensor: tensor.name, type: tensor.type, block: (range.lowerBound + index) / tensor.type.itemsPerBlock)
    }
}

extension TensorType {
    /// Bytes of whole blocks of values.
    fileprivate func byteCount(_ valueCount: Int) -> Int { valueCount / itemsPerBlock * bytesPerBlock }
}
