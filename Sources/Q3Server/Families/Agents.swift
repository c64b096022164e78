// The Model Context Protocol over HTTP, as its streamable transport allows a server that keeps no sessions.
#if Server && Index
import HTTPTypes
import Hummingbird
import Q3IndexAPI

extension APIFamily {
    /// POST /mcp. Every answer is one JSON message, so GET, which would open a stream, and DELETE, which would end a session,
    /// are answered with 405. Pages of foreign origins were refused before (`AccessControl`).
    static func agents(_ backend: Backend) -> APIFamily {
        APIFamily(
            errors: ErrorForm { error, message in
                JSONRPCError(error: .init(code: error.kind == .internal ? -32603 : -32600, message: message))
            },
            routes: [
                .post("/mcp") { request throws(APIError) in
                    if let version = request.headers[.agentProtocolVersion], !AgentProtocol.versions.contains(version) {
                        let known = AgentProtocol.versions.joined(separator: ", ")
                        throw APIError(.invalid, "MCP-Protocol-Version \(version.prefix(40)) is none of \(known)")
                    }
                    let agent = AgentProtocol(try backend.indexService(for: request))
                    guard let answer = await agent.answer(request.body.text) else {
                        return APIResponse(Response(status: .accepted))
                    }
                    var response = APIResponse(text: answer.text, type: "application/json")
                    if answer.isRefusal { response.response.status = .badRequest }
                    return response
                }
            ])
    }
}

/// An answer to nothing in particular.
private struct JSONRPCError: Encodable, Sendable {
    struct Fault: Encodable, Sendable {
        let code: Int
        let message: String
    }

    let jsonrpc = "2.0"
    @Null var id: Int?
    let error: Fault

    init(error: Fault) {
        self.error = error
        _id = Null(wrappedValue: nil)
    }
}

extension HTTPField.Name {
    fileprivate static let agentProtocolVersion = Self("mcp-protocol-version")!
}
#endif
