// What answers and the environment say.
import Q3Catalog
import Q3System
import Testing

@testable import Q3Pull

@Suite struct HeaderTests {
    private static let digest = String(repeating: "0a", count: 32)

    @Test func `facts of a hub`() {
        let commit = String(repeating: "c", count: 40)
        var facts = HubFacts()
        facts.add { ["x-repo-commit": commit, "x-linked-size": "12", "x-linked-etag": "\"\(Self.digest)\""][$0] }
        #expect(facts.revision == commit)
        #expect(facts.byteCount == 12)
        #expect(facts.digest?.hex == Self.digest)
    }

    // D12
    @Test(arguments: ["\"\(String(repeating: "a", count: 40))\"", "W/\"\(digest)\"", "", "\"\"", "\"\(digest)0\""])
    func `other tags are not a hash`(_ tag: String) {
        var facts = HubFacts()
        facts.add { ["x-linked-etag": tag, "x-repo-commit": "../..", "x-linked-size": "-1"][$0] }
        #expect(facts == HubFacts())
    }

    @Test func `pointers`() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\(Self.digest)\nsize 12\n"
        #expect(HubFacts(pointer: pointer)?.digest?.hex == Self.digest)
        #expect(HubFacts(pointer: pointer)?.byteCount == 12)
        for bad in [
            "", "GGUF", pointer.replacing("sha256:", with: "sha1:"), pointer.replacing("size 12", with: "size 0"),
            pointer.replacing("size 12\n", with: ""), "<html>\(pointer)", pointer.replacing("0a\n", with: "\n"),
        ] {
            #expect(HubFacts(pointer: bad) == nil, "\(bad)")
        }
    }

    @Test func `content ranges`() throws {
        let range = try #require(ContentRange("bytes 5-9/10"))
        #expect(range.range == 5...9)
        #expect(range.total == 10)
        for bad in [
            "", "bytes", "bytes 5-9", "bytes 5-9/*", "bytes */10", "bytes 9-5/10", "bytes 5-10/10", "bytes -5-9/10",
            "items 5-9/10",
            "bytes 5-9/10/11", "bytes 5-9-9/10", "bytes 99999999999999999999-9/10",
        ] {
            #expect(ContentRange(bad) == nil, "\(bad)")
        }
    }

    @Test func `proxies`() throws {
        func proxy(_ environment: [String: String], _ url: String = "https://hub.example/") throws -> ProxySettings
            .Proxy?
        {
            try ProxySettings(environment: environment).proxy(for: WebAddress(url))
        }
        #expect(try proxy([:]) == nil)
        #expect(try proxy(["HTTPS_PROXY": "http://p:3128"]) == .init(host: "p", port: 3128))
        #expect(try proxy(["https_proxy": "p", "HTTPS_PROXY": "http://q"]) == .init(host: "p", port: 1080))
        #expect(
            try proxy(["ALL_PROXY": "http://me:a%40b@p:1/"]) == .init(host: "p", port: 1, user: "me", password: "a@b"))
        #expect(try proxy(["HTTP_PROXY": "http://p:1"], "http://h/") == nil)
        #expect(try proxy(["http_proxy": "http://p:1"], "http://h/") == .init(host: "p", port: 1))
        for exceptions in ["*", "hub.example", ".example", "a, example", "EXAMPLE"] {
            #expect(try proxy(["HTTPS_PROXY": "http://p:1", "NO_PROXY": exceptions]) == nil, "\(exceptions)")
        }
        for exceptions in ["", ",", "b.example", "ample", "hub.example.org"] {
            #expect(try proxy(["HTTPS_PROXY": "http://p:1", "NO_PROXY": exceptions]) != nil, "\(exceptions)")
        }
        for bad in ["socks5://p:1", "https://p:1", "http://", "http://p:x", "http://p q"] {
            #expect(throws: PullError.self, "\(bad)") { try proxy(["HTTPS_PROXY": bad]) }
        }
    }
}
