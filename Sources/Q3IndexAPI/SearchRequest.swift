// A search as programs, pages and agents send it: the one table of its fields, and what they may be.
package import Q3Index
import Q3System

package struct SearchRequest: Sendable {
    /// A second reading of the best by a reranker.
    package struct Reranking: Sendable, Equatable {
        /// The reranker's name; nil for the first that there is.
        package let model: String?
        /// Hits that it reads.
        package let candidates: Int
        /// Time for it; nil for as long as it takes.
        package let budget: Duration?
    }

    package let query: SearchQuery
    /// The index's name; nil for the first.
    package let index: String?
    /// What the search is for, in a sentence; nil for the model's own.
    package let instruction: String?
    /// The adapter that changes the query's vector; nil for the index's own, as a rule none.
    package let adapter: String?
    package let reranking: Reranking?
    package let givesSnippets: Bool
    /// Whether the cosines of all pairs of hits are given.
    package let givesSimilarities: Bool

    /// Most hits of one answer.
    package static let limit = 100
    private static let queryByteLimit = 64 << 10
    private static let filterLimit = 32
    private static let standardCandidates = 20
    private static let budgetLimit = 3600.0

    /// A field, its JSON schema, and whether agents are told of it: what only a page shows would cost them tokens.
    private struct Field {
        let name: String
        let schema: String
        var isForAgents = true
    }

    private static let fields: [Field] = [
        Field(name: "query", schema: #"{"type":"string","description":"A question or words, in plain language."}"#),
        Field(
            name: "limit",
            schema: #"{"type":"integer","minimum":1,"maximum":\#(limit),"description":"Hits to give. (default: 10)"}"#),
        Field(
            name: "mode",
            schema: #"{"type":"string","enum":["hybrid","vectors","words"],"#
                + #""description":"By meaning, by words, or by both. (default: hybrid)"}"#),
        Field(
            name: "where",
            schema: #"{"type":"array","maxItems":\#(filterLimit),"items":{"type":"string"},"#
                + #""description":"Filters such as path:docs/** or lang=swift; all must hold."}"#),
        Field(
            name: "group",
            schema: #"{"type":"boolean","description":"Of each document only its best passage. (default: false)"}"#),
        Field(
            name: "min_similarity",
            schema: #"{"type":"number","minimum":-1,"maximum":1,"#
                + #""description":"Leave out hits of a lesser cosine that hold no word of the query."}"#),
        Field(
            name: "instruction", schema: #"{"type":"string","description":"What the search is for, in a sentence."}"#),
        Field(
            name: "rerank",
            schema: #"{"type":"boolean","description":"Let a reranker read the best once more, which takes seconds. "#
                + #"(default: false)"}"#),
        Field(
            name: "candidates",
            schema: #"{"type":"integer","minimum":1,"maximum":\#(limit),"#
                + #""description":"Hits that the reranker reads. (default: \#(standardCandidates))"}"#),
        Field(
            name: "rerank_budget",
            schema: #"{"type":"number","minimum":0,"maximum":\#(Int(budgetLimit)),"#
                + #""description":"Seconds for the reranker; it reads as many as fit. (default: no limit)"}"#),
        Field(name: "reranker", schema: #"{"type":"string"}"#, isForAgents: false),
        Field(name: "adapter", schema: #"{"type":"string"}"#, isForAgents: false),
        Field(name: "snippets", schema: #"{"type":"boolean"}"#, isForAgents: false),
        Field(name: "similarities", schema: #"{"type":"boolean"}"#, isForAgents: false),
    ]

    package static let fieldNames = fields.map(\.name) + ["index"]

    /// Members of the JSON schema for agents, without the index. Without a reranker nothing is said of one.
    static func schema(withReranker: Bool) -> String {
        fields.filter { field in
            field.isForAgents && (withReranker || !["rerank", "candidates", "rerank_budget"].contains(field.name))
        }.map { "\(JSONText.quoted($0.name)):\($0.schema)" }.joined(separator: ",")
    }

    /// Reads a request. Throws for a field that is unknown, missing, or not what it may be.
    package init(_ value: AnyJSON) throws(RequestFault) {
        let fields = try RequestFields(value, known: Self.fieldNames)
        guard let text = try fields.text("query") else { throw RequestFault("query", "\"query\" is missing") }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw RequestFault("query", "\"query\" cannot be empty")
        }
        guard text.utf8.count <= Self.queryByteLimit else {
            throw RequestFault(
                "query", "\"query\" has \(text.utf8.count) bytes, more than the \(Self.queryByteLimit) of a search")
        }
        var query = SearchQuery(text)
        if let limit = try fields.whole("limit", in: 1...Self.limit) { query.count = limit }
        if let name = try fields.text("mode") {
            guard let mode = SearchMode(rawValue: name == "both" ? SearchMode.hybrid.rawValue : name) else {
                throw RequestFault("mode", "\"mode\" must be hybrid, vectors or words")
            }
            query.mode = mode
        }
        query.filters = try Self.filters(try fields.texts("where", limit: Self.filterLimit) ?? [])
        query.groupsByDocument = try fields.flag("group") ?? false
        query.leastSimilarity = try fields.number("min_similarity", in: -1...1).map { Float($0) }
        self.query = query
        index = try fields.text("index")
        instruction = try fields.text("instruction")
        adapter = try fields.text("adapter")
        givesSnippets = try fields.flag("snippets") ?? true
        givesSimilarities = try fields.flag("similarities") ?? false
        reranking = try Self.reranking(fields, hits: query.count)
    }

    private static func filters(_ texts: [String]) throws(RequestFault) -> [SearchFilter] {
        var filters: [SearchFilter] = []
        for text in texts {
            do {
                filters.append(try SearchFilter(text))
            } catch {
                throw RequestFault("where", "\(error)")
            }
        }
        return filters
    }

    private static func reranking(_ fields: RequestFields, hits: Int) throws(RequestFault) -> Reranking? {
        let isWanted = try fields.flag("rerank")
        let model = try fields.text("reranker")
        let candidates = try fields.whole("candidates", in: 1...limit)
        let budget = try fields.number("rerank_budget", in: 0...budgetLimit)
        guard isWanted == true else {
            let given = [
                ("reranker", model != nil), ("candidates", candidates != nil), ("rerank_budget", budget != nil),
            ]
            if let field = given.first(where: \.1)?.0 {
                throw RequestFault(field, "\"\(field)\" needs \"rerank\": true")
            }
            return nil
        }
        return Reranking(
            model: model, candidates: candidates ?? max(standardCandidates, hits), budget: budget.map { .seconds($0) })
    }
}
