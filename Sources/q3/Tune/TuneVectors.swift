// The vectors that an adapter is learned over: those that exist, and the others embedded once.
#if Training
import Q3Embedding
import Q3Input
import Q3Linear
import Q3Model
import Q3System
import Q3Training

#if Index
import Q3Index
#endif

/// Data with the vectors of its queries and passages.
struct TuneVectors {
    var data: TrainingData
    let queries: VectorMatrix
    let passages: VectorMatrix
    /// Of the model that made them.
    let fingerprint: Fingerprint
    /// What is searched, for the model card.
    let source: String
    /// Those that were embedded for this training.
    let kept: KeptVectors
}

extension TuneAdapterCommand {
    /// Vectors for all queries and passages of the data.
    func vectors(for read: TrainingData) async throws -> TuneVectors {
        let instruction = data.instruct ?? read.queries.lazy.compactMap(\.instruction).first
        let embedder = try model.embedder(instruct: instruction, givenAs: "--instruct and \"instruction\"")
        let fingerprint = try Fingerprint(of: embedder.model)
        var data = read
        let passages: VectorMatrix
        let source: String
        let kept: KeptVectors
        if let index {
            (data, passages) = try await indexed(read, index, fingerprint)
            source = "the index \(index)"
            kept = try self.kept(data, fingerprint, passages.dimensions, hasPassages: false)
        } else if let vectors {
            passages = try await stored(read, vectors, embedder)
            source = vectors
            kept = try self.kept(data, fingerprint, passages.dimensions, hasPassages: false)
        } else {
            let limits = EmbeddingOptions(
                dimensions: try embedder.dimensions(requested: dimensions), truncates: truncate)
            kept = try self.kept(data, fingerprint, limits.dimensions ?? embedder.dimensions, hasPassages: true)
            passages = try await embed(read.passages, as: .document, embedder, limits, kept)
            source = "the passages of the data"
        }
        let options = EmbeddingOptions(dimensions: passages.dimensions, truncates: truncate)
        let queries = try await queryVectors(data, embedder, options, kept)
        return TuneVectors(
            data: data, queries: queries, passages: try passages.normalized(), fingerprint: fingerprint, source: source,
            kept: kept)
    }

    /// The vectors that an interrupted run of the same texts left, and the place for further ones.
    private func kept(
        _ data: TrainingData, _ fingerprint: Fingerprint, _ dimensions: Int, hasPassages: Bool
    ) throws -> KeptVectors {
        var hash = SHA256()
        let texts =
            ["\(fingerprint)", "\(truncate)"] + (hasPassages ? data.passages : [])
            + data.queries.flatMap { [task(of: $0), $0.text] }
        for text in texts {
            // With its length, so that no two lists of texts run together.
            hash.update(Array("\(text.utf8.count) \(text)".utf8))
        }
        return try KeptVectors(
            path: "\(run.output).q3-vectors", key: hash, dimensions: dimensions, resumes: run.resume)
    }

    private func task(of query: TrainingData.Query) -> String {
        query.instruction ?? data.instruct ?? Prompt.defaultTask
    }

    /// Vectors of texts: those that are kept, then the others.
    private func embed(
        _ texts: [String], as prompt: Prompt, _ embedder: Embedder, _ options: EmbeddingOptions, _ kept: KeptVectors
    ) async throws -> VectorMatrix {
        let earlier = kept.next(texts.count)
        guard earlier.count < texts.count else { return try VectorMatrix(earlier) }
        let others = try await listVectors(
            of: Array(texts.dropFirst(earlier.count)), as: prompt, with: embedder, options: options, each: kept.append)
        try kept.flush()
        guard !earlier.isEmpty else { return others }
        return try VectorMatrix(earlier + (0..<others.count).map { others[$0] })
    }

    /// Queries with the same instruction are embedded together.
    private func queryVectors(
        _ data: TrainingData, _ embedder: Embedder, _ options: EmbeddingOptions, _ kept: KeptVectors
    ) async throws -> VectorMatrix {
        var rows = [[Float]](repeating: [], count: data.queries.count)
        let tasks = data.queries.map { task(of: $0) }
        var seen: Set<ExactText> = []
        for task in tasks where seen.insert(ExactText(task)).inserted {
            let own = tasks.indices.filter { tasks[$0].hasBytes(of: task) }
            let vectors = try await embed(
                own.map { data.queries[$0].text }, as: .query(task: task), embedder, options, kept)
            for (number, row) in own.enumerated() { rows[row] = vectors[number] }
        }
        return try VectorMatrix(rows)
    }

    // MARK: - Vectors that exist

