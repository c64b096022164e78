// q3 eval clustering: whether texts of one topic have similar vectors.
import ArgumentParser
import Q3Embedding
import Q3Eval
import Q3Input
import Q3System

struct EvalClusteringCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clustering",
        abstract: "Measures clusters: the V-measure of k-means.",
        usage: "q3 eval clustering DATA [--model FILE] [OPTION ...]",
        discussion: """
            DATA is a .jsonl file of {"text", "label"}, a .tsv file with these columns, or
            a folder with SPLIT.jsonl or SPLIT.tsv.

            All texts are clustered ten times by k-means, with as many clusters as there
            are labels and starts drawn by k-means++ with seeds 0 to 9. The score is the
            mean V-measure. MTEB's mini-batch k-means has other starts, so figures differ
            from its in the second or third digit.

            EXAMPLES
              q3 eval clustering topics.jsonl -m embedding.gguf
              q3 eval clustering news -m embedding.gguf --instruct \\
                "Identify the topic or theme of the given news articles"
            """)

    private static let seeds: Range<UInt32> = 0..<10

    @Argument(help: "A file, or a folder with a file for the split.", completion: .file())
    var data: String

    @OptionGroup var arguments: EvalArguments

    func run() async throws {
        let file = try EvalData(data, split: arguments.split)
        var report = try EvalReport(arguments, data: data, inputs: [file.path])
        let records = try LabeledText.records(of: file)
        let names = Set(records.map(\.content.exactLabel)).sorted {
            $0.text.utf8.lexicographicallyPrecedes($1.text.utf8)
        }
        guard names.count > 1 else {
            throw Failure(.badData, "\(file.path): all texts have the label \(names[0].text); two are needed at least")
        }
        let numbers = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        let labels = records.map { numbers[$0.content.exactLabel] ?? 0 }
        let vectors = try await arguments.vectors(
            of: [(records.map(\.content.text), records.map(\.name))], as: .clustering, noting: &report)[0]

        var measures: [Double] = []
        for seed in Self.seeds {
            let clusters = try await KMeans.clusters(of: vectors, count: names.count, seed: seed)
            measures.append(vMeasure(truth: labels, clusters: clusters))
        }
        let mean = measures.reduce(0, +) / Double(measures.count)
        let variance = measures.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(measures.count)
        let scores = [(name: "v_measure", value: mean), (name: "v_measure_std", value: variance.squareRoot())]
        let list = "{\"Level 0\":[\(measures.map(\.description).joined(separator: ","))]}"
        try report.write(
            main: "v_measure", scores: scores, details: [("v_measures", list)],
            table: ["\(records.count) texts, \(names.count) labels", ""] + EvalReport.list(scores))
    }
}
