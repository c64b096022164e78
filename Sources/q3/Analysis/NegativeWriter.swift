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

    /// Lines of JSON for a query; in any format but BEIR's.
    func lines(of query: Int, _ found: MinedNegatives, _ format: NegativeFormat) -> [JSONObject] {
        switch format {
        case .triplet: triplets(query, found)
        case .nTuple: found.negatives.count == count ? found.positives.map { tuple(query, $0, found.negatives) } : []
        case .labeledPair: labeledPairs(query, found)
        case .labeledList: found.negatives.isEmpty ? [] : found.positives.map { list(query, $0, found.negatives) }
        case .swift: found.negatives.isEmpty ? [] : found.positives.map { messages(query, $0, found.negatives) }
        case .swift3: found.negatives.isEmpty ? [] : found.positives.map { responses(query, $0, found.negatives) }
        case .beir: []
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
            var lines = OutputLines(file)
            for (row, text) in texts.enumerated() {
                var object = JSONObject()
                object.add("_id", quoted: "\(row)")
                if name == "corpus.jsonl" { object.add("title", quoted: "") }
                object.add("text", quoted: text)
                try lines.append(object)
            }
            try lines.flush()
            try file.finish()
        }
        let file = try OutputFile(path: "\(folder)/qrels/train.tsv", inputs: inputs)
        var lines = OutputLines(file)
        var count = 0
        try lines.append("query-id\tcorpus-id\tscore\n")
        for (query, found) in mined.enumerated() {
            for (passages, grade) in [(found.positives, 1), (found.negatives, 0)] {
                for passage in passages { try lines.append("\(query)\t\(passage.row)\t\(grade)\n") }
                count += passages.count
            }
        }
        try lines.flush()
        try file.finish()
        return count
    }
}
