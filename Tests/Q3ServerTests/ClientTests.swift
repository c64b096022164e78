// What the clients that people have send and look for, beyond the fields of a request.
#if Server
import Foundation
import HTTPTypes
import Q3Embedding
import Q3Model
import Q3Reranking
import Q3Tokenizer
import TestSupport
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

    @Test func `a file's own prompts are used`() async throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy[Qwen3Schema.Key.prompt("query")] = .string("Query: ")
        copy[Qwen3Schema.Key.prompt("document")] = .string("Document: ")
        try copy.write(to: folder.file("embed.gguf"))
        var judge = try ModelCopy(of: "tiny-causal-Q8_0")
        judge[Qwen3Schema.Key.rerankTemplate] = .string("<|im_start|>user\nRate {query} by {document}<|im_end|>\n")
        try judge.write(to: folder.file("rerank.gguf"))
        let server = try TestServer(
            embedder: Embedder(path: folder.file("embed.gguf")), reranker: Reranker(path: folder.file("rerank.gguf")))
        let plain = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let (document, query) = (try await plain.embed("Document: x").vector, try await plain.embed("Query: x").vector)

        let openAI = try await server.post("/v1/embeddings", "{\"input\": \"x\"}").json()
        #expect(floats((openAI["data"] as? [[String: Any]])?[0]["embedding"]) == document)
        let tei = try await server.post("/embed", "{\"inputs\": \"x\", \"prompt_name\": \"query\"}").json([[Any]].self)
        #expect(floats(tei[0]) == query)
        for (type, vector) in [("search_query", query), ("search_document", document)] {
            let cohere = try await server.post("/v2/embed", "{\"texts\": [\"x\"], \"input_type\": \"\(type)\"}").json()
            #expect(floats(((cohere["embeddings"] as? [String: Any])?["float"] as? [Any])?[0]) == vector)
        }
        let named = try await server.post("/v1/embeddings", "{\"model\": \"embed:query\", \"input\": \"x\"}").json()
        #expect(floats((named["data"] as? [[String: Any]])?[0]["embedding"]) == query)
        let told = try await server.post("/v1/embeddings", "{\"input\": \"x\", \"instruction\": \"Find it\"}")
        #expect(told.status == 400)

        let ranked = try await server.post("/v1/rerank", "{\"query\": \"q\", \"documents\": [\"d\"]}").json()
        let score = ((ranked["results"] as? [[String: Any]])?[0]["relevance_score"] as? NSNumber)?.floatValue
        #expect(try await score == server.reranker.rerank("q", documents: ["d"])[0].score)
        let card = try await Reranker(file: Fixture.model("tiny-causal-Q8_0")).rerank("q", documents: ["d"])[0].score
        #expect(score != card)
    }

    @Test func `a written end of text is the one that is there anyway`() async throws {
        let server = try TestServer()
        let vector = try await server.embedder.embed("x").vector
        for text in ["x", "x<|endoftext|>"] {
            let body = "{\"input\": \"\(text)\", \"inputs\": \"\(text)\"}"
            let openAI = try await server.post("/v1/embeddings", body).json()
            #expect(floats((openAI["data"] as? [[String: Any]])?[0]["embedding"]) == vector)
            #expect(floats(try await server.post("/embed", body).json([[Any]].self)[0]) == vector)
        }
    }

    @Test func `names are compared by their bytes`() throws {
        let embedder = try TestServer().embedder
        let names = ["\u{E9}", "e\u{301}", "K", "\u{212A}"]
        let models = ModelRegistry(
            names.map { ServedModel(name: $0, head: .embedder(embedder), created: 1) }, isStrict: true)
        for name in names { #expect(try models.model(name).name.utf8.elementsEqual(name.utf8)) }
    }

    /// Foundation's parser takes them for one field and drops the other.
    @Test(arguments: [("k\u{E9}", "ke\u{301}"), ("k\\u00e9", "ke\\u0301"), ("k\u{E9}", "ke\\u0301")])
    func `fields whose names look the same are refused`(_ names: (String, String)) async throws {
        let server = try TestServer()
        func rerank(_ first: String, _ second: String, read: String) async throws -> Answer {
            try await server.post(
                "/v1/rerank",
                #"{"query":"q","documents":[{"\#(first)":"a","\#(second)":"b"}],"rank_fields":["\#(read)"]}"#)
        }
        let answer = try await rerank(names.0, names.1, read: names.0)
        #expect(answer.status == 400)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("look the same"))
        #expect(try await rerank(names.0, "other", read: names.0).status == 200)
        // A field is read by the bytes of its name.
        #expect(try await rerank(names.0, "other", read: names.1).status == 400)
        // In different objects they are different fields.
        let apart = #"{"query":"q","documents":[{"text":"a","\#(names.0)":1},{"text":"b","\#(names.1)":1}]}"#
        #expect(try await server.post("/v1/rerank", apart).status == 200)
    }

    @Test(arguments: [
        ("/v1/embeddings", #"{"input":["a",""]}"#, "input[1]"),
        ("/v1/embeddings", #"{"input":["a",[99999]]}"#, "input[1]"),
        ("/embed", #"{"inputs":["a",""]}"#, "inputs[1]"), ("/embed", #"{"inputs":["a","b",7]}"#, "inputs[2]"),
        ("/v2/embed", #"{"texts":["a","LONG"],"input_type":"search_document","truncate":"NONE"}"#, "texts[1]"),
        ("/api/embed", #"{"model":"x","input":["a","LONG"],"truncate":false}"#, "input[1]"),
        ("/embedding", #"{"content":["a","LONG"]}"#, "content[1]"),
        ("/embed", #"{"inputs":["a","LONG"],"truncate":false}"#, "inputs[1]"),
        ("/v1/rerank", #"{"query":"q","documents":["a",{"x":"y"}]}"#, "documents[1]"),
        ("/v2/rerank", #"{"query":"q","documents":["a",7]}"#, "documents[1]"),
        ("/rerank", #"{"query":"q","texts":["a",7]}"#, "texts[1]"),
    ])
    func `one bad text of many is named in every family`(_ path: String, _ body: String, _ item: String) async throws {
        let long = String(repeating: "word ", count: 12_000)
        let answer = try await TestServer().post(path, body.replacing("LONG", with: long))
        #expect((400..<500).contains(answer.status))
        #expect(
            String(decoding: answer.body, as: UTF8.self).contains(item),
            "\(String(decoding: answer.body, as: UTF8.self))")
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
