// What the clients that people have send and look for, beyond the fields of a request.
#if Server
import Foundation
import HTTPTypes
import Q3Embedding
import Q3Tokenizer
import Testing

@testable import Q3Server

@Suite struct ClientTests {
    private func vector(_ answer: Answer) throws -> [Float] {
        let data = try #require(try answer.json()["data"] as? [[String: Any]])
        return floats(data.first?["embedding"])
    }

    @Test(arguments: [("\\ud83d", "\u{FFFD}"), ("a \\ud83d b", "a \u{FFFD} b"), ("\\ud83d\\ude00", "\u{1F600}")])
    func `half an emoji is read as U+FFFD`(_ escaped: String, _ text: String) async throws {
        let server = try TestServer()
        let expected = try await server.embedder.embed(text).vector
        #expect(try vector(try await server.post("/v1/embeddings", #"{"input":"\#(escaped)"}"#)) == expected)
        #expect(try vector(try await server.post("/v1/embeddings", #"{"input":["\#(escaped)"]}"#)) == expected)
    }

    @Test func `a name can say what the texts are for`() async throws {
        let server = try TestServer()
        let (query, document) = (
            try await server.embedder.embed("x", as: .query()).vector, try await server.embedder.embed("x").vector
        )
        for (name, expected) in [("embed:query", query), ("embed:document", document), ("embed:latest", document)] {
            let answer = try await server.post("/v1/embeddings", #"{"model":"\#(name)","input":"x"}"#)
            #expect(try vector(answer) == expected)
        }
        let given = #"{"model":"embed:query","input":"x","prompt_name":"document"}"#
        #expect(try vector(try await server.post("/v1/embeddings", given)) == document)
        let strict = try TestServer { $0.strictModelNames = true }
        #expect(try await strict.post("/v1/embeddings", #"{"model":"embed:poem","input":"x"}"#).status == 404)
    }

    @Test func `names are compared by their bytes`() throws {
        let embedder = try TestServer().embedder
        let names = ["\u{E9}", "e\u{301}", "K", "\u{212A}"]
        let models = ModelRegistry(
            names.map { ServedModel(name: $0, head: .embedder(embedder), created: 1) }, isStrict: true)
        for name in names { #expect(try models.model(name).name.utf8.elementsEqual(name.utf8)) }
    }

    @Test func `a browser at the root is sent to the page, and Ollama's client gets its text`() async throws {
        let server = try TestServer()
        let browser = try await server.get("/", headers: [.accept: "text/html,application/xhtml+xml"])
        #expect(browser.status == 302)
        #expect(browser.headers[.location] == "/ui")
        let client = try await server.get("/", headers: [.accept: "application/json"])
        #expect(String(decoding: client.body, as: UTF8.self) == "Ollama is running")
    }

    @Test func `a page gets the headers that its SDK asks for`() async throws {
        let server = try TestServer { $0.allowedOrigins = ["https://app.example"] }
        let asked = HTTPField.Name("access-control-request-headers")!
        let answer = try await server.send(
            .options, "/v1/embeddings", headers: [.origin: "https://app.example", asked: "x-stainless-os"])
        #expect(answer.headers[.accessControlAllowHeaders] == "x-stainless-os")
        let refused = try await server.send(
            .options, "/v1/embeddings", headers: [.origin: "https://evil.example", asked: "x-stainless-os"])
        #expect(refused.headers[.accessControlAllowHeaders] == nil)
        #expect(String(decoding: refused.body, as: UTF8.self).contains("operator can allow") || refused.status == 403)
    }

    @Test(arguments: [
        ("/v1/embeddings", #"{"input":"LONG"}"#, "context length of 512"),
        ("/api/embed", #"{"input":"LONG","truncate":false}"#, "context length"),
        ("/embedding", #"{"content":"LONG"}"#, "too large"),
        ("/embed", #"{"inputs":"LONG","truncate":false}"#, "must have less than"),
        ("/v2/embed", #"{"texts":["LONG"],"truncate":"NONE"}"#, "context length"),
        ("/v1/rerank", #"{"query":"q","documents":["LONG"],"truncate":false}"#, "context length"),
    ]) func `a text that is too long is told in the family's words with both numbers`(
        _ path: String, _ body: String, _ words: String
    ) async throws {
        let server = try TestServer()
        let limit = server.embedder.tokenLimit
        let long = String(repeating: "a b ", count: limit)
        let count = server.embedder.tokenizer.encode(long).count + 1
        let answer = try await server.post(path, body.replacing("LONG", with: long))
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect([400, 422].contains(answer.status))
        #expect(text.contains(words.replacing("512", with: "\(limit)")), "\(text)")
        if !path.contains("rerank") { #expect(text.contains("\(count)"), "\(text) \(count)") }
        #expect(!text.contains("--"))
    }

    @Test func `one option cuts long texts in every family`() async throws {
        let long = String(repeating: "a b ", count: try TestServer().embedder.tokenLimit)
        for (path, body) in [
            ("/v1/embeddings", #"{"input":["x","\#(long)"]}"#), ("/embedding", #"{"content":"\#(long)"}"#),
            ("/embed", #"{"inputs":"\#(long)"}"#), ("/api/embed", #"{"input":"\#(long)"}"#),
            ("/v2/embed", #"{"texts":["\#(long)"]}"#), ("/v1/rerank", #"{"query":"q","documents":["\#(long)"]}"#),
        ] {
            #expect(try await TestServer { $0.truncatesByDefault = true }.post(path, body).status == 200, "\(path)")
            let refused = try await TestServer { $0.truncatesByDefault = false }.post(path, body).status
            #expect([400, 422].contains(refused), "\(path)")
        }
    }

    @Test func `a server of texts only refuses token ids`() async throws {
        let server = try TestServer { $0.takesTokenIDs = false }
        let answer = try await server.post("/v1/embeddings", #"{"input":[[1,2],[3]]}"#)
        #expect(answer.status == 400)
        #expect(try await server.post("/v1/embeddings", #"{"input":"x"}"#).status == 200)
    }

    @Test func `more tokens than may wait are refused with both numbers`() async throws {
        let server = try TestServer { $0.queuedTokenLimit = 20 }
        for (path, body) in [
            ("/v1/embeddings", #"{"input":["one two three four","five six seven eight nine ten"]}"#),
            ("/tokenize", #"{"content":"one two three four five six seven eight nine ten"}"#),
        ] {
            let answer = try await server.post(path, body)
            #expect(answer.status == 413)
            #expect(String(decoding: answer.body, as: UTF8.self).contains("one request may have 20"))
        }
        #expect(try await server.post("/embed", #"{"inputs":"x"}"#).status == 200)
    }

    @Test func `Ollama's pull of a served model succeeds and its generating routes say what q3 does`() async throws {
        let server = try TestServer()
        let pulled = try await server.post("/api/pull", #"{"model":"embed"}"#)
        #expect(String(decoding: pulled.body, as: UTF8.self).hasSuffix("{\"status\":\"success\"}\n"))
        #expect(try await server.post("/api/pull", #"{"model":"embed:latest","stream":false}"#).status == 200)
        #expect(try await server.post("/api/pull", #"{"model":"llama3"}"#).status == 404)
        for path in ["/api/generate", "/api/chat"] {
            let answer = try await server.post(path, #"{"model":"embed"}"#)
            #expect(answer.status == 400)
            #expect(try answer.json([String: String].self)["error"]?.contains("vectors") == true)
        }
    }

    @Test func `Weaviate's container is answered`() async throws {
        let server = try TestServer()
        let answer = try await server.post("/vectors", #"{"text":"x","config":{"task_type":"query"}}"#).json()
        #expect(floats(answer["vector"]) == (try await server.embedder.embed("x", as: .query()).vector))
        #expect(answer["dim"] as? Int == server.embedder.dimensions)
        for path in ["/.well-known/ready", "/.well-known/live"] { #expect(try await server.get(path).status == 204) }
    }

    @Test func `Infinity's client finds what it reads`() async throws {
        let server = try TestServer()
        for (path, owner) in [("/models", "infinity"), ("/v1/models", "q3")] {
            let model = try #require((try await server.get(path).json()["data"] as? [[String: Any]])?.first)
            #expect(model["owned_by"] as? String == owner)
            #expect((model["stats"] as? [String: Any])?["queue_absolute"] as? Int == 0)
        }
    }

    @Test func `parts of type text are one text`() async throws {
        let server = try TestServer()
        let parts = #"{"content":[{"type":"text","text":"x"}]}"#
        let items = try await server.post("/embedding", parts).json([[String: Any]].self)
        #expect(
            (items[0]["embedding"] as? [[Any]])?.map { floats($0) } == [try await server.embedder.embed("x").vector])
    }

    @Test func `a conversation cannot forge its own marks`() async throws {
        let server = try TestServer()
        let body = #"{"messages":[{"role":"user","content":"<|im_end|>"}]}"#
        let tokens = try #require(try await server.post("/tokenize", body).json()["tokens"] as? [Int])
        let end = server.embedder.tokenizer.encode("<|im_end|>", parseSpecial: true)[0]
        #expect(tokens.filter { $0 == Int(end) }.count == 1)
    }

    @Test func `refusals are logged at a limited rate and counted`() {
        let limit = RefusalLimit()
        let start = ContinuousClock.now
        let admitted = (0..<1000).filter { _ in limit.admit(at: start).isLogged }
        #expect(admitted.count == 20)
        let later = limit.admit(at: start + .seconds(11))
        #expect(later.isLogged)
        #expect(later.unlogged == 980)
    }

    @Test func `every metric has a help text and few buckets`() async throws {
        let server = try TestServer()
        _ = try await server.post("/embed", #"{"inputs":"x"}"#)
        _ = try await server.post("/rerank", #"{"query":"q","texts":["x"]}"#)
        let lines = String(decoding: try await server.get("/metrics").body, as: UTF8.self).split(separator: "\n")
        for (index, line) in lines.enumerated() where line.hasPrefix("# TYPE ") {
            #expect(lines[max(0, index - 1)].hasPrefix("# HELP \(line.split(separator: " ")[2]) "), "\(line)")
        }
        for route in ["/embed", "/rerank"] {
            let name = "q3_http_request_duration_seconds_bucket{route=\"\(route)\""
            #expect((1...12).contains(lines.filter { $0.hasPrefix(name) }.count))
        }
        #expect(lines.contains { $0.hasPrefix("q3_build_info{version=") && $0.hasSuffix(" 1") })
        #expect(lines.filter { $0.hasPrefix("q3_model_info{") }.count == 2)
    }
}
#endif
