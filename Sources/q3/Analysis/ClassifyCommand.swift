// q3 classify: labels for many texts from a few labelled ones.
public import ArgumentParser
public import Q3Analysis
import Q3Embedding
import Q3Linear
import Q3System

struct ClassifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify",
        abstract: "Learns labels from a few texts, and gives them to others.",
        subcommands: [ClassifyTrainCommand.self, ClassifyPredictCommand.self])
}

struct ClassifyTrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Makes a classifier from labelled texts.",
        usage: "q3 classify train --input LABELLED --output HEAD [OPTION ...]",
        discussion: """
            \(VectorSetArguments.discussion)

            LABELLED has a text and a label in each record. Methods:
              logistic      a logistic regression on the vectors, the default
              neighbors     the labels of the five nearest labelled texts
              descriptions  one text for each label says what it means; nothing is learned
            Accuracy and F1 come from cross-validation: each text is judged by a head that
            has not seen it. The temperature that makes probabilities honest is kept in the
            file, with the fingerprint of the model: another model's vectors are refused.

            EXAMPLES
              q3 classify train -i labelled.jsonl -o tickets.head.json
              q3 classify train -i labels.jsonl --method descriptions -o tickets.head.json
            """)

    @OptionGroup var rows: VectorSetArguments

    @Option(help: ArgumentHelp("The column of the label.", valueName: "name"))
    var labelColumn = "label"

    @Option(help: "logistic, neighbors or descriptions.")
    var method: ClassifierKind = .logistic

    @Option(help: ArgumentHelp("How strongly the regression follows the examples: scikit-learn's C.", valueName: "c"))
    var strength = 1.0

    @Option(help: ArgumentHelp("Parts of the cross-validation.", valueName: "n"))
    var folds = 5

    @Option(help: ArgumentHelp("What random draws begin with.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file of the classifier.", valueName: "file"), completion: .file())
    var output: String

    func validate() throws {
        if !(strength > 0 && strength.isFinite) { throw ValidationError("--strength must be above 0") }
        if !(2...100).contains(folds) { throw ValidationError("--folds must be 2 to 100") }
        if output == "-" { throw ValidationError("--output is the file of the classifier") }
    }

    func run() async throws {
        try OutputPlace.check(output)
        let set = try await rows.load(
            extra: labelColumn,
            need: {
                AnalysisMemory.training(rows: $0, dimensions: $1, labels: 2, kind: method, folds: folds)
            })
        let threads = rows.model.computing.threads
        let validation =
            method == .descriptions
            ? nil
            : try await Classifier.validate(
                set.vectors, labels: set.extras, kind: method, strength: strength, folds: folds, seed: seed,
                threads: threads)
        var classifier = try await Classifier.train(
            set.vectors, labels: set.extras, kind: method, strength: strength, threads: threads)
        if let validation { classifier.temperature = validation.temperature }
        if method == .descriptions, set.count != classifier.labels.count {
            throw Failure(
                .badData,
                "\(set.name) has \(set.count) descriptions for \(classifier.labels.count) labels; give one for each")
        }
        let model = rows.model.model.map(HeadFile.place)
        let file = ClassifierFile(
            classifier, model: set.fingerprint == nil ? nil : model ?? BuiltInModel.name, fingerprint: set.fingerprint,
            dimensions: set.vectors.dimensions, instruct: rows.instruct)
        try HeadFile.write(file, to: output, inputs: rows.paths)
        Terminal.say("\(classifier.labels.count) labels from \(set.count) texts in \(output)")
        if let validation {
            Self.say(validation)
        } else if method != .descriptions {
            Terminal.say(
                "a label has one text only: nothing could be left out to test on, and probabilities are not calibrated")
        }
        if set.fingerprint == nil {
            Terminal.say(
                "note: the vectors do not say which model made them, so the classifier cannot refuse another's")
        }
    }

    private static func say(_ validation: ClassifierValidation) {
        Terminal.say(
            "on texts not seen (\(validation.folds) parts): accuracy \(validation.accuracy.fixed(4)), macro F1 "
                + validation.macroF1.fixed(4))
        Terminal.say(
            "log loss \(validation.logLoss.raw.fixed(4)), \(validation.logLoss.calibrated.fixed(4)) at the temperature "
                + "\(validation.temperature.fixed(3)); calibration error \(validation.calibrationError.raw.fixed(4)), "
                + validation.calibrationError.calibrated.fixed(4))
    }
}

struct ClassifyPredictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Gives labels to texts.",
        usage: "q3 classify predict HEAD --input INPUT [OPTION ...]",
        discussion: """
            \(VectorSetArguments.discussion)

            OUTPUT is JSON lines: {"index", "id"?, "label", "probability", "unsure"}, with
            --all {"probabilities": {label: probability}} too. A row whose likeliest label
            is less probable than --unsure has "unsure": true. Without --model the texts
            are embedded with the model that the classifier was made with.

            EXAMPLES
              q3 classify predict tickets.head.json -i tickets.jsonl --unsure 0.6
            """)

    @Argument(help: "The file of the classifier.", completion: .file())
    var head: String

    @OptionGroup var rows: VectorSetArguments

    @Option(help: ArgumentHelp("Mark rows whose label is less probable.", valueName: "probability"))
    var unsure = 0.0

    @Flag(help: "Print the probabilities of all labels.")
    var all = false

    @OptionGroup var output: OutputArguments

    func validate() throws {
        if !(0...1 ~= unsure) { throw ValidationError("--unsure is a probability") }
        if rows.instruct != nil { throw ValidationError("the classifier says which instruction texts have") }
        if rows.dimensions != nil { throw ValidationError("the classifier says how many values vectors have") }
    }

    func run() async throws {
        let head = try HeadFile.read(head)
        let file = try OutputFile(path: output.output, inputs: rows.paths + [self.head])
        var arguments = rows
        arguments.dimensions = head.dimensions
        arguments.instruct = head.instruct
        if arguments.model.model == nil { arguments.model.model = head.model }
        let set = try await arguments.load(
            need: { rows, _ in
                AnalysisMemory.probabilities(
                    rows: rows, labels: head.classifier.labels.count, kind: head.classifier.kind)
            })
        if let made = head.fingerprint, let given = set.fingerprint, made != given {
            throw Failure(
                .badData,
                "\(self.head) was made for the model \(made), \(set.name) for \(given): give --model with the first, or train again"
            )
        }
        let classifier = head.classifier
        let probabilities = try await classifier.probabilities(
            of: set.vectors, threads: arguments.model.computing.threads)
        var unsureCount = 0
        var lines = OutputLines(file)
        for (row, found) in probabilities.enumerated() {
            let best = found.indices.max { found[$0] == found[$1] ? $0 > $1 : found[$0] < found[$1] } ?? 0
            let isUnsure = found[best] < unsure
            unsureCount += isUnsure ? 1 : 0
            var object = set.object(row, withText: false)
            object.add("label", quoted: classifier.labels[best])
            object.add("probability", found[best])
            object.add("unsure", isUnsure)
            if all {
                var each = JSONObject()
                for (label, probability) in zip(classifier.labels, found) { each.add(label, probability) }
                object.add("probabilities", each)
            }
            try lines.append(object)
        }
        try lines.flush()
        try file.finish()
        Terminal.say("\(set.count) rows" + (unsure > 0 ? ", \(unsureCount) of them unsure" : ""))
    }
}

extension ClassifierKind: ExpressibleByArgument {}
