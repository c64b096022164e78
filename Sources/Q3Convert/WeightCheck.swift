// Checks every weight of a file for NaN and infinity.
package import Q3GGUF
import Q3Kernels
import Q3Model
import Synchronization

/// A weight that is NaN or infinite. No valid model contains one, so the file is damaged.
package struct WeightFault: Sendable, Equatable {
    package let tensor: String
    package let type: TensorType
    /// The number of the tensor's block, from 0; of the value where the type has no blocks.
    package let block: Int
}

/// What was checked.
package struct WeightReport: Sendable, Equatable {
    /// Values that were decoded.
    package internal(set) var valueCount = 0
    /// The first fault of each tensor that has any, in the order of the file.
    package internal(set) var faults: [WeightFault] = []
    /// Tensors of types that q3 does not read.
    package internal(set) var unreadTensors: [String] = []
}

package enum WeightCheck {
    /// Decodes every block on all cores, in memory that does not grow with the file. Throws `GGUFError` and
    /// `ConvertError`.
    package static func run(_ file: GGUFFile, options: ConvertOptions = ConvertOptions()) throws -> WeightReport {
        let threads = try options.checkedThreads()
        let tensors = file.tensors.filter { WeightCodec.canDecode(typeID: $0.type.rawValue) }
        let pieces = TensorPieces(elementCounts: tensors.map(\.elementCount))
        let total = tensors.reduce(0) { $0 + $1.type.byteCount($1.elementCount) }
        let done = Atomic(0)
        let faults = try pieces.map(threads: threads) { piece, scratch in
            let tensor = tensors[piece.tensor]
            let fault = try firstFault(tensor, piece.values, of: file, with: scratch)
            let byteCount = tensor.type.byteCount(piece.values.count)
            options.progress(Progress(completed: done.add(byteCount, ordering: .relaxed).newValue, total: total))
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
