// The audit: checksums of every block, and chunks embedded again, whose bits must be those that are stored.
import Q3Embedding
public import Q3Model
import Q3System

/// What an audit looked at and what is wrong.
public struct AuditReport: Sendable, Equatable {
    /// Something that is not as it should be.
    public enum Finding: Sendable, Equatable {
        /// SQLite's own check of the catalog, or of the words in it.
        case catalog(String)
        /// A segment whose headers are wrong; none of its vectors can be used.
        case segment(String)
        /// A block with a wrong checksum, by the file and the place in it.
        case block(path: String, offset: Int, rows: Int)
        /// A chunk that names a vector that is not there.
        case missingVector(chunk: Int, place: String)
        /// A chunk whose text is not what was embedded.
        case alteredText(chunk: Int, place: String)
        /// A chunk whose vector is not what the model gives: of another model, another writer, or damaged.
        case foreignVector(chunk: Int, place: String, similarity: Float)
        /// A file that has changed, or is gone, since it was indexed. `update` brings it up to date.
        case stale(path: String)
        /// A file that a writer did not finish. `update` does.
        case unfinished(path: String)
    }

    /// Everything that is wrong, in the order in which it was found.
    public internal(set) var findings: [Finding] = []
    /// Blocks of vectors whose checksums were compared.
    public internal(set) var blocks = 0
    /// Chunks of the index.
    public internal(set) var chunks = 0
    /// Chunks that were embedded again.
    public internal(set) var recomputed = 0
    /// Of these, chunks whose bits are the stored ones.
    public internal(set) var agreed = 0

    /// Whether nothing is damaged or foreign; files that changed since are not damage.
    public var isSound: Bool {
        findings.allSatisfy { finding in
            switch finding {
            case .stale, .unfinished: true
            default: false
            }
        }
    }
}

extension AuditReport.Finding: CustomStringConvertible {
    /// What is wrong, and where.
    public var description: String {
        switch self {
        case .catalog(let message): "catalog: \(message.escapedForTerminal)"
        case .segment(let message): message
        case .block(let path, let offset, let rows):
            "\(path.escapedForTerminal): the block of \(rows) vectors at byte \(offset) does not have its checksum"
        case .missingVector(let chunk, let place):
            "chunk \(chunk) (\(place.escapedForTerminal)): its vector is not there"
        case .alteredText(let chunk, let place):
            "chunk \(chunk) (\(place.escapedForTerminal)): its text is not what was embedded"
        case .foreignVector(let chunk, let place, let similarity):
            "chunk \(chunk) (\(place.escapedForTerminal)): its vector is not the model's (cosine \(similarity))"
        case .stale(let path): "\(path.escapedForTerminal): changed since, or removed"
        case .unfinished(let path): "\(path.escapedForTerminal): was not finished"
        }
    }
}

/// A chunk that an audit looks at.
private struct AuditedChunk: Sendable {
    let id: Int
    let slot: Int
    let hash: [UInt8]
    let text: String
    let place: String
}

extension Catalog {
    /// Everything that can be seen without a model. Gives the sound segments and the slots of sound blocks.
    fileprivate func inspect(
        _ configuration: IndexConfiguration, report: inout AuditReport
    ) throws(IndexError) -> (segments: [Segment], sound: SlotSet) {
        try database.run("PRAGMA integrity_check(20)") { row in
            if row.text(0) != "ok" { report.findings.append(.catalog(row.text(0))) }
            return true
        }
        let (chunks, words) = (
            try number("SELECT count(*) FROM chunks"), try number("SELECT count(*) FROM words_docsize")
        )
        if chunks != words { report.findings.append(.catalog("\(words) chunks are searched by words, not \(chunks)")) }
        report.chunks = chunks
        let entries = try segments()
        var sound = SlotSet(count: entries.map { $0.firstSlot + $0.rows }.max() ?? 0)
        var segments: [Segment] = []
        for entry in entries {
            var header = vectorHeader(configuration)
            header.number = entry.number
            do throws(IndexError) {
                let segment = try Segment(entry, folder: folder, expecting: header)
                segments.append(segment)
                for block in segment.blocks {
                    report.blocks += 1
                    if let offset = segment.damage(in: block) {
                        report.findings.append(.block(path: segment.path, offset: offset, rows: block.header.rows))
                    } else {
                        for slot in block.slots { sound.insert(slot) }
                    }
                }
            } catch {
                report.findings.append(.segment("\(error)"))
            }
        }
        for source in try sources() where source.kind != .stream {
            try database.run(
                "SELECT path, size, mtime_ns, inode, sha256 FROM files WHERE source = ?", [.integer(source.id)]
            ) { row in
                let path = SystemCall.join(source, row.bytes(0))
                let known = FileState(size: row.int(1), modifiedNanoseconds: row.int(2), inode: row.int(3))
                if row.isNull(4) {
                    report.findings.append(.unfinished(path: path.shown))
                } else if SystemCall.state(of: path) != known {
                    report.findings.append(.stale(path: path.shown))
                }
                return true
            }
        }
        return (segments, sound)
    }

