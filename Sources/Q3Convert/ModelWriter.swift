// Writes a model piece by piece on all cores, in memory that does not grow with the model.
import Q3GGUF
import Q3Kernels
import Q3System
import Synchronization

/// How a model is written.
public struct ConvertOptions: Sendable {
    /// Threads that compute; one per core where nil.
    public var threads: Int?
    /// Is told how many of all bytes of the new file exist, by any thread.
    public var progress: @Sendable (_ done: Int, _ of: Int) -> Void = { _, _ in }
    /// Is told the unfinished file's path before it exists, and nil when it is gone.
    public var unfinished: @Sendable (_ path: String?) -> Void = { _ in }

    public init() {}

    func checkedThreads() throws(ConvertError) -> Int {
        let wanted = threads ?? processorCount
        guard 1...Team.threadLimit ~= wanted else { throw .threadCount(wanted) }
        let got = Team.startableThreads(wanted)
        guard got == wanted else { throw .cannotStartThreads(wanted: wanted, got: got) }
        return wanted
    }
}

/// Tensors with their new types. Each is cut into pieces; whichever thread is free reads one, encodes it, measures what that
/// lost and writes it to its place. Pieces end with blocks and know nothing of each other, so neither their size nor the
/// number of threads shows in the file.
struct ModelWriter {
    private let tensors: [TensorSource]
    private let types: [TensorType]
    private let pieces: [Piece]
    private let codec = WeightCodec()

    private struct Piece {
        let tensor: Int
        let values: Range<Int>
    }

    /// A multiple of every block; buffers of this many values stay in a core's second cache.
    private static let pieceLength = 1 << 15

    init(_ tensors: [TensorSource], types: [TensorType]) throws {
        self.tensors = tensors
        self.types = types
        var pieces: [Piece] = []
        for (index, tensor) in tensors.enumerated() {
            guard tensor.type == types[index] || WeightCodec.canDecode(typeID: tensor.type.rawValue) else {
                throw ConvertError.unreadableType(tensor: tensor.name, type: tensor.type)
            }
            for start in stride(from: 0, to: tensor.elementCount, by: Self.pieceLength) {
                let end = min(start + Self.pieceLength, tensor.elementCount)
                pieces.append(Piece(tensor: index, values: start..<end))
            }
        }
        self.pieces = pieces
    }

    /// Writes the file; `header` has the metadata and no tensors. `check` is shown the file when all but the values is there,
    /// `verify` is asked before it gets its name.
    func write(
        _ header: GGUFWriter, to path: String, options: ConvertOptions, check: (GGUFFile) throws -> Void = { _ in },
        verify: () throws -> Void
    ) throws -> [TensorReport] {
        // Told of before it exists and after it is gone, so that no signal between can leave it behind.
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

        let scratch = (0..<threads).map { _ in Scratch(valueCount: Self.pieceLength) }
        var differences = [WeightDifference](repeating: WeightDifference(), count: pieces.count)
        let failure = Mutex<(any Error)?>(nil)
        let isOver = Atomic(false)
        let done = Atomic(0)
        let total = zip(tensors, types).reduce(0) { $0 + byteCount($1.0.elementCount, $1.1) }
        unsafe differences.withUnsafeMutableBufferPointer { differences in
            Parallel.forEach(count: pieces.count, threads: threads) { item, thread in
                guard !isOver.load(ordering: .relaxed) else { return }
                let piece = pieces[item]
                do {
                    unsafe differences[item] = try write(piece, to: output, with: scratch[thread])
                    let byteCount = byteCount(piece.values.count, types[piece.tensor])
                    options.progress(done.add(byteCount, ordering: .relaxed).newValue, total)
                } catch {
                    isOver.store(true, ordering: .relaxed)
                    failure.withLock { $0 = $0 ?? error }
                }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        try verify()
        try output.commit()
        return reports(differences)
    }

    private func write(_ piece: Piece, to output: GGUFOutput, with scratch: Scratch) throws -> WeightDifference {
        let (tensor, type) = (tensors[piece.tensor], types[piece.tensor])
        let source = unsafe scratch.source.prefix(byteCount(piece.values.count, tensor.type))
        let place = byteCount(piece.values.lowerBound, type)
        unsafe try tensor.read(byteCount(piece.values.lowerBound, tensor.type), source)
        guard tensor.type != type else {
            unsafe try output.write(source.readOnly.bytes, toTensor: piece.tensor, at: place)
            return WeightDifference()
        }
        let values = unsafe scratch.values.prefix(piece.values.count)
        let decoded = unsafe scratch.decoded.prefix(piece.values.count)
        let blocks = unsafe scratch.blocks.prefix(byteCount(piece.values.count, type))
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
    private func reports(_ differences: [WeightDifference]) -> [TensorReport] {
        var sums = [WeightDifference](repeating: WeightDifference(), count: tensors.count)
        for (piece, difference) in zip(pieces, differences) { sums[piece.tensor] += difference }
        return tensors.indices.map { index in
            TensorReport(
                name: tensors[index].name, shape: tensors[index].shape, oldType: tensors[index].type,
                newType: types[index], byteCount: byteCount(tensors[index].elementCount, types[index]),
                difference: sums[index])
        }
    }
}

/// Bytes of whole blocks of values.
private func byteCount(_ valueCount: Int, _ type: TensorType) -> Int {
    valueCount / type.itemsPerBlock * type.bytesPerBlock
}
