// The tools that agents call: search, get and status, with the JSON schemas of their arguments.
import Q3Index
import Q3System

struct AgentTools: Sendable {
    let service: IndexService

    /// Bytes of text that one call of get gives: what an agent reads costs it tokens.
    private static let textByteLimit = 100_000

    /// The tools as `tools/list` gives them.
    var descriptions: [String] {
        let names = service.indexes.map { JSONText.quoted($0.name) }.joined(separator: ",")
        let index =
            service.indexes.count > 1
            ? "\"index\":{\"type\":\"string\",\"enum\":[\(names)],\"description\":\"Which index. (default: the first)\"}"
            : ""
        let search = SearchRequest.schema(withReranker: service.computing.scores != nil)
        return [
            Self.tool(
                "search", "Search documents",
                "Finds passages that answer a question or hold words, best first, with path and lines.",
                properties: [search, index], required: "query"),
            Self.tool(
                "get", "Read a document", "The whole text of a document that a hit named.",
                properties: [
                    #""document":{"type":"integer","description":"The number of a document, from a hit."}"#,
                    #""from_chunk":{"type":"integer","#
                        + #""description":"Begin here, to read what a long document did not give at once."}"#, index,
                ], required: "document"),
            Self.tool(
                "status", "What an index holds", "Numbers of documents and chunks, the model, and the folders.",
                properties: [index], required: nil),
        ]
    }

    private static func tool(
        _ name: String, _ title: String, _ description: String, properties: [String], required: String?
    ) -> String {
        var schema = JSONObject()
        schema.add("type", quoted: "object")
        schema.add("properties", "{\(properties.filter { !$0.isEmpty }.joined(separator: ","))}")
        if let required { schema.add("required", "[\(JSONText.quoted(required))]") }
        schema.add("additionalProperties", false)
        var object = JSONObject()
        object.add("name", quoted: name)
        object.add("title", quoted: title)
        object.add("description", quoted: description)
        object.add("annotations", "{\"readOnlyHint\":true}")
        object.add("inputSchema", schema)
        return "\(object)"
    }

    /// What a tool gives. Errors of its arguments are for the agent, which reads them and may try again.
    func call(_ name: String, _ arguments: AnyJSON) async throws(AgentProtocol.Fault) -> String {
        do {
            switch name {
            case "search": return try await search(arguments)
            case "get": return try await get(arguments)
            case "status": return try await status(arguments)
            default: throw AgentProtocol.Fault(code: -32602, message: "no tool \(name)")
            }
        } catch let fault as AgentProtocol.Fault {
            throw fault
        } catch {
            return Self.result("\(error)", isError: true)
        }
    }

    private func search(_ arguments: AnyJSON) async throws -> String {
        let answer = try await service.search(SearchRequest(arguments))
        let lines = answer.results.hits.map { hit in
            "\(hit.path):\(hit.lines.lowerBound)-\(hit.lines.upperBound) (document \(hit.document))\n"
                + "\(hit.context)\n\(hit.text)"
        }
        var structured = JSONObject()
        structured.add("hits", list: answer.results.hits.map { IndexJSON.hit($0) })
        return Self.result(
            lines.isEmpty ? "nothing found" : lines.joined(separator: "\n\n---\n\n"), structured: structured)
    }

    private func get(_ arguments: AnyJSON) async throws -> String {
        let fields = try RequestFields(arguments, known: ["document", "from_chunk", "index"])
        let served = try service.index(try fields.text("index"))
        guard let id = try fields.whole("document", in: 0...Int.max) else {
            throw RequestFault("document", "\"document\" is missing")
        }
        let first = try fields.whole("from_chunk", in: 0...Int.max) ?? 0
        guard var document = try await served.index.document(id) else {
            throw RequestFault("document", "there is no document \(id) any more; search again")
        }
        document.chunks.removeAll { $0.id < first }
        var room = Self.textByteLimit
        let shown = document.chunks.prefix { chunk in
            defer { room -= chunk.text.utf8.count }
            return room > 0
        }
        let rest = document.chunks.dropFirst(shown.count).first
        document.chunks = Array(shown)
        var text = "\(document.path)\n\(document.title)\n\n\(document.chunks.map(\.text).joined(separator: "\n\n"))"
        if let rest { text += "\n\n(the rest, from line \(rest.lines.lowerBound) on: from_chunk \(rest.id))" }
        return Self.result(text, structured: IndexJSON.document(document, next: rest?.id))
    }

    private func status(_ arguments: AnyJSON) async throws -> String {
        let fields = try RequestFields(arguments, known: ["index"])
        let served = try service.index(try fields.text("index"))
        let status = try await IndexJSON.status(of: served)
        return Self.result("\(status)", structured: status)
    }

    private static func result(_ text: String, structured: JSONObject? = nil, isError: Bool = false) -> String {
        var content = JSONObject()
        content.add("type", quoted: "text")
        content.add("text", quoted: text)
        var object = JSONObject()
        object.add("content", list: [content])
        if let structured { object.add("structuredContent", structured) }
        object.add("isError", isError)
        return "\(object)"
    }
}