    /// Chunks in the order of a fixed shuffle of their ids, so that samples of one seed are the same and of another are not.
    fileprivate func sample(_ count: Int?, seed: UInt64) throws(IndexError) -> [AuditedChunk] {
        var ids: [Int] = []
        try database.run("SELECT id FROM chunks ORDER BY id") { row in
            ids.append(row.int(0))
            return true
        }
        if let count, count < ids.count {
            var random = SeededGenerator(seed: seed)
            for index in 0..<count {
                // The bias of the remainder does not matter here.
                ids.swapAt(index, index + Int(random.next() % UInt64(ids.count - index)))
            }
            ids = ids.prefix(count).sorted()
        }
        var chunks: [AuditedChunk] = []
        for id in ids {
            let chunk = try database.first(
                """
                SELECT c.slot, c.sha256, c.context, c.text, f.path, c.line_start
                FROM chunks c JOIN documents d ON d.id = c.document JOIN files f ON f.id = d.file WHERE c.id = ?
                """, [.integer(id)]
            ) { row in
                AuditedChunk(
                    id: id, slot: row.int(0), hash: row.bytes(1),
                    text: row.text(2).isEmpty ? row.text(3) : "\(row.text(2))\n\n\(row.text(3))",
                    place: "\(row.text(4)):\(row.int(5))")
            }
            if let chunk {
                chunks.append(chunk)
            } else {
                throw .catalog(path: database.path, code: 11, message: "chunk \(id) belongs to no document")
            }
        }
        return chunks
    }
}

extension SearchIndex {
    /// Checks the catalog and every block, and embeds `sample` chunks again (all when nil). `progress` counts chunks.
    ///
    /// Equal texts have equal bits, so one differing bit tells another model, prompt, writer or damage. Throws
    /// `otherModel` for another model: then every chunk would differ.
    public func audit(
        sample: Int? = 500, seed: UInt64 = 0, with model: NamedEmbedder,
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> AuditReport {
        try check(model)
        var report = AuditReport()
        let (segments, sound, chunks) = try catalog.database.transaction("DEFERRED") {
            let (segments, sound) = try catalog.inspect(configuration, report: &report)
            return (segments, sound, try catalog.sample(sample, seed: seed))
        }
        func vector(in slot: Int) -> [Float]? {
            for segment in segments {
                if let block = segment.block(of: slot) {
                    return segment.vector(row: slot - block.header.firstSlot, of: block)
                }
            }
            return nil
        }
        for start in stride(from: 0, to: chunks.count, by: 64) {
            progress?(Progress(completed: start, total: chunks.count))
            let window = chunks[start..<min(start + 64, chunks.count)]
            let results = try await model.results(for: window.map(\.text), dimensions: configuration.dimensions)
            for (chunk, result) in zip(window, results) {
                report.recomputed += 1
                guard chunk.hash == SourceFile.hash(Array(chunk.text.utf8)) else {
                    report.findings.append(.alteredText(chunk: chunk.id, place: chunk.place))
                    continue
                }
                guard sound.contains(chunk.slot), let stored = vector(in: chunk.slot) else {
                    report.findings.append(.missingVector(chunk: chunk.id, place: chunk.place))
                    continue
                }
                guard let computed = try? result.get().vector else { continue }
                if zip(stored, computed).allSatisfy({ $0.bitPattern == $1.bitPattern }) {
                    report.agreed += 1
                } else {
                    report.findings.append(
                        .foreignVector(
                            chunk: chunk.id, place: chunk.place, similarity: Similarity.dot(stored, computed)))
                }
            }
        }
        return report
    }
}
