// Options that say which rows an analysis is about, and how their vectors are had without embedding anything twice.
import ArgumentParser
import Q3Embedding
import Q3Input
import Q3Linear
import Q3Model
import Q3System

struct VectorSetArguments: ParsableArguments {
    /// What the help of every command says of its input.
    static let discussion = """
        INPUT is what 'q3 embed' reads: texts in lines, JSON, CSV or TSV. Nothing is
        embedded twice: give the .npy that 'q3 embed' wrote of the same input with
        --vectors, or as --input an .npy (its ids are in .ids.txt beside it) or an
        index. Vectors of two models are refused.
        """

    @OptionGroup var model: ModelArguments
    @OptionGroup var input: InputArguments

    @Option(
        help: ArgumentHelp("The vectors of the input's texts, in their order, as an .npy file.", valueName: "file"),
        completion: .file(extensions: ["npy"]))
    var vectors: String?

    @Option(help: ArgumentHelp("Values to keep of each vector. (default: all)", valueName: "n"))
    var dimensions: Int?

    @Option(
        help: ArgumentHelp(
            "What the texts are for, in a sentence, for models that take instructions.", valueName: "task"))
    var instruct: String?

    @Flag(help: "Cut texts that are too long for the model, instead of rejecting them.")
    var truncate = false

    /// Files that the output must not overwrite.
    var paths: [String] { input.input + [vectors].compactMap { $0 } }

    /// What a command takes in memory beside so many rows of so many values; see `AnalysisMemory`.
    typealias Need = (_ rows: Int, _ dimensions: Int) -> Int

    /// Reads the rows of --input. `extra` names a column that each record must have; `needsTexts` says what for. Where a file says
    /// how many rows it has, memory for them and for `need` is asked for before they are read.
    func load(extra: String? = nil, needsTexts: String? = nil, need: @escaping Need = { _, _ in 0 }) async throws
        -> VectorSet
    {
        try await load(input.input, vectors: vectors, extra: extra, needsTexts: needsTexts, need: need)
    }

    /// Reads the rows of other files in the same way, and checks that they can be compared with `first`.
    func load(
        _ files: [String], vectors: String?, comparedWith first: VectorSet, need: @escaping Need = { _, _ in 0 }
    ) async throws -> VectorSet {
        let other = try await load(files, vectors: vectors, need: need)
        try first.check(other)
        return other
    }

    func load(
        _ files: [String], vectors: String? = nil, extra: String? = nil, needsTexts: String? = nil,
        prompt: Prompt? = nil, need: @escaping Need = { _, _ in 0 }
    ) async throws -> VectorSet {
        if files.count == 1, vectors != nil, NPYFile.isName(files[0]) || Self.isIndex(files[0]) {
            throw Failure(.usage, "vectors for \(files[0]) are given, which has vectors itself; they go with texts")
        }
        var set: VectorSet
        if files.count == 1, NPYFile.isName(files[0]) {
            guard extra == nil, needsTexts == nil else {
                throw Failure(
                    .usage,
                    "\(files[0]) has vectors and no texts, which \(needsTexts ?? "this") needs; give the texts with --input and the "
                        + "file with --vectors")
            }
            set = try npy(files[0], need)
        } else if files.count == 1, Self.isIndex(files[0]) {
            guard extra == nil else { throw Failure(.usage, "an index has no column \"\(extra ?? "")\"; give a file") }
            set = try await index(files[0])
        } else if let mixed = files.first(where: { NPYFile.isName($0) || Self.isIndex($0) }), files.count > 1 {
            throw Failure(.usage, "\(mixed) must be the only --input: vectors of several inputs are not mixed")
        } else {
            set = try await texts(files, vectors: vectors, extra: extra, prompt: prompt, need)
        }
        guard set.count > 0 else { throw Failure(.badData, "\(set.name) has no rows: there is nothing to compare") }
        do {
            set.vectors = try set.vectors.normalized()
        } catch let error {
            throw Failure(error.exitStatus, "\(set.name): \(error)")
        }
        return set
    }

    private static func isIndex(_ path: String) -> Bool {
        InputFolder.isFolder(path) && InputFolder.isFile("\(path)/catalog.sqlite")
    }

    private func texts(
        _ files: [String], vectors: String?, extra: String?, prompt: Prompt?, _ need: @escaping Need
    ) async throws -> VectorSet {
        var arguments = input
        arguments.input = files
        let source = try arguments.source(arguments: [], what: "texts")
        var options = arguments.reading(columns: [arguments.textColumn ?? "text"] + [extra].compactMap { $0 })
        options.skipsBlankLines = true
        let reader = try RecordReader(
            source, options: options, parser: .texts(column: arguments.textColumn, extra: extra),
            note: { Terminal.say($0) })
        var rejections = Rejections(strict: arguments.strict || vectors != nil)
        if let vectors { return try texts(reader, files, vectorsAt: vectors, need, &rejections) }
        let embedder = try model.embedder(instruct: instruct)
        let kept = try embedder.dimensions(requested: dimensions)
        var builder = try VectorMatrixBuilder(dimensions: kept)
        var set = EmptySet(name: files.first ?? "stdin")
        let progress = RunProgress()
        let results = embedder.results(
            for: RecordStream(reader), text: { try? $0.content.get().text },
            as: prompt ?? instruct.map { .query(task: $0) } ?? .document,
            options: EmbeddingOptions(dimensions: kept, truncates: truncate),
            progress: { progress.show($0, upTo: $1.fraction) })
        for try await (record, result) in results {
            let embedding = try rejections.output(of: record, result)
            progress.count(tokens: embedding?.tokenCount ?? 0, fraction: record.fraction)
            guard let embedding, let content = try? record.content.get() else { continue }
            try builder.append(embedding.vector)
            try set.add(record, content)
        }
        progress.finish()
        if rejections.count > 0 { Terminal.say("\(rejections.count) records were left out, see above") }
        return set.filled(with: builder.finish(), fingerprint: "\(try Fingerprint(of: embedder.model))")
    }

    /// Texts whose vectors are there already, a row for each record.
    private func texts(
        _ reader: RecordReader<AnalyzedText>, _ files: [String], vectorsAt path: String, _ need: Need,
        _ rejections: inout Rejections
    ) throws -> VectorSet {
        var set = EmptySet(name: files.first ?? "stdin")
        while let record = try reader.next() {
            if let content = try rejections.content(of: record) { try set.add(record, content) }
        }
        let rows = try NPYFile.read(path, dimensions: dimensions, need: need)
        guard rows.count == set.count else {
            throw Failure(
                .badData,
                "\(path) has \(rows.count) vectors, and the input \(set.count) texts; give the file that 'q3 embed' made of this "
                    + "input")
        }
        return set.filled(with: rows, fingerprint: nil)
    }
}
