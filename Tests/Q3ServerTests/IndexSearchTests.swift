// Searching indexes over HTTP: what POST /search, GET /indexes and POST /mcp answer, honour and refuse.
#if Server && Index
import Foundation
import HTTPTypes
import Logging
import Q3Embedding
import Q3Index
import Q3IndexAPI
import TestSupport
import Testing

@testable import Q3Server

/// A server with an index of three documents over the tiny model that it serves.
private struct SearchServer {
    let server: TestServer
    let folder: TemporaryFolder
    let index: SearchIndex

    static let documents = [
        "keys.md": "# Keys\n\nHow we rotate the signing keys.\n\n## Every month\n\nThe oldest key is revoked.\n",
        "food.txt": "Bread is baked in the morning.\n\nSoup is cooked at noon, with onions.\n",
        "<b onclick=x>.txt": "A text with <script>alert(1)</script> about locks & keys.\n",
    ]

    init(models: [String] = ["embed", "rerank"], _ change: (inout ServerOptions) -> Void = { _ in }) async throws {
        folder = try TemporaryFolder()
        let path = folder.file("docs")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in Self.documents { try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)")) }
        let embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let writer = try IndexWriter.create(
            folder.file("notes.q3i"), model: NamedEmbedder(embedder, name: "embed"),
            options: IndexOptions(dimensions: 32, chunkTokens: 16))
        _ = try await writer.add(path: path)
        index = try SearchIndex(path: folder.file("notes.q3i"))
        let served = NamedIndex(name: "notes", index: index, embedder: embedder, model: "embed")
        server = try TestServer(models: models, indexes: [served], change)
    }

    func hits(_ body: String) async throws -> [[String: Any]] {
        let answer = try await server.post("/search", body)
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
        return try #require(try answer.json()["hits"] as? [[String: Any]])
    }

    func refusal(_ body: String, status: Int = 400) async throws -> String {
        let answer = try await server.post("/search", body)
        #expect(answer.status == status, "\(body)")
        let error = try #require(try answer.json()["error"] as? [String: Any])
        return "\(error["param"] as? String ?? "-"): \(try #require(error["message"] as? String))"
    }
}

