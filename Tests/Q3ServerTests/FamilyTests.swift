// That a family is added in one place, and that each route belongs to one family.
#if Server
import HTTPTypes
import Hummingbird
import Testing

@testable import Q3Server

@Suite struct FamilyTests {
    private struct Length: Decodable {
        var word: String
        var times: Whole?
    }

    /// A family of two routes with errors of its own: all that it takes.
    private var lengths: APIFamily {
        APIFamily(
            errors: ErrorForm(status: { _ in 418 }, body: { ["lengths_says": $1] }),
            headers: { [HTTPField.Name("x-lengths")!: "\($0.tokens)"] },
            routes: [
                .get("/lengths", needsKey: false) { _ in APIResponse(text: "short") },
                .post("/lengths") { request throws(APIError) in
                    let body = try request.decode(Length.self)
                    let count = body.word.count * (body.times?.value ?? 1)
                    var timing = Timing()
                    timing.tokens = count
                    return try APIResponse(json: ["length": count], timing: timing)
                },
            ])
    }

    @Test func `a family brings its routes, its errors, its headers and what is open`() async throws {
        let server = try TestServer(more: [lengths]) { $0.apiKeys = ["secret"] }
        let key: HTTPFields = [.authorization: "Bearer secret"]
        #expect(String(decoding: try await server.get("/lengths").body, as: UTF8.self) == "short")
        #expect(try await server.post("/lengths", #"{"word":"four"}"#).status == 418)
        let answer = try await server.post("/lengths", #"{"word":"four","times":"2"}"#, headers: key)
        #expect(try answer.json([String: Int].self) == ["length": 8])
        #expect(answer.headers[HTTPField.Name("x-lengths")!] == "8")
        let wrong = try await server.post("/lengths", "{}", headers: key)
        #expect(try wrong.json([String: String].self) == ["lengths_says": #""word" is missing"#])
        let deleted = try await server.send(.delete, "/lengths", headers: key)
        #expect(deleted.headers[.allow] == "GET, HEAD, POST")
        #expect(try deleted.json([String: String].self)["lengths_says"] != nil)
    }

    @Test func `no two routes of a path answer the same body`() throws {
        var unconditional: [String: Int] = [:]
        for family in try TestServer().families {
            for route in family.routes where route.condition.isAlwaysTrue {
                for path in route.paths {
                    for method in route.methods { unconditional["\(method) \(path)", default: 0] += 1 }
                }
            }
        }
        #expect(unconditional.filter { $0.value > 1 }.isEmpty)
    }

    @Test(arguments: [
        (#"{"query":"q","texts":["a"],"documents":["a"]}"#, "results"),
        (#"{"query":"q","documents":["a"]}"#, "results"),
        (#"{"query":"q"}"#, "error"), (#"{"query":"q","tex\u0074s":["a"]}"#, "error"),
    ]) func `the fields of a body choose between the families of a path`(_ body: String, _ field: String) async throws {
        #expect(try await TestServer().post("/rerank", body).json()[field] != nil)
        #expect(try await TestServer().post("/rerank", #"{"query":"q","texts":["a"]}"#).json([Any].self).count == 1)
    }
}
#endif
