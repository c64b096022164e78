// Labels over HTTP: what POST /classify and /predict answer in each form, honour and refuse.
#if Server
import Foundation
import Logging
import Q3Analysis
import Q3Embedding
import Q3Linear
import Q3Model
import TestSupport
import Testing

@testable import Q3Server

enum SampleClassifier {
    static let labels = ["bread", "gravity", "sätze"]

    /// A head whose weights are not multiples of each other, over the first 32 values of vectors.
    static func file(
        fingerprint: String? = nil, instruct: String? = nil, dimensions: Int = 32
    ) throws -> ClassifierFile {
        let rows = try VectorMatrix(
            labels.indices.map { label in
                (0...dimensions).map { Float(($0 * 7 + label * 13) % 11) / 2 - 2.5 }
            })
        let classifier = Classifier(
            kind: .logistic, labels: labels, rows: rows, rowLabels: Array(labels.indices), temperature: 1.5)
        return ClassifierFile(
            classifier, model: "embed", fingerprint: fingerprint, dimensions: dimensions, instruct: instruct)
    }

    static func served(_ name: String = "topics", instruct: String? = nil) throws -> ServedClassifier {
        ServedClassifier(name: name, file: try file(instruct: instruct), model: "embed")
    }
}

private let texts = ["Bread is baked in the morning.", "Gravity pulls bodies.", "Grüße aus 北京"]
private let list = #"["\#(texts[0])","\#(texts[1])","\#(texts[2])"]"#

@Suite struct ClassificationTests {
    private func server(
        _ classifiers: [ServedClassifier]? = nil, _ change: (inout ServerOptions) -> Void = { _ in }
    ) throws -> TestServer {
        let classifiers = try classifiers ?? [SampleClassifier.served()]
        return try TestServer(models: ["embed", "rerank"], change, with: { $0.classifiers = classifiers })
    }

    /// What the library says of the texts.
    private func expected(_ server: TestServer, as prompt: Prompt = .document) async throws -> [[Double]] {
        let vectors = try await server.embedder.embed(texts, as: prompt, options: EmbeddingOptions(dimensions: 32))
        let rows = try VectorMatrix(vectors.map(\.vector))
        return try await SampleClassifier.file().classifier.probabilities(of: rows)
    }

    /// Whether numbers are the same but for what JSONSerialization makes of their last digits.
    private func areEqual(_ a: [[Double]], _ b: [[Double]]) -> Bool {
        a.map(\.count) == b.map(\.count) && zip(a.joined(), b.joined()).allSatisfy { abs($0 - $1) < 1e-14 }
    }

    private func doubles(_ value: Any?) -> [Double] {
        (value as? [Any] ?? []).compactMap { ($0 as? NSNumber)?.doubleValue }
    }

