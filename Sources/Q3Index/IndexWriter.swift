// The one writer of an index: a window of changes at a time, vectors first, then the catalog in one transaction.
public import Q3Embedding

/// How a new index is made.
public struct IndexOptions: Sendable, Equatable {
    /// Values of each vector; nil keeps all that the model gives.
    public var dimensions: Int?
    /// Most tokens of a chunk.
    public var chunkTokens: Int

    /// Options of a new index. `IndexWriter.create` checks them against the model.
    public init(dimensions: Int? = nil, chunkTokens: Int = 400) {
        self.dimensions = dimensions
        self.chunkTokens = chunkTokens
    }
}

/// A model and its name.
public struct NamedEmbedder: Sendable {
    /// The model.
    public let embedder: Embedder
    /// The name that messages and `status` show, such as a path or `q3-mini`.
    public let name: String
    /// What changes the vectors of queries, and of documents where it was made for both.
    public let adapter: EmbeddingAdapter?

    /// Pairs a model with its name, and with an adapter that was made for it.
    public init(_ embedder: Embedder, name: String, adapter: EmbeddingAdapter? = nil) {
        self.embedder = embedder
        self.name = name
        self.adapter = adapter
    }

    /// The identity of the vector space of its documents: the model's own with an adapter that changes queries alone. Reads
    /// the whole model once.
    package func identity() throws -> ModelIdentity {
        ModelIdentity(name: name, fingerprint: try Fingerprint(of: embedder.model).adapted(by: adapter).description)
    }

    /// The vectors of texts of an index, cut to its size.
    func results(
        for texts: [String], dimensions: Int
    ) async throws -> [Result<Embedding, EmbeddingError>] {
        let options = EmbeddingOptions(dimensions: dimensions, truncates: true, adapter: adapter)
        return try await embedder.results(for: texts, as: .document, options: options)
    }
}

