// q3 eval classification: what a simple classifier learns from the vectors of a few texts.
import ArgumentParser
import Q3Embedding
import Q3Eval
import Q3Input
import Q3System

/// A text and its class.
struct LabeledText: Sendable {
    let text: String
    let label: String

    /// Labels differ when their bytes do, as in the reference.
    var exactLabel: ExactText { ExactText(label) }

    static func records(of data: EvalData) throws -> [EvalRecord<LabeledText>] {
        try data.records(
            columns: ["text", "label"],
            json: { line throws(BadRecord) in LabeledText(text: try line.text("text"), label: try line.label("label"))
            },
            tsv: { fields throws(BadRecord) in LabeledText(text: fields[0], label: fields[1]) })
    }
}

struct EvalClassificationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classification",
        abstract: "Measures classes: a logistic probe and a vote of neighbours.",
        usage: "q3 eval classification FOLDER [--model FILE] [OPTION ...]",
        discussion: """
            FOLDER has train.jsonl and test.jsonl (SPLIT.jsonl) with {"text", "label"} in
            a line, or .tsv files with these columns.

            The probe is MTEB's: a logistic regression on so many training texts of each
            label, drawn ten times, and the mean of its scores. The vote is that of the
            five nearest of all training texts.

            EXAMPLES
              q3 eval classification banking77 -m embedding.gguf
              q3 eval classification banking77 -m embedding.gguf --instruct \\
                "Given a online banking query, find the corresponding intents"
            """)

    private static let neighborCount = 5

    @Argument(
        help: "A folder with a file for the training texts and one for the split.", completion: .directory)
    var folder: String

    @OptionGroup var arguments: EvalArguments

    @Option(help: "Training texts of each label that the probe learns from.")
    var samplesPerLabel: Int = 8

    @Option(help: "How many times to draw them.")
    var experiments: Int = 10

    func validate() throws {
        if samplesPerLabel < 1 { throw ValidationError("--samples-per-label must be at least 1") }
        if !(1...1000).contains(experiments) { throw ValidationError("--experiments must be 1 to 1000") }
        if arguments.split == "train" { throw ValidationError("the training texts cannot be the test") }
    }

    func run() async throws {
        guard EvalData.isFolder(folder) else {
            throw Failure(.noInput, "\(folder) is not a folder; give one with train.jsonl and \(arguments.split).jsonl")
        }
        let (trainFile, testFile) = (
            try EvalData(folder, split: "train"), try EvalData(folder, split: arguments.split)
        )
        var report = try EvalReport(arguments, data: folder, inputs: [trainFile.path, testFile.path])
        let (train, test) = (try LabeledText.records(of: trainFile), try LabeledText.records(of: testFile))
        let names = Set(train.map(\.content.exactLabel)).sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
        guard names.count > 1 else {
            throw Failure(
                .badData, "\(trainFile.path): all texts have the label \(names[0].text); two are needed at least")
        }
        let numbers = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        let trainLabels = train.map { numbers[$0.content.exactLabel] ?? 0 }
        let testLabels = try test.map { record in
            guard let number = numbers[record.content.exactLabel] else {
                let label = record.content.label
                throw Failure(.badData, "\(record.name): no training text has the label \(label)")
            }
            return number
        }

        let vectors = try await arguments.vectors(
            of: [train, test].map { ($0.map(\.content.text), $0.map(\.name)) }, as: .classification, noting: &report)
        let (trainVectors, testVectors) = (vectors[0], vectors[1])

        let samples = ProbeSamples.rows(
            labels: trainLabels, perLabel: samplesPerLabel, experimentCount: experiments)
        var each: [EvalReport.Scores] = []
        for rows in samples {
            let probe = try await LogisticRegression.fit(
                try trainVectors.rows(rows).matrix(), labels: rows.map { trainLabels[$0] })
            each.append(Self.named(ClassScores(truth: testLabels, predictions: probe.classes(of: testVectors))))
        }
        let mean = each[0].indices.map { index in
            (name: each[0][index].name, value: each.reduce(0) { $0 + $1[index].value } / Double(each.count))
        }
        let votes = try await NeighborClassifier.classes(
            of: testVectors, training: trainVectors, labels: trainLabels, neighborCount: Self.neighborCount)
        let vote = ClassScores(truth: testLabels, predictions: votes)
        let scores = mean + [(name: "knn_accuracy", value: vote.accuracy), (name: "knn_f1", value: vote.f1)]
        let counts = "\(names.count) labels, \(train.count) texts to learn from, \(test.count) to classify"
        let experimentList = "[\(each.map { EvalReport.json($0).description }.joined(separator: ","))]"
        try report.write(
            main: "accuracy", scores: scores, details: [("scores_per_experiment", experimentList)],
            table: [counts, ""] + EvalReport.list(scores))
    }

    private static func named(_ scores: ClassScores) -> EvalReport.Scores {
        [
            ("accuracy", scores.accuracy), ("f1", scores.f1), ("f1_weighted", scores.weightedF1),
            ("precision", scores.precision), ("precision_weighted", scores.weightedPrecision),
            ("recall", scores.recall), ("recall_weighted", scores.weightedRecall),
        ]
    }
}
