// Each family's routes: the library's own vectors and scores in the family's own words.
#if Server
import Foundation
import HTTPTypes
import Hummingbird
import Q3Embedding
import Q3Reranking
import Q3Tokenizer
import Testing

@testable import Q3Server

@Suite struct RouteTests {
    private let texts = ["Beijing is the capital of China.", "Gravity pulls."]

    private func list(_ texts: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
    }

    // MARK: - OpenAI

    @Test func `OpenAI's vectors are those of the library`() async throws {
        let server = try TestServer()
        let expected = try await server.embedder.embed(texts)
        let answer = try await server.post("/v1/embeddings", #"{"model":"embed","input":\#(try list(texts))}"#)
        #expect(answer.status == 200)
        let body = try answer.json()
        let data = try #require(body["data"] as? [[String: Any]])
        #expect(data.map { floats($0["embedding"]) } == expected.map(\.vector))
        #expect(data.map { $0["index"] as? Int } == [0, 1])
        #expect(body["object"] as? String == "list")
        #expect(body["model"] as? String == "embed")
        let tokens = expected.reduce(0) { $0 + $1.tokenCount }
        #expect((body["usage"] as? [String: Any])?["prompt_tokens"] as? Int == tokens)
        #expect(answer.headers[HTTPField.Name("x-compute-tokens")!] == "\(tokens)")
        #expect(answer.headers[HTTPField.Name("x-compute-type")!] == "cpu")
    }

    @Test func `base64 holds the same bits`() async throws {
        let server = try TestServer()
        let answer = try await server.post(
            "/v1/embeddings", #"{"input":"x","encoding_format":"base64","dimensions":16}"#)
        let item = try #require((try answer.json()["data"] as? [[String: Any]])?.first)
        let bytes = try #require(Data(base64Encoded: item["embedding"] as? String ?? ""))
        let options = EmbeddingOptions(dimensions: 16)
        let expected = try await server.embedder.embed(["x"], options: options)[0].vector
        #expect(Array(bytes) == EncodedVector.float32(expected).bytes)
    }

    @Test func `token ids mean the text that they stand for`() async throws {
        let server = try TestServer()
        let expected = try await server.embedder.embed(texts).map(\.vector)
        let ids = texts.map { server.embedder.tokenizer.encode($0) }
        for input in ["\(ids)", "[\(ids[0]), \"\(texts[1])\"]"] {
            let data = try #require(
                try await server.post("/v1/embeddings", #"{"input":\#(input)}"#).json()["data"] as? [[String: Any]])
            #expect(data.map { floats($0["embedding"]) } == expected)
        }
        let one = try await server.post("/v1/embeddings", #"{"input":\#(ids[0])}"#)
        let data = try #require(try one.json()["data"] as? [[String: Any]])
        #expect(data.map { floats($0["embedding"]) } == [expected[0]])
    }

    @Test(arguments: [
        (#""instruction":"Find code""#, Prompt.query(task: "Find code")), (#""prompt_name":"query""#, .query()),
        (#""input_type":"search_query""#, .query()), (#""input_type":"search_document""#, .document),
        (#""prompt_name":null"#, .document),
    ]) func `prompts are those of the library`(_ field: String, _ prompt: Prompt) async throws {
        let server = try TestServer()
        let answer = try await server.post("/v1/embeddings", #"{"input":"quicksort",\#(field)}"#)
        let item = try #require((try answer.json()["data"] as? [[String: Any]])?.first)
        #expect(floats(item["embedding"]) == (try await server.embedder.embed(["quicksort"], as: prompt)[0].vector))
    }

    @Test func `a prompt comes before token ids too`() async throws {
        let server = try TestServer()
        let answer = try await server.post("/v1/embeddings", #"{"input":[70,71,72],"prompt_name":"query"}"#)
        #expect(answer.status == 200)
        let plain = try await server.post("/v1/embeddings", #"{"input":[70,71,72]}"#)
        #expect(answer.body != plain.body)
    }

    @Test func `models are listed and found by name`() async throws {
        let server = try TestServer()
        let data = try #require(try await server.get("/v1/models").json()["data"] as? [[String: Any]])
        #expect(data.map { $0["id"] as? String } == ["embed", "rerank"])
        #expect(data.map { $0["capabilities"] as? [String] } == [["embed"], ["rerank"]])
        #expect(try await server.get("/v1/models/embed").json()["id"] as? String == "embed")
        #expect(try await server.get("/v1/models/em%62ed").status == 200)
        #expect(try await server.get("/v1/models/no%2Fsuch").status == 404)
    }

    // MARK: - TEI

    @Test func `embed gives a list of lists`() async throws {
        let server = try TestServer()
        let expected = try await server.embedder.embed(texts).map(\.vector)
        let many = try await server.post("/embed", #"{"inputs":\#(try list(texts))}"#).json([[Any]].self)
        #expect(many.map { floats($0) } == expected)
        let one = try await server.post("/", #"{"inputs":"\#(texts[0])"}"#).json([[Any]].self)
        #expect(one.map { floats($0) } == [expected[0]])
    }

    @Test func `vectors that are not normalized point the same way`() async throws {
        let server = try TestServer()
        let raw = floats(
            try await server.post("/embed", #"{"inputs":"x","normalize":false}"#).json([[Any]].self).first)
        let unit = try await server.embedder.embed(["x"])[0].vector
        let length = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(length - 1) > 0.01)
        #expect(Similarity.cosine(raw, unit) > 0.999999)
    }

    @Test func `the last of all tokens' states has the direction of the vector`() async throws {
        let server = try TestServer()
        let states = try await server.post("/embed_all", #"{"inputs":\#(try list(texts))}"#).json([[[Any]]].self)
        let expected = try await server.embedder.embed(texts)
        #expect(states.map(\.count) == expected.map(\.tokenCount))
        for (tokens, embedding) in zip(states, expected) {
            #expect(Similarity.cosine(floats(tokens.last), embedding.vector) > 0.999999)
        }
    }

    @Test func `similarity is the dot product`() async throws {
        let server = try TestServer()
        let body = #"{"inputs":{"source_sentence":"capital","sentences":\#(try list(texts))},"parameters":{}}"#
        let vectors = try await server.embedder.embed(["capital"] + texts).map(\.vector)
        let expected = vectors.dropFirst().map { Similarity.dot(vectors[0], $0) }
        for path in ["/similarity", "/"] {
            #expect(floats(try await server.post(path, body).json([Any].self)) == expected)
        }
    }

    @Test func `tokens come with byte offsets`() async throws {
        let server = try TestServer()
        let tokens = try await server.post("/tokenize", #"{"inputs":"héllo <|im_end|>"}"#).json(
            [[[String: Any]]].self)[0]
        let pieces = server.embedder.tokenizer.encodeWithOffsets("héllo <|im_end|>")
        #expect(tokens.dropLast().map { $0["id"] as? Int } == pieces.map { Int($0.id) })
        #expect(tokens.dropLast().map { $0["start"] as? Int } == pieces.map(\.range.lowerBound))
        #expect(tokens.dropLast().allSatisfy { $0["special"] as? Bool == false })
        #expect(tokens.last?["special"] as? Bool == true)
        #expect(tokens.last?["start"] is NSNull)
        let ids = tokens.compactMap { $0["id"] as? Int }
        #expect(try await server.post("/decode", #"{"ids":\#(ids)}"#).json([String].self) == ["héllo <|im_end|>"])
    }

    @Test func `a pair of texts is one prediction`() async throws {
        let server = try TestServer()
        let pair = RerankPair(query: "capital", document: texts[0])
        let score = try await server.reranker.score([pair])[0].score
        let one = try await server.post("/predict", #"{"inputs":["capital","\#(texts[0])"]}"#).json(
            [[String: Any]].self)
        #expect(one.count == 1)
        #expect((one[0]["score"] as? NSNumber)?.floatValue == score)
        let many = try await server.post("/predict", #"{"inputs":[["capital","\#(texts[0])"],["x"]]}"#)
            .json([[[String: Any]]].self)
        #expect(many.count == 2)
        #expect(try await server.post("/predict", #"{"inputs":["a","b","c"]}"#).status == 422)
    }

    // MARK: - Reranking

    @Test func `ranking is that of the library in every form`() async throws {
        let server = try TestServer()
        let documents = texts + ["Bread."]
        let expected = try await server.reranker.rerank("capital of China", documents: documents)
        let shared = #""query":"capital of China""#
        let tei = try await server.post(
            "/rerank", #"{\#(shared),"texts":\#(try list(documents)),"return_text":true}"#
        )
        .json([[String: Any]].self)
        #expect(tei.map { $0["index"] as? Int } == expected.map(\.index))
        #expect(tei.map { ($0["score"] as? NSNumber)?.floatValue } == expected.map(\.score))
        #expect(tei.map { $0["text"] as? String } == expected.map { documents[$0.index] })
        for path in ["/rerank", "/v1/rerank", "/v2/rerank"] {
            let body = #"{\#(shared),"documents":\#(try list(documents)),"top_n":2,"model":"rerank"}"#
            let results = try #require(try await server.post(path, body).json()["results"] as? [[String: Any]])
            #expect(results.map { $0["index"] as? Int } == expected.prefix(2).map(\.index))
            #expect(
                results.map { ($0["relevance_score"] as? NSNumber)?.floatValue } == expected.prefix(2).map(\.score))
            #expect((results[0]["document"] == nil) == (path == "/v2/rerank"))
        }
    }

    @Test func `equal scores come in the order of each family`() async throws {
        let server = try TestServer()
        let tei = try await server.post("/rerank", #"{"query":"q","texts":["same","same","same"]}"#)
            .json([[String: Any]].self)
        #expect(tei.map { $0["index"] as? Int } == [2, 1, 0])
        let others = try await server.post("/v1/rerank", #"{"query":"q","documents":["same","same","same"]}"#).json()
        #expect((others["results"] as? [[String: Any]])?.map { $0["index"] as? Int } == [0, 1, 2])
    }

    @Test func `documents can be objects and come back as asked for`() async throws {
        let server = try TestServer { $0.documentsAsStrings = true }
        let body = #"{"query":"q","documents":[{"text":"one"},"two"],"max_tokens_per_doc":null}"#
        let results = try #require(try await server.post("/rerank", body).json()["results"] as? [[String: Any]])
        #expect(Set(results.compactMap { $0["document"] as? String }) == ["one", "two"])
    }

    @Test func `scores come in the order of the pairs`() async throws {
        let server = try TestServer()
        let pairs = texts.map { RerankPair(query: "q", document: $0) }
        let expected = try await server.reranker.score(pairs).map(\.score)
        for body in [
            #"{"text_1":"q","text_2":\#(try list(texts))}"#,
            #"{"queries":["q","q"],"documents":\#(try list(texts))}"#,
        ] {
            let data = try #require(try await server.post("/score", body).json()["data"] as? [[String: Any]])
            #expect(data.map { ($0["score"] as? NSNumber)?.floatValue } == expected)
        }
        #expect(try await server.post("/score", #"{"text_1":["a","b"],"text_2":["c"]}"#).status == 400)
    }

    // MARK: - Cohere

    @Test func `Cohere's element types are those of the library`() async throws {
        let server = try TestServer()
        let body =
            #"{"texts":["x"],"model":"embed","input_type":"search_query","embedding_types":["float","ubinary","binary","int8","base64"]}"#
        let types = try #require(try await server.post("/v2/embed", body).json()["embeddings"] as? [String: [Any]])
        let vector = try await server.embedder.embed(["x"], as: .query())[0].vector
        #expect(floats(types["float"]?.first) == vector)
        #expect(floats(types["ubinary"]?.first).map { UInt8($0) } == EmbeddingType.ubinaryBytes(vector))
        #expect(
            floats(types["binary"]?.first).map { Int($0) }
                == EmbeddingType.ubinaryBytes(vector).map { Int($0) - 128 })
        #expect(
            Data(base64Encoded: types["base64"]?.first as? String ?? "").map(Array.init)
                == EncodedVector.float32(vector).bytes)
        // 256 steps over ±4/√n: a value comes back within a step.
        let bound = 4 / Float(vector.count).squareRoot()
        for (step, value) in zip(floats(types["int8"]?.first), vector) where abs(value) < bound {
            #expect(abs((step + 128) / 255 * 2 * bound - bound - value) <= 2 * bound / 255)
        }
    }

    @Test func `Cohere's first version has plain vectors and billed units`() async throws {
        let server = try TestServer()
        let body = try await server.post("/v1/embed", #"{"texts":["x","y"],"truncate":null}"#).json()
        let expected = try await server.embedder.embed(["x", "y"])
        #expect((body["embeddings"] as? [[Any]])?.map { floats($0) } == expected.map(\.vector))
        let units = (body["meta"] as? [String: Any])?["billed_units"] as? [String: Any]
        #expect(units?["input_tokens"] as? Int == expected.reduce(0) { $0 + $1.tokenCount })
    }

    // MARK: - Ollama and llama-server

    @Test func `Ollama's routes answer as Ollama`() async throws {
        let server = try TestServer()
        let expected = try await server.embedder.embed(["x", ""]).map(\.vector)
        let plain: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        let two = try await server.post("/api/embed", #"{"model":"embed:latest","input":["x",""]}"#, headers: plain)
            .json()
        #expect((two["embeddings"] as? [[Any]])?.map { floats($0) } == expected)
        #expect(two["model"] as? String == "embed:latest")
        #expect((try await server.post("/api/embed", #"{"input":""}"#).json()["embeddings"] as? [Any])?.count == 0)
        let legacy = try await server.post("/api/embeddings", #"{"model":"embed","prompt":"x"}"#).json()
        #expect(floats(legacy["embedding"]) == expected[0])
        let tags = try #require(try await server.get("/api/tags").json()["models"] as? [[String: Any]])
        #expect(tags.map { $0["name"] as? String } == ["embed:latest", "rerank:latest"])
        let show = try await server.post("/api/show", #"{"model":"embed"}"#).json()
        let info = try #require(show["model_info"] as? [String: Any])
        #expect(info["qwen3.embedding_length"] as? Int == server.embedder.dimensions)
        #expect(try await server.get("/api/version").json()["version"] is String)
    }

    @Test func `llama-server's routes answer as llama-server`() async throws {
        let server = try TestServer()
        let expected = try await server.embedder.embed(["x"])[0].vector
        for path in ["/embedding", "/embeddings"] {
            let items = try await server.post(path, #"{"content":"x"}"#).json([[String: Any]].self)
            #expect((items[0]["embedding"] as? [[Any]])?.map { floats($0) } == [expected])
        }
        let ids = server.embedder.tokenizer.encode("hello")
        let tokens = try await server.post("/tokenize", #"{"content":"hello"}"#).json()["tokens"] as? [Int]
        #expect(tokens == ids.map { Int($0) })
        let vLLM = try await server.post("/tokenize", #"{"prompt":"hello"}"#).json()
        #expect(vLLM["count"] as? Int == ids.count + 1)
        #expect(try await server.post("/detokenize", #"{"tokens":\#(ids)}"#).json()["content"] as? String == "hello")
    }

    // MARK: - Pages

    @Test func `openapi.json describes every route`() async throws {
        let server = try TestServer()
        let document = try await server.get("/openapi.json").json()
        let described = try #require(document["paths"] as? [String: [String: Any]])
        for (path, methods) in RouteTable(server.families).methods where !path.hasSuffix("**") {
            for method in methods where method != .head {
                #expect(described[path]?[method.rawValue.lowercased()] != nil, "\(method) \(path)")
            }
        }
    }

    @Test func `metrics count requests by route`() async throws {
        let server = try TestServer()
        _ = try await server.post("/embed", #"{"inputs":"x"}"#)
        _ = try await server.get("/no/such/route")
        let text = String(decoding: try await server.get("/metrics").body, as: UTF8.self)
        #expect(text.contains("te_embed_success 1\n"))
        #expect(text.contains("te_request_count{method=\"single\"} 1\n"))
        #expect(!text.contains("/no/such/route"))
    }
}

extension EmbeddingType {
    fileprivate static func ubinaryBytes(_ vector: [Float]) -> [UInt8] {
        stride(from: 0, to: vector.count, by: 8).map { first in
            (0..<8).reduce(0) { $0 | (vector[first + $1] > 0 ? 0x80 >> UInt8($1) : 0) }
        }
    }
}
#endif
