// How vectors lie in a segment: a header, then blocks that are only ever appended, each with its own checksums.
import Q3Kernels

/// The layout, all little endian; docs/index.md describes it for other readers.
///
/// A segment begins with a header of 64 bytes. A block is a header of 64 bytes and, each part padded to 64 bytes: the scales
/// [rows] in f32; the rows in int8 [rows, stride], padded with zeros from the dimensions to a multiple of 64; the rows in
/// f32 [rows, dimensions]; and the CRC-32C of every 64 KiB of the three parts before.
enum SegmentLayout {
    static let version: UInt32 = 1
    static let headerByteCount = 64
    static let alignment = 64
    static let checksumSpan = 1 << 16
    static let segmentMagic: [UInt8] = Array("Q3VECSEG".utf8)
    static let blockMagic: [UInt8] = Array("Q3VECBLK".utf8)

    static func padded(_ count: Int) -> Int { (count + alignment - 1) & ~(alignment - 1) }
}

/// What the first 64 bytes of a segment say.
struct SegmentHeader: Equatable {
    var dimensions: Int
    var fingerprint: UInt64
    var number: Int

    var bytes: [UInt8] {
        var bytes = ByteBuilder(SegmentLayout.segmentMagic)
        bytes.append(SegmentLayout.version)
        bytes.append(UInt32(dimensions))
        bytes.append(fingerprint)
        bytes.append(UInt32(number))
        return bytes.sealed()
    }

    /// Throws the problem where the bytes are not a header.
    init(_ bytes: [UInt8]) throws(SegmentProblem) {
        let fields = try ByteFields(bytes, magic: SegmentLayout.segmentMagic, what: "the segment's header")
        let version = fields.uint32(at: 8)
        guard version == SegmentLayout.version else { throw SegmentProblem("a segment of version \(version)") }
        dimensions = Int(fields.uint32(at: 12))
        fingerprint = fields.uint64(at: 16)
        number = Int(fields.uint32(at: 24))
    }

    init(dimensions: Int, fingerprint: UInt64, number: Int) {
        self.dimensions = dimensions
        self.fingerprint = fingerprint
        self.number = number
    }
}

/// What the first 64 bytes of a block say, and where its parts lie.
struct BlockHeader: Equatable {
    var rows: Int
    var dimensions: Int
    /// The slot of the first row.
    var firstSlot: Int
    /// CRC-32C of the list of checksums.
    var checksumOfChecksums: UInt32

    /// Most rows and values of a row, so that no product below can overflow.
    static let rowLimit = 1 << 20
    static let dimensionLimit = 1 << 16

    /// Bytes of an int8 row.
    var stride: Int { SegmentLayout.padded(dimensions) }

    // Offsets from the block's start.
    var scales: Int { SegmentLayout.headerByteCount }
    var integers: Int { scales + SegmentLayout.padded(rows * 4) }
    var floats: Int { integers + rows * stride }
    var checksums: Int { floats + SegmentLayout.padded(rows * dimensions * 4) }
    var byteCount: Int { checksums + SegmentLayout.padded(checksumCount * 4) }

    var checksumCount: Int {
        (checksums - scales + SegmentLayout.checksumSpan - 1) / SegmentLayout.checksumSpan
    }

    /// The part of the block that a checksum covers.
    func span(ofChecksum index: Int) -> Range<Int> {
        let start = scales + index * SegmentLayout.checksumSpan
        return start..<min(start + SegmentLayout.checksumSpan, checksums)
    }

    var bytes: [UInt8] {
        var bytes = ByteBuilder(SegmentLayout.blockMagic)
        bytes.append(UInt32(rows))
        bytes.append(UInt32(dimensions))
        bytes.append(UInt64(firstSlot))
        bytes.append(checksumOfChecksums)
        return bytes.sealed()
    }

    init(rows: Int, dimensions: Int, firstSlot: Int, checksumOfChecksums: UInt32 = 0) {
        self.rows = rows
        self.dimensions = dimensions
        self.firstSlot = firstSlot
        self.checksumOfChecksums = checksumOfChecksums
    }

    /// Throws the problem where the bytes are not a header of a block.
    init(_ bytes: [UInt8]) throws(SegmentProblem) {
        let fields = try ByteFields(bytes, magic: SegmentLayout.blockMagic, what: "a block's header")
        rows = Int(fields.uint32(at: 8))
        dimensions = Int(fields.uint32(at: 12))
        guard let firstSlot = Int(exactly: fields.uint64(at: 16)) else { throw SegmentProblem("an impossible slot") }
        self.firstSlot = firstSlot
        checksumOfChecksums = fields.uint32(at: 24)
        guard (1...Self.rowLimit).contains(rows), (1...Self.dimensionLimit).contains(dimensions) else {
            throw SegmentProblem("a block of \(rows) rows of \(dimensions) values")
        }
    }
}

/// What is wrong with a segment, in words.
struct SegmentProblem: Error, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

/// Bytes under construction.
struct ByteBuilder {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    mutating func append<T: FixedWidthInteger>(_ value: T) {
        for index in 0..<(T.bitWidth / 8) { bytes.append(UInt8(truncatingIfNeeded: value >> (index * 8))) }
    }

    mutating func append(_ values: some Sequence<Float>) {
        for value in values { append(value.bitPattern) }
    }

    mutating func append(_ values: [UInt8]) { bytes += values }

    /// Zeros up to the next multiple of 64.
    mutating func pad() {
        bytes += repeatElement(0, count: SegmentLayout.padded(bytes.count) - bytes.count)
    }

    /// A header of 64 bytes, whose last four are the CRC-32C of the others.
    func sealed() -> [UInt8] {
        var builder = self
        builder.append([UInt8](repeating: 0, count: SegmentLayout.headerByteCount - 4 - bytes.count))
        builder.append(CRC32C.checksum(of: builder.bytes))
        return builder.bytes
    }
}

/// Numbers in a header whose checksum is right.
private struct ByteFields {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8], magic: [UInt8], what: String) throws(SegmentProblem) {
        guard bytes.count == SegmentLayout.headerByteCount, bytes.starts(with: magic) else {
            throw SegmentProblem("\(what) is not there")
        }
        self.bytes = bytes
        guard uint32(at: 60) == CRC32C.checksum(of: Array(bytes[..<60])) else {
            throw SegmentProblem("\(what) does not have its checksum")
        }
    }

    func uint32(at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
    }

    func uint64(at offset: Int) -> UInt64 {
        UInt64(uint32(at: offset)) | UInt64(uint32(at: offset + 4)) << 32
    }
}
