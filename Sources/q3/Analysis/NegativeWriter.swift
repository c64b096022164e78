// Hard negatives in the forms that trainers read.
import ArgumentParser
import Q3Analysis
import Q3System

enum NegativeFormat: String, CaseIterable, ExpressibleByArgument {
    case triplet
    case nTuple = "n-tuple"
    case labeledPair = "labeled-pair"
    case labeledList = "labeled-list"
    case swift, swift3, beir
}

struct NegativeWriter {
    let queries: [String]
    let passages: [String]
    /// Negatives that a full row has.
    let count: Int
    let hasScores: Bool

    /// Lines of JSON; for any format but BEIR's.
    func lines(_ mined: [MinedNegatives], _ format: NegativeFormat) -> [JSONObject] {
        mined.enumerated().flatMap { query, found -> [JSONObject] in
            switch format {
            case .triplet: triplets(query, found)
            case .nTuple:
                found.negatives.count == count ? found.positives.map { tuple(query, $0, found.negatives) } : []
            case .labeledPair: labeledPairs(query, found)
            case .labeledList:
                found.negatives.isEmpty ? [] : found.positives.map { list(query, $0, found.negatives) }
            case .swift: found.negatives.isEmpty ? [] : found.positives.map { messages(query, $0, found.negatives) }
            case .swift3: found.negatives.isEmpty ? [] : found.positives.map { responses(query, $0, found.negatives) }
            case .beir: []
            }
        }
    }

    private func triplets(_ query: Int, _ found: MinedNegatives) -> [JSONObject] {
        found.positives.flatMap { positive in
            found.negatives.map { negative in
                var object = anchor(query)
                object.add("positive", quoted: passages[positive.row])
                object.add("negative", quoted: passages[negative.row])
                if hasScores { object.add("scores", [positive.score, negative.score]) }
                return object
            }
        }
    }

    private func tuple(_ query: Int, _ positive: ScoredPassage, _ negatives: [ScoredPassage]) -> JSONObject {
        var object = anchor(query)
        object.add("positive", quoted: passages[positive.row])
        for (index, negative) in negatives.enumerated() {
            object.add("negative_\(index + 1)", quoted: passages[negative.row])
        }
        if hasScores { object.add("scores", ([positive] + negatives).map(\.score)) }
        return object
    }

    private func labeledPairs(_ query: Int, _ found: MinedNegatives) -> [JSONObject] {
        let labeled = found.positives.map { ($0, 1) } + found.negatives.map { ($0, 0) }
        return labeled.map { passage, label in
            var object = anchor(query)
            object.add("positive", quoted: passages[passage.row])
            if hasScores { object.add("score", passage.score) } else { object.add("label", label) }
            return object
        }
    }

    private func list(_ query: Int, _ positive: ScoredPassage, _ negatives: [ScoredPassage]) -> JSONObject {
        var object = anchor(query)
        let all = [positive] + negatives
        object.add("positive", Self.list(all.map { JSONText.quoted(passages[$0.row]) }))
        if hasScores {
            object.add("scores", all.map(\.score))
        } else {
            object.add("labels", [1] + negatives.map { _ in 0 })
        }
        return object
    }

    private func messages(_ query: Int, _ positive: ScoredPassage, _ negatives: [ScoredPassage]) -> JSONObject {
        let message = { (text: String) in "[{\"role\":\"user\",\"content\":\(JSONText.quoted(text))}]" }
        var object = JSONObject()
        object.add("messages", message(queries[query]))
        object.add("positive_messages", "[\(message(passages[positive.row]))]")
        object.add("negative_messages", Self.list(negatives.map { message(passages[$0.row]) }))
        if hasScores { object.add("scores", ([positive] + negatives).map(\.score)) }
        return object
    }

    private func responses(_ query: Int, _ positive: ScoredPassage, _ negatives: [ScoredPassage]) -> JSONObject {
        var object = JSONObject()
        object.add("query", quoted: queries[query])
        object.add("response", quoted: passages[positive.row])
        object.add("rejected_response", Self.list(negatives.map { JSONText.quoted(passages[$0.row]) }))
        if hasScores { object.add("scores", ([positive] + negatives).map(\.score)) }
        return object
    }

    private func anchor(_ query: Int) -> JSONObject {
        var object = JSONObject()
        object.add("anchor", quoted: queries[query])
        return object
    }

    private static func list(_ items: [String]) -> String { "[\(items.joined(separator: ","))]" }

    /// Writes a folder in BEIR's layout, and returns how many grades it has.
    func writeBEIR(_ mined: [MinedNegatives], to folder: String, inputs: [String]) throws -> Int {
        for part in [folder, "\(folder)/qrels"] {
            guard unsafe mkdir(part, 0o777) == 0 || errno == EEXIST else {
                throw Failure(.cannotCreate, "cannot create \(part)", errno: errno)
            }
        }
        for (name, texts) in [("corpus.jsonl", passages), ("queries.jsonl", queries)] {
            let file = try OutputFile(path: "\(folder)/\(name)", inputs: inputs)
            for (row, text) in texts.enumerated() {
                var object = JSONObject()
                object.add("_id", quoted: "\(row)")
                if name == "corpus.jsonl" { object.add("title", quoted: "") }
                object.add("text", quoted: text)
                try file.write(Array("\(object)\n".utf8))
            }
            try file.finish()
        }
        let file = try OutputFile(path: "\(folder)/qrels/train.tsv", inputs: inputs)
        var lines = ["query-id\tcorpus-id\tscore"]
        for (query, found) in mined.enumerated() {
            lines += found.positives.map { "\(query)\t\($0.row)\t1" } + found.negatives.map { "\(query)\t\($0.row)\t0" }
        }
        try file.write(Array((lines.joined(separator: "\n") + "\n").utf8))
        try file.finish()
        return lines.count - 1
    }
}
