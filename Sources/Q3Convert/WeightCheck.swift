// Checks every weight of a file for NaN and infinity.
public import Q3GGUF
import Q3Kernels
import Synchronization

/// A weight that is NaN or infinite: damage, no valid model contains one.
public struct WeightFault: Sendable, Equatable {
    public let tensor: String
    public let type: TensorType
    /// Which of the tensor's blocks, from 0; a value where the type has no blocks.
    public let block: Int
}

/// What was checked.
public struct WeightReport: Sendable, Equatable {
    /// Values that were decoded.
    public internal(set) var valueCount = 0
    /// The first fault of each tensor that has any, in the order of the file.
    public internal(set) var faults: [WeightFault] = []
    /// Tensors of types that q3 does not read.
    public internal(set) var unreadTensors: [String] = []
}

public enum WeightCheck {
    /// Decodes every block on all cores, in memory that does not grow with the file. Throws `GGUFError` and
    /// `ConvertError`.
    public static func run(_ file: GGUFFile, options: ConvertOptions = ConvertOptions()) throws -> WeightReport {
        let threads = try options.checkedThreads()
        let tensors = file.tensors.filter { WeightCodec.canDecode(typeID: $0.type.rawValue) }
        let pieces = TensorPieces(elementCounts: tensors.map(\.elementCount))
        let total = tensors.reduce(0) { $0 + $1.type.byteCount($1.elementCount) }
        let done = Atomic(0)
        let faults = try pieces.map(threads: threads) { piece, scratch in
            let tensor = tensors[piece.tensor]
            let fault = try firstFault(tensor, piece.values, of: file, with: scratch)
            let byteCount = tensor.type.byteCount(piece.values.count)
            options.progress(done.add(byteCount, ordering: .relaxed).newValue, total)
            return fault
        }
        try file.checkUnchanged()
        var report = WeightReport()
        report.valueCount = tensors.reduce(0) { $0 + $1.elementCount }
        report.unreadTensors = file.tensors.filter { !WeightCodec.canDecode(typeID: $0.type.rawValue) }.map(\.name)
        for fault in faults.compactMap(\.self) where report.faults.last?.tensor != fault.tensor {
            report.faults.append(fault)
        }
        return report
    }

    private static func firstFault(
        _ tensor: TensorInfo, _ range: Range<Int>, of file: GGUFFile, with scratch: Scratch
    ) throws -> WeightFault? {
        let codec = WeightCodec()
        let source = unsafe scratch.source.prefix(tensor.type.byteCount(range.count))
        let values = unsafe scratch.values.prefix(range.count)
        unsafe try file.read(tensor, at: tensor.type.byteCount(range.lowerBound), into: source)
        unsafe codec.decode(source.readOnly, typeID: tensor.type.rawValue, into: values)
        // Σ (x - x)² is not finite if any x is not; only then is it worth looking for which.
        guard unsafe !codec.difference(values.readOnly, values.readOnly).isFinite,
            let index = unsafe values.firstIndex(where: { !$0.isFinite })
        else { return nil }
        return WeightFault(
            tensor: tensor.name, type: tensor.type, block: (range.lowerBound + index) / tensor.type.itemsPerBlock)
    }
}
