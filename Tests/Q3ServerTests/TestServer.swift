// A server without a socket: requests go to the router and answers come back.
#if Server
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOEmbedded
import Q3Embedding
import Q3Model
import Q3Reranking
import TestSupport

@testable import Q3Server

#if Index
import Q3IndexAPI
#endif

struct Answer {
    let status: Int
    let headers: HTTPFields
    let body: Data

    /// The body as an object or a list.
    func json<Value>(_ type: Value.Type = [String: Any].self) throws -> Value {
        let value = try JSONSerialization.jsonObject(with: body, options: .fragmentsAllowed)
        guard let value = value as? Value else {
            throw Unexpected(what: String(decoding: body, as: UTF8.self))
        }
        return value
    }

    struct Unexpected: Error { let what: String }
}

/// The server's routes over two tiny models, `embed` and `rerank`.
struct TestServer {
    let backend: Backend
    let families: [APIFamily]
    let embedder: Embedder
    let reranker: Reranker
    private let router: Router<ServerContext>

    #if Index
    /// The same with indexes to search.
    init(
        models: [String] = ["embed", "rerank"], indexes: [NamedIndex], _ change: (inout ServerOptions) -> Void
    ) throws {
        try self.init(models: models, change) { $0.indexes = indexes }
    }
    #endif

    /// - Parameter more: Families beside the server's own.
    init(
        embed: String = "tiny-embed-Q8_0", embedder: Embedder? = nil, reranker: Reranker? = nil,
        models: [String] = ["embed", "rerank"], adapters: [ServedAdapter] = [], more: [APIFamily] = [],
        _ change: (inout ServerOptions) -> Void = { _ in }, with prepare: (inout Backend) -> Void = { _ in }
    ) throws {
        let embedder = try embedder ?? Embedder(file: Fixture.model(embed))
        let reranker = try reranker ?? Reranker(file: Fixture.model("tiny-causal-Q8_0"))
        (self.embedder, self.reranker) = (embedder, reranker)
        var options = ServerOptions()
        change(&options)
        let registry = Server.makeRegistry()
        let silent = Logger(label: "test") { _ in Silence() }
        let all = [
            ServedModel(name: "embed", head: .embedder(embedder), created: 1, adapters: adapters),
            ServedModel(name: "rerank", head: .reranker(reranker), created: 2),
        ]
        var backend = Backend(
            all.filter { models.contains($0.name) }, options: options, metrics: ServerMetrics(factory: registry),
            logger: silent)
        prepare(&backend)
        self.backend = backend
        families = more + Server.families(backend, registry: registry)
        router = Server.router(families, backend: backend, registry: registry, logger: silent)
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", headers: HTTPFields = [:],
        host: String? = "localhost:8080"
    ) async throws -> Answer {
        var fields = headers
        if method == .post, fields[.contentType] == nil { fields[.contentType] = "application/json" }
        let head = HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: fields)
        let channel = NIOAsyncTestingChannel()
        let context = ServerContext(
            source: .init(channel: channel, logger: Logger(label: "test") { _ in Silence() }))
        let response = try await router.buildResponder().respond(
            to: Request(head: head, body: .init(buffer: ByteBuffer(string: body))), context: context)
        let writer = Collector()
        try await response.body.write(writer)
        return Answer(status: response.status.code, headers: response.headers, body: writer.data)
    }

    func post(_ path: String, _ body: String, headers: HTTPFields = [:]) async throws -> Answer {
        try await send(.post, path, body, headers: headers)
    }

    func get(_ path: String, headers: HTTPFields = [:]) async throws -> Answer {
        try await send(.get, path, headers: headers)
    }
}

private final class Collector: ResponseBodyWriter {
    private(set) var data = Data()

    func write(_ buffer: ByteBuffer) async throws { data.append(contentsOf: buffer.readableBytesView) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

private struct Silence: LogHandler {
    var logLevel = Logger.Level.critical
    var metadata: Logger.Metadata = [:]
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {}
}

func floats(_ value: Any?) -> [Float] {
    (value as? [Any] ?? []).compactMap { ($0 as? NSNumber)?.floatValue }
}
#endif
