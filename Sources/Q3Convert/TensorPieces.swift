// Tensors cut into pieces, and the loop over all pieces on all cores.
import Q3GGUF
import Q3Kernels
import Synchronization

/// Pieces of tensors in the order of the tensors. They end with blocks and know nothing of each other, so neither their
/// size nor the number of threads changes a result.
struct TensorPieces {
    struct Piece: Sendable {
        /// Index of the tensor.
        let tensor: Int
        /// Which of its values.
        let values: Range<Int>
    }

    let pieces: [Piece]

    /// A multiple of every block; buffers of this many values stay in a core's second cache.
    private static let length = 1 << 15

    /// For tensors with so many values each.
    init(elementCounts: [Int]) {
        pieces = elementCounts.enumerated().flatMap { tensor, count in
            stride(from: 0, to: count, by: Self.length).map { start in
                Piece(tensor: tensor, values: start..<min(start + Self.length, count))
            }
        }
    }

    /// What `body` makes of each piece, in their order; each thread has buffers of its own. After the first error no
    /// new piece is begun, and the error is thrown.
    func map<Value: Sendable>(
        threads: Int, _ body: @Sendable (Piece, Scratch) throws -> Value
    ) throws -> [Value] {
        let scratch = (0..<threads).map { _ in Scratch(valueCount: Self.length) }
        let values = Mutex([Value?](repeating: nil, count: pieces.count))
        let failure = Mutex<(any Error)?>(nil)
        let hasFailed = Atomic(false)
        Parallel.forEach(count: pieces.count, threads: threads) { item, thread in
            guard !hasFailed.load(ordering: .relaxed) else { return }
            do {
                let value = try body(pieces[item], scratch[thread])
                values.withLock { $0[item] = value }
            } catch {
                hasFailed.store(true, ordering: .relaxed)
                failure.withLock { $0 = $0 ?? error }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return values.withLock { $0.compactMap(\.self) }
    }
}

extension TensorType {
    /// Bytes of whole blocks of values.
    func byteCount(_ valueCount: Int) -> Int { valueCount / itemsPerBlock * bytesPerBlock }
}