/// Changes an index. There is one writer at a time; others wait, readers do not.
///
/// Whatever ends the process, an index stays whole: it lacks at most the window that was being written, which the next
/// `update` writes again.
///
///     let writer = try IndexWriter.create("notes.q3i", model: NamedEmbedder(.mini(), name: "q3-mini"))
///     let report = try await writer.add(folder: "/home/me/notes", globs: ["*.md"])
///     print(report.added, "files,", report.embeddedChunks, "chunks")
public actor IndexWriter {
    /// A window is full with this many chunks to embed, or this many bytes: enough for whole batches of the model, little
    /// enough to lose.
    private static let windowChunks = 512
    /// As many bytes as were embedded in a second, within these: a fast model would wait for the disk after every batch.
    private static let windowBytes = 1 << 16...1 << 20
    /// Changes that need no model are small, and wait for more of them.
    private static let windowSteps = 4096

    /// The folder of the index.
    public nonisolated let path: String
    /// What the index was made with.
    public nonisolated let configuration: IndexConfiguration
    let catalog: Catalog
    private let lock: WriterLock
    let openModel: @Sendable () throws -> NamedEmbedder
    private var checkedModel: NamedEmbedder?
    private var segmentWriter: SegmentWriter?
    private var steps: [Step] = []
    private var newChunks = 0
    private var newBytes = 0
    private var fullBytes = windowBytes.lowerBound
    /// The file and document that the next steps belong to, and the documents of the file's former state.
    private var currentFile = 0
    private var currentDocument = 0
    private var formerDocuments = 0

    /// One change of the catalog. Any number of them from the first on leaves it whole.
    enum Step: Sendable {
        case beginFile(source: Int, path: [UInt8], state: FileState)
        case document(SourceDocument)
        /// A chunk and the slot that has its vector already.
        case chunk(Chunk, hash: [UInt8], slot: Int?)
        /// `problem` says why a file is left out that has no documents.
        case finishFile(state: FileState, hash: [UInt8], problem: String?)
        case touch(file: Int, state: FileState, hash: [UInt8])
        case rename(file: Int, path: [UInt8], state: FileState, hash: [UInt8])
    }

    /// What a flush did.
    struct Flushed: Sendable {
        var chunks = 0
        /// Chunks with the words of another one of the window.
        var repeatedChunks = 0
        var tokens = 0
        var failures: [SkippedFile] = []
    }

    private init(
        path: String, catalog: Catalog, lock: WriterLock, configuration: IndexConfiguration,
        openModel: @escaping @Sendable () throws -> NamedEmbedder
    ) {
        self.path = path
        self.catalog = catalog
        self.lock = lock
        self.configuration = configuration
        self.openModel = openModel
    }

    /// Makes a new, empty index, a folder.
    ///
    /// Throws `exists` where there is something already, `EmbeddingError.dimensions` for dimensions that the model does not
    /// have, and `chunkTokens` for chunks that do not fit into its context.
    public static func create(
        _ path: String, model: NamedEmbedder, options: IndexOptions = IndexOptions(), holder: String = "a program"
    ) throws -> IndexWriter {
        let dimensions = try model.embedder.dimensions(requested: options.dimensions)
        let allowed = 16...max(16, model.embedder.tokenLimit - Chunker.contextTokens - 8)
        guard allowed.contains(options.chunkTokens) else {
            throw IndexError.chunkTokens(options.chunkTokens, allowed: allowed)
        }
        let configuration = IndexConfiguration(
            model: try model.identity(), dimensions: dimensions, chunkTokens: options.chunkTokens, prompt: "document",
            chunkerVersion: Chunker.version)
        let path = path.withoutTrailingSlashes
        try SystemCall.makeFolder(path)
        do {
            try SystemCall.makeFolder("\(path)/vectors")
            let lock = try WriterLock(folder: path, holder: holder, waiting: .zero)
            let catalog = try Catalog.create(in: path, configuration: configuration)
            SystemCall.syncFolder(path)
            let writer = IndexWriter(
                path: path, catalog: catalog, lock: lock, configuration: configuration, openModel: { model })
            return writer
        } catch {
            for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "writer.lock"] {
                try? SystemCall.remove("\(path)/\(name)")
            }
            SystemCall.removeFolder("\(path)/vectors")
            SystemCall.removeFolder(path)
            throw error
        }
    }

    /// Opens an index for changes, and becomes its writer.
    ///
    /// `openModel` is called when the first text has to be embedded. Throws `locked`, naming `holder` of the other, when
    /// another process is still writing after `waiting`.
    public static func open(
        _ path: String, holder: String = "a program", waiting: Duration = .seconds(5),
        openModel: @escaping @Sendable () throws -> NamedEmbedder
    ) throws -> IndexWriter {
        let path = path.withoutTrailingSlashes
        // Before the lock, so that no lock file is made in a folder that is not an index.
        _ = try Catalog.open(in: path, writing: false)
        let lock = try WriterLock(folder: path, holder: holder, waiting: waiting)
        let catalog = try Catalog.open(in: path, writing: true)
        let configuration = try catalog.configuration()
        try catalog.removeStraySegments()
        return IndexWriter(
            path: path, catalog: catalog, lock: lock, configuration: configuration, openModel: openModel)
    }

    /// The index's model, opened when it is first asked for. Throws `otherModel` for another.
    func model() throws -> NamedEmbedder {
        if let checkedModel { return checkedModel }
        let model = try openModel()
        let identity = try model.identity()
        guard identity.fingerprint == configuration.model.fingerprint else {
            throw IndexError.otherModel(path: path, made: configuration.model, given: identity)
        }
        checkedModel = model
        return model
    }

    func chunker() throws -> Chunker {
        Chunker(tokenizer: try model().embedder.tokenizer, limit: configuration.chunkTokens)
    }

    /// Takes up a change; writes the window when it is full.
    func take(_ step: Step) async throws -> Flushed? {
        steps.append(step)
        if case .chunk(let chunk, _, nil) = step {
            newChunks += 1
            newBytes += chunk.text.utf8.count + chunk.context.utf8.count
        }
        let isFull =
            newChunks >= Self.windowChunks || newBytes >= fullBytes || steps.count >= Self.windowSteps
        return isFull ? try await flush() : nil
    }

    /// Writes the window: vectors to the segment and to disk, then everything else in one transaction.
    func flush() async throws -> Flushed {
        var flushed = Flushed()
        let (window, byteCount) = (steps, newBytes)
        (steps, newChunks, newBytes) = ([], 0, 0)
        guard !window.isEmpty else { return flushed }
        var texts: [String] = []
        var hashes: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        for case .chunk(let chunk, let hash, nil) in window {
            guard seen.insert(hash).inserted else {
                flushed.repeatedChunks += 1
                continue
            }
            texts.append(chunk.embeddedText)
            hashes.append(hash)
        }
        var slots: [[UInt8]: Int] = [:]
        var grown: SegmentEntry?
        if !texts.isEmpty {
            let start = ContinuousClock.now
            let results = try await model().results(for: texts, dimensions: configuration.dimensions)
            let bytesInASecond = Double(byteCount) / ((ContinuousClock.now - start) / .seconds(1))
            fullBytes = Int(min(max(bytesInASecond, 0), Double(Self.windowBytes.upperBound)))
            fullBytes = max(fullBytes, Self.windowBytes.lowerBound)
            var vectors: [[Float]] = []
            for (hash, result) in zip(hashes, results) {
                switch result {
                case .success(let embedding):
                    slots[hash] = vectors.count
                    vectors.append(embedding.vector)
                    flushed.tokens += embedding.tokenCount
                case .failure(let error):
                    flushed.failures.append(SkippedFile(path: "a chunk", reason: "\(error)"))
                }
            }
            flushed.chunks = vectors.count
            if !vectors.isEmpty {
                let (firstSlot, entry) = try writer().append(vectors)
                slots = slots.mapValues { $0 + firstSlot }
                grown = entry
            }
        }
        let before = (currentFile, currentDocument, formerDocuments)
        do {
            try catalog.database.transaction {
                if let grown { try catalog.set(grown) }
                for step in window { try apply(step, slots: slots) }
                try catalog.bumpGeneration()
            }
        } catch {
            (currentFile, currentDocument, formerDocuments) = before
            throw error
        }
        if let grown { try writer().commit(grown) }
        return flushed
    }

    func writer() throws -> SegmentWriter {
        if let segmentWriter { return segmentWriter }
        let writer = try SegmentWriter(
            folder: path, header: catalog.vectorHeader(configuration), last: catalog.segments().last)
        segmentWriter = writer
        return writer
    }

    /// Has the next window open the newest segment again.
    func forgetSegmentWriter() { segmentWriter = nil }

    private func apply(_ step: Step, slots: [[UInt8]: Int]) throws {
        switch step {
        case .beginFile(let source, let path, let state):
            currentFile = try catalog.beginFile(source: source, path: path, state: state)
            formerDocuments = try catalog.number("SELECT max(id) FROM documents")
        case .document(let document):
            currentDocument = try catalog.addDocument(document, toFile: currentFile)
        case .chunk(let chunk, let hash, let known):
            // Without a slot the model gave no vector for it, which is reported.
            guard let slot = known ?? slots[hash] else { return }
            try catalog.add(
                ChunkEntry(
                    bytes: chunk.bytes, lines: chunk.lines, context: chunk.context, text: chunk.text,
                    tokens: chunk.tokenCount, hash: hash, slot: slot), toDocument: currentDocument)
        case .finishFile(let state, let hash, let problem):
            try catalog.removeDocuments(ofFile: currentFile, upTo: formerDocuments)
            try catalog.set(state, hash: hash, problem: problem, ofFile: currentFile)
        case .touch(let file, let state, let hash): try catalog.set(state, hash: hash, ofFile: file)
        case .rename(let file, let path, let state, let hash):
            try catalog.rename(file: file, to: path, state: state, hash: hash)
        }
    }
}

extension String {
    var withoutTrailingSlashes: String {
        var result = self
        while result.utf8.count > 1, result.hasSuffix("/") { result.removeLast() }
        return result
    }
}
