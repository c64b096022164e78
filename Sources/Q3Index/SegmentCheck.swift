// Reading a segment file whole, whatever its bytes: what the fuzzer does.
import Q3Kernels

package enum SegmentCheck {
    /// What was read of a segment.
    package struct Contents: Equatable {
        package var rows = 0
        package var damagedBlocks = 0
    }

    /// Opens `vectors/000001.seg` in a folder as an index does whose catalog has these numbers, and reads every row, as the
    /// scan reads it and as it is scored. Throws `IndexError` for what is no segment of this kind.
    package static func read(
        folder: String, rows: Int, byteCount: Int, dimensions: Int, fingerprint: UInt64
    ) throws(IndexError) -> Contents {
        let entry = SegmentEntry(number: 1, firstSlot: 0, rows: rows, byteCount: byteCount)
        let segment = try Segment(
            entry, folder: folder,
            expecting: SegmentHeader(dimensions: dimensions, fingerprint: fingerprint, number: 1))
        var contents = Contents()
        var products: [Int32] = []
        for block in segment.blocks {
            if segment.damage(in: block) != nil { contents.damagedBlocks += 1 }
            let header = block.header
            let query = [Int8](repeating: 1, count: header.stride)
            products = [Int32](repeating: 0, count: header.rows)
            let scanned = unsafe segment.scanned(block)
            unsafe RowScan.products(
                rows: scanned.rows, count: header.rows, stride: header.stride, query: query, into: &products)
            for slot in block.slots {
                guard let found = segment.block(of: slot), found.header == header else { continue }
                let vector = segment.vector(row: slot - header.firstSlot, of: found)
                contents.rows += vector.count == dimensions ? 1 : 0
            }
        }
        return contents
    }
}
