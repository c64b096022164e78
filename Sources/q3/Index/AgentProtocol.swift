// The Model Context Protocol: JSON-RPC messages of an agent answered with the tools search, get and status.
#if Index
    import Q3Embedding
    import Q3Index
    import Q3System

    /// An index that agents may ask.
    struct ServedIndex: Sendable {
        /// The folder's name without its ending; what tools call it.
        let name: String
        let index: SearchIndex
        let embedder: Embedder
    }

    /// Answers the messages of one agent or of many; it keeps nothing between them.
    struct AgentProtocol: Sendable {
        let indexes: [ServedIndex]

        /// Versions of the protocol whose messages these are; an agent that asks for another is offered the newest.
        private static let versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
        /// Most hits of one call: what an agent reads costs it tokens.
        private static let hitLimit = 50

        private struct Fault: Error {
            let code: Int
            let message: String
        }

        /// What a tool says about what it was given; the agent reads it and may try again.
        private struct ToolFault: Error {
            let message: String
        }

        /// The answer to a message, or to several in a list; nil where none is expected.
        func answer(_ message: String) async -> String? {
            guard let value = JSONValue(parsing: message) else {
                return Self.response(id: .null, fault: Fault(code: -32700, message: "not JSON"))
            }
            guard let list = value.list else { return await answer(value) }
            guard !list.isEmpty else {
                return Self.response(id: .null, fault: Fault(code: -32600, message: "an empty list"))
            }
            var answers: [String] = []
            for message in list { if let answer = await answer(message) { answers.append(answer) } }
            return answers.isEmpty ? nil : "[\(answers.joined(separator: ","))]"
        }

        private func answer(_ message: JSONValue) async -> String? {
            let id = message["id"]
            guard let method = message["method"]?.text else {
                // An answer to a question of ours, of which there are none, or no message at all.
                if message["result"] != nil || message["error"] != nil { return nil }
                return Self.response(id: id ?? .null, fault: Fault(code: -32600, message: "no method"))
            }
            guard let id, id != .null else { return nil }  // a notification
            do throws(Fault) {
                return Self.response(id: id, result: try await result(of: method, message["params"] ?? .null))
            } catch {
                return Self.response(id: id, fault: error)
            }
        }

        private func result(of method: String, _ params: JSONValue) async throws(Fault) -> String {
            switch method {
            case "initialize": return initialized(params["protocolVersion"]?.text)
            case "ping": return "{}"
            case "tools/list": return "{\"tools\":[\(tools.joined(separator: ","))]}"
            case "tools/call":
                guard let name = params["name"]?.text else { throw Fault(code: -32602, message: "no name of a tool") }
                do {
                    return try await call(name, params["arguments"] ?? .object([:]))
                } catch let fault as Fault {
                    throw fault
                } catch let fault as ToolFault {
                    return Self.toolResult(fault.message, isError: true)
                } catch {
                    return Self.toolResult("\(error)", isError: true)
                }
            default: throw Fault(code: -32601, message: "no method \(method)")
            }
        }

        private func initialized(_ asked: String?) -> String {
            let version = asked.flatMap { Self.versions.contains($0) ? $0 : nil } ?? Self.versions.last!
            var object = JSONObject()
            object.add("protocolVersion", quoted: version)
            object.add("capabilities", "{\"tools\":{}}")
            object.add("serverInfo", "{\"name\":\"q3\",\"version\":\(JSONText.quoted(Release.version))}")
            let names = indexes.map(\.name).joined(separator: ", ")
            object.add(
                "instructions",
                quoted:
                    "Searches documents by meaning and by words. Indexes: \(names). Use search first; its hits name a "
                    + "document, which get gives whole.")
            return "\(object)"
        }

        /// The tools with the JSON schemas of their arguments.
        private var tools: [String] {
            let names = indexes.map { JSONText.quoted($0.name) }.joined(separator: ",")
            let index =
                indexes.count > 1
                ? ",\"index\":{\"type\":\"string\",\"enum\":[\(names)],\"description\":\"Which index. (default: the first)\"}"
                : ""
            return [
                """
                {"name":"search","title":"Search documents","description":"Finds passages that answer a question or hold \
                words, best first, with path and lines.","annotations":{"readOnlyHint":true},"inputSchema":{"type":"object",\
                "properties":{"query":{"type":"string","description":"A question or words, in plain language."},\
                "count":{"type":"integer","minimum":1,"maximum":\(Self.hitLimit),"description":"Hits to give. (default: 10)"},\
                "mode":{"type":"string","enum":["hybrid","vectors","words"]},"where":{"type":"array","items":{"type":"string"},\
                "description":"Filters such as path:docs/** or lang=swift; all must hold."}\(index)},"required":["query"]}}
                """,
                """
                {"name":"get","title":"Read a document","description":"The whole text of a document that a hit named.",\
                "annotations":{"readOnlyHint":true},"inputSchema":{"type":"object","properties":{"document":{"type":"integer",\
                "description":"The number of a document, from a hit."}\(index)},"required":["document"]}}
                """,
                """
                {"name":"status","title":"What an index holds","description":"Numbers of documents and chunks, the model, and \
                the folders.","annotations":{"readOnlyHint":true},"inputSchema":{"type":"object","properties":{\
                \(index.dropFirst())}}}
                """,
            ]
        }

        private func call(_ name: String, _ arguments: JSONValue) async throws -> String {
            guard ["search", "get", "status"].contains(name) else {
                throw Fault(code: -32602, message: "no tool \(name)")
            }
            let served = try served(arguments["index"])
            switch name {
            case "search": return try await search(served, arguments)
            case "get":
                guard let id = arguments["document"]?.whole else {
                    throw ToolFault(message: "document must be a whole number")
                }
                guard let document = try await served.index.document(id) else {
                    throw ToolFault(message: "there is no document \(id) any more; search again")
                }
                let text = document.chunks.map(\.text).joined(separator: "\n\n")
                return Self.toolResult(
                    "\(document.path)\n\(document.title)\n\n\(text)", structured: IndexJSON.document(document))
            default:
                let status = IndexJSON.status(
                    try await served.index.status(), served.index.configuration, path: served.index.path)
                return Self.toolResult("\(status)", structured: status)
            }
        }

        private func served(_ name: JSONValue?) throws(ToolFault) -> ServedIndex {
            guard let name else { return indexes[0] }
            guard let served = indexes.first(where: { $0.name == name.text }) else {
                throw ToolFault(
                    message: "there is no index \(name); there are: \(indexes.map(\.name).joined(separator: ", "))")
            }
            return served
        }

        private func search(_ served: ServedIndex, _ arguments: JSONValue) async throws -> String {
            guard let text = arguments["query"]?.text else { throw ToolFault(message: "query must be a text") }
            var query = SearchQuery(text)
            if let count = arguments["count"] {
                guard let number = count.whole, (1...Self.hitLimit).contains(number) else {
                    throw ToolFault(message: "count must be 1 to \(Self.hitLimit)")
                }
                query.count = number
            }
            if let mode = arguments["mode"] {
                guard let known = mode.text.flatMap(SearchMode.init) else {
                    throw ToolFault(message: "mode must be hybrid, vectors or words")
                }
                query.mode = known
            }
            if let filters = arguments["where"] {
                guard let list = filters.list?.compactMap(\.text), list.count == filters.list?.count else {
                    throw ToolFault(message: "where must be a list of texts")
                }
                query.filters = try list.map { try SearchFilter($0) }
            }
            let hits = try await served.index.search(query, with: served.embedder).hits
            let lines = hits.map { hit in
                "\(hit.path):\(hit.lines.lowerBound)-\(hit.lines.upperBound) (document \(hit.document))\n\(hit.context)\n\(hit.text)"
            }
            var structured = JSONObject()
            structured.add("hits", list: hits.map { IndexJSON.hit($0) })
            return Self.toolResult(
                hits.isEmpty ? "nothing found" : lines.joined(separator: "\n\n---\n\n"), structured: structured)
        }

        private static func toolResult(_ text: String, structured: JSONObject? = nil, isError: Bool = false) -> String {
            var content = JSONObject()
            content.add("type", quoted: "text")
            content.add("text", quoted: text)
            var object = JSONObject()
            object.add("content", list: [content])
            if let structured { object.add("structuredContent", structured) }
            object.add("isError", isError)
            return "\(object)"
        }

        private static func response(id: JSONValue, result: String) -> String {
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":\(result)}"
        }

        private static func response(id: JSONValue, fault: Fault) -> String {
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":\(fault.code),\"message\":\(JSONText.quoted(fault.message))}}"
        }
    }
#endif
