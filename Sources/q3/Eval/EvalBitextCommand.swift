// q3 eval bitext: whether a sentence's translation is the most similar sentence of the other language.
import ArgumentParser
import Q3Embedding
import Q3Eval
import Q3Input

struct EvalBitextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bitext",
        abstract: "Measures translations found: F1, precision, recall and accuracy.",
        usage: "q3 eval bitext DATA [--model FILE] [OPTION ...]",
        discussion: """
            DATA is a .jsonl file of {"sentence1", "sentence2"}, a .tsv file with these
            columns, or a folder with SPLIT.jsonl or SPLIT.tsv. For each sentence1 the
            nearest sentence2 of all lines is taken.

            EXAMPLES
              q3 eval bitext deu-eng.tsv -m embedding.gguf --language deu-Latn
              q3 eval bitext tatoeba -m embedding.gguf -o tatoeba.json
            """)

    private struct Pair: Sendable {
        let first: String
        let second: String
    }

    @Argument(help: "A file, or a folder with a file for the split.", completion: .file())
    var data: String

    @OptionGroup var arguments: EvalArguments

    func run() async throws {
        let file = try EvalData(data, split: arguments.split)
        var report = try EvalReport(arguments, data: data, inputs: [file.path])
        let pairs = try file.records(
            columns: ["sentence1", "sentence2"],
            json: { line throws(BadRecord) in
                Pair(first: try line.text("sentence1"), second: try line.text("sentence2"))
            },
            tsv: { fields throws(BadRecord) in Pair(first: fields[0], second: fields[1]) })
        let places = pairs.map(\.name)
        let vectors = try await arguments.vectors(
            of: [(pairs.map(\.content.first), places), (pairs.map(\.content.second), places)], as: .bitext,
            noting: &report)
        let (first, second) = (vectors[0], vectors[1])

        let found = try await Bitext.scores(left: first, right: second)
        let scores = [
            (name: "f1", value: found.weightedF1), (name: "precision", value: found.weightedPrecision),
            (name: "recall", value: found.weightedRecall), (name: "accuracy", value: found.accuracy),
        ]
        try report.write(main: "f1", scores: scores, table: ["\(pairs.count) pairs", ""] + EvalReport.list(scores))
    }
}
