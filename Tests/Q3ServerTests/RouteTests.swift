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

        @Test func openAIVectorsAreTheLibrarys() async throws {
            let desk = try Desk()
            let wanted = try await desk.embedder.embed(texts)
            let answer = try await desk.post("/v1/embeddings", #"{"model":"embed","input":\#(try list(texts))}"#)
            #expect(answer.status == 200)
            let body = try answer.json()
            let data = try #require(body["data"] as? [[String: Any]])
            #expect(data.map { floats($0["embedding"]) } == wanted.map(\.vector))
            #expect(data.map { $0["index"] as? Int } == [0, 1])
            #expect(body["object"] as? String == "list")
            #expect(body["model"] as? String == "embed")
            let tokens = wanted.reduce(0) { $0 + $1.tokenCount }
            #expect((body["usage"] as? [String: Any])?["prompt_tokens"] as? Int == tokens)
            #expect(answer.headers[.computeTokens] == "\(tokens)")
            #expect(answer.headers[.computeType] == "cpu")
        }

        @Test func base64HoldsTheSameBits() async throws {
            let desk = try Desk()
            let answer = try await desk.post(
                "/v1/embeddings", #"{"input":"x","encoding_format":"base64","dimensions":16}"#)
            let item = try #require((try answer.json()["data"] as? [[String: Any]])?.first)
            let bytes = try #require(Data(base64Encoded: item["embedding"] as? String ?? ""))
            let options = EmbeddingOptions(dimensions: 16)
            let wanted = try await desk.embedder.embed(["x"], options: options)[0].vector
            #expect(Array(bytes) == EncodedVector.float32(wanted).bytes)
        }

        @Test func tokenIDsAreTheTextTheyStandFor() async throws {
            let desk = try Desk()
            let wanted = try await desk.embedder.embed(texts).map(\.vector)
            let ids = texts.map { desk.embedder.tokenizer.encode($0) }
            for input in ["\(ids)", "[\(ids[0]), \"\(texts[1])\"]"] {
                let data = try #require(
                    try await desk.post("/v1/embeddings", #"{"input":\#(input)}"#).json()["data"] as? [[String: Any]])
                #expect(data.map { floats($0["embedding"]) } == wanted)
            }
            let one = try await desk.post("/v1/embeddings", #"{"input":\#(ids[0])}"#)
            let data = try #require(try one.json()["data"] as? [[String: Any]])
            #expect(data.map { floats($0["embedding"]) } == [wanted[0]])
        }

        @Test(arguments: [
            (#""instruction":"Find code""#, Prompt.query(task: "Find code")), (#""prompt_name":"query""#, .query()),
            (#""input_type":"search_query""#, .query()), (#""input_type":"search_document""#, .document),
            (#""prompt_name":null"#, .document),
        ]) func promptsAreTheLibrarys(_ field: String, _ prompt: Prompt) async throws {
            let desk = try Desk()
            let answer = try await desk.post("/v1/embeddings", #"{"input":"quicksort",\#(field)}"#)
            let item = try #require((try answer.json()["data"] as? [[String: Any]])?.first)
            #expect(floats(item["embedding"]) == (try await desk.embedder.embed(["quicksort"], as: prompt)[0].vector))
        }

        @Test func aPromptComesBeforeTokenIDsToo() async throws {
            let desk = try Desk()
            let answer = try await desk.post("/v1/embeddings", #"{"input":[70,71,72],"prompt_name":"query"}"#)
            #expect(answer.status == 200)
            let plain = try await desk.post("/v1/embeddings", #"{"input":[70,71,72]}"#)
            #expect(answer.body != plain.body)
        }

        @Test func modelsAreListed() async throws {
            let desk = try Desk()
            let data = try #require(try await desk.get("/v1/models").json()["data"] as? [[String: Any]])
            #expect(data.map { $0["id"] as? String } == ["embed", "rerank"])
            #expect(data.map { $0["capabilities"] as? [String] } == [["embed"], ["rerank"]])
            #expect(try await desk.get("/v1/models/embed").json()["id"] as? String == "embed")
            #expect(try await desk.get("/v1/models/em%62ed").status == 200)
            #expect(try await desk.get("/v1/models/no%2Fsuch").status == 404)
        }

        // MARK: - TEI

        @Test func embedGivesAListOfLists() async throws {
            let desk = try Desk()
            let wanted = try await desk.embedder.embed(texts).map(\.vector)
            let many = try await desk.post("/embed", #"{"inputs":\#(try list(texts))}"#).json([[Any]].self)
            #expect(many.map { floats($0) } == wanted)
            let one = try await desk.post("/", #"{"inputs":"\#(texts[0])"}"#).json([[Any]].self)
            #expect(one.map { floats($0) } == [wanted[0]])
        }

        @Test func unnormalizedVectorsPointTheSameWay() async throws {
            let desk = try Desk()
            let raw = floats(
                try await desk.post("/embed", #"{"inputs":"x","normalize":false}"#).json([[Any]].self).first)
            let unit = try await desk.embedder.embed(["x"])[0].vector
            let length = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(length - 1) > 0.01)
            #expect(Similarity.cosine(raw, unit) > 0.999999)
        }

        @Test func theLastStateOfAllIsTheVectors() async throws {
            let desk = try Desk()
            let states = try await desk.post("/embed_all", #"{"inputs":\#(try list(texts))}"#).json([[[Any]]].self)
            let wanted = try await desk.embedder.embed(texts)
            #expect(states.map(\.count) == wanted.map(\.tokenCount))
            for (tokens, embedding) in zip(states, wanted) {
                #expect(Similarity.cosine(floats(tokens.last), embedding.vector) > 0.999999)
            }
        }

        @Test func similarityIsTheDotProduct() async throws {
            let desk = try Desk()
            let body = #"{"inputs":{"source_sentence":"capital","sentences":\#(try list(texts))},"parameters":{}}"#
            let vectors = try await desk.embedder.embed(["capital"] + texts).map(\.vector)
            let wanted = vectors.dropFirst().map { Similarity.dot(vectors[0], $0) }
            for path in ["/similarity", "/"] {
                #expect(floats(try await desk.post(path, body).json([Any].self)) == wanted)
            }
        }

        @Test func tokensComeWithByteOffsets() async throws {
            let desk = try Desk()
            let tokens = try await desk.post("/tokenize", #"{"inputs":"héllo <|im_end|>"}"#).json(
                [[[String: Any]]].self)[0]
            let pieces = desk.embedder.tokenizer.encodeWithOffsets("héllo <|im_end|>")
            #expect(tokens.dropLast().map { $0["id"] as? Int } == pieces.map { Int($0.id) })
            #expect(tokens.dropLast().map { $0["start"] as? Int } == pieces.map(\.range.lowerBound))
            #expect(tokens.dropLast().allSatisfy { $0["special"] as? Bool == false })
            #expect(tokens.last?["special"] as? Bool == true)
            #expect(tokens.last?["start"] is NSNull)
            let ids = tokens.compactMap { $0["id"] as? Int }
            #expect(try await desk.post("/decode", #"{"ids":\#(ids)}"#).json([String].self) == ["héllo <|im_end|>"])
        }

        @Test func aPairOfTextsIsOnePrediction() async throws {
            let desk = try Desk()
            let pair = RerankPair(query: "capital", document: texts[0])
            let score = try await desk.reranker.score([pair])[0].score
            let one = try await desk.post("/predict", #"{"inputs":["capital","\#(texts[0])"]}"#).json(
                [[String: Any]].self)
            #expect(one.count == 1)
            #expect((one[0]["score"] as? NSNumber)?.floatValue == score)
            let many = try await desk.post("/predict", #"{"inputs":[["capital","\#(texts[0])"],["x"]]}"#)
                .json([[[String: Any]]].self)
            #expect(many.count == 2)
            #expect(try await desk.post("/predict", #"{"inputs":["a","b","c"]}"#).status == 422)
        }

        // MARK: - Reranking

        @Test func rankingIsTheLibrarysInEveryForm() async throws {
            let desk = try Desk()
            let documents = texts + ["Bread."]
            let wanted = try await desk.reranker.rerank("capital of China", documents: documents)
            let shared = #""query":"capital of China""#
            let tei = try await desk.post(
                "/rerank", #"{\#(shared),"texts":\#(try list(documents)),"return_text":true}"#
            )
            .json([[String: Any]].self)
            #expect(tei.map { $0["index"] as? Int } == wanted.map(\.index))
            #expect(tei.map { ($0["score"] as? NSNumber)?.floatValue } == wanted.map(\.score))
            #expect(tei.map { $0["text"] as? String } == wanted.map { documents[$0.index] })
            for path in ["/rerank", "/v1/rerank", "/v2/rerank"] {
                let body = #"{\#(shared),"documents":\#(try list(documents)),"top_n":2,"model":"rerank"}"#
                let results = try #require(try await desk.post(path, body).json()["results"] as? [[String: Any]])
                #expect(results.map { $0["index"] as? Int } == wanted.prefix(2).map(\.index))
                #expect(
                    results.map { ($0["relevance_score"] as? NSNumber)?.floatValue } == wanted.prefix(2).map(\.score))
                #expect((results[0]["document"] == nil) == (path == "/v2/rerank"))
            }
        }

        @Test func equalScoresKeepEachFamilysOrder() async throws {
            let desk = try Desk()
            let tei = try await desk.post("/rerank", #"{"query":"q","texts":["same","same","same"]}"#)
                .json([[String: Any]].self)
            #expect(tei.map { $0["index"] as? Int } == [2, 1, 0])
            let others = try await desk.post("/v1/rerank", #"{"query":"q","documents":["same","same","same"]}"#).json()
            #expect((others["results"] as? [[String: Any]])?.map { $0["index"] as? Int } == [0, 1, 2])
        }

        @Test func documentsCanBeObjectsAndComeBackAsAskedFor() async throws {
            let desk = try Desk { $0.documentsAsStrings = true }
            let body = #"{"query":"q","documents":[{"text":"one"},"two"],"max_tokens_per_doc":null}"#
            let results = try #require(try await desk.post("/rerank", body).json()["results"] as? [[String: Any]])
            #expect(Set(results.compactMap { $0["document"] as? String }) == ["one", "two"])
        }

        @Test func scoresComeInTheOrderOfThePairs() async throws {
            let desk = try Desk()
            let pairs = texts.map { RerankPair(query: "q", document: $0) }
            let wanted = try await desk.reranker.score(pairs).map(\.score)
            for body in [
                #"{"text_1":"q","text_2":\#(try list(texts))}"#,
                #"{"queries":["q","q"],"documents":\#(try list(texts))}"#,
            ] {
                let data = try #require(try await desk.post("/score", body).json()["data"] as? [[String: Any]])
                #expect(data.map { ($0["score"] as? NSNumber)?.floatValue } == wanted)
            }
            #expect(try await desk.post("/score", #"{"text_1":["a","b"],"text_2":["c"]}"#).status == 400)
        }

        // MARK: - Cohere

        @Test func cohereTypesAreTheLibrarys() async throws {
            let desk = try Desk()
            let body =
                #"{"texts":["x"],"model":"embed","input_type":"search_query","embedding_types":["float","ubinary","binary","int8","base64"]}"#
            let types = try #require(try await desk.post("/v2/embed", body).json()["embeddings"] as? [String: [Any]])
            let vector = try await desk.embedder.embed(["x"], as: .query())[0].vector
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

        @Test func cohereOneHasPlainVectorsAndUnits() async throws {
            let desk = try Desk()
            let body = try await desk.post("/v1/embed", #"{"texts":["x","y"],"truncate":null}"#).json()
            let wanted = try await desk.embedder.embed(["x", "y"])
            #expect((body["embeddings"] as? [[Any]])?.map { floats($0) } == wanted.map(\.vector))
            let units = (body["meta"] as? [String: Any])?["billed_units"] as? [String: Any]
            #expect(units?["input_tokens"] as? Int == wanted.reduce(0) { $0 + $1.tokenCount })
        }

        // MARK: - Ollama and llama-server

        @Test func ollamaRoutes() async throws {
            let desk = try Desk()
            let wanted = try await desk.embedder.embed(["x", ""]).map(\.vector)
            let plain: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
            let two = try await desk.post("/api/embed", #"{"model":"embed:latest","input":["x",""]}"#, headers: plain)
                .json()
            #expect((two["embeddings"] as? [[Any]])?.map { floats($0) } == wanted)
            #expect(two["model"] as? String == "embed:latest")
            #expect((try await desk.post("/api/embed", #"{"input":""}"#).json()["embeddings"] as? [Any])?.count == 0)
            let legacy = try await desk.post("/api/embeddings", #"{"model":"embed","prompt":"x"}"#).json()
            #expect(floats(legacy["embedding"]) == wanted[0])
            let tags = try #require(try await desk.get("/api/tags").json()["models"] as? [[String: Any]])
            #expect(tags.map { $0["name"] as? String } == ["embed:latest", "rerank:latest"])
            let show = try await desk.post("/api/show", #"{"model":"embed"}"#).json()
            let info = try #require(show["model_info"] as? [String: Any])
            #expect(info["qwen3.embedding_length"] as? Int == desk.embedder.dimensions)
            #expect(try await desk.get("/api/version").json()["version"] is String)
        }

        @Test func llamaRoutes() async throws {
            let desk = try Desk()
            let wanted = try await desk.embedder.embed(["x"])[0].vector
            for path in ["/embedding", "/embeddings"] {
                let items = try await desk.post(path, #"{"content":"x"}"#).json([[String: Any]].self)
                #expect((items[0]["embedding"] as? [[Any]])?.map { floats($0) } == [wanted])
            }
            let ids = desk.embedder.tokenizer.encode("hello")
            let tokens = try await desk.post("/tokenize", #"{"content":"hello"}"#).json()["tokens"] as? [Int]
            #expect(tokens == ids.map { Int($0) })
            let vLLM = try await desk.post("/tokenize", #"{"prompt":"hello"}"#).json()
            #expect(vLLM["count"] as? Int == ids.count + 1)
            #expect(try await desk.post("/detokenize", #"{"tokens":\#(ids)}"#).json()["content"] as? String == "hello")
        }

        // MARK: - Pages

        @Test func theDocumentListsEveryRoute() async throws {
            let desk = try Desk()
            let document = try await desk.get("/openapi.json").json()
            let described = try #require(document["paths"] as? [String: [String: Any]])
            let table = Routes(inference: desk.inference, registry: Server.makeRegistry())
                .add(to: Router(context: ServerContext.self))
            for (path, methods) in table.paths where path != "/v1/models/**" {
                for method in methods where method != .head {
                    #expect(described[path]?[method.rawValue.lowercased()] != nil, "\(method) \(path)")
                }
            }
        }

        @Test func metricsCountRequestsByRoute() async throws {
            let desk = try Desk()
            _ = try await desk.post("/embed", #"{"inputs":"x"}"#)
            _ = try await desk.get("/no/such/route")
            let text = String(decoding: try await desk.get("/metrics").body, as: UTF8.self)
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