    /// The .npy of all passages; a few are embedded again to see whether this model made them.
    private func stored(_ data: TrainingData, _ path: String, _ embedder: Embedder) async throws -> VectorMatrix {
        let rows = try NPYFile.read(path, dimensions: dimensions)
        guard rows.count == data.passages.count else {
            throw Failure(
                .badData,
                "\(path) has \(rows.count) vectors, and the data \(data.passages.count) different passages; give the file that "
                    + "'q3 embed' made of --corpus, with every answer in it, each text once")
        }
        guard rows.dimensions <= embedder.dimensions else {
            throw Failure(
                .badData,
                "\(path) has vectors of \(rows.dimensions) values, and this model gives \(embedder.dimensions)")
        }
        let sample = Array(Set([0, rows.count / 3, rows.count / 2, rows.count - 1])).sorted()
        let again = try await listVectors(
            of: sample.map { data.passages[$0] }, as: .document, with: embedder,
            options: EmbeddingOptions(dimensions: rows.dimensions, truncates: truncate))
        let normalized = try rows.normalized()
        for (number, row) in sample.enumerated() where again.dot(number, normalized, row) < 0.99 {
            throw Failure(
                .badData,
                "row \(row) of \(path) is not the vector that this model gives passage \(row); give the model that made the "
                    + "file with --model, and the passages in its order with --corpus")
        }
        return normalized
    }

    /// The chunks of an index as passages, and the answers among them.
    private func indexed(
        _ read: TrainingData, _ path: String, _ fingerprint: Fingerprint
    ) async throws -> (TrainingData, VectorMatrix) {
        #if Index
        var arguments = VectorSetArguments()
        (arguments.model, arguments.input, arguments.vectors) = (model, data.input, nil)
        (arguments.dimensions, arguments.instruct, arguments.truncate) = (dimensions, nil, truncate)
        let set = try await arguments.load([path])
        guard let made = set.fingerprint, made == "\(fingerprint)" else {
            throw Failure(
                .badData,
                "\(path) was made by the model \(set.fingerprint ?? "?"), and this one is \(fingerprint); give that model with "
                    + "--model")
        }
        let texts = set.texts ?? []
        var chunks = ChunkFinder()
        var data = TrainingData()
        var kept: [Int] = []
        for (row, text) in texts.enumerated() {
            let passage = data.add(passage: text)
            if passage == kept.count { kept.append(row) }
            chunks.add(text, id: set.ids[row], row: passage)
        }
        var lost: [String] = []
        for query in read.queries {
            let found = query.positives.map { chunks.rows(of: read.passages[$0]) }
            if found.contains(where: \.isEmpty) { lost.append(query.place) }
            let negatives = query.negatives.flatMap { chunks.rows(of: read.passages[$0]) }
            let answers = Set(found.joined())
            data.add(
                query: query.text, instruction: query.instruction, part: query.part,
                positives: answers.sorted().map { data.passages[$0] },
                negatives: Set(negatives).subtracting(answers).sorted().map { data.passages[$0] }, place: query.place,
                record: query.record)
        }
        if !lost.isEmpty {
            Terminal.say(
                "\(lost.count) queries have an answer that is in no chunk of \(path) (the first: \(lost[0])); an answer is the "
                    + "text of a chunk or part of it, or its name as file:line")
            if data.dropUnanswered().count == read.queries.count {
                throw Failure(.badData, "no query has an answer in \(path)")
            }
        }
        return (data, try set.vectors.rows(kept))
        #else
        throw Failure(.usage, "this q3 was built without the trait Index, and cannot read \(path)")
        #endif
    }
}

/// Finds the chunks that an answer of a pair means.
struct ChunkFinder {
    private var byText: [ExactText: Int] = [:]
    private var byName: [ExactText: [Int]] = [:]
    private var chunks: [(text: String, row: Int)] = []

    /// Adds a chunk; its id is "file:line", in JSON.
    mutating func add(_ text: String, id: String?, row: Int) {
        byText[ExactText(Self.plain(text))] = row
        chunks.append((Self.plain(text), row))
        guard let id, let quoted = try? Fields(json: "{\"id\":\(id)}").optionalText("id") else { return }
        byName[ExactText(quoted), default: []].append(row)
        if let colon = quoted.lastIndex(of: ":") {
            byName[ExactText(String(quoted[..<colon])), default: []].append(row)
        }
    }

    /// The chunk of that text or name, else those that hold the text or are part of it.
    func rows(of answer: String) -> [Int] {
        if let row = byText[ExactText(Self.plain(answer))] { return [row] }
        if let rows = byName[ExactText(answer)] { return rows }
        let plain = Self.plain(answer)
        guard plain.utf8.count >= 20 else { return [] }
        let holding = chunks.filter { $0.text.contains(plain) }
        let found = holding.isEmpty ? chunks.filter { $0.text.utf8.count >= 20 && plain.contains($0.text) } : holding
        return Array(Set(found.map(\.row))).sorted()
    }

    /// Words with one space between, since chunks are cut and indented in ways of their own.
    private static func plain(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
#endif
