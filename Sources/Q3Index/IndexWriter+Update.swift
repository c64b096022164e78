// Adding and updating: which files are new, changed, renamed or gone, and their chunks as steps for the writer.
import Q3System

/// What an update found and did.
public struct UpdateReport: Sendable, Equatable {
    /// New files.
    public internal(set) var added = 0
    /// Files with new content.
    public internal(set) var changed = 0
    /// Files with another path and the same content, which cost nothing.
    public internal(set) var renamed = 0
    /// Files that are gone.
    public internal(set) var removed = 0
    /// Files that are as they were.
    public internal(set) var unchanged = 0
    /// Chunks that were embedded.
    public internal(set) var embeddedChunks = 0
    /// Chunks whose text had a vector already.
    public internal(set) var reusedChunks = 0
    /// Tokens that were embedded, including contexts.
    public internal(set) var tokens = 0
    /// Files and records that were left out, with the reason.
    public internal(set) var skipped: [SkippedFile] = []

    /// A report of nothing, to add others to.
    public init() {}

    mutating func add(_ flushed: IndexWriter.Flushed?) {
        guard let flushed else { return }
        embeddedChunks += flushed.chunks
        reusedChunks += flushed.repeatedChunks
        tokens += flushed.tokens
        skipped += flushed.failures
    }
}

/// How far an update is.
public struct UpdateProgress: Sendable, Equatable {
    /// Files read so far.
    public let files: Int
    /// Files to read.
    public let fileCount: Int
    /// Chunks embedded so far.
    public let chunks: Int
    /// Tokens embedded so far.
    public let tokens: Int
}

/// A record of a file of records, or of a stream.
public struct IndexRecord: Sendable, Equatable {
    /// The record's own id.
    public var id: String?
    /// Stands before the text when it is embedded.
    public var title: String?
    /// What is cut into chunks and embedded.
    public var text: String
    /// A JSON object of what else is known of it, to filter by.
    public var metadata: String?
    /// The line it stands on, counted from 1.
    public var line: Int
    /// Its bytes in the file.
    public var bytes: Range<Int>

    /// A record. `bytes` is its place in the file; of a stream, the number of the line is enough.
    public init(
        id: String? = nil, title: String? = nil, text: String, metadata: String? = nil, line: Int, bytes: Range<Int>
    ) {
        self.id = id
        self.title = title
        self.text = text
        self.metadata = metadata
        self.line = line
        self.bytes = bytes
    }
}

/// The next record of a file of records, nil at its end. What cannot be used is given to `reject` with its place and why.
public typealias RecordSource =
    (_ reject: (_ place: String, _ reason: String) -> Void) throws -> IndexRecord?

/// How files are read.
public struct FileReadingOptions: Sendable {
    /// Files of more bytes are left out.
    public var byteLimit: Int
    /// Opens a file of records, such as .jsonl; nil for a file that is none. It gets the file's path.
    public var openRecords: (@Sendable (_ path: String) throws -> RecordSource?)?

    /// Options for reading; without `openRecords` every file is one document.
    public init(
        byteLimit: Int = 64 << 20, openRecords: (@Sendable (_ path: String) throws -> RecordSource?)? = nil
    ) {
        self.byteLimit = byteLimit
        self.openRecords = openRecords
    }
}

extension IndexWriter {
    /// Adds a folder or a file as a source, and everything in it.
    ///
    /// `globs` are patterns of which a file must match one: of names, or of paths within the folder if they have a `/`. What
    /// was added before under the same path is brought up to date with the new patterns. Throws `source` for a path that is
    /// neither.
    public func add(
        path sourcePath: String, globs: [String] = [], context: String = "",
        reading: FileReadingOptions = FileReadingOptions(),
        progress: (@Sendable (UpdateProgress) -> Void)? = nil
    ) async throws -> UpdateReport {
        let sourcePath = try SystemCall.absolute(sourcePath)
        guard let kind = SystemCall.kind(of: sourcePath) else {
            throw IndexError.source(path: sourcePath, problem: "neither a folder nor a regular file")
        }
        let source = try catalog.set(
            IndexSource(id: 0, kind: kind, path: sourcePath, globs: globs, context: context))
        return try await update(source, reading: reading, progress: progress)
    }

    /// Brings every source up to date: embeds what is new or changed, removes what is gone.
    ///
    /// A source whose folder is missing as a whole is left as it is and reported: a disk that is not mounted is no reason to
    /// forget what is on it. `remove` forgets it.
    public func update(
        reading: FileReadingOptions = FileReadingOptions(), progress: (@Sendable (UpdateProgress) -> Void)? = nil
    ) async throws -> UpdateReport {
        var report = UpdateReport()
        for source in try catalog.sources() where source.kind != .stream {
            report.add(try await update(source, reading: reading, progress: progress))
        }
        return report
    }

