// Options that say what is learned from, and how a part of it is kept aside to measure on.
#if Training
import ArgumentParser
import Q3Input
import Q3System
import Q3Training

struct TuneDataArguments: ParsableArguments {
    /// What the help of every command says of its data.
    static let discussion = """
        PAIRS are JSON lines, JSON, CSV or TSV of {"query", "positive"}, and if there
        are some "negative" and "instruction"; "positive" and "negative" may be lists,
        and a query may come again. All that 'q3 mine negatives' writes is read too,
        and folders in BEIR's layout, whose test split is then measured on.

        Before anything else, --held-out of the queries are kept aside: figures are of
        these alone. Which ones depends on their texts and --seed. --test names data to
        measure on instead; a query that is in both ends the run.
        """

    @OptionGroup var input: InputArguments

    @Option(
        help: ArgumentHelp("Pairs to measure on, instead of a part of the input.", valueName: "file"),
        completion: .file())
    var test: [String] = []

    @Option(
        help: ArgumentHelp("Passages that are searched too, beside those of the pairs.", valueName: "file"),
        completion: .file())
    var corpus: [String] = []

    @Option(help: ArgumentHelp("The column of the query. (default: query, else anchor)", valueName: "name"))
    var queryColumn: String?

    @Option(help: ArgumentHelp("The column of the passage that answers it.", valueName: "name"))
    var positiveColumn = "positive"

    @Option(help: ArgumentHelp("The column of a passage that does not.", valueName: "name"))
    var negativeColumn = "negative"

    @Option(help: ArgumentHelp("The part of the queries to measure on.", valueName: "part"))
    var heldOut = 0.2

    @Option(help: ArgumentHelp("The part of the others that chooses the best step.", valueName: "part"))
    var validation = 0.1

    @Flag(help: "Keep queries with a common answer on one side.")
    var separateAnswers = false

    @Option(help: ArgumentHelp("What the split and all random draws begin with.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "The queries' task, in a sentence, where a pair has none. (default: web search)", valueName: "task"))
    var instruct: String?

    func validate() throws {
        if !(heldOut > 0 && heldOut < 1) { throw ValidationError("--held-out must be above 0 and below 1") }
        if !(validation >= 0 && validation < 1) { throw ValidationError("--validation must be 0 to 1") }
    }

    /// Files that the output must not overwrite.
    var paths: [String] {
        (input.input + test + corpus).flatMap { path in
            InputFolder.isFolder(path) ? ["corpus.jsonl", "queries.jsonl"].map { "\(path)/\($0)" } : [path]
        }
    }

    /// Reads all pairs and passages.
    func load() throws -> TrainingData {
        guard !input.input.isEmpty else { throw Failure(.usage, "no pairs: give them with --input FILE") }
        var reader = PairReader(arguments: self)
        try reader.read(input.input, part: test.isEmpty ? nil : .training)
        try reader.read(test, part: .heldOut)
        try reader.readCorpus(corpus)
        return try reader.finish()
    }

    /// The parts of the queries, with a word on what they have in common.
    func split(_ data: TrainingData) throws -> DataSplit {
        let split = try DataSplit(of: data, options: splitOptions)
        Terminal.say(
            "\(split.training.count) queries to learn from, \(split.validation.count) to choose the best step by, "
                + "\(split.heldOut.count) to measure on; \(data.passages.count) passages")
        if split.repeatedCount > 0 {
            Terminal.say(
                "\(split.repeatedCount) queries repeat another one but for case and punctuation; each stays on the side of "
                    + "the other")
        }
        if !split.sharedAnswers.isEmpty {
            Terminal.say(
                "\(split.sharedAnswers.count) held-out queries have an answer that was learned from with another query"
                    + (separateAnswers ? "" : "; --separate-answers keeps such queries on one side"))
        }
        return split
    }

    /// Names held-out queries that are nearly one that is learned from: their figures say less.
    static func say(_ near: [NearQuery], _ data: TrainingData) {
        guard !near.isEmpty else { return }
        let shown = near.prefix(3).map { pair in
            "\(data.queries[pair.heldOut].place) and \(data.queries[pair.training].place) (\(pair.cosine.fixed(3)))"
        }
        Terminal.say(
            "\(near.count) held-out queries are nearly one that is learned from, with a cosine of "
                + "\(NearQuery.leastCosine) or more: \(shown.joined(separator: ", "))\(near.count > 3 ? ", ..." : "")")
    }

    /// Everything that the data of a run depends on.
    func add(to job: inout ResumableJob) throws {
        for (index, path) in paths.enumerated() where InputFolder.isFile(path) {
            job.add("input \(index + 1), \(path)", try fileDigest(path).hex)
        }
        job.add("--query-column", queryColumn ?? "")
        job.add("--positive-column", positiveColumn)
        job.add("--negative-column", negativeColumn)
        job.add("--held-out", "\(heldOut)")
        job.add("--validation", "\(validation)")
        job.add("--separate-answers", "\(separateAnswers)")
        job.add("--seed", "\(seed)")
        job.add("--instruct", instruct ?? "")
    }
}
#endif
