// Writes a model piece by piece on all cores, in memory that does not grow with the model.
import Q3GGUF
import Q3Kernels
package import Q3Model
import Q3System
import Synchronization

/// How a model is written.
package struct ConvertOptions: Sendable {
    /// Threads that compute; one per core where nil.
    package var threads: Int?
    /// Called on any thread; counts the bytes of tensors.
    package var progress: @Sendable (Progress) -> Void = { _ in }
    /// Called with the unfinished file's path before it exists, and with nil when it is gone, so that a signal handler can
    /// remove it.
    package var unfinished: @Sendable (_ path: String?) -> Void = { _ in }

    package init() {}

    func checkedThreads() throws(ConvertError) -> Int {
        let expected = threads ?? processorCount
        guard 1...Team.threadLimit ~= expected else { throw .threadCount(expected) }
        let got = Team.startableThreads(expected)
        guard got == expected else { throw .cannotStartThreads(expected: expected, got: got) }
        return expected
    }
}

/// Tensors with their new types. Each piece is read, encoded, compared with what it was, and written to its place.
struct ModelWriter {
    private let tensors: [TensorSource]
    private let types: [TensorType]

    init(_ tensors: [TensorSource], types: [TensorType]) throws {
        self.tensors = tensors
        self.types = types
        for (tensor, type) in zip(tensors, types)
        where tensor.type != type && !WeightCodec.canDecode(typeID: tensor.type.rawValue) {
            throw ConvertError.unreadableType(tensor: tensor.name, type: tensor.type)
        }
    }

    /// Writes the file; `header` has the metadata and no tensors. `check` gets the file when all but the values is
    /// there, `verify` is called before it gets its name.
    func write(
        _ header: GGUFWriter, to path: String, options: ConvertOptions, check: (GGUFFile) throws -> Void = { _ in },
        verify: () throws -> Void
    ) throws -> [TensorReport] {
        // Announce the file before creating it and after removing it, so a signal in between cannot leave it behind.
        defer { options.unfinished(nil) }
        return try fill(header, path, options, check, verify)
    }

    private func fill(
        _ header: GGUFWriter, _ path: String, _ options: ConvertOptions, _ check: (GGUFFile) throws -> Void,
        _ verify: () throws -> Void
    ) throws -> [TensorReport] {
        let threads = try options.checkedThreads()
        var header = header
        for (tensor, type) in zip(tensors, types) { header.addTensor(tensor.name, shape: tensor.shape, type: type) }
        let output = try header.create(at: path, announcing: options.unfinished)
        try check(GGUFFile(path: output.temporaryPath))

        let pieces = TensorPieces(elementCounts: tensors.map(\.elementCount))
        let done = Atomic(0)
        let total = zip(tensors, types).reduce(0) { $0 + $1.1.byteCount($1.0.elementCount) }
        let differences = try pieces.map(threads: threads) { piece, scratch in
            let difference = try write(piece, to: output, with: scratch)
            let byteCount = types[piece.tensor].byteCount(piece.values.count)
            options.progress(Progress(completed: done.add(byteCount, ordering: .relaxed).newValue, total: total))
            return difference
        }
        try verify()
        try output.commit()
        return reports(zip(pieces.pieces, differences))
    }

    private func write(
        _ piece: TensorPieces.Piece, to output: GGUFOutput, with scratch: Scratch
    ) throws -> WeightDifference {
        let codec = WeightCodec()
        let (tensor, type) = (tensors[piece.tensor], types[piece.tensor])
        let source = unsafe scratch.source.prefix(tensor.type.byteCount(piece.values.count))
        let place = type.byteCount(piece.values.lowerBound)
        unsafe try tensor.read(tensor.type.byteCount(piece.values.lowerBound), source)
        guard tensor.type != type else {
            unsafe try output.write(source.readOnly.bytes, toTensor: piece.tensor, at: place)
            return WeightDifference()
        }
        let values = unsafe scratch.values.prefix(piece.values.count)
        let decoded = unsafe scratch.decoded.prefix(piece.values.count)
        let blocks = unsafe scratch.blocks.prefix(type.byteCount(piece.values.count))
        let fault = ConvertError.outOfReach(tensor: tensor.name, type: type)
        unsafe codec.decode(source.readOnly, typeID: tensor.type.rawValue, into: values)
        guard unsafe codec.difference(values.readOnly, values.readOnly).isFinite else { throw fault }
        unsafe codec.encode(values.readOnly, typeID: type.rawValue, into: blocks)
        unsafe codec.decode(blocks.readOnly, typeID: type.rawValue, into: decoded)
        let difference = unsafe codec.difference(values.readOnly, decoded.readOnly)
        guard difference.isFinite else { throw fault }
        unsafe try output.write(blocks.readOnly.bytes, toTensor: piece.tensor, at: place)
        return difference
    }

    /// Adds up the pieces of each tensor in their order, so that the sums too are the same for any number of threads.
    private func reports(_ differences: Zip2Sequence<[TensorPieces.Piece], [WeightDifference]>) -> [TensorReport] {
        var sums = [WeightDifference](repeating: WeightDifference(), count: tensors.count)
        for (piece, difference) in differences { sums[piece.tensor] += difference }
        return tensors.indices.map { index in
            TensorReport(
                name: tensors[index].name, shape: tensors[index].shape, oldType: tensors[index].type,
                newType: types[index], byteCount: types[index].byteCount(tensors[index].elementCount),
                difference: sums[index])
        }
    }
}