    /// Forgets a source and removes what came from it. Throws `source` for a path that was not added.
    public func remove(path sourcePath: String) async throws -> UpdateReport {
        let wanted = [try SystemCall.absolute(sourcePath), sourcePath]
        guard
            let source = try catalog.sources().first(where: { source in wanted.contains { $0.hasBytes(of: source.path) }
            })
        else {
            throw IndexError.source(path: sourcePath, problem: "was not added to this index")
        }
        var report = UpdateReport()
        report.removed = try remove(Array(catalog.files(of: source.id).values))
        try catalog.database.run("DELETE FROM sources WHERE id = ?", [.integer(source.id)])
        return report
    }

    /// Replaces everything that came from the stream of this name by the given records.
    public func replaceStream(
        _ name: String, context: String = "", records: RecordSource,
        progress: (@Sendable (UpdateProgress) -> Void)? = nil
    ) async throws -> UpdateReport {
        let source = try catalog.set(IndexSource(id: 0, kind: .stream, path: name, globs: [], context: context))
        var report = UpdateReport()
        let isKnown = try catalog.files(of: source.id)[Array(name.utf8)] != nil
        try await stage(
            FoundFile(path: Array(name.utf8), state: FileState(size: 0, modifiedNanoseconds: 0, inode: 0)),
            records: records, hash: [], of: source, into: &report)
        report.add(try await flush())
        if isKnown { report.changed += 1 } else { report.added += 1 }
        return report
    }

    private func update(
        _ source: IndexSource, reading: FileReadingOptions, progress: (@Sendable (UpdateProgress) -> Void)?
    ) async throws -> UpdateReport {
        var report = UpdateReport()
        guard let found = try find(source, report: &report) else { return report }
        let known = try catalog.files(of: source.id)
        var pending: [FoundFile] = []
        var seen: Set<[UInt8]> = []
        seen.reserveCapacity(found.count)
        for file in found {
            seen.insert(file.path)
            if let entry = known[file.path], entry.hash != nil, entry.state == file.state {
                report.unchanged += 1
            } else {
                pending.append(file)
            }
        }
        var missing = known.filter { !seen.contains($0.key) }
        var byHash: [[UInt8]: [UInt8]] = [:]
        for (path, entry) in missing { if let hash = entry.hash { byHash[hash] = path } }

        for (index, file) in pending.enumerated() {
            try Task.checkCancellation()
            progress?(
                UpdateProgress(
                    files: index, fileCount: pending.count, chunks: report.embeddedChunks, tokens: report.tokens))
            let entry = known[file.path]
            let content: SourceFile.Content
            do throws(Unreadable) {
                content = try SourceFile.read(SystemCall.join(source, file.path), limit: reading.byteLimit)
            } catch {
                // It may be readable again tomorrow: what is known of it stays.
                report.skipped.append(SkippedFile(path: file.path.shown, reason: error.reason))
                continue
            }
            let current = FoundFile(path: file.path, state: content.state)
            if let entry, entry.hash == content.hash {
                report.add(try await take(.touch(file: entry.id, state: content.state, hash: content.hash)))
                report.unchanged += 1
            } else if entry == nil, content.problem == nil, let old = byHash[content.hash], let moved = missing[old],
                try keepsChunks(moved.id, from: old, to: file.path)
            {
                report.add(
                    try await take(
                        .rename(file: moved.id, path: file.path, state: content.state, hash: content.hash)))
                missing[old] = nil
                byHash[content.hash] = nil
                report.renamed += 1
            } else {
                try await stage(current, content: content, of: source, reading: reading, into: &report)
                if entry == nil { report.added += 1 } else { report.changed += 1 }
            }
        }
        report.add(try await flush())
        report.removed += try remove(Array(missing.values))
        return report
    }

    /// The files of a source; nil when the source itself is not there.
    private func find(_ source: IndexSource, report: inout UpdateReport) throws -> [FoundFile]? {
        switch source.kind {
        case .folder:
            guard SystemCall.kind(of: source.path) == .folder else { break }
            let walk = try FolderWalk(root: source.path, globs: source.globs, leavingOut: path)
            report.skipped += walk.skipped
            return walk.files
        case .file:
            guard let state = SystemCall.state(of: source.path) else { break }
            return [FoundFile(path: Array(source.path.utf8), state: state)]
        case .stream: return nil
        }
        report.skipped.append(SkippedFile(path: source.path, reason: "not there; what is known of it stays"))
        return nil
    }

    /// Whether a file's chunks stay the same under another name: not when the name tells another kind, nor when it stands in
    /// the chunks' context.
    private func keepsChunks(_ file: Int, from old: [UInt8], to new: [UInt8]) throws -> Bool {
        let (oldName, newName) = (old.lastName, new.lastName)
        if oldName == newName { return true }
        let (before, after) = (DocumentKind.of(fileName: oldName), DocumentKind.of(fileName: newName))
        guard before?.kind == after?.kind, before?.language == after?.language else { return false }
        return try catalog.number(
            "SELECT count(*) FROM documents WHERE file = ? AND title = ?",
            [.integer(file), .text(oldName.shown)]) == 0
    }

