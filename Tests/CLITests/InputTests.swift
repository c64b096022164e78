// What people have: the same vectors from lines, JSON, CSV, TSV, gzip, UTF-16, several files, folders and pipes.
import Q3Input
import TestSupport
import Testing

@Suite struct InputTests {
    private let model = Fixture.path("tiny-embed-Q8_0.gguf")
    private static let texts = ["one, two", "three \"four\"", "five\nsix", "北京"]

    private func embed(_ arguments: [String], input: [UInt8] = []) throws -> Outcome {
        try Tool.run(["embed", "--model", model, "--dimensions", "4"] + arguments, input: input)
    }

    /// The texts as a file of each form.
    private static func content(_ ending: String) throws -> String {
        func quoted(_ text: String) -> String { "\"\(text.replacing("\"", with: "\"\""))\"" }
        let objects = try texts.enumerated().map { "{\"id\": \"\($0)\", \"text\": \(try json($1))}" }
        let cells = texts.enumerated().map { ["\($0)", quoted($1), "x"] }
        return switch ending {
        case "jsonl", "JSONL": objects.map { "\($0)\n" }.joined()
        case "json": "[\n  \(objects.joined(separator: ",\n  "))\n]\n"
        case "csv": "id,text,other\r\n" + cells.map { $0.joined(separator: ",") + "\r\n" }.joined()
        default: "id\ttext\tother\n" + cells.map { $0.joined(separator: "\t") + "\n" }.joined()
        }
    }

    @Test(arguments: ["jsonl", "JSONL", "json", "csv", "tsv"])
    func `a file of any form gives its texts and ids`(_ ending: String) throws {
        let folder = try TemporaryFolder()
        let expected = try embed(Self.texts).lines
        let path = try folder.write("in.\(ending)", Self.content(ending).utf8)
        let outcome = try embed(["--input", path])
        #expect(outcome.status == 0 && outcome.messages == "", "\(outcome.messages)")
        let ids = expected.enumerated().map {
            $1.replacing("\"index\":\($0),", with: "\"index\":\($0),\"id\":\"\($0)\",")
        }
        #expect(outcome.lines == ids)
        // The same through a pipe, where the form is told by the first bytes or by the option.
        let piped = try embed(
            ["--input-format", ending.lowercased()], input: Array(Self.content(ending).utf8))
        #expect(piped.lines == ids)
        // With a byte order mark, and as UTF-16.
        let content = try Self.content(ending)
        let marked = try folder.write("bom.\(ending)", "\u{FEFF}\(content)".utf8)
        #expect(try embed(["--input", marked]).lines == ids)
        for isBig in [false, true] {
            let units = ([0xFEFF] + Array(content.utf16)).flatMap { unit in
                isBig ? [UInt8(unit >> 8), UInt8(unit & 0xFF)] : [UInt8(unit & 0xFF), UInt8(unit >> 8)]
            }
            #expect(try embed(["--input", folder.write("wide.\(ending)", units)]).lines == ids)
        }
        let gzip = try Tool.shell("gzip -k '\(path)'; $Q3 embed -m '\(model)' --dimensions 4 -i '\(path).gz'")
        #expect(gzip.lines == ids && gzip.messages == "", "\(gzip.messages)")
    }

    #if os(Linux)  // other systems have no names of files that are not UTF-8
    @Test func `a name that is not UTF-8 is refused, and never another file`() throws {
        let folder = try TemporaryFolder()
        let script = """
            set -e
            cd '\(folder.path)'
            bad=$(printf 'x\\377.txt'); good=$(printf 'x\\357\\277\\275.txt'); mkdir texts "$(printf 'd\\377')"
            echo good > "$good"; echo bad > "$bad"; echo bad > "texts/$bad"; echo fine > texts/a.md
            embed() { $Q3 embed -m '\(model)' --dimensions 2 "$@" 2>> messages || echo $?; }
            embed -i "$bad"; embed -i a -o "$bad"; embed -m "$bad" a; embed -i texts
            embed -i texts --glob '*.md' > lines; wc -l < lines
            (export Q3_MODELS="$bad"; embed -m qwen3-embedding-0.6b-q8_0 a)
            ln -s "$bad" link.npy; embed -i texts/a.md -o link.npy
            cd "$(printf 'd\\377')"; embed -i ../texts/a.md -o here.npy; ls
            """
        let outcome = try Tool.shell(script)
        #expect(
            outcome.text == "65\n65\n65\n65\n1\n65\n73\nhere.npy\nmessages\n", "\(outcome.text) \(outcome.messages)"
        )
        let messages = String(decoding: try folder.read("messages"), as: UTF8.self).split(separator: "\n")
        #expect(messages.count == 6 && messages.allSatisfy { $0.contains("UTF-8") }, "\(messages)")
    }
    #endif

    @Test func `JSON in a pipe is read as records, and that is said`() throws {
        let expected = try embed(["--input-format", "jsonl"], input: Array(Self.content("jsonl").utf8)).lines
        for ending in ["jsonl", "json"] {
            let outcome = try embed([], input: Array(Self.content(ending).utf8))
            #expect(outcome.lines == expected)
            #expect(outcome.messages.contains("stdin looks like JSON"))
            #expect(outcome.messages.contains("--input-format text"))
        }
        // Values one after another, as jq writes them.
        let pretty = try Self.content("jsonl").replacing("\", \"text", with: "\",\n  \"text")
        #expect(try embed([], input: Array(pretty.utf8)).lines == expected)
        let lines = try embed(["--input-format", "text"], input: Array(Self.content("jsonl").utf8))
        #expect(lines.lines.count == 4 && lines.lines != expected)
        // Texts that only begin with a bracket are texts.
        for text in ["[1] A footnote.", "{ curly } words", "[[wiki link]]"] {
            let outcome = try embed([], input: Array("\(text)\n".utf8))
            #expect(try outcome.text == embed([text]).text && outcome.messages == "", "\(text)")
        }
    }

    @Test func `a text file that looks like JSON stays text, with a hint`() throws {
        let folder = try TemporaryFolder()
        let outcome = try embed(["-i", folder.write("in.txt", "{\"text\": \"a\"}\n".utf8)])
        #expect(outcome.messages.contains("--input-format jsonl"))
        #expect(try outcome.text == embed(["{\"text\": \"a\"}"]).text)
    }

    @Test func `several inputs are read in their order, and folders by pattern`() throws {
        let folder = try TemporaryFolder()
        let (a, b) = (try folder.write("a.txt", "one\n".utf8), try folder.write("b.jsonl", "{\"text\":\"two\"}\n".utf8))
        try folder.write("c.bin", [0, 1])
        let expected = try embed(["one", "two"]).text
        #expect(try embed(["-i", a, "-i", b]).text == expected)
        #expect(try embed(["-i", b, "-i", a]).text == embed(["two", "one"]).text)
        #expect(try embed(["-i", folder.path]).text == expected)
        #expect(try embed(["-i", folder.path, "--glob", "*.jsonl"]).text == embed(["two"]).text)
        let none = try embed(["-i", folder.path, "--glob", "*.md"])
        #expect(none.status == 66 && none.messages.contains("*.md"))
        let whole = try embed(["-i", folder.path, "--glob", "*.txt", "--input-format", "file"])
        #expect(whole.text.hasPrefix("{\"index\":0,\"id\":\"\(a)\""))
    }

    @Test func `columns are chosen by name, and a missing one names those that there are`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("t.csv", "number,body\n7,hello\n8,\"a, b\"\n".utf8)
        let missing = try embed(["-i", path])
        #expect(missing.status == 65)
        #expect(missing.messages.contains("no column \"text\"; its columns are \"number\", \"body\""))
        let outcome = try embed(["-i", path, "--text-column", "body", "--id-column", "number"])
        #expect(outcome.lines.first?.hasPrefix("{\"index\":0,\"id\":\"7\"") == true)
        #expect(outcome.lines.count == 2)
        let field = try embed(
            ["--input-format", "jsonl", "--text-column", "body"], input: Array("{\"body\":\"hello\"}".utf8))
        #expect(try field.text == embed(["hello"]).text)
        let uneven = try embed(["-i", folder.write("u.csv", "text,b\nx,1\ny\nz,3\n".utf8)])
        #expect(uneven.status == 75 && uneven.lines.count == 2)
        #expect(uneven.messages.contains("u.csv:3 (byte 11): 1 cells in a table of 2 columns"))
        let open = try embed(["-i", folder.write("o.csv", "text\n\"x\ny\n".utf8)])
        #expect(open.status == 75 && open.messages.contains("a quoted cell begins here and does not end"))
        let stray = try embed(["-i", folder.write("s.csv", "text\n\"x\"y\n".utf8)])
        #expect(stray.status == 75 && stray.messages.contains("after its closing quote"))
    }

    @Test func `a title stands before its text, in search and in embed`() throws {
        let record = Array("{\"title\": \"A\", \"text\": \"b c\"}\n".utf8)
        let vector = try embed(["--input-format", "jsonl"], input: record).text
        #expect(try vector == embed(["A b c"]).text)
        let alone = try embed(["--input-format", "jsonl", "--text-column", "text"], input: record).text
        #expect(try alone == embed(["b c"]).text)
        let found = try Tool.run(
            ["search", "-m", model, "q", "--format", "jsonl", "--input-format", "jsonl"], input: record)
        #expect(found.text.contains("\"text\":\"A b c\""))
    }

    private static let foreign: [(name: String, bytes: [UInt8], word: String)] = [
        ("x.parquet", Array("PAR1".utf8) + [0, 1], "Parquet"), ("x.pdf", Array("%PDF-1.7\n".utf8), "a PDF"),
        ("x.docx", Array("PK\u{3}\u{4}".utf8) + [0], "ZIP"), ("x.zst", [0x28, 0xB5, 0x2F, 0xFD, 0], "Zstandard"),
        ("x.txt", [0x61, 0, 0x62, 0, 0x0A, 0], "NUL"), ("x.gguf", Array("GGUF".utf8) + [3, 0], "GGUF"),
        ("x.jsonl.gz", [0x1F, 0x8B, 8, 0, 0, 0], "gzip"), ("x.npy", [0x93] + Array("NUMPY".utf8), "NumPy"),
    ]

    @Test(arguments: foreign) func `what holds no texts is named, and nothing is written`(
        _ test: (name: String, bytes: [UInt8], word: String)
    ) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(test.name, test.bytes)
        let outcome = try embed(["-i", path, "-o", folder.file("out.jsonl")])
        #expect(outcome.status == 65)
        #expect(outcome.messages.contains(test.word) && outcome.messages.contains(path), "\(outcome.messages)")
        #expect(try folder.names() == [test.name])
    }

    @Test func `half a surrogate pair is named, or replaced with --lossy`() throws {
        let line = Array("{\"text\": \"a \\ud83d b\"}\n{\"text\": \"\\ud83d\\ude00\"}\n".utf8)
        let outcome = try embed(["--input-format", "jsonl"], input: line)
        #expect(outcome.status == 75 && outcome.lines.count == 1)
        #expect(outcome.messages.contains("\"text\" holds half of a surrogate pair, \\ud83d"))
        let lossy = try embed(["--input-format", "jsonl", "--lossy"], input: line)
        #expect(try lossy.text == embed(["a \u{FFFD} b", "😀"]).text)
    }

    @Test func `a text that is the name of a file is embedded, but said`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.md", "x".utf8)
        let outcome = try embed([path])
        #expect(outcome.status == 0 && outcome.lines.count == 1)
        #expect(outcome.messages.contains("--input \(path)"))
    }

    @Test func `the ending of the output is its format`() throws {
        let folder = try TemporaryFolder()
        _ = try embed(["a", "-o", folder.file("x.npy")])
        #expect(try folder.read("x.npy").starts(with: [0x93] + Array("NUMPY".utf8)))
        _ = try embed(["a", "b", "-o", folder.file("x.csv")])
        let rows = String(decoding: try folder.read("x.csv"), as: UTF8.self).split(separator: "\n")
        #expect(rows.first == "index,id,tokens,truncated,e0,e1,e2,e3")
        #expect(rows.count == 3 && rows[2].hasPrefix("1,,2,false,"))
        let conflict = try embed(["a", "-o", folder.file("y.npy"), "--format", "jsonl"])
        #expect(conflict.status == 64 && conflict.messages.contains("contradicts"))
        #expect(try folder.names() == ["x.csv", "x.npy"])
    }

    @Test func `the ids of a matrix go to a file beside it`() throws {
        let folder = try TemporaryFolder()
        let input = "{\"text\": \"a\"}\n{\"id\": \"x,y\", \"text\": \"b\"}\n{\"id\": 7, \"text\": \"c\"}\n"
        let path = try folder.write("in.jsonl", input.utf8)
        let outcome = try embed(["-i", path, "-o", folder.file("v.npy")])
        #expect(String(decoding: try folder.read("v.ids.txt"), as: UTF8.self) == "0\nx,y\n7\n")
        #expect(outcome.messages.contains("3 vectors of 4 values in \(folder.file("v.npy")), ids in"))
        let none = try embed(["a", "-o", folder.file("w.npy")])
        #expect(none.messages.contains("no ids in the input"))
        #expect(try folder.names() == ["in.jsonl", "v.ids.txt", "v.npy", "w.npy"])
        let piped = try embed(["-i", path, "--format", "npy"])
        #expect(piped.messages.contains("ids are left out"))
        let csv = try embed(["-i", path, "--format", "csv"]).lines
        #expect(csv[2].hasPrefix("1,\"x,y\",2,false,"))
    }

    @Test func `shards are every so many records, with their own index`() throws {
        let all = try embed([], input: Array("a\nb\nc\nd\ne\n".utf8)).lines
        for number in 1...3 {
            let part = try embed(["--shard", "\(number)/3"], input: Array("a\nb\nc\nd\ne\n".utf8)).lines
            #expect(part == all.indices.filter { $0 % 3 == number - 1 }.map { all[$0] })
        }
        for bad in ["0/3", "4/3", "1", "1/0", "a/b"] { #expect(try embed(["--shard", bad, "x"]).status == 64) }
    }

    @Test func `an empty input says so`() throws {
        let outcome = try embed([])
        #expect(outcome.status == 0 && outcome.messages.contains("there are no texts in it"))
    }
}
