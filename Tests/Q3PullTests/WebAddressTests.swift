// Which URLs are followed, and which addresses are the world's.
import Testing

@testable import Q3Pull

@Suite struct WebAddressTests {
    private static let bad = [
        "", "huggingface.co", "ftp://h/", "file:///etc/passwd", "data:text/plain,x", "javascript:x", "https:/h",
        "https://",
        "https:///x", "https://user@h/", "https://user:secret@h/", "https://h:0/", "https://h:65536/", "https://h:8x/",
        "https://h:/",
        "https://h h/", "https://h/a b", "https://h/\r\nX: y", "https://h/a\\b", "https://h\\@i/", "https://[::1/",
        "https://h/#x",
        "https://h?x", "https://ä/", "https://h/ä", "https://%6c/", "https://h/\u{7F}",
    ]

    @Test(arguments: bad) func `unusual addresses are refused`(_ text: String) {
        #expect(throws: AddressFault.self) { try WebAddress(text) }
    }

    @Test func `parts of an address`() throws {
        let address = try WebAddress("HTTPS://CDN.Example.org:8443/a/b%20c?Signature=secret&x=1")
        #expect(address.origin == .init(scheme: .https, host: "cdn.example.org", port: 8443))
        #expect(address.url == "https://cdn.example.org:8443/a/b%20c?Signature=secret&x=1")
        #expect("\(address)" == "https://cdn.example.org:8443/a/b%20c")
        #expect(try WebAddress("http://[2001:DB8::1]:80").url == "http://[2001:db8::1]/")
        #expect(try WebAddress("https://h:443/x").origin == WebAddress("https://H/y").origin)
    }

    @Test func `redirects`() throws {
        let here = try WebAddress("https://h/a/b?c")
        for (location, url) in [
            ("/x?y", "https://h/x?y"), ("//i/x", "https://i/x"), ("https://i:1/x", "https://i:1/x"),
            ("http://h/", "http://h/"),
        ] {
            #expect(try here.following(location).url == url)
        }
        for location in ["", "x", "../x", "?x", "#x", "file:///x", "//u@i/", "/x\r\nSet-Cookie: y", "https:x"] {
            #expect(throws: AddressFault.self, "\(location)") { try here.following(location) }
        }
    }

    @Test func `paths are appended`() throws {
        #expect(try WebAddress("https://h").appending("o/r").url == "https://h/o/r")
        #expect(try WebAddress("https://h/m/").appending("o/r").url == "https://h/m/o/r")
        #expect(throws: AddressFault.self) { try WebAddress("https://h/m?token=x").appending("o/r") }
    }

    private static let special = [
        "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1",
        "255.255.255.255", "[::]",
        "[::1]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[ff02::1]", "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]",
        "[::10.0.0.1]",
        "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]", "[2001:db8::1]",
    ]

    @Test(arguments: special) func `special addresses`(_ host: String) throws {
        let found = try #require(HostAddress.number(host))
        #expect(!found.isPublic)
    }

    @Test(arguments: [
        "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "[2606:4700::1111]", "[::ffff:8.8.8.8]",
        "[64:ff9b::8.8.8.8]",
    ])
    func `addresses of the world`(_ host: String) throws {
        let found = try #require(HostAddress.number(host))
        #expect(found.isPublic)
    }

    @Test(arguments: ["localhost", "hub.example", "1.2.3.4.example", "a"])
    func `a name is not looked up`(_ host: String) {
        #expect(HostAddress.number(host) == nil)
    }
}
