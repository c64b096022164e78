// The fields that each family documents for each route: honoured or refused, and never ignored.
#if Server
import Foundation
import Testing

@testable import Q3Server

/// What a documented field does.
private enum Effect: Sendable {
    /// The answer is another one than without the field.
    case changes
    /// Status 400 or 422, with the name of the field.
    case refused
    /// The field is about something else than the answer, such as who asks and how urgently.
    case none
}

/// A field of a route as its family documents it, with a value that should make a difference.
private struct Field: Sendable, CustomTestStringConvertible {
    let path: String
    let body: String
    let field: String
    let effect: Effect

    var testDescription: String { "\(path) \(field)" }

    /// The body with the field.
    var bodyWithField: String { "\(body.dropLast()),\(field)}" }
}

private func fields(_ paths: [String], _ body: String, _ fields: [(String, Effect)]) -> [Field] {
    paths.flatMap { path in fields.map { Field(path: path, body: body, field: $0.0, effect: $0.1) } }
}

private let long = "Gravity pulls bodies towards each other, however far apart they are."

/// By family: OpenAI, vLLM, Infinity and Jina; llama-server; Text Embeddings Inference; Cohere; Ollama; Weaviate.
private let table: [Field] =
    ([
        fields(
            ["/v1/embeddings", "/embeddings", "/invocations"], #"{"input":"\#(long)"}"#,
            [
                (#""encoding_format":"base64""#, .changes), (#""encoding_format":"bytes""#, .refused),
                (#""dimensions":16"#, .changes), (#""dimensions":"16""#, .changes), (#""dimensions":-1"#, .refused),
                (#""user":"u""#, .none), (#""model":"embed""#, .none), (#""model":"rerank""#, .refused),
                // vLLM
                (#""truncate_prompt_tokens":5"#, .changes), (#""truncate_prompt_tokens":-1"#, .none),
                (#""truncate_prompt_tokens":-2"#, .refused),
                (#""truncate_prompt_tokens":5,"truncation_side":"left""#, .changes),
                (#""truncation_side":"up""#, .refused),
                (#""add_special_tokens":true"#, .none), (#""add_special_tokens":false"#, .refused),
                (#""normalize":false"#, .changes), (#""use_activation":false"#, .changes),
                (#""use_activation":true"#, .none),
                (#""encoding_format":"base64","embed_dtype":"float16""#, .changes),
                (#""embed_dtype":"fp8_e4m3""#, .refused),
                (#""encoding_format":"base64","endianness":"big""#, .changes), (#""endianness":"middle""#, .refused),
                (#""chat_template":"x""#, .refused), (#""request_id":"r""#, .none), (#""priority":1"#, .none),
                (#""padding":true"#, .none), (#""cache_salt":"s""#, .none),
                // Jina
                (#""task":"retrieval.query""#, .changes), (#""task":"retrieval.passage""#, .none),
                (#""task":"poem""#, .refused), (#""late_chunking":true"#, .refused), (#""late_chunking":false"#, .none),
                (#""normalized":false"#, .changes), (#""embedding_type":"ubinary""#, .changes),
                (#""embedding_type":"binary""#, .changes), (#""embedding_type":"base64""#, .changes),
                (#""embedding_type":"int3""#, .refused), (#""truncate":true"#, .none),
                (#""truncate":"maybe""#, .refused),
                // Infinity
                (#""modality":"text""#, .none), (#""modality":"image""#, .refused),
                // llama-server
                (#""embd_normalize":-1"#, .changes), (#""embd_normalize":0"#, .changes),
                (#""embd_normalize":1"#, .changes),
                (#""embd_normalize":2"#, .none), (#""embd_normalize":3"#, .changes),
                (#""embd_normalize":-3"#, .refused),
                // q3
                (#""instruction":"Find code""#, .changes), (#""prompt_name":"query""#, .changes),
                (#""input_type":"search_query""#, .changes), (#""input_type":"poem""#, .refused),
                (#""adapter":"poem""#, .refused), (#""adapter":null"#, .none),
            ]),
        fields(
            ["/v1/embeddings", "/embeddings"], #"{"messages":[{"role":"user","content":"\#(long)"}]}"#,
            [(#""add_generation_prompt":true"#, .changes), (#""prompt_name":"query""#, .none)]),
        fields(["/embedding"], #"{"input":"\#(long)"}"#, [(#""encoding_format":"float""#, .none)]),
        fields(
            ["/embedding", "/embeddings"], #"{"content":"\#(long)"}"#,
            [
                (#""embd_normalize":-1"#, .changes), (#""embd_normalize":0"#, .changes),
                (#""encoding_format":"float""#, .none),
                (#""encoding_format":"base64""#, .refused), (#""model":"rerank""#, .refused),
            ]),
        fields(
            ["/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking", "/invocations"],
            #"{"query":"What pulls bodies?","documents":["\#(long)","Bread and salt, bread and butter"]}"#,
            [
                (#""top_n":1"#, .changes), (#""top_n":"1""#, .changes), (#""top_n":0"#, .none),
                (#""top_n":-1"#, .refused),
                (#""model":"embed""#, .refused), (#""instruction":"Find bread""#, .changes),
                (#""instruct":"Find bread""#, .changes),
                // Infinity, vLLM, Jina
                (#""raw_scores":true"#, .changes), (#""raw_scores":"true""#, .changes),
                (#""use_activation":false"#, .changes),
                (#""normalize":false"#, .changes), (#""normalize":true"#, .none),
                (#""max_tokens_per_doc":3"#, .changes), (#""max_tokens_per_doc":0"#, .none),
                (#""max_tokens_per_doc":-5"#, .refused), (#""max_tokens_per_query":2"#, .changes),
                (#""max_doc_length":3"#, .changes), (#""max_query_length":2"#, .changes),
                (#""truncate_prompt_tokens":150"#, .changes), (#""truncate_prompt_tokens":-1"#, .none),
                (#""truncation_side":"left""#, .refused), (#""priority":1"#, .none),
                (#""return_embeddings":true"#, .refused),
                (#""return_embeddings":false"#, .none),
                // Cohere
                (#""max_chunks_per_doc":2"#, .refused), (#""max_chunks_per_doc":null"#, .none),
                (#""relevant_spans":{"mode":"on"}"#, .refused), (#""truncate":"END""#, .none),
                (#""truncate":"START""#, .refused),
            ]),
        fields(
            ["/rerank", "/v1/rerank", "/reranking", "/v1/reranking"], #"{"query":"q","documents":["a","b"]}"#,
            [(#""return_documents":false"#, .changes), (#""return_documents":"true""#, .none)]),
        fields(["/v2/rerank"], #"{"query":"q","documents":["a","b"]}"#, [(#""return_documents":true"#, .changes)]),
        fields(
            ["/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking"],
            #"{"query":"q","return_documents":true,"documents":[{"text":"one","name":"two"},{"text":"three","name":"four"}]}"#,
            [(#""rank_fields":["name"]"#, .changes), (#""rank_fields":["size"]"#, .refused)]),
        fields(
            ["/score", "/v1/score"], #"{"text_1":"What pulls bodies?","text_2":["\#(long)"]}"#,
            [
                (#""use_activation":false"#, .changes), (#""normalize":false"#, .changes),
                (#""max_tokens_per_query":2"#, .changes), (#""max_tokens_per_doc":3"#, .changes),
                (#""truncate_prompt_tokens":150"#, .changes), (#""truncation_side":"left""#, .refused),
                (#""instruction":"Find bread""#, .changes), (#""model":"embed""#, .refused), (#""priority":1"#, .none),
            ]),
        fields(
            ["/score", "/v1/score"], #"{"queries":"a","documents":["b"]}"#, [(#""use_activation":false"#, .changes)]),
        fields(["/score", "/v1/score"], #"{"queries":"a","items":["b"]}"#, [(#""use_activation":false"#, .changes)]),
        fields(["/score", "/v1/score"], #"{"data_1":"a","data_2":["b"]}"#, [(#""use_activation":false"#, .changes)]),
        fields(
            ["/embed", "/embed_all", "/", "/invocations"], #"{"inputs":"\#(long)"}"#,
            [
                (#""prompt_name":"query""#, .changes), (#""prompt_name":"poem""#, .refused),
                (#""truncate":true"#, .none),
                (#""truncate":"true""#, .none), (#""truncation_direction":"up""#, .refused),
            ]),
        fields(
            ["/embed", "/"], #"{"inputs":"\#(long)"}"#,
            [
                (#""normalize":false"#, .changes), (#""dimensions":16"#, .changes), (#""dimensions":0"#, .refused),
                (#""encoding_format":"base64""#, .changes), (#""encoding_format":"hex""#, .refused),
                (#""adapter":"poem""#, .refused), (#""adapter":null"#, .none),
            ]),
        fields(
            ["/rerank", "/v1/rerank", "/reranking", "/v1/reranking", "/", "/invocations"],
            #"{"query":"q","texts":["one","two"]}"#,
            [
                (#""instruction":"Find two""#, .changes),
                (#""raw_scores":true"#, .changes), (#""return_text":true"#, .changes), (#""top_n":1"#, .changes),
                (#""truncation_direction":"left""#, .refused), (#""truncation_direction":"right""#, .none),
                (#""truncate":true"#, .none),
            ]),
        fields(
            ["/predict"], #"{"inputs":["q","\#(long)"]}"#,
            [
                (#""raw_scores":true"#, .changes), (#""truncation_direction":"left""#, .refused),
                (#""truncate":true"#, .none),
            ]),
        fields(
            ["/classify"], #"{"input":"\#(long)"}"#,
            [
                (#""model":"topics""#, .none), (#""instruction":"Find bread""#, .refused),
                (#""use_activation":false"#, .changes), (#""activation":false"#, .changes),
                (#""raw_scores":true"#, .changes), (#""raw_scores":false"#, .changes),
                (#""truncate":true"#, .none), (#""truncate":"maybe""#, .refused),
                (#""truncate_prompt_tokens":5"#, .changes), (#""truncate_prompt_tokens":-2"#, .refused),
                (#""truncate_prompt_tokens":5,"truncation_side":"left""#, .changes),
                (#""messages":[{"role":"user","content":"x"}]"#, .refused), (#""prompt_name":"query""#, .refused),
                (#""add_special_tokens":false"#, .refused), (#""priority":1"#, .none),
            ]),
        fields(
            ["/classify"], #"{"inputs":"\#(long)"}"#,
            [
                (#""model":"topics""#, .none), (#""instruction":"Find bread""#, .refused),
                (#""raw_scores":true"#, .changes), (#""truncate":true"#, .none),
                (#""truncation_direction":"left""#, .none), (#""truncation_direction":"up""#, .refused),
                (#""prompt_name":"query""#, .refused),
            ]),
        fields(
            ["/predict"], #"{"inputs":"\#(long)"}"#, [(#""model":"topics""#, .none), (#""raw_scores":true"#, .changes)]),
        fields(
            ["/similarity"], #"{"inputs":{"source_sentence":"\#(long)","sentences":["one"]}}"#,
            [
                (#""parameters":{"prompt_name":"query"}"#, .changes),
                (#""parameters":{"prompt_name":"poem"}"#, .refused),
                (#""parameters":{"truncate":true,"truncation_direction":"Left"}"#, .none),
            ]),
        fields(
            ["/tokenize"], #"{"inputs":"\#(long)"}"#,
            [(#""add_special_tokens":false"#, .changes), (#""prompt_name":"query""#, .changes)]),
        fields(
            ["/tokenize"], #"{"content":"<|im_end|>"}"#,
            [
                (#""add_special":true"#, .changes), (#""parse_special":false"#, .changes),
                (#""with_pieces":true"#, .changes),
            ]),
        fields(
            ["/tokenize"], #"{"prompt":"\#(long)"}"#,
            [(#""add_special_tokens":false"#, .changes), (#""return_token_strs":true"#, .changes)]),
        fields(["/decode"], #"{"ids":[70,1,500]}"#, [(#""skip_special_tokens":true"#, .none)]),
        fields(
            ["/v1/embed", "/v2/embed"], #"{"texts":["\#(long)"],"model":"embed"}"#,
            [
                (#""input_type":"search_query""#, .changes), (#""input_type":"poem""#, .refused),
                (#""embedding_types":["int8"]"#, .changes), (#""embedding_types":["int3"]"#, .refused),
                (#""output_dimension":16"#, .changes), (#""max_tokens":5"#, .changes),
                (#""max_tokens":5,"truncate":"START""#, .changes), (#""truncate":"MIDDLE""#, .refused),
                (#""images":["x"]"#, .refused), (#""priority":1"#, .none),
                (#""input_type":"search_query","instruction":"Find bread""#, .changes),
            ]),
        fields(
            ["/v1/embed", "/v2/embed"], #"{"inputs":[{"content":[{"type":"text","text":"\#(long)"}]}]}"#,
            [(#""input_type":"search_query""#, .changes)]),
        fields(
            ["/api/embed"], #"{"input":["\#(long)"]}"#,
            [
                (#""dimensions":16"#, .changes), (#""options":{"num_ctx":5}"#, .changes),
                (#""options":{"num_ctx":null,"temperature":0.5}"#, .none), (#""keep_alive":"5m""#, .none),
                (#""truncate":false"#, .none),
                (#""model":"embed""#, .none), (#""model":"rerank""#, .refused),
            ]),
        fields(
            ["/api/embeddings"], #"{"prompt":"\#(long)"}"#,
            [(#""options":{"num_ctx":5}"#, .changes), (#""keep_alive":300"#, .none)]),
        fields(
            ["/vectors"], #"{"text":"\#(long)"}"#,
            [
                (#""config":{"task_type":"query"}"#, .changes), (#""config":{"task_type":"poem"}"#, .refused),
                (#""config":{"pooling_strategy":"masked_mean","task_type":"passage"}"#, .none),
                (#""config":{"pooling_strategy":"cls"}"#, .refused), (#""config":{"dimensions":16}"#, .changes),
            ]),
    ] as [[Field]]).flatMap { $0 }

@Suite struct FieldTests {
    @Test(arguments: table)
    fileprivate func `a documented field is honoured or refused`(_ field: Field) async throws {
        let classifier = try SampleClassifier.served()
        let server = try TestServer(with: { $0.classifiers = [classifier] })
        let plain = try await server.post(field.path, field.body)
        #expect(plain.status == 200, "\(String(decoding: plain.body, as: UTF8.self))")
        let answer = try await server.post(field.path, field.bodyWithField)
        switch field.effect {
        case .changes:
            #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
            #expect(try lasting(answer) != lasting(plain))
        case .none:
            #expect(try lasting(answer) == lasting(plain))
        case .refused:
            #expect([400, 422, 424].contains(answer.status))
            let names = field.field.split(separator: "\"").filter { field.field.contains("\"\($0)\":") }
            let message = String(decoding: answer.body, as: UTF8.self)
            #expect(names.contains(where: message.contains) || message.contains("model"), "\(message)")
        }
    }

    /// The answer without what differs from one to the next.
    private func lasting(_ answer: Answer) throws -> String {
        guard var body = try? answer.json() else { return String(decoding: answer.body, as: UTF8.self) }
        for key in ["id", "created", "total_duration", "model"] { body[key] = nil }
        return String(
            decoding: try JSONSerialization.data(withJSONObject: body, options: .sortedKeys), as: UTF8.self)
    }

    @Test func `every field in openapi.json is in the table`() async throws {
        let document = try await TestServer().get("/openapi.json").json()
        let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: [String: Any]])
        for (path, methods) in try #require(document["paths"] as? [String: [String: Any]]) {
            // Those of /search are told from each other in IndexSearchTests, and /mcp has messages instead.
            guard !["/embed_sparse", "/search", "/mcp"].contains(path), let post = methods["post"] as? [String: Any],
                let body = post["requestBody"]
            else { continue }
            for name in Self.references(in: body) {
                let properties = (schemas[name]?["properties"] as? [String: Any])?.keys.map { $0 } ?? []
                for property in properties {
                    let isKnown = table.contains { row in
                        row.path == path
                            && (row.field.contains("\"\(property)\":") || row.body.contains("\"\(property)\":"))
                    }
                    #expect(isKnown, "\(path) \(property)")
                }
            }
        }
    }

    private static func references(in value: Any) -> [String] {
        switch value {
        case let object as [String: Any]:
            (object["$ref"] as? String).map { [String($0.split(separator: "/").last ?? "")] } ?? []
                + object.values.flatMap(references)
        case let list as [Any]: list.flatMap(references)
        default: []
        }
    }
}
#endif