    @Test func `every form has the probabilities of the library`() async throws {
        let server = try server()
        let expected = try await expected(server)
        let answer = try await server.post("/classify", #"{"input":\#(list),"model":"topics"}"#).json()
        #expect(answer["object"] as? String == "list" && answer["model"] as? String == "topics")
        #expect((answer["id"] as? String)?.hasPrefix("classify-") == true)
        #expect((answer["usage"] as? [String: Any])?["prompt_tokens"] as? Int ?? 0 > 3)
        let data = try #require(answer["data"] as? [[String: Any]])
        #expect(data.map { $0["index"] as? Int } == [0, 1, 2])
        #expect(areEqual(data.map { doubles($0["probs"]) }, expected))
        #expect(data.allSatisfy { $0["num_classes"] as? Int == 3 })
        let best = expected.map { SampleClassifier.labels[$0.firstIndex(of: $0.max()!)!] }
        #expect(data.map { $0["label"] as? String } == best)

        let infinity = try await server.post("/classify", #"{"input":\#(list),"raw_scores":false}"#).json()
        #expect(infinity["object"] as? String == "classify")
        let many = try await server.post("/classify", #"{"inputs":\#(list)}"#).json([[[String: Any]]].self)
        let predicted = try await server.post(
            "/predict", #"{"inputs":[["\#(texts[0])"],["\#(texts[1])"],["\#(texts[2])"]]}"#
        ).json([[[String: Any]]].self)
        for lists in [try #require(infinity["data"] as? [[[String: Any]]]), many, predicted] {
            #expect(lists.map { $0[0]["label"] as? String } == best)
            #expect(areEqual(lists.map { doubles($0.map { $0["score"] as Any }) }, expected.map { $0.sorted(by: >) }))
        }
        // A lone text is answered alone.
        for path in ["/classify", "/predict"] {
            let one = try await server.post(path, #"{"inputs":"\#(texts[0])"}"#).json([[String: Any]].self)
            #expect(areEqual([doubles(one.map { $0["score"] as Any })], [expected[0].sorted(by: >)]))
        }
    }

    @Test func `logits are those of the probabilities`() async throws {
        let server = try server()
        let expected = try await expected(server)[0]
        for field in [#""use_activation":false"#, #""activation":false"#] {
            let answer = try await server.post("/classify", #"{"input":"\#(texts[0])",\#(field)}"#).json()
            let logits = doubles((answer["data"] as? [[String: Any]])?.first?["probs"])
            let sum = logits.reduce(0) { $0 + exp($1) }
            #expect(zip(logits, expected).allSatisfy { abs(exp($0) / sum - $1) < 1e-12 } && logits.count == 3)
        }
        let raw = try await server.post("/classify", #"{"inputs":"\#(texts[0])","raw_scores":true}"#)
            .json([[String: Any]].self)
        #expect(doubles(raw.map { $0["score"] as Any }).contains { $0 < 0 || $0 > 1 })
    }

    @Test func `texts have the instruction that the classifier was made with`() async throws {
        let server = try server([SampleClassifier.served("plain"), SampleClassifier.served("asked", instruct: "Sort")])
        for (name, prompt) in [("plain", Prompt.document), ("asked", .query(task: "Sort"))] {
            let answer = try await server.post("/classify", #"{"input":\#(list),"model":"\#(name)"}"#).json()
            let data = try #require(answer["data"] as? [[String: Any]])
            #expect(try await areEqual(data.map { doubles($0["probs"]) }, expected(server, as: prompt)))
        }
        let same = #"{"input":"x","model":"asked","instruction":"Sort"}"#
        #expect(try await server.post("/classify", same).status == 200)
        let other = try await server.post("/classify", #"{"input":"x","model":"plain","instruction":"Sort"}"#)
        #expect(other.status == 400)
        #expect((try other.json()["error"] as? [String: Any])?["param"] as? String == "instruction")
        #expect(try await server.post("/classify", #"{"inputs":"x","instruction":"Sort"}"#).status == 422)
    }

    @Test func `a name selects a classifier`() async throws {
        let (first, second) = (try SampleClassifier.served("first"), try SampleClassifier.served("second"))
        let lenient = try server([first, second])
        for (name, expected) in [("second", "second"), ("embed", "first"), ("gpt", "first")] {
            let answer = try await lenient.post("/classify", #"{"input":"x","model":"\#(name)"}"#).json()
            #expect(answer["model"] as? String == expected)
        }
        let strict = try server([first, second]) { $0.strictModelNames = true }
        #expect(try await strict.post("/classify", #"{"input":"x","model":"gpt"}"#).status == 404)
        let listed = try #require(try await lenient.get("/v1/models").json()["data"] as? [[String: Any]])
        #expect(
            listed.filter { $0["capabilities"] as? [String] == ["classify"] }.map { $0["id"] as? String }
                == ["first", "second"])
        #expect(try await lenient.get("/v1/models/second").json()["id"] as? String == "second")
    }

    @Test func `what cannot be answered is refused in the words of its family`() async throws {
        let server = try server(nil) { $0.itemLimit = 2 }
        for (body, status) in [
            (#"{"input":""}"#, 400), (#"{"input":[]}"#, 400), (#"{"input":[1,999999999]}"#, 400),
            (#"{"model":"x"}"#, 400),
            (#"{"input":{}}"#, 400), (#"{"input":["a","b","c"]}"#, 400), (#"{"input":"x","use_activation":7}"#, 400),
            (#"{"inputs":""}"#, 400), (#"{"inputs":[]}"#, 400), (#"{"inputs":{}}"#, 422),
            (#"{"inputs":["a","b","c"]}"#, 422), (#"{"inputs":"x","truncation_direction":"up"}"#, 422),
        ] {
            let answer = try await server.post("/classify", body)
            #expect(answer.status == status, "\(body)")
            let isTEI = body.contains("inputs")
            #expect(try (answer.json()["error_type"] != nil) == isTEI, "\(body)")
        }
        let none = try TestServer()
        let refused = try await none.post("/classify", #"{"input":"x"}"#)
        #expect(refused.status == 400 && String(decoding: refused.body, as: UTF8.self).contains("--classifier"))
        #expect(try await none.post("/classify", #"{"inputs":"x"}"#).status == 424)
        // Without a classifier a lone text is a matter for the reranker, as before; with one a pair still is.
        let pair = #"{"inputs":["q","\#(texts[0])"]}"#
        #expect(try await none.post("/predict", pair).body == server.post("/predict", pair).body)
        #expect(
            try await none.post("/predict", #"{"inputs":"x"}"#).json([[String: Any]].self)[0]["label"] as? String
                == "yes")
    }

    @Test func `a text has the same bits in any batch`() async throws {
        let server = try server()
        let alone = try await server.post("/classify", #"{"input":"\#(texts[1])"}"#).json()
        let together = try await server.post("/classify", #"{"input":\#(list)}"#).json()
        #expect(
            doubles((alone["data"] as? [[String: Any]])?[0]["probs"])
                == doubles((together["data"] as? [[String: Any]])?[1]["probs"]))
    }

    @Test func `a classifier of another model is refused`() throws {
        let embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let fingerprint = "\(try Fingerprint(of: embedder.model))"
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = Server(
            models: [ServedModel(name: "embed", head: .embedder(embedder), created: 0)], logger: logger)
        func serve(_ name: String, _ file: ClassifierFile, by model: String = "embed") throws {
            _ = try server.classifying([ServedClassifier(name: name, file: file, model: model)])
        }
        try serve("topics", SampleClassifier.file(fingerprint: fingerprint))
        try serve("topics", SampleClassifier.file())
        let other = ServerError.otherModel(classifier: "topics", model: "embed")
        #expect(throws: other) { try serve("topics", SampleClassifier.file(fingerprint: "0123456789abcdef")) }
        #expect(throws: other) { try serve("topics", SampleClassifier.file(dimensions: 4096)) }
        #expect(throws: ServerError.noModelOfClassifier(classifier: "topics", model: "gpt")) {
            try serve("topics", SampleClassifier.file(), by: "gpt")
        }
        #expect(throws: ServerError.sharedClassifierName("embed")) { try serve("embed", SampleClassifier.file()) }
        #expect(throws: ServerError.sharedClassifierName("a")) {
            _ = try server.classifying([SampleClassifier.served("a"), SampleClassifier.served("a")])
        }
    }
}
#endif