@Suite struct IndexSearchTests {
    @Test(arguments: ["hybrid", "vectors", "words", "both"])
    func `hits are those of the library`(mode: String) async throws {
        let test = try await SearchServer()
        let answer = try await test.server.post("/search", #"{"query":"rotate the keys","mode":"\#(mode)"}"#).json()
        let hits = try #require(answer["hits"] as? [[String: Any]])
        let query = SearchQuery("rotate the keys", mode: SearchMode(rawValue: mode) ?? .hybrid)
        let expected = try await test.index.search(query, with: test.server.embedder).hits
        #expect(!expected.isEmpty)
        #expect(hits.map { $0["chunk"] as? Int } == expected.map(\.id))
        #expect(hits.map { ($0["score"] as? NSNumber)?.floatValue } == expected.map(\.score))
        #expect(hits.map { ($0["similarity"] as? NSNumber)?.floatValue } == expected.map(\.similarity))
        #expect(hits.map { $0["snippet"] as? String } == expected.map(\.snippet.text))
        #expect(answer["index"] as? String == "notes")
        #expect(answer["model"] as? String == "embed")
    }

    @Test func `every field is honoured`() async throws {
        let test = try await SearchServer()
        let plain = try await test.hits(#"{"query":"keys and locks"}"#)
        #expect(try await test.hits(#"{"query":"keys and locks","limit":1}"#).count == 1)
        let filtered = try await test.hits(#"{"query":"keys and locks","where":["path:*.md"]}"#)
        #expect(Set(filtered.map { $0["title"] as? String }) == ["Keys"])
        let grouped = try await test.hits(#"{"query":"keys and locks","group":true}"#)
        #expect(grouped.count == 3 && plain.count > 3)
        #expect(try await test.hits(#"{"query":"locks","min_similarity":1}"#).count == 1)
        let bare = try await test.hits(#"{"query":"keys","snippets":false}"#)
        #expect(bare.allSatisfy { $0["snippet"] == nil && $0["marks"] == nil && $0["text"] is String })
        let told = try await test.hits(#"{"query":"keys and locks","instruction":"Find bread","mode":"vectors"}"#)
        let untold = try await test.hits(#"{"query":"keys and locks","mode":"vectors"}"#)
        #expect(floats(told.map { $0["score"] as Any }) != floats(untold.map { $0["score"] as Any }))
        #expect(try await test.hits(#"{"query":"keys","index":"notes","limit":null}"#).count > 1)
    }

    @Test func `a reranker's order comes with the places before`() async throws {
        let test = try await SearchServer()
        let plain = try await test.hits(#"{"query":"keys and locks"}"#)
        let body = #"{"query":"keys and locks","rerank":true,"reranker":"rerank","candidates":3}"#
        let answer = try await test.server.post("/search", body).json()
        let hits = try #require(answer["hits"] as? [[String: Any]])
        #expect(answer["reranked"] as? Int == 3)
        #expect(Set(hits.compactMap { $0["place_before"] as? Int }) == Set(1...plain.count))
        for hit in hits {
            let place = try #require(hit["place_before"] as? Int)
            #expect(hit["chunk"] as? Int == plain[place - 1]["chunk"] as? Int)
        }
        // The same scores as the library's, for exactly the candidates.
        let query = SearchQuery("keys and locks")
        let expected = try await test.index.search(query, with: test.server.embedder)
            .reranked(by: test.server.reranker, query: "keys and locks", count: 10, limit: 3)
        #expect(hits.map { $0["chunk"] as? Int } == expected.hits.map(\.id))
        #expect(hits.map { ($0["relevance"] as? NSNumber)?.floatValue } == expected.hits.map(\.relevance))
        // No time reads nothing, and the order stays.
        let none = try await test.server.post(
            "/search", #"{"query":"keys and locks","rerank":true,"rerank_budget":0}"#
        ).json()
        #expect(none["reranked"] as? Int == 0)
        #expect((none["hits"] as? [[String: Any]])?.map { $0["chunk"] as? Int } == plain.map { $0["chunk"] as? Int })
    }

    @Test func `similarities are the cosines of all pairs`() async throws {
        let test = try await SearchServer()
        let answer = try await test.server.post("/search", #"{"query":"keys","similarities":true}"#).json()
        let hits = try #require(answer["hits"] as? [[String: Any]])
        let matrix = try #require(answer["similarities"] as? [[Any]]).map { floats($0) }
        let texts = hits.map { "\($0["context"] as? String ?? "")\n\n\($0["text"] as? String ?? "")" }
        let vectors = try await test.server.embedder.embed(texts, options: EmbeddingOptions(dimensions: 32))
        #expect(matrix == vectors.map { one in vectors.map { Similarity.dot(one.vector, $0.vector) } })
    }

    @Test(arguments: [
        ("{}", "query: "), (#"{"query":""}"#, "query: "), (#"{"query":"  "}"#, "query: "),
        (#"{"query":5}"#, "query: "),
        (#"{"query":"x","limit":0}"#, "limit: "), (#"{"query":"x","limit":101}"#, "limit: "),
        (#"{"query":"x","limit":1.5}"#, "limit: "), (#"{"query":"x","mode":"poem"}"#, "mode: "),
        (#"{"query":"x","where":"path:*"}"#, "where: "), (#"{"query":"x","where":["nothing"]}"#, "where: "),
        (#"{"query":"x","where":[5]}"#, "where: "), (#"{"query":"x","group":"yes"}"#, "group: "),
        (#"{"query":"x","min_similarity":2}"#, "min_similarity: "), (#"{"query":"x","index":"other"}"#, "index: "),
        (#"{"query":"x","rerank":1}"#, "rerank: "), (#"{"query":"x","candidates":5}"#, "candidates: "),
        (#"{"query":"x","rerank_budget":1}"#, "rerank_budget: "),
        (#"{"query":"x","reranker":"rerank"}"#, "reranker: "),
        (#"{"query":"x","rerank":true,"candidates":1000}"#, "candidates: "),
        (#"{"query":"x","rerank":true,"rerank_budget":-1}"#, "rerank_budget: "),
        (#"{"query":"x","rerank":true,"reranker":"embed"}"#, "model: "), (#"{"query":"x","top_k":5}"#, "top_k: "),
        (#"{"query":"x","snippets":"no"}"#, "snippets: "), (#"{"query":"x","similarities":3}"#, "similarities: "),
        (#"{"query":"x","instruction":[]}"#, "instruction: "), ("[]", "-: "), ("5", "-: "), ("{", "-: "),
    ]) func `what is wrong is named`(_ body: String, _ expected: String) async throws {
        let message = try await SearchServer().refusal(body)
        #expect(message.hasPrefix(expected), "\(message)")
    }

    @Test func `a query has a largest size, and without a reranker there is no reranking`() async throws {
        let test = try await SearchServer(models: ["embed"])
        let long = String(repeating: "word ", count: 14_000)
        #expect(try await test.refusal(#"{"query":"\#(long)"}"#).hasPrefix("query: "))
        #expect(try await test.refusal(#"{"query":"x","rerank":true}"#).hasPrefix("rerank: "))
    }

    @Test func `openapi.json documents exactly the fields of a search`() async throws {
        let document = try await SearchServer().server.get("/openapi.json").json()
        let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: Any])
        let search = try #require((schemas["SearchRequest"] as? [String: Any])?["properties"] as? [String: Any])
        #expect(Set(search.keys) == Set(SearchRequest.fieldNames))
    }

    @Test func `a document is given whole, from the index alone`() async throws {
        let test = try await SearchServer()
        let hit = try #require(try await test.hits(#"{"query":"bread"}"#).first)
        let document = try #require(hit["document"] as? Int)
        let whole = try await test.server.get("/indexes/notes/documents/\(document)").json()
        #expect(whole["title"] as? String == "food.txt")
        let text = (whole["chunks"] as? [[String: Any]])?.compactMap { $0["text"] as? String }.joined(separator: "\n")
        #expect(text?.contains("Bread is baked") == true && text?.contains("onions") == true)
        for path in [
            "notes/documents/99999", "notes/documents/-1", "notes/documents/x", "notes/documents", "other/documents/1",
            "notes/..%2F..%2Fetc%2Fpasswd", "notes/documents/1/2", "notes/files/1",
        ] {
            #expect(try await test.server.get("/indexes/\(path)").status == 404, "\(path)")
        }
        let listed = try await test.server.get("/indexes").json()["indexes"] as? [[String: Any]]
        #expect(listed?.map { $0["name"] as? String } == ["notes"])
        #expect(listed?.first?["documents"] as? Int == 3)
        #expect(try await test.server.get("/indexes/notes").json()["dimensions"] as? Int == 32)
    }

    @Test func `a server without an index says so`() async throws {
        let server = try TestServer()
        let answer = try await server.post("/search", #"{"query":"x"}"#)
        #expect(answer.status == 404)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("--index"))
        #expect(try await server.get("/indexes").json()["indexes"] as? [String] == [])
    }

    @Test func `a server takes indexes that its models made, each by a name of its own`() async throws {
        let test = try await SearchServer()
        let other = try Embedder(file: Fixture.model("tiny-embed-F16"))
        let models = [
            ServedModel(name: "embed", head: .embedder(test.server.embedder), created: 1),
            ServedModel(name: "other", head: .embedder(other), created: 1),
            ServedModel(name: "rerank", head: .reranker(test.server.reranker), created: 1),
        ]
        let server = Server(models: models, logger: Logger(label: "test"))
        func served(_ name: String, _ model: String = "embed") -> ServedIndex {
            ServedIndex(name: name, index: test.index, model: model)
        }
        let searching = try server.searching([served("a"), served("b")])
        #expect(searching.backend.indexes.map(\.name) == ["a", "b"])
        #expect(searching.backend.indexes.map(\.model) == ["embed", "embed"])
        #expect(throws: ServerError.sharedIndexName("a")) { try server.searching([served("a"), served("a")]) }
        for name in ["rerank", "none"] {
            #expect(throws: ServerError.noModel(index: "a", model: name)) { try server.searching([served("a", name)]) }
        }
        #expect {
            try server.searching([served("a"), served("b", "other")])
        } throws: { error in
            guard case IndexError.otherModel(_, let made, let given) = error else { return false }
            return made.name == "embed" && given.name == "other" && made.fingerprint != given.fingerprint
        }
    }

    @Test func `keys guard searches`() async throws {
        let test = try await SearchServer { $0.apiKeys = ["secret"] }
        #expect(try await test.server.post("/search", #"{"query":"x"}"#).status == 401)
        #expect(try await test.server.get("/indexes").status == 401)
        #expect(try await test.server.get("/indexes/notes/documents/1").status == 401)
        #expect(try await test.server.post("/mcp", #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).status == 401)
    }
}

@Suite struct AgentTests {
    private let ping = #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#

    @Test func `an agent searches over HTTP as over a pipe`() async throws {
        let test = try await SearchServer()
        let call =
            #"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"search","arguments":{"query":"bread"}}}"#
        let answer = try await test.server.post("/mcp", call)
        #expect(answer.status == 200)
        let pipe = AgentProtocol(
            IndexService(
                indexes: [
                    NamedIndex(name: "notes", index: test.index, embedder: test.server.embedder, model: "embed")
                ], computing: .direct(reranker: test.server.reranker)))
        #expect(String(decoding: answer.body, as: UTF8.self) == (await pipe.answer(call))?.text)
        let list = #"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#
        #expect(
            String(decoding: try await test.server.post("/mcp", list).body, as: UTF8.self)
                == (await pipe.answer(list))?.text)
    }

    @Test func `statuses are those of the streamable transport`() async throws {
        let server = try await SearchServer().server
        #expect(try await server.post("/mcp", ping).status == 200)
        let notification = try await server.post("/mcp", #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        #expect(notification.status == 202 && notification.body.isEmpty)
        #expect(try await server.post("/mcp", #"{"jsonrpc":"2.0","id":7,"result":{}}"#).status == 202)
        for method in [HTTPRequest.Method.get, .delete] {
            let answer = try await server.send(method, "/mcp")
            #expect(answer.status == 405 && answer.headers[.allow] == "POST")
        }
        for bad in ["", "{", "[]", "5", #"{"jsonrpc":"2.0","id":1}"#] {
            let answer = try await server.post("/mcp", bad)
            #expect(answer.status == 400, "\(bad)")
            #expect((try answer.json()["error"] as? [String: Any])?["code"] is Int)
        }
        let version = HTTPField.Name("mcp-protocol-version")!
        #expect(try await server.post("/mcp", ping, headers: [version: "2025-06-18"]).status == 200)
        #expect(try await server.post("/mcp", ping, headers: [version: "1999-01-01"]).status == 400)
    }

    @Test func `pages of other origins are refused`() async throws {
        let server = try await SearchServer().server
        for (origin, status) in [
            ("http://localhost:8080", 200), ("http://evil.example", 403), ("null", 403), ("http://localhost:8081", 403),
        ] {
            #expect(try await server.post("/mcp", ping, headers: [.origin: origin]).status == status, "\(origin)")
        }
        #expect(try await server.send(.post, "/mcp", ping, host: "evil.example").status == 403)
    }
}
#endif
