// q3 serve's options and variables, and what is refused before anything is opened.
#if Server
import ArgumentParser
import Foundation
import Logging
import Q3Server
import TestSupport
import Testing

@testable import q3

@Suite struct ServeSettingsTests {
    private func settings(_ arguments: [String], _ variables: [String: String] = [:]) throws -> ServeSettings {
        let command = try #require(try ServeCommand.parseAsRoot(arguments) as? ServeCommand)
        return try ServeSettings(command, environment: Environment(values: variables))
    }

    @Test func `options come before variables`() throws {
        let variables = [
            "MODEL_ID": "/models/Some-Q8_0.GGUF", "PORT": "3000", "MAX_BATCH_TOKENS": "100", "PAYLOAD_LIMIT": "",
            "AUTO_TRUNCATE": "false", "DEFAULT_PROMPT_NAME": "query", "API_KEY": "k", "HOSTNAME": "pod-1234",
            "CORS_ALLOW_ORIGIN": "http://a,http://b", "SERVED_MODEL_NAME": "name", "LOG_LEVEL": "warn",
        ]
        let from = try settings([], variables)
        #expect(from.models.map(\.path) == ["/models/Some-Q8_0.GGUF"])
        #expect(from.models.map(\.name) == ["name"])
        #expect(from.options.address == .host("127.0.0.1", port: 3000))
        #expect(from.options.batchTokens == 100)
        #expect(from.options.bodyLimit == ServerOptions().bodyLimit)
        #expect(from.options.truncatesByDefault == false)
        #expect(from.options.defaultPrompt == .query(task: nil))
        #expect(from.options.apiKeys == ["k"])
        #expect(from.options.allowedOrigins == ["http://a", "http://b"])
        #expect(from.logLevel == .warning)
        let given = try settings(
            [
                "-m", "x/a.gguf", "-m", "b", "--port", "1", "--max-batch-tokens", "7", "--served-model-name",
                "first",
            ],
            variables)
        #expect(given.models.map(\.name) == ["first", "b"])
        #expect(given.options.address == .host("127.0.0.1", port: 1))
        #expect(given.options.batchTokens == 7)
    }

    @Test(
        arguments: [
            (["-m", "a", "--hostname", "0.0.0.0"], q3.ExitStatus.usage),
            (["-m", "a", "--port", "70000"], .usage),
            (["-m", "a", "-m", "b/a.gguf"], .usage), (["-m", "a", "--max-batch-tokens", "0"], .usage),
            (["-m", "a", "--default-prompt-name", "poem"], .usage),
            (["-m", "a", "--request-timeout", "0"], .usage),
            (["-m", "a", "--default-prompt-name", "query", "--default-prompt", "x"], .usage),
            (["-m", "a", "--api-key-file", "/nonexistent/keys"], .noInput),
            (["-m", "a", "--tls-key", "k"], .usage),
            (["-m", "a", "--unix-socket", String(repeating: "s", count: 108)], .usage),
            (["-m", "a", "--served-model-name", "x", "--served-model-name", "y"], .usage),
            (["-m", "a", "--alias", "b"], .usage), (["-m", "a", "--alias", "b=c"], .usage),
            (["-m", "a", "--alias", "a=a:query"], .usage),
        ] as [([String], q3.ExitStatus)])
    func `wrong options are refused`(_ arguments: [String], _ status: q3.ExitStatus) throws {
        do {
            _ = try settings(arguments)
            Issue.record("accepted \(arguments)")
        } catch let failure as Failure {
            #expect(failure.status == status)
            #expect(failure.message?.contains("\n") == false)
        }
    }

    @Test func `an alias has a model and a prompt`() throws {
        let aliases = try settings(["-m", "a", "--alias", "q=a:query", "--alias", "d=a:document", "--alias", "x=a"])
            .aliases
        #expect(aliases.map(\.name) == ["q", "d", "x"])
        #expect(aliases.map(\.model) == ["a", "a", "a"])
        #expect(aliases.map(\.prompt) == [.query(task: nil), .document, nil])
    }

    /// "é" and "e" with an accent of its own are two names.
    @Test func `names are told apart by their bytes`() throws {
        let names = ["--served-model-name", "\u{E9}", "--served-model-name", "e\u{301}"]
        #expect(try settings(["-m", "a", "-m", "b"] + names).models.count == 2)
    }

    @Test func `too few open files are refused before anything starts`() throws {
        let settings = try settings(["-m", "a"])
        #expect(throws: Failure.self) { try settings.limitingConnections(openFiles: 11) }
        #expect(try settings.limitingConnections(openFiles: 100).options.connectionLimit == 52)
    }

    #if Mini
    @Test func `without a model it is the built-in one`() throws {
        #expect(try settings([]).models.map(\.path) == [nil])
        #expect(try settings([]).models.map(\.name) == ["q3-mini"])
        #expect(try settings(["--served-model-name", "x"]).models.map(\.name) == ["x"])
        #expect(try settings(["-m", "q3-mini", "-m", "a.gguf"]).models.map(\.name) == ["q3-mini", "a"])
    }
    #else
    @Test func `without the trait Mini a model must be named`() {
        #expect(throws: Failure.self) { try settings([]) }
    }
    #endif

    @Test func `another address needs a key, or to be told that none is needed`() throws {
        #expect(try settings(["-m", "a", "--hostname", "0.0.0.0", "--insecure-no-auth"]).options.apiKeys.isEmpty)
        #expect(try settings(["-m", "a", "--hostname", "::1"]).options.apiKeys.isEmpty)
        let folder = try TemporaryFolder()
        let file = try folder.write("keys", Array("one\n\n two \n".utf8))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        #expect(throws: Failure.self) { try settings(["-m", "a", "--api-key-file", file]) }
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        let options = try settings(["-m", "a", "--hostname", "0.0.0.0", "--api-key-file", file]).options
        #expect(options.apiKeys == ["one", "two"])
    }
}
#endif
