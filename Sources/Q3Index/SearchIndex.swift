// An index as its readers have it: opened once, searched any number of times, also during writing.
public import Q3Embedding

/// An index to search.
///
///     let index = try SearchIndex(path: "notes.q3i")
///     let embedder = NamedEmbedder(try .mini(), name: "q3-mini")
///     try index.check(embedder)
///     for hit in try await index.search(SearchQuery("rotate keys"), with: embedder.embedder).hits {
///         print(hit.score, "\(hit.path):\(hit.lines.lowerBound)", hit.snippet.text)
///     }
public actor SearchIndex {
    /// The folder of the index.
    public nonisolated let path: String
    /// What the index was made with.
    public nonisolated let configuration: IndexConfiguration
    let catalog: Catalog
    private var store: (generation: Int, vectors: VectorStore)?

    /// Opens an index for reading; the folder may be read-only.
    public init(path: String) throws(IndexError) {
        let path = path.withoutTrailingSlashes
        let catalog = try Catalog.open(in: path, writing: false)
        configuration = try catalog.configuration()
        self.catalog = catalog
        self.path = path
    }

    /// Throws `otherModel`, naming both, for a model whose vectors cannot be compared with the index's.
    public nonisolated func check(_ model: NamedEmbedder) throws {
        try check(model.identity())
    }

    /// The same for a model whose fingerprint is known.
    package nonisolated func check(_ identity: ModelIdentity) throws(IndexError) {
        guard identity.fingerprint == configuration.model.fingerprint else {
            throw IndexError.otherModel(path: path, made: configuration.model, given: identity)
        }
    }

    /// The chunks that answer a query, best first.
    ///
    /// `embedder` must be the index's model (see `check`); its instruction for queries is used where it takes one, and the
    /// adapter, if there is one, changes the query's vector. A search sees the index as it was at one moment.
    public func search(
        _ query: SearchQuery, with embedder: Embedder, task: String = Prompt.defaultTask,
        adapter: EmbeddingAdapter? = nil
    ) async throws -> SearchResults {
        var vector: [Float]?
        if query.mode != .words {
            let options = EmbeddingOptions(
                dimensions: configuration.dimensions, truncates: true, adapter: adapter)
            vector = try await embedder.embed([query.text], as: .query(task: task), options: options)[0].vector
        }
        return try await search(query, vector: vector)
    }

    /// The same with a query's vector that is there already, of unit length and the index's dimensions; nil for words only.
    public func search(_ query: SearchQuery, vector: [Float]?) async throws -> SearchResults {
        if let vector, vector.count != configuration.dimensions {
            throw IndexError.dimensions(expected: configuration.dimensions, got: vector.count)
        }
        // The segments of a snapshot may be gone before they are mapped, after compacting: then the next one has others.
        for attempt in 1... {
            do {
                return try await searchOnce(query, vector: vector)
            } catch IndexError.file where attempt < 5 {
                store = nil
            } catch IndexError.segment where attempt < 3 {
                store = nil
            }
        }
        return SearchResults(hits: [], candidates: [])
    }

    private func searchOnce(_ query: SearchQuery, vector: [Float]?) async throws -> SearchResults {
        // Everything that is read from the catalog within one transaction is of one moment. The scan, which others may run
        // beside, comes between two of them; when the catalog changed in between, slots may mean other chunks.
        while true {
            let (generation, vectors, allowed) = try catalog.database.transaction("DEFERRED") {
                let (generation, vectors) = try current()
                let documents = query.filters.isEmpty ? nil : try SearchFilter.documents(query.filters, in: catalog)
                return (
                    generation, vectors, try documents.map { try Allowed($0, in: catalog, slots: vectors.slotCount) }
                )
            }
            let depth = max(SearchConstants.candidates, query.count)
            var near: [TopK.Hit] = []
            if let vector {
                near = await vectors.nearest(
                    to: vector, count: depth, breadth: SearchConstants.scanBreadth, allowed: allowed?.slots)
            }
            let results: SearchResults? = try catalog.database.transaction("DEFERRED") {
                guard try catalog.generation() == generation else { return nil }
                return try fuse(query, vector: vector, near: near, vectors: vectors, allowed: allowed, depth: depth)
            }
            if let results { return results }
        }
    }

    /// The vectors of chunks, in their order; an empty one for a chunk that is not there any more.
    package func vectors(ofChunks chunks: [Int]) throws -> [[Float]] {
        try catalog.database.transaction("DEFERRED") {
            let vectors = try current().1
            return try chunks.map { chunk in
                let slot = try catalog.database.first("SELECT slot FROM chunks WHERE id = ?", [.integer(chunk)]) {
                    $0.int(0)
                }
                return slot.flatMap(vectors.vector) ?? []
            }
        }
    }

    /// The vectors of the catalog's present generation.
    func current() throws -> (Int, VectorStore) {
        let generation = try catalog.generation()
        if let store, store.generation == generation { return store }
        let vectors = try VectorStore(catalog, configuration: configuration)
        store = (generation, vectors)
        return (generation, vectors)
    }

    /// What filters leave: chunks by their slots, and by themselves where words find them.
    private struct Allowed {
        var slots: SlotSet
        var chunks: Set<Int> = []

        init(_ documents: Set<Int>, in catalog: Catalog, slots count: Int) throws(IndexError) {
            var slots = SlotSet(count: count)
            var chunks: Set<Int> = []
            for document in documents {
                try catalog.database.run("SELECT id, slot FROM chunks WHERE document = ?", [.integer(document)]) {
                    row in
                    chunks.insert(row.int(0))
                    slots.insert(row.int(1))
                    return true
                }
            }
            (self.slots, self.chunks) = (slots, chunks)
        }
    }

    private func fuse(
        _ query: SearchQuery, vector: [Float]?, near: [TopK.Hit], vectors: VectorStore, allowed: Allowed?, depth: Int
    ) throws -> SearchResults {
        var scores: [Int: Float] = [:]
        var similarities: [Int: Float] = [:]
        let floor = near.isEmpty ? 0 : near[min(near.count, Fusion.floorRank) - 1].score
        var count = 0
        for candidate in near where count < depth {
            if let least = query.leastSimilarity, candidate.score < least { break }
            for chunk in try chunks(in: candidate.index) where allowed?.chunks.contains(chunk) ?? true {
                count += 1
                similarities[chunk] = candidate.score
                scores[chunk] =
                    query.mode == .vectors
                    ? candidate.score : Fusion.nearness(candidate.score, floor: floor)
            }
        }
        if query.mode != .vectors {
            let terms = try terms(of: query.text)
            let total = terms.reduce(0) { $0 + $1.rarity }
            for match in try matches(terms, count: depth, allowed: allowed?.chunks) {
                if query.mode == .words {
                    scores[match.chunk] = match.score
                } else {
                    scores[match.chunk, default: 0] += Fusion.words(match.score, total: total)
                }
            }
        }
        let order = scores.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
        let words = Words.searched(query.text)
        var hits: [IndexHit] = []
        var documents: Set<Int> = []
        for (chunk, score) in order {
            guard hits.count < depth else { break }
            guard let (row, slot) = try hit(chunk, score: score, words: words) else { continue }
            if query.groupsByDocument, !documents.insert(row.document).inserted { continue }
            var hit = row
            hit.similarity = similarities[chunk]
            if hit.similarity == nil, let vector, let stored = vectors.vector(in: slot) {
                hit.similarity = Similarity.dot(vector, stored)
            }
            hits.append(hit)
        }
        return SearchResults(hits: Array(hits.prefix(query.count)), candidates: hits)
    }

    private func chunks(in slot: Int) throws -> [Int] {
        var chunks: [Int] = []
        try catalog.database.run("SELECT id FROM chunks WHERE slot = ? ORDER BY id", [.integer(slot)]) { row in
            chunks.append(row.int(0))
            return true
        }
        return chunks
    }

    /// A word of a query, and how rare it is.
    private struct Term {
        let phrase: String
        /// The inverse document frequency.
        let rarity: Float
        /// Whether half of the chunks have it, so that it tells nothing.
        let isCommon: Bool
    }

    private func terms(of text: String) throws -> [Term] {
        let all = try catalog.database.first("SELECT count(*) FROM chunks", []) { $0.int(0) } ?? 0
        return try Words.phrases(for: text).map { phrase in
            // How many more than half have it makes no difference.
            let count = try catalog.database.first(
                "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)",
                [.text(phrase), .integer(all / 2 + 1)]
            ) { $0.int(0) }
            let found = count ?? 0
            return Term(phrase: phrase, rarity: Fusion.inverseFrequency(found, of: all), isCommon: found > all / 2)
        }
    }

    /// The chunks with the best BM25.
    private func matches(
        _ terms: [Term], count: Int, allowed: Set<Int>?
    ) throws -> [(chunk: Int, score: Float)] {
        // Common words decide nothing and cost the most: they are left out where the others find enough.
        let telling = terms.filter { !$0.isCommon }
        if telling.count < terms.count {
            let found = try matches(telling.map(\.phrase), count: count, allowed: allowed)
            if found.count >= count { return found }
        }
        return try matches(terms.map(\.phrase), count: count, allowed: allowed)
    }

    /// The same for FTS5's phrases; it gives BM25 negated.
    private func matches(
        _ phrases: [String], count: Int, allowed: Set<Int>?
    ) throws -> [(chunk: Int, score: Float)] {
        if phrases.isEmpty { return [] }
        var matches: [(Int, Float)] = []
        let limit = allowed == nil ? " LIMIT \(count)" : ""
        try catalog.database.run(
            """
            SELECT rowid, bm25(words, 1.0, \(SearchConstants.contextWeight), 1.0) AS score FROM words WHERE words MATCH ?
            ORDER BY score, rowid\(limit)
            """, [.text(phrases.joined(separator: " OR "))]
        ) { row in
            if allowed?.contains(row.int(0)) ?? true { matches.append((row.int(0), -Float(row.double(1)))) }
            return matches.count < count
        }
        return matches
    }

    private func hit(_ chunk: Int, score: Float, words: Set<String>) throws -> (IndexHit, slot: Int)? {
        try catalog.database.first(
            """
            SELECT c.document, c.byte_start, c.byte_end, c.line_start, c.line_end, c.context, c.text, c.slot,
                d.name, d.title, f.path, s.kind, s.path
            FROM chunks c JOIN documents d ON d.id = c.document JOIN files f ON f.id = d.file
                JOIN sources s ON s.id = f.source WHERE c.id = ?
            """, [.integer(chunk)]
        ) { row in
            let isInFolder = row.text(11) == IndexSource.Kind.folder.rawValue
            let text = row.text(6)
            let (start, line) = (row.int(1), row.int(3))
            return (
                IndexHit(
                    id: chunk, score: score, document: row.int(0),
                    path: isInFolder ? "\(row.text(12))/\(row.text(10))" : row.text(10), name: row.optionalText(8),
                    title: row.text(9), context: row.text(5), text: text, lines: line...max(line, row.int(4)),
                    bytes: start..<max(start, row.int(2)), snippet: Snippet(of: text, for: words)), row.int(7)
            )
        }
    }
}
