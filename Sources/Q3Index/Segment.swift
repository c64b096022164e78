// A segment as readers see it: mapped up to what the catalog has committed, block by block.
import Q3GGUF
import Q3Kernels
import Q3System

/// The committed part of one segment file.
@safe final class Segment: Sendable {
    /// A block's header and where it begins in the file.
    struct Block: Sendable {
        let offset: Int
        let header: BlockHeader

        var slots: Range<Int> { header.firstSlot..<header.firstSlot + header.rows }
    }

    let entry: SegmentEntry
    let path: String
    let blocks: [Block]
    private let file: MappedFile

    /// Maps a segment and follows its blocks. Throws `segment` where headers are not what the catalog promises; the rows
    /// themselves are checked by `damage`.
    init(_ entry: SegmentEntry, folder: String, expecting header: SegmentHeader) throws(IndexError) {
        let path = "\(folder)/\(SegmentEntry.fileName(entry.number))"
        func damaged(at offset: Int, _ problem: String) -> IndexError {
            .segment(path: path, offset: offset, problem: problem)
        }
        do throws(GGUFError) {
            file = try MappedFile(path: path, copying: false)
        } catch {
            throw Self.indexError(error, path: path)
        }
        guard file.byteCount >= entry.byteCount else {
            throw damaged(at: file.byteCount, "the file ends here, but should have \(entry.byteCount) bytes")
        }
        let file = self.file
        func headerBytes(at offset: Int) throws(IndexError) -> [UInt8] {
            guard offset + SegmentLayout.headerByteCount <= entry.byteCount else {
                throw damaged(at: offset, "a header does not fit before the end")
            }
            return unsafe [UInt8](file.bytes(in: offset..<offset + SegmentLayout.headerByteCount))
        }
        var blocks: [Block] = []
        var offset = 0
        do {
            let found = try SegmentHeader(headerBytes(at: 0))
            guard found == header else { throw damaged(at: 0, "it belongs to another index") }
            offset = SegmentLayout.headerByteCount
            var slot = entry.firstSlot
            while offset < entry.byteCount {
                let block = try BlockHeader(headerBytes(at: offset))
                guard block.firstSlot == slot, block.dimensions == header.dimensions else {
                    throw SegmentProblem("a block of another place")
                }
                guard block.byteCount <= entry.byteCount - offset else {
                    throw SegmentProblem("a block of \(block.byteCount) bytes goes beyond the end")
                }
                blocks.append(Block(offset: offset, header: block))
                offset += block.byteCount
                slot += block.rows
            }
            guard slot == entry.firstSlot + entry.rows else {
                throw SegmentProblem("\(slot - entry.firstSlot) rows instead of \(entry.rows)")
            }
        } catch let problem as SegmentProblem {
            throw damaged(at: offset, problem.text)
        } catch let error as IndexError {
            throw error
        } catch {
            throw damaged(at: offset, "\(error)")
        }
        self.entry = entry
        self.path = path
        self.blocks = blocks
    }

    private static func indexError(_ error: GGUFError, path: String) -> IndexError {
        switch error {
        case .cannotOpen(_, let code): .file(path: path, action: "open", code: code)
        case .cannotMap(_, _, let code): .file(path: path, action: "map", code: code)
        default: .segment(path: path, offset: 0, problem: "\(error)")
        }
    }

    /// The scales of a block and its int8 rows, [rows, stride]; valid while the segment lives.
    @unsafe func scanned(_ block: Block) -> (scales: UnsafePointer<Float>, rows: UnsafePointer<Int8>) {
        let base = unsafe file.bytes.baseAddress! + block.offset
        // A mapping begins at a page, blocks and parts at multiples of 64.
        return unsafe (
            (base + block.header.scales).assumingMemoryBound(to: Float.self),
            (base + block.header.integers).assumingMemoryBound(to: Int8.self)
        )
    }

    /// The vector of a row, in f32 as it was computed.
    func vector(row: Int, of block: Block) -> [Float] {
        let byteCount = block.header.dimensions * 4
        let start = block.offset + block.header.floats + row * byteCount
        let bytes = unsafe file.bytes(in: start..<start + byteCount)
        return unsafe [Float](unsafeUninitializedCapacity: block.header.dimensions) { buffer, count in
            unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
            count = block.header.dimensions
        }
    }

    /// The block that holds a slot.
    func block(of slot: Int) -> Block? {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].slots.upperBound <= slot { low = middle + 1 } else { high = middle }
        }
        return low < blocks.count && blocks[low].slots.contains(slot) ? blocks[low] : nil
    }

    /// The first part of a block whose checksum is wrong, as an offset in the file; nil when the block is whole.
    func damage(in block: Block) -> Int? {
        let header = block.header
        let list = unsafe file.bytes(
            in: (block.offset + header.checksums)..<(block.offset + header.checksums + header.checksumCount * 4))
        guard unsafe CRC32C.checksum(of: list) == header.checksumOfChecksums else {
            return block.offset + header.checksums
        }
        for index in 0..<header.checksumCount {
            let span = header.span(ofChecksum: index)
            let part = unsafe file.bytes(in: (block.offset + span.lowerBound)..<(block.offset + span.upperBound))
            let expected = UInt32(littleEndian: unsafe list.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
            guard unsafe CRC32C.checksum(of: part) == expected else { return block.offset + span.lowerBound }
        }
        return nil
    }
}

/// What the catalog says of a segment.
struct SegmentEntry: Sendable, Equatable {
    var number: Int
    /// The slot of its first row; slots are counted over all segments.
    var firstSlot: Int
    var rows: Int
    /// Bytes that are committed. The file may be longer: what follows was never finished.
    var byteCount: Int

    static func fileName(_ number: Int) -> String {
        let digits = "\(number)"
        return "vectors/" + String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits + ".seg"
    }
}
