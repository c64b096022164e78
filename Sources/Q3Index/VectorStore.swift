// All committed vectors of an index: one query against every row in int8, then exact scores of the best.
import Q3Embedding
import Q3Kernels
import Q3System

/// The segments of one generation of the catalog.
final class VectorStore: Sendable {
    let segments: [Segment]
    let dimensions: Int
    /// Slots to leave out.
    let dead: SlotSet

    init(_ catalog: Catalog, configuration: IndexConfiguration) throws(IndexError) {
        let header = catalog.vectorHeader(configuration)
        var segments: [Segment] = []
        for entry in try catalog.segments() {
            var header = header
            header.number = entry.number
            segments.append(try Segment(entry, folder: catalog.folder, expecting: header))
        }
        self.segments = segments
        dimensions = configuration.dimensions
        var dead = SlotSet(count: segments.last.map { $0.entry.firstSlot + $0.entry.rows } ?? 0)
        try catalog.database.run("SELECT slot FROM dead") { row in
            dead.insert(row.int(0))
            return true
        }
        self.dead = dead
    }

    /// Rows, with those that are dead.
    var slotCount: Int { dead.count }

    /// The vector in a slot; nil where there is none.
    func vector(in slot: Int) -> [Float]? {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            let entry = segments[middle].entry
            if entry.firstSlot + entry.rows <= slot { low = middle + 1 } else { high = middle }
        }
        guard low < segments.count, let block = segments[low].block(of: slot) else { return nil }
        return segments[low].vector(row: slot - block.header.firstSlot, of: block)
    }

    /// The `count` slots nearest to a unit vector, best first, of equals the lower slot first, with their exact cosines.
    ///
    /// The scan compares int8 values and keeps `breadth` times as many as are asked for; their order then comes from the
    /// vectors in f32. `allowed` leaves out all other slots.
    func nearest(to query: [Float], count: Int, breadth: Int = 10, allowed: SlotSet? = nil) async -> [TopK.Hit] {
        let candidates = await scan(QuantizedRow(query), count: max(count, 1) * breadth, allowed: allowed)
        var best = TopK(count)
        for candidate in candidates {
            if let vector = vector(in: candidate.index) {
                best.insert(Similarity.dot(query, vector), at: candidate.index)
            }
        }
        return best.hits
    }

    /// Rows that a thread takes at a time.
    private static let rowsPerItem = 4096

    private func scan(_ query: QuantizedRow, count: Int, allowed: SlotSet?) async -> [TopK.Hit] {
        let blocks = segments.flatMap { segment in segment.blocks.map { (segment: segment, block: $0) } }
        var items: [Range<Int>] = []
        var (start, rows) = (0, 0)
        for index in blocks.indices {
            rows += blocks[index].block.header.rows
            guard rows >= Self.rowsPerItem || index == blocks.count - 1 else { continue }
            items.append(start..<index + 1)
            (start, rows) = (index + 1, 0)
        }
        let ready = items
        let stride = SegmentLayout.padded(dimensions)
        let padded = query.values + [Int8](repeating: 0, count: stride - dimensions)
        let results = ScanResults(count: count)
        await withTaskGroup { group in
            for _ in 0..<min(ready.count, processorCount) {
                group.addTask {
                    var best = TopK(count)
                    var products: [Int32] = []
                    while true {
                        let item = results.nextItem()
                        guard item < ready.count else { break }
                        for (segment, block) in blocks[ready[item]] {
                            self.scan(block, of: segment, for: query, padded, allowed, &products, into: &best)
                        }
                    }
                    results.add(best)
                }
            }
        }
        return results.hits
    }

    /// Offers every row of a block that is alive and allowed. `padded` is the query's int8 values, [stride].
    private func scan(
        _ block: Segment.Block, of segment: Segment, for query: QuantizedRow, _ padded: [Int8], _ allowed: SlotSet?,
        _ products: inout [Int32], into best: inout TopK
    ) {
        let header = block.header
        if products.count < header.rows {
            products.append(contentsOf: repeatElement(0, count: header.rows - products.count))
        }
        let scanned = unsafe segment.scanned(block)
        unsafe RowScan.products(
            rows: scanned.rows, count: header.rows, stride: header.stride, query: padded, into: &products)
        for row in 0..<header.rows {
            let score = Float(products[row]) * (unsafe scanned.scales[row] * query.scale)
            // Most rows end here, so the heap is asked for its worst only once it can be full.
            if let worst = best.worst, score < worst.score { continue }
            let slot = header.firstSlot + row
            guard !dead.contains(slot), allowed?.contains(slot) ?? true else { continue }
            best.insert(score, at: slot)
        }
    }
}
