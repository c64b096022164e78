// The scores of an evaluation, as a table for people and in the layout of MTEB's results.
import Q3Eval
import Q3GGUF
import Q3System

/// The result of one task.
struct EvalReport {
    /// Named scores, in the order they are shown.
    typealias Scores = [(name: String, value: Double)]

    private let arguments: EvalArguments
    private let taskName: String
    private let file: OutputFile?
    private let start = ContinuousClock.now
    private var settings: [(name: String, value: String)] = []

    /// Opens the output first, so that an unwritable place is found before any work is done.
    init(_ arguments: EvalArguments, data: String, inputs: [String]) throws {
        self.arguments = arguments
        taskName = arguments.taskName(of: data)
        file = try arguments.output.map {
            try OutputFile(
                path: $0, inputs: inputs + [try? modelPath(arguments.model.model), arguments.adapted.adapter])
        }
        note("model", arguments.model.model ?? BuiltInModel.name)
        if let adapter = arguments.adapted.adapter { note("adapter", adapter) }
    }

    /// Says how the scores were computed.
    mutating func note(_ name: String, _ value: String) { settings.append((name, value)) }

    /// Says how the texts were embedded.
    mutating func note(_ texts: TextVectors, as instruction: TaskInstruction?) {
        note("dimensions", "\(texts.dimensions)")
        note("instruction", instruction?.text ?? "none")
        if texts.truncatedCount > 0 { note("truncated", "\(texts.truncatedCount) texts") }
    }

    /// Writes scores where they were asked for. `table` is for people, `details` are further fields of JSON.
    func write(main: String, scores: Scores, details: [(name: String, json: String)] = [], table: [String]) throws {
        if arguments.json || file != nil {
            let text = json(main: main, scores: scores, details: details)
            let output = try file ?? OutputFile(path: nil, inputs: [])
            try output.write(Array("\(text)\n".utf8))
            try output.finish()
        }
        guard !arguments.json else { return }
        let notes = settings.map { "\(Self.padded($0.name, 14))\($0.value.escapedForTerminal)" }
        let value = scores.first { $0.name == main }?.value ?? 0
        let lines =
            ["\(Self.padded("task", 14))\(taskName.escapedForTerminal) (\(arguments.split))"] + notes + [""] + table
            + ["", "\(Self.padded("main score", 14))\(main) \(Self.decimals(value))"]
        let output = try OutputFile(path: nil, inputs: [])
        try output.write(Array("\(lines.joined(separator: "\n"))\n".utf8))
    }

    /// A line for each score.
    static func list(_ scores: Scores) -> [String] {
        let width = (scores.map(\.name.count).max() ?? 0) + 2
        return scores.map { "\(padded($0.name, width))\(decimals($0.value))" }
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 1))
    }

    /// Five decimals, as MTEB rounds.
    static func decimals(_ value: Double) -> String { value.fixed(5) }

    static func json(_ scores: Scores) -> JSONObject {
        var object = JSONObject()
        for (name, value) in scores { object.add(name, value) }
        return object
    }

    private func json(main: String, scores: Scores, details: [(name: String, json: String)]) -> JSONObject {
        var entry = Self.json(scores)
        for (name, json) in details { entry.add(name, json) }
        entry.add("main_score", scores.first { $0.name == main }?.value ?? 0)
        entry.add("hf_subset", quoted: "default")
        entry.add("languages", "[\(arguments.language.map(JSONText.quoted).joined(separator: ","))]")
        var splits = JSONObject()
        splits.add(arguments.split, list: [entry])
        var how = JSONObject()
        for (name, value) in settings { how.add(name, quoted: value) }
        var result = JSONObject()
        result.add("dataset_revision", quoted: "local")
        result.add("task_name", quoted: taskName)
        result.add("mteb_version", "null")
        result.add("scores", splits)
        result.add("evaluation_time", (ContinuousClock.now - start) / .seconds(1))
        result.add("kg_co2_emissions", "null")
        result.add("q3", how)
        return result
    }
}
