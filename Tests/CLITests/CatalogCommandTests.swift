// q3 list and q3 verify end to end, and names in place of paths.
import Q3System
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct CatalogCommandTests {
    /// From `sha256sum Tests/Fixtures/tiny-embed-Q8_0.gguf`.
    private static let digest = "8eb74d36a62ddb47c15c54af31cab4e84906d6a5aff765e4923c310734f8aaea"
    private static let model = Fixture.path("tiny-embed-Q8_0.gguf")

    private let folder: TemporaryFolder
    private let models: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        models = try TemporaryFolder()
        try models.write("Tiny.gguf", [UInt8](Data(contentsOf: URL(filePath: Self.model))))
        try list(digest: Self.digest)
    }

    private func list(digest: String) throws {
        try folder.write("list", "tiny embed o/r Tiny.gguf - \(digest)\nother rerank o/r Other.gguf 5000000 -\n".utf8)
    }

    private func q3(_ arguments: String) throws -> Outcome {
        try Tool.shell("Q3_MODELS='\(models.path)' Q3_CATALOG='\(folder.file("list"))' $Q3 \(arguments)")
    }

    @Test func `names stand for paths`() throws {
        let expected = try Tool.run(["embed", "-m", Self.model, "a"]).text
        for name in ["tiny", "Tiny", "Tiny.gguf"] {
            let outcome = try q3("embed -m \(name) a")
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(outcome.text == expected)
        }
        for command in ["info -m tiny", "tokenize -m tiny a", "quantize tiny '\(folder.file("out.gguf"))' q4_0"] {
            let outcome = try q3(command)
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
    }

    @Test func `a model is not overwritten by its name`() throws {
        let outcome = try q3("embed -m tiny -o '\(models.file("Tiny.gguf"))' a")
        #expect(outcome.status == 64)
        #expect(try q3("verify tiny").status == 0)
    }

    @Test func `missing models say what to do`() throws {
        let absent = try q3("embed -m other a")
        #expect(absent.status == 66)
        #expect(absent.messages.contains("q3 pull other"))
        let unknown = try q3("embed -m tyni a")
        #expect(unknown.status == 66)
        #expect(unknown.messages.contains("near: tiny"))
    }

    private struct Listing: Decodable {
        struct Model: Decodable, Equatable {
            var name: String
            var role: String?
            var repository: String?
            var bytes: Int?
            var path: String?
        }
        let folder: String
        let models: [Model]
    }

    @Test func `list tells what is there`() throws {
        try models.write("mine.gguf", [1, 2, 3])
        try models.write("unfinished.gguf.part", [1])
        let listing = try JSONDecoder().decode(Listing.self, from: Data(q3("list --json").output))
        #expect(listing.folder == models.path)
        #expect(
            listing.models == [
                .init(name: "tiny", role: "embed", repository: "o/r", bytes: 188_032, path: models.file("Tiny.gguf")),
                .init(name: "other", role: "rerank", repository: "o/r", bytes: 5_000_000),
                .init(name: "mine.gguf", bytes: 3, path: models.file("mine.gguf")),
            ])
        let lines = try q3("list").lines
        #expect(lines.first == "NAME       TASK    SIZE  HERE")
        #expect(lines.contains("tiny       embed   1 MB  yes"))
        #expect(lines.contains("other      rerank  5 MB  -"))
        #expect(lines.contains("mine.gguf  -       1 MB  yes"))
        #expect(lines.last == "Files are in \(models.path)")
    }

    @Test func `a model's name stands for its recommended file`() throws {
        try folder.write("list", "m-q8_0 embed o/M-GGUF Tiny.gguf - -\nm-f16 embed o/M-GGUF Big.gguf - -\n".utf8)
        #expect(try q3("embed -m m a").text == Tool.run(["embed", "-m", Self.model, "a"]).text)
        #expect(try q3("embed -m Tiny.GGUF a").status == 0)
        let absent = try q3("embed -m Big.gguf a")
        #expect(absent.status == 66 && absent.messages.contains("q3 pull m-f16"))
        #expect(try q3("list").lines.contains { $0.hasPrefix("m-q8_0 *  embed") })
    }

    @Test func `a mistyped command gets a suggestion`() throws {
        for (given, meant) in [("serch", "search"), ("embd", "embed"), ("ifno", "info")] {
            let outcome = try Tool.run([given, "x"])
            #expect(outcome.status == 64)
            #expect(outcome.messages.contains("did you mean 'q3 \(meant)'"), "\(outcome.messages)")
        }
        let option = try Tool.run(["embed", "--outptu", "x"])
        #expect(option.messages.contains("see 'q3 embed --help'"), "\(option.messages)")
    }

    @Test func `completion knows the names of models`() throws {
        let script = try Tool.run(["--generate-completion-script", "bash"])
        #expect(script.status == 0 && script.text.contains("---completion"))
        try folder.write("q3.bash", script.output)
        try folder.write("mine.gguf", [])
        try folder.write("mine.txt", [])
        // Bash as it is after a tab: the words so far, the last one unfinished.
        let ask = """
            cd '\(folder.path)'; mkdir -p bin mine.d; ln -sf "$Q3" bin/q3; export PATH="$PWD/bin:$PATH"
            export Q3_MODELS='\(models.path)' Q3_CATALOG='\(folder.file("list"))'
            cat > ask.bash <<'END'
            . ./q3.bash
            while read -r line; do
                COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=$line; COMP_POINT=${#line}; COMPREPLY=()
                _q3 q3 "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                echo "${COMPREPLY[*]}"
            done
            END

            """
        func completions(_ lines: [String]) throws -> [String] {
            let outcome = try Tool.shell("\(ask)bash ask.bash <<'END'\n\(lines.joined(separator: "\n"))\nEND")
            return outcome.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        }
        let commands = [
            "embed -m", "rerank --model", "search x -r", "info -m", "bench -m", "tokenize -m", "verify", "list",
        ]
        let answers = try completions(commands.map { "q3 \($0) tin" })
        #expect(answers == ["tiny", "tiny", "tiny", "tiny", "tiny", "tiny", "tiny", ""])
        let paths = try completions(["q3 embed -m mine", "q3 embed -m ./mine", "q3 serc", "q3 embed --input-format js"])
        #expect(paths.prefix(2) == ["mine.d/ mine.gguf", "./mine.d/ ./mine.gguf"])
        #expect(Set(paths[3].split(separator: " ")) == ["json", "jsonl"])
    }

    @Test func `a list that is broken is named`() throws {
        try folder.write("list", "tiny embed\n".utf8)
        let outcome = try q3("list")
        #expect(outcome.status == 65)
        #expect(outcome.messages.contains("list, line 1"))
    }

    private struct Verified: Decodable {
        let path: String
        let role: String
        let tensors: Int
        let bytes: Int
        let finite_values: Int
        let sha256: String
        let agreeing: [String]
        let canary_norm: Double?
        let canary_score: Double?
    }

    @Test func `verify tells what it found`() throws {
        let outcome = try q3("verify tiny --json --sha256 \(Self.digest)")
        #expect(outcome.status == 0, "\(outcome.messages)")
        let verified = try JSONDecoder().decode(Verified.self, from: Data(outcome.output))
        #expect(verified.path == models.file("Tiny.gguf"))
        #expect(verified.sha256 == Self.digest)
        #expect(verified.agreeing == ["--sha256", "models.txt"])
        #expect(abs(try #require(verified.canary_norm) - 1) < 1e-5)
        #expect(try q3("verify tiny").lines.count == 4)
    }

    @Test(arguments: ["tiny-rerank-Q8_0", "tiny-lmhead-Q8_0", "tiny-embed-Q4_K_M", "tiny-embed-F32"])
    func `verify takes models of all kinds`(_ name: String) throws {
        let outcome = try q3("verify --json '\(Fixture.path("\(name).gguf"))'")
        #expect(outcome.status == 0, "\(outcome.messages)")
        let verified = try JSONDecoder().decode(Verified.self, from: Data(outcome.output))
        #expect(verified.role == (name.contains("embed") ? "embed" : "rerank"))
        #expect(verified.agreeing.isEmpty)
        if let score = verified.canary_score { #expect((0...1).contains(score)) }
    }

    // M20
    @Test func `another hash is refused`() throws {
        let zeros = String(repeating: "0", count: 64)
        let asked = try q3("verify tiny --sha256 \(zeros)")
        #expect(asked.status == 65)
        #expect(asked.output.isEmpty)
        #expect(asked.messages.contains("--sha256 has \(zeros)"))
        try list(digest: zeros)
        #expect(try q3("verify tiny").messages.contains("models.txt has \(zeros)"))
        try list(digest: "-")
        let record = #"{"repository":"o/r","file":"Tiny.gguf","bytes":1,"sha256":"\#(zeros)","source":"server"}"#
        try models.write("Tiny.gguf.json", record.utf8)
        #expect(try q3("verify tiny").messages.contains("the record of its download has \(zeros)"))
        for bad in ["", "abc", zeros + "0"] { #expect(try q3("verify tiny --sha256 '\(bad)'").status == 64) }
    }

    // M14
    @Test func `a damaged weight is found`() throws {
        var model = try ModelCopy(of: "tiny-embed-Q8_0")
        model.edit("blk.1.ffn_up.weight") { $0.bytes.store(UInt16(0x7E00), at: 34 * 7) }
        try model.write(to: folder.file("damaged.gguf"))
        let outcome = try q3("verify '\(folder.file("damaged.gguf"))'")
        #expect(outcome.status == 65)
        #expect(outcome.output.isEmpty)
        #expect(
            outcome.messages.contains("tensor blk.1.ffn_up.weight has a weight that is not a finite number, in block 7")
        )
    }

    @Test func `broken structures are found`() throws {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: Self.model)))
        try folder.write("cut.gguf", bytes.dropLast(100))
        try folder.write("page.gguf", "<!DOCTYPE html>".utf8)
        for name in ["cut", "page"] { #expect(try q3("verify '\(folder.file("\(name).gguf"))'").status == 65) }
        #expect(try q3("verify /nonexistent.gguf").status == 66)
    }
}