    /// Removes files, some hundreds in a transaction, so that readers see progress and the log stays short.
    func remove(_ files: [FileEntry]) throws -> Int {
        let ids = files.map(\.id).sorted()
        for start in stride(from: 0, to: ids.count, by: 500) {
            try catalog.database.transaction {
                for id in ids[start..<min(start + 500, ids.count)] { try catalog.removeFile(id) }
                try catalog.bumpGeneration()
            }
        }
        return ids.count
    }

    /// Cuts a file and hands its chunks to the writer.
    private func stage(
        _ file: FoundFile, content: SourceFile.Content, of source: IndexSource, reading: FileReadingOptions,
        into report: inout UpdateReport
    ) async throws {
        let name = file.path.lastName
        let known = DocumentKind.of(fileName: name)
        let path = SystemCall.join(source, file.path)
        // A name that is not UTF-8 cannot be passed on as text.
        if let text = String(validating: path, as: UTF8.self), let records = try reading.openRecords?(text) {
            return try await stage(file, records: records, hash: content.hash, of: source, into: &report)
        }
        var problem = content.problem
        var bytes = content.bytes
        let kind = known?.kind ?? .text
        if kind == .pdf, problem == nil || problem == SourceFile.binary {
            do throws(Unreadable) {
                (bytes, problem) = (try PDFText.extract(path), nil)
            } catch {
                problem = error.reason
            }
        }
        if let problem {
            report.skipped.append(SkippedFile(path: file.path.shown, reason: problem))
            report.add(try await take(.beginFile(source: source.id, path: file.path, state: file.state)))
            report.add(try await take(.finishFile(state: file.state, hash: content.hash, problem: problem)))
            return
        }
        let (title, chunks) = try chunker().chunks(
            of: bytes, kind: kind, context: source.context, fallbackTitle: name.shown)
        let document = SourceDocument(title: title, kind: kind, language: known?.language)
        let steps = try chunkSteps(chunks, into: &report)
        report.add(try await take(.beginFile(source: source.id, path: file.path, state: file.state)))
        report.add(try await take(.document(document)))
        for step in steps { report.add(try await take(step)) }
        report.add(try await take(.finishFile(state: file.state, hash: content.hash, problem: nil)))
    }

    /// Cuts the records of a file one after the other, so that a file of any size passes through.
    private func stage(
        _ file: FoundFile, records: RecordSource, hash: [UInt8], of source: IndexSource,
        into report: inout UpdateReport
    ) async throws {
        report.add(try await take(.beginFile(source: source.id, path: file.path, state: file.state)))
        var rejected: [SkippedFile] = []
        while let record = try records({ rejected.append(SkippedFile(path: $0, reason: $1)) }) {
            try Task.checkCancellation()
            let (title, chunks) = try chunker().chunks(
                of: Array(record.text.utf8), kind: .record, context: source.context, fallbackTitle: record.title ?? "")
            let document = SourceDocument(
                name: record.id, title: title, kind: .record, language: nil, metadata: record.metadata)
            report.add(try await take(.document(document)))
            // The record is what can be opened, wherever in its text the chunk is.
            let placed = chunks.map { $0.placed(at: record.bytes, line: record.line) }
            for step in try chunkSteps(placed, into: &report) { report.add(try await take(step)) }
        }
        report.skipped += rejected
        report.add(try await take(.finishFile(state: file.state, hash: hash, problem: nil)))
    }

    /// Chunks with the slots of those whose words have a vector already.
    private func chunkSteps(_ chunks: [Chunk], into report: inout UpdateReport) throws -> [Step] {
        try chunks.map { chunk in
            let hash = SourceFile.hash(Array(chunk.embeddedText.utf8))
            let slot = try catalog.slot(ofHash: hash)
            if slot != nil { report.reusedChunks += 1 }
            return .chunk(chunk, hash: hash, slot: slot)
        }
    }
}

extension UpdateReport {
    /// Adds what another update found and did.
    public mutating func add(_ other: UpdateReport) {
        added += other.added
        changed += other.changed
        renamed += other.renamed
        removed += other.removed
        unchanged += other.unchanged
        embeddedChunks += other.embeddedChunks
        reusedChunks += other.reusedChunks
        tokens += other.tokens
        skipped += other.skipped
    }
}

extension Chunk {
    fileprivate func placed(at bytes: Range<Int>, line: Int) -> Chunk {
        Chunk(bytes: bytes, lines: line...line, context: context, text: text, tokenCount: tokenCount)
    }
}

extension [UInt8] {
    /// The part of a path after the last `/`.
    var lastName: [UInt8] { Array(self[((lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]) }

    /// A name as text; bytes that are not UTF-8 are replaced.
    var shown: String { String(decoding: self, as: UTF8.self) }
}
