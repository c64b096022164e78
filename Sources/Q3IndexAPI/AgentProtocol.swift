// The Model Context Protocol: JSON-RPC messages of an agent answered with the tools search, get and status.
import Q3Index
import Q3System

/// Answers the messages of one agent or of many; it keeps nothing between them.
package struct AgentProtocol: Sendable {
    /// What is said to a message.
    package struct Answer: Sendable, Equatable {
        /// JSON in one line: line ends within texts are escaped.
        package let text: String
        /// Whether the message was none: over HTTP that has a status of its own.
        package let isRefusal: Bool
    }

    let tools: AgentTools

    package init(_ service: IndexService) { tools = AgentTools(service: service) }

    /// Versions of the protocol whose messages these are; an agent that asks for another is offered the newest.
    package static let versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]

    struct Fault: Error {
        let code: Int
        let message: String
    }

    /// The answer to a message, or to several in a list; nil where none is expected.
    package func answer(_ message: String) async -> Answer? {
        guard let value = AnyJSON(parsing: message) else { return Self.refusal(-32700, "not JSON") }
        guard let list = value.list else { return await answer(value) }
        guard !list.isEmpty else { return Self.refusal(-32600, "an empty list") }
        var answers: [String] = []
        for message in list { if let answer = await answer(message) { answers.append(answer.text) } }
        return answers.isEmpty ? nil : Answer(text: "[\(answers.joined(separator: ","))]", isRefusal: false)
    }

    /// What is said where no answer is possible.
    package static func refusal(_ code: Int, _ message: String) -> Answer {
        Answer(text: response(id: .null, fault: Fault(code: code, message: message)), isRefusal: true)
    }

    private func answer(_ message: AnyJSON) async -> Answer? {
        let id = message["id"]
        guard let method = message["method"]?.text else {
            // An answer to a question of ours, of which there are none, or no message at all.
            if message["result"] != nil || message["error"] != nil { return nil }
            let fault = Fault(code: -32600, message: "no method")
            return Answer(text: Self.response(id: id ?? .null, fault: fault), isRefusal: true)
        }
        guard let id, id != .null else { return nil }  // a notification
        do throws(Fault) {
            let result = try await result(of: method, message["params"] ?? .null)
            return Answer(text: Self.response(id: id, result: result), isRefusal: false)
        } catch {
            return Answer(text: Self.response(id: id, fault: error), isRefusal: false)
        }
    }

    private func result(of method: String, _ params: AnyJSON) async throws(Fault) -> String {
        switch method {
        case "initialize": return initialized(params["protocolVersion"]?.text)
        case "ping": return "{}"
        case "tools/list": return "{\"tools\":[\(tools.descriptions.joined(separator: ","))]}"
        case "tools/call":
            guard let name = params["name"]?.text else { throw Fault(code: -32602, message: "no name of a tool") }
            return try await tools.call(name, params["arguments"] ?? .object([:]))
        default: throw Fault(code: -32601, message: "no method \(method)")
        }
    }

    private func initialized(_ asked: String?) -> String {
        let version = asked.flatMap { Self.versions.contains($0) ? $0 : nil } ?? Self.versions.last!
        var object = JSONObject()
        object.add("protocolVersion", quoted: version)
        object.add("capabilities", "{\"tools\":{}}")
        object.add("serverInfo", "{\"name\":\"q3\",\"version\":\(JSONText.quoted(Release.version))}")
        let names = tools.service.indexes.map(\.name).joined(separator: ", ")
        object.add(
            "instructions",
            quoted:
                "Searches documents by meaning and by words. Indexes: \(names). Use search first; its hits name a "
                + "document, which get gives whole.")
        return "\(object)"
    }

    private static func response(id: AnyJSON, result: String) -> String {
        "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":\(result)}"
    }

    private static func response(id: AnyJSON, fault: Fault) -> String {
        "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":\(fault.code),"
            + "\"message\":\(JSONText.quoted(fault.message))}}"
    }
}
