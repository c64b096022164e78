// The bytes of a block made from vectors: rounded to int8 for scanning, and as they are for exact scores.
import Q3Kernels

/// A row of int8 values and what one unit of them is worth.
struct QuantizedRow: Sendable, Equatable {
    let values: [Int8]
    /// value = scale · int8
    let scale: Float

    /// Spreads the largest value of either sign over 127 steps. A row of zeros has scale 0.
    init(_ vector: some Collection<Float>) {
        let largest = vector.reduce(0) { max($0, abs($1)) }
        scale = largest / 127
        let inverse = largest > 0 ? 127 / largest : 0
        values = vector.map { Int8(max(-127, min(127, ($0 * inverse).rounded(.toNearestOrEven)))) }
    }
}

enum VectorBlock {
    /// The whole block of `vectors` [rows, dimensions], ready to be appended at a multiple of 64 bytes.
    static func bytes(of vectors: [[Float]], firstSlot: Int) -> [UInt8] {
        var header = BlockHeader(rows: vectors.count, dimensions: vectors[0].count, firstSlot: firstSlot)
        var scales = ByteBuilder()
        var integers: [UInt8] = []
        integers.reserveCapacity(header.rows * header.stride)
        var floats = ByteBuilder()
        for vector in vectors {
            let row = QuantizedRow(vector)
            scales.append(row.scale.bitPattern)
            integers += row.values.map { UInt8(bitPattern: $0) }
            integers += repeatElement(0, count: header.stride - row.values.count)
            floats.append(vector)
        }
        scales.pad()
        floats.pad()
        let payload = scales.bytes + integers + floats.bytes
        var checksums = ByteBuilder()
        for index in 0..<header.checksumCount {
            let span = header.span(ofChecksum: index)
            unsafe payload.withUnsafeBytes { payload in
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: payload[(span.lowerBound - header.scales)..<(span.upperBound - header.scales)])
                checksums.append(unsafe CRC32C.checksum(of: part))
            }
        }
        header.checksumOfChecksums = CRC32C.checksum(of: checksums.bytes)
        checksums.pad()
        return header.bytes + payload + checksums.bytes
    }
}
