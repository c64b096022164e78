// What is refused, in which words, and that nothing else comes of it.
#if Server
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import Q3Embedding
import Q3GGUF
import Testing

@testable import Q3Server

@Suite struct ErrorTests {
    @Test(arguments: [
        ("", "the body is empty"), ("{", "not JSON"), ("[]", "not"), ("null", "not"), ("3", "not"),
        (#"{"input":"x",}"#, "not JSON"), (#"{"input":"x"}{}"#, "not JSON"), ("\u{FEFF}{}", "byte order mark"),
        (#"{'input':'x'}"#, "not JSON"), (#"{"input":NaN}"#, "not JSON"),
        ("{\"input\":\"a\u{1}\"}", "control character"), ("{}", #""input" is missing"#),
        (#"{"input":null}"#, "missing"), (#"{"input":true}"#, "input"), (#"{"input":{}}"#, "input"),
        (#"{"input":3}"#, "input"), (#"{"input":[]}"#, "cannot be empty"), (#"{"input":""}"#, "cannot be empty"),
        (#"{"input":["x",""]}"#, "cannot be empty"), (#"{"input":["x",3]}"#, "input[1]"),
        (#"{"input":[1,2.5]}"#, "input"), (#"{"input":[[]]}"#, "cannot be empty"),
        (#"{"input":[506]}"#, "vocabulary"),
        (#"{"input":[-1]}"#, "vocabulary"), (#"{"input":[2147483648]}"#, "input"),
        (#"{"input":[[1],[[2]]]}"#, "input[1]"),
        (#"{"input":"x","dimensions":-1}"#, "dimensions"), (#"{"input":"x","dimensions":65}"#, "dimensions"),
        (#"{"input":"x","dimensions":1.5}"#, "dimensions"), (#"{"input":"x","dimensions":"many"}"#, "dimensions"),
        (#"{"input":"x","dimensions":9223372036854775808}"#, "dimensions"),
        (#"{"input":"x","encoding_format":"hex"}"#, "encoding_format"),
        (#"{"input":"x","prompt_name":"poem"}"#, "prompt_name"), (#"{"input":"x","model":7}"#, "model"),
    ]) func `a wrong body is refused by the name of what is wrong`(_ body: String, _ part: String) async throws {
        let answer = try await TestServer().post("/v1/embeddings", body)
        #expect(answer.status == 400)
        let error = try #require(try answer.json()["error"] as? [String: Any])
        let message = try #require(error["message"] as? String)
        #expect(message.contains(part), "\(message)")
        #expect(error["type"] as? String == "invalid_request_error")
    }

    @Test func `unknown fields and nulls are ignored`() async throws {
        let body = #"{"input":"x\u0000y","dimensions":null,"user":{"a":[1]},"encoding_format":null,"extra":1e3}"#
        #expect(try await TestServer().post("/v1/embeddings", body).status == 200)
    }

    @Test(arguments: [64, 65, 512, 100_000]) func `the depth of a body is limited`(_ depth: Int) async throws {
        let nested = String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
        let answer = try await TestServer().post("/v1/embeddings", #"{"ignored":\#(nested),"input":"x"}"#)
        #expect(answer.status == (depth <= JSONBody.depthLimit ? 200 : 400))
    }

    /// The table of statuses: a fault, and what each family of routes makes of it.
    @Test(
        arguments: [
            (APIError.Kind.invalid, 400, 422, "Validation"), (.empty, 400, 400, "Empty"),
            (.tooLong(tokens: 9, limit: 8), 400, 422, "Validation"),
            (.tooMany, 400, 422, "Validation"), (.bodyTooLarge, 413, 413, "Validation"),
            (.mediaType, 415, 415, "Validation"),
            (.unauthorized, 401, 401, "Validation"), (.forbidden, 403, 403, "Validation"),
            (.noSuchRoute, 404, 404, "Validation"), (.noSuchModel, 404, 404, "Validation"),
            (.methodNotAllowed(allow: "POST"), 405, 405, "Validation"), (.wrongTask, 400, 424, "Backend"),
            (.overloaded(retryAfter: 7), 429, 429, "Overloaded"), (.unavailable, 503, 503, "Unhealthy"),
            (.deadline, 504, 504, "Backend"), (.nonFinite, 500, 500, "Backend"),
            (.modelChanged, 503, 503, "Unhealthy"),
            (.internal, 500, 500, "Backend"),
        ] as [(APIError.Kind, Int, Int, String)])
    func `every error has its status in every family`(
        _ kind: APIError.Kind, _ status: Int, _ teiStatus: Int, _ teiType: String
    ) throws {
        for form in [ErrorForm.openAI, .ollama, .cohere, .llamaServer] { #expect(form.status(kind) == status) }
        let response = ErrorForm.textEmbeddingsInference.response(to: APIError(kind, "m"))
        #expect(response.status.code == teiStatus)
        #expect(kind.teiType == teiType)
        #expect((response.headers[.retryAfter] != nil) == (status == 429 || kind == .unavailable))
    }

    @Test func `every family gets errors in its own form`() async throws {
        let server = try TestServer()
        #expect(try await server.post("/embed", #"{"inputs":""}"#).json()["error_type"] as? String == "Empty")
        #expect(try await server.post("/api/embed", "{").json()["error"] is String)
        #expect(try await server.post("/v2/embed", "{}").json()["message"] is String)
        #expect(try await server.post("/v1/rerank", #"{"query":"q"}"#).json()["error"] is [String: Any])
        #expect(
            try await server.post("/rerank", #"{"query":"q","texts":[]}"#).json()["error_type"] as? String == "Empty")
    }

    @Test func `a wrong method is 405 and an unknown path 404`() async throws {
        let server = try TestServer()
        let wrong = try await server.send(.get, "/v1/embeddings")
        #expect(wrong.status == 405)
        #expect(wrong.headers[.allow] == "POST")
        #expect(try await server.post("/health", "").status == 405)
        #expect(try await server.get("/nowhere").status == 404)
    }

    @Test func `size, count and type of what comes in are limited`() async throws {
        let server = try TestServer {
            $0.bodyLimit = 100
            $0.itemLimit = 2
        }
        let long = #"{"input":"\#(String(repeating: "a", count: 100))"}"#
        #expect(try await server.post("/v1/embeddings", long).status == 413)
        #expect(try await server.post("/v1/embeddings", #"{"input":["a","b","c"]}"#).status == 400)
        #expect(try await server.post("/embed", #"{"inputs":["a","b","c"]}"#).status == 422)
        let form: HTTPFields = [.contentType: "text/plain"]
        #expect(try await server.post("/v1/embeddings", #"{"input":"a"}"#, headers: form).status == 415)
        let packed: HTTPFields = [.contentEncoding: "gzip", .contentType: "application/json"]
        #expect(try await server.post("/v1/embeddings", #"{"input":"a"}"#, headers: packed).status == 415)
    }

    @Test func `a model for the other task is refused`() async throws {
        let server = try TestServer()
        #expect(try await server.post("/v1/embeddings", #"{"model":"rerank","input":"x"}"#).status == 400)
        #expect(
            try await server.post("/v1/rerank", #"{"model":"embed","query":"q","documents":["d"]}"#).status == 400)
        let alone = try TestServer(models: ["embed"])
        #expect(try await alone.post("/rerank", #"{"query":"q","texts":["d"]}"#).status == 424)
    }

    @Test func `an unknown name means the model there is, unless names are strict`() async throws {
        let body = #"{"model":"text-embedding-3-small","input":"x"}"#
        let answer = try await TestServer().post("/v1/embeddings", body)
        #expect(try answer.json()["model"] as? String == "embed")
        #expect(try await TestServer { $0.strictModelNames = true }.post("/v1/embeddings", body).status == 404)
    }

    @Test func `nothing is answered while the server ends`() async throws {
        let server = try TestServer()
        server.backend.models.drain()
        let answer = try await server.post("/v1/embeddings", #"{"input":"x"}"#)
        #expect(answer.status == 503)
        #expect(answer.headers[.retryAfter] == "1")
        #expect(try await server.get("/ready").status == 503)
        #expect(try await server.get("/live").status == 200)
    }
}

@Suite struct AccessControlTests {
    @Test(arguments: [
        ("localhost", 200), ("LOCALHOST:80", 200), ("127.0.0.1:8080", 200), ("[::1]:8080", 200), ("10.1.2.3", 200),
        ("q3.example", 200), ("evil.com", 403), ("127.0.0.1.evil.com", 403), ("localhost.evil", 403),
        ("[::1]x", 403), ("caf\u{E9}.example", 200), ("cafe\u{301}.example", 403), ("\u{212A}.example", 403),
        ("+1.2.3.4", 403),
        ("localhost:80x", 403), ("", 400),
    ]) func `only addresses and known host names are answered`(_ host: String, _ status: Int) async throws {
        let server = try TestServer { $0.allowedHosts = ["q3.example", "caf\u{E9}.example", "K.example"] }
        #expect(try await server.send(.get, "/v1/models", host: host.isEmpty ? nil : host).status == status)
    }

    @Test(arguments: [
        ("http://evil.com", 403), ("null", 403), ("http://localhost.evil.com", 403), ("http://notlocalhost", 403),
        ("http://localhost:8080", 200), ("https://app.example", 200),
    ]) func `only pages of allowed origins are answered`(_ origin: String, _ status: Int) async throws {
        let server = try TestServer { $0.allowedOrigins = ["https://app.example"] }
        let answer = try await server.post("/embed", #"{"inputs":"x"}"#, headers: [.origin: origin])
        #expect(answer.status == status)
        #expect((answer.headers[.accessControlAllowOrigin] != nil) == (origin == "https://app.example"))
        let before = try await server.send(.options, "/embed", headers: [.origin: origin])
        #expect((before.headers[.accessControlAllowMethods] != nil) == (origin == "https://app.example"))
    }

    @Test(arguments: [
        ("Bearer secret", 200), ("secret", 200), ("bearer secret", 401), ("Bearer  secret", 401),
        ("Bearer secre", 401),
        ("Bearer secrets", 401), ("Bearer s\u{65}\u{301}cret", 401), ("Bearer ", 401), ("", 401),
    ]) func `a key must be the same in every byte`(_ given: String, _ status: Int) async throws {
        let server = try TestServer { $0.apiKeys = ["other", "secret"] }
        let headers: HTTPFields = given.isEmpty ? [:] : [.authorization: given]
        let answer = try await server.get("/v1/models", headers: headers)
        #expect(answer.status == status)
        #expect(try await server.get("/no/such", headers: headers).status == (status == 200 ? 404 : 401))
        #expect(try await server.get("/health").status == 200)
        if status == 401 { #expect(answer.headers[.wwwAuthenticate] == "Bearer") }
    }

    @Test func `two keys in one request are refused`() async throws {
        let server = try TestServer { $0.apiKeys = ["secret"] }
        var headers: HTTPFields = [.authorization: "Bearer secret"]
        headers[.apiKey] = "secret"
        #expect(try await server.get("/v1/models", headers: headers).status == 401)
        #expect(try await server.get("/v1/models", headers: [.apiKey: "secret"]).status == 200)
    }

    @Test func `a request id is echoed where it is harmless`() async throws {
        let server = try TestServer()
        #expect(try await server.get("/live", headers: [.requestID: "abc-1"]).headers[.requestID] == "abc-1")
        let odd = try await server.get("/live", headers: [.requestID: "a b"])
        #expect(odd.headers[.requestID] != "a b")
        #expect(odd.headers[.contentTypeOptions] == "nosniff")
        #expect(odd.headers[.cacheControl] == "no-store")
    }
}
#endif
