// Mending what an audit found: only the chunks that are damaged or foreign are embedded again.
import Q3Embedding

/// What a repair did.
public struct RepairReport: Sendable, Equatable {
    /// Chunks that were embedded again from the text in the catalog.
    public internal(set) var embeddedChunks = 0
    /// Files that are read again because a text in the catalog was altered.
    public internal(set) var files = 0
    /// Whether the words that searches look up were made anew.
    public internal(set) var didRebuildWords = false
    /// What only a copy of the index, or a new index, can mend.
    public internal(set) var left: [AuditReport.Finding] = []
}

extension IndexWriter {
    /// Mends what `report` found. Damage of SQLite's own pages is left; so is what changed on disk, which `update` takes up.
    public func repair(_ report: AuditReport) async throws -> RepairReport {
        _ = try await flush()
        var result = RepairReport()
        let database = catalog.database
        var chunks: Set<Int> = []
        var altered: Set<Int> = []
        for finding in report.findings {
            switch finding {
            case .foreignVector(let chunk, _, _), .missingVector(let chunk, _): chunks.insert(chunk)
            case .alteredText(let chunk, _): altered.insert(chunk)
            case .catalog(let message) where message.contains("searched by words"): result.didRebuildWords = true
            case .catalog: result.left.append(finding)
            case .segment, .block, .stale, .unfinished: break
            }
        }
        guard result.left.isEmpty else { return result }
        if result.didRebuildWords { try database.run("INSERT INTO words(words) VALUES('rebuild')") }
        for chunk in altered.sorted() {
            // The next update reads the file again; a chunk that keeps its hash would keep its text.
            try database.transaction {
                try database.run(
                    """
                    UPDATE files SET sha256 = NULL WHERE id = (SELECT d.file FROM documents d JOIN chunks c
                        ON c.document = d.id WHERE c.id = ?)
                    """, [.integer(chunk)])
                try database.run("UPDATE chunks SET sha256 = zeroblob(32) WHERE id = ?", [.integer(chunk)])
            }
            result.files += 1
        }
        // Every chunk in a block or segment that is not sound, sampled or not.
        let store = try SoundVectors(catalog, configuration: configuration)
        try database.run("SELECT id, slot FROM chunks") { row in
            if !store.contains(row.int(1)) { chunks.insert(row.int(0)) }
            return true
        }
        guard !chunks.isEmpty || store.hasDamage else { return result }
        var vectors: [Int: [Float]] = [:]
        let ids = chunks.sorted()
        for start in stride(from: 0, to: ids.count, by: 256) {
            var texts: [String] = []
            let window = ids[start..<min(start + 256, ids.count)]
            for id in window {
                texts.append(
                    try database.first("SELECT context, text FROM chunks WHERE id = ?", [.integer(id)]) { row in
                        row.text(0).isEmpty ? row.text(1) : "\(row.text(0))\n\n\(row.text(1))"
                    } ?? "")
            }
            let results = try await model().results(for: texts, dimensions: configuration.dimensions)
            for (id, result) in zip(window, results) { vectors[id] = try result.get().vector }
        }
        result.embeddedChunks = vectors.count
        try rewrite(store, replacing: vectors)
        return result
    }

    /// New segments with the sound vectors of all chunks and the given ones. Chunks of the same words share a vector.
    private func rewrite(_ store: SoundVectors, replacing vectors: [Int: [Float]]) throws {
        var rows: [(chunk: Int, slot: Int)] = []
        var isTaken: Set<Int> = []
        var sharing: [Int: Int] = [:]  // chunks by the sound slot that they keep
        try catalog.database.run("SELECT id, slot FROM chunks ORDER BY slot, id") { row in
            let (chunk, slot) = (row.int(0), row.int(1))
            if vectors[chunk] == nil, !isTaken.insert(slot).inserted {
                sharing[chunk] = slot
            } else {
                rows.append((chunk, slot))
            }
            return true
        }
        try replaceSegments(rows, vector: { vectors[$0.chunk] ?? store.vector(in: $0.slot) }) { moved in
            var newSlots: [Int: Int] = [:]
            let database = catalog.database
            for (row, slot) in moved {
                if vectors[row.chunk] == nil { newSlots[row.slot] = slot }
                try database.run("UPDATE chunks SET slot = ? WHERE id = ?", [.integer(slot), .integer(row.chunk)])
            }
            for (chunk, old) in sharing {
                guard let slot = newSlots[old] else { continue }
                try database.run("UPDATE chunks SET slot = ? WHERE id = ?", [.integer(slot), .integer(chunk)])
            }
        }
    }
}

/// The vectors of an index that is damaged: those whose blocks have their checksums.
private struct SoundVectors {
    private var segments: [Segment] = []
    private var sound: SlotSet
    private(set) var hasDamage = false

    init(_ catalog: Catalog, configuration: IndexConfiguration) throws(IndexError) {
        let entries = try catalog.segments()
        sound = SlotSet(count: entries.map { $0.firstSlot + $0.rows }.max() ?? 0)
        for entry in entries {
            var header = catalog.vectorHeader(configuration)
            header.number = entry.number
            do throws(IndexError) {
                let segment = try Segment(entry, folder: catalog.folder, expecting: header)
                segments.append(segment)
                for block in segment.blocks {
                    if segment.damage(in: block) == nil {
                        for slot in block.slots { sound.insert(slot) }
                    } else {
                        hasDamage = true
                    }
                }
            } catch {
                hasDamage = true
            }
        }
    }

    func contains(_ slot: Int) -> Bool { sound.contains(slot) }

    func vector(in slot: Int) -> [Float]? {
        guard contains(slot) else { return nil }
        for segment in segments {
            if let block = segment.block(of: slot) {
                return segment.vector(row: slot - block.header.firstSlot, of: block)
            }
        }
        return nil
    }
}
