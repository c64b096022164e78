// q3 eval sts: how well similarities of vectors agree with people's.
import ArgumentParser
import Q3Embedding
import Q3Eval
import Q3Input

struct EvalSTSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sts",
        abstract: "Measures similarity: Spearman and Pearson with people's scores.",
        usage: "q3 eval sts DATA [--model FILE] [OPTION ...]",
        discussion: """
            DATA is a .jsonl file of {"sentence1", "sentence2", "score"}, a .tsv file with
            these columns, or a folder with SPLIT.jsonl or SPLIT.tsv. A line with the
            columns' names is skipped.

            EXAMPLES
              q3 eval sts stsbenchmark -m embedding.gguf --split dev
              q3 eval sts pairs.tsv -m embedding.gguf --json
            """)

    private struct Pair: Sendable {
        let first: String
        let second: String
        let score: Double
    }

    @Argument(help: "A file, or a folder with a file for the split.", completion: .file())
    var data: String

    @OptionGroup var arguments: EvalArguments

    func run() async throws {
        let file = try EvalData(data, split: arguments.split)
        var report = try EvalReport(arguments, data: data, inputs: [file.path])
        let pairs = try file.records(
            columns: ["sentence1", "sentence2", "score"],
            json: { line throws(BadRecord) in
                Pair(
                    first: try line.text("sentence1"), second: try line.text("sentence2"),
                    score: try line.number("score"))
            },
            tsv: { fields throws(BadRecord) in
                Pair(first: fields[0], second: fields[1], score: try number(fields[2], "score"))
            })
        let places = pairs.map(\.name)
        let vectors = try await arguments.vectors(
            of: [(pairs.map(\.content.first), places), (pairs.map(\.content.second), places)], as: .sts,
            noting: &report)
        let (first, second) = (vectors[0], vectors[1])

        let comparisons = pairs.indices.map { first.comparison($0, second, $0) }
        let truth = pairs.map(\.content.score)
        var scores: EvalReport.Scores = []
        let measures = [
            ("cosine", comparisons.map(\.cosine)), ("manhattan", comparisons.map { -$0.manhattan }),
            ("euclidean", comparisons.map { -$0.euclidean }),
        ]
        for (name, values) in measures {
            guard let spearman = Correlation.spearman(truth, values), let pearson = Correlation.pearson(truth, values)
            else {
                let what = truth.allSatisfy { $0 == truth[0] } ? "\(file.path): all scores" : "all similarities"
                throw Failure(.badData, "\(what) are equal, or there is only one: nothing can be correlated")
            }
            scores += [("\(name)_spearman", spearman), ("\(name)_pearson", pearson)]
        }
        // What MTEB calls the model's own similarity is the cosine.
        let own = [(name: "spearman", value: scores[0].value), (name: "pearson", value: scores[1].value)]
        try report.write(
            main: "cosine_spearman", scores: scores + own,
            table: ["\(pairs.count) pairs", ""] + EvalReport.list(scores))
    }
}
