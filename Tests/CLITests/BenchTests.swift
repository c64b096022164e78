// q3 bench end to end on a tiny model: every case as JSON, the table, the figure, profiles, ceilings, wrong arguments.
import Q3Kernels
import TestSupport
import Testing

@testable import q3

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A line of q3 bench --json.
private struct BenchLine: Decodable {
    let name: String
    let tokens: Int
    let distinctTokens: Int
    let seconds, min, max, tokensPerSecond: Double
    let bytesPerSecond: Double?
    let peakResidentBytes: Int
    let threads: Int
    let precision, isa, model: String

    private enum CodingKeys: String, CodingKey {
        case tokens, seconds, min, max, threads, precision, isa, model
        case name = "case"
        case distinctTokens = "distinct_tokens"
        case tokensPerSecond = "tokens_per_second"
        case bytesPerSecond = "bytes_per_second"
        case peakResidentBytes = "peak_resident_bytes"
    }
}

private struct ProfileLine: Decodable {
    let node: String
    let seconds, share: Double
}

/// A line of --roofline: a ceiling, a product, or the whole model.
private struct RooflineLine: Decodable {
    let ceiling, product: String?
    let macsPerSecond, ceilingMacsPerSecond, bytesPerSecond, tokensPerSecond: Double?

    private enum CodingKeys: String, CodingKey {
        case ceiling, product
        case macsPerSecond = "macs_per_second"
        case ceilingMacsPerSecond = "ceiling_macs_per_second"
        case bytesPerSecond = "bytes_per_second"
        case tokensPerSecond = "tokens_per_second"
    }
}

@Suite struct BenchTests {
    private let model = Fixture.path("tiny-embed-Q8_0.gguf")

    private func bench(_ arguments: [String]) throws -> Outcome {
        try Tool.run(["bench", "--model", model, "--repeat", "1"] + arguments)
    }

    private func lines<Line: Decodable>(_ arguments: [String], as type: Line.Type = Line.self) throws -> [Line] {
        let outcome = try bench(arguments + ["--json"])
        #expect(outcome.status == 0)
        #expect(outcome.messages == "")
        return try outcome.lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test func `cases of one length print their fields`() throws {
        let lines: [BenchLine] = try lines([
            "--case", "tokens:1", "tokens:16", "--threads", "2", "--repeat", "3", "--precision", "exact",
        ])
        #expect(lines.map(\.name) == ["tokens:1", "tokens:16"])
        for (line, tokens) in zip(lines, [1, 16]) {
            #expect(line.tokens == tokens && line.distinctTokens == tokens)
            #expect(line.min > 0 && line.min <= line.seconds && line.seconds <= line.max)
            #expect(abs(line.tokensPerSecond * line.seconds - Double(tokens)) < 1e-6)
            #expect(line.peakResidentBytes > 1 << 20)
            #expect(line.threads == 2)
            #expect(line.precision == "exact" && line.isa == ISA.best.name && line.model == model)
        }
    }

    @Test func `shared prefixes are counted once`() throws {
        let lines: [BenchLine] = try lines(["--case", "queries", "--case", "rerank", "--case", "mixed"])
        #expect(lines.map(\.name) == ["queries", "rerank", "mixed"])
        let (queries, rerank, mixed) = (lines[0], lines[1], lines[2])
        #expect(256 * 28...256 * 36 ~= queries.tokens)
        #expect(queries.distinctTokens <= queries.tokens - 255 * 22)
        #expect(rerank.tokens == 100 * (90 + 150 + 9))
        #expect(90 + 100 * 140...90 + 100 * 159 ~= rerank.distinctTokens)
        #expect(64 * 8...64 * 1024 ~= mixed.tokens)
    }

    @Test func `threads are counted up`() throws {
        let lines: [BenchLine] = try lines(["--case", "threads", "--threads", "2"])
        #expect(lines.map(\.threads) == [1, 2])
        #expect(lines.allSatisfy { $0.name == "threads" && $0.tokens == 512 })
    }

    @Test(arguments: ["tiny-embed-Q8_0", "tiny-rerank-Q8_0"]) func `start and tokenizer are measured`(_ name: String)
        throws
    {
        let arguments = ["bench", "--model", Fixture.path("\(name).gguf"), "--case", "start", "tokenizer", "--json"]
        let outcome = try Tool.run(arguments + ["--repeat", "1"])
        #expect(outcome.status == 0)
        let lines = try outcome.lines.map { try JSONDecoder().decode(BenchLine.self, from: Data($0.utf8)) }
        #expect(lines.map(\.name) == ["start", "tokenizer"])
        #expect(lines[0].tokens > 1 && lines[0].peakResidentBytes > 1 << 20)
        #expect(try #require(lines[1].bytesPerSecond) > 0)
    }

    @Test func `the table has a row for each case`() throws {
        let outcome = try bench(["--case", "tokens:4", "tokens:8", "--threads", "1"])
        #expect(outcome.status == 0)
        let rows = outcome.lines.map { $0.split(separator: " ").map(String.init) }
        #expect(outcome.lines[0].hasPrefix(model))
        #expect(rows[1].starts(with: ["case", "threads", "tokens", "distinct", "seconds"]))
        #expect(rows[2].starts(with: ["tokens:4", "1", "4", "4"]))
        #expect(rows[3].starts(with: ["tokens:8", "1", "8", "8"]))
        #expect(rows.count == 4)
    }

    @Test func `the figure is well-formed`() throws {
        let folder = try TemporaryFolder()
        let outcome = try bench([
            "--case", "tokens:1", "tokens:16", "queries", "threads", "--threads", "2", "--plot", folder.file("a.svg"),
        ])
        #expect(outcome.status == 0)
        let svg = String(decoding: try folder.read("a.svg"), as: UTF8.self)
        let elements = try #require(elementCounts(svg), "not well-formed")
        #expect(elements["svg"] == 1)
        #expect(elements["polyline"] == 3)
        #expect(elements["circle"] == 2 + 2 + 2)
    }

    @Test func `figures escape text`() throws {
        let plot = Plot(
            title: "<a> & \"b\"\u{1}", xLabel: "", yLabel: "", xAxis: Axis(around: [1]),
            yAxis: Axis(fromZeroThrough: [1]),
            points: [(1, 1)])
        let svg = Plot.figure([plot], headline: "</svg>")
        #expect(elementCounts(svg)?["svg"] == 1)
        #expect(svg.contains("&lt;a&gt; &amp; &quot;b&quot;\u{FFFD}<"))
    }

    /// How often each element comes in a document; nil unless every one is closed in the order of opening.
    private func elementCounts(_ document: String) -> [String: Int]? {
        var counts: [String: Int] = [:]
        var open: [Substring] = []
        var rest = document[...]
        while let start = rest.firstIndex(of: "<") {
            guard let end = rest[start...].firstIndex(of: ">") else { return nil }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("?") { continue }
            let name = tag.drop { $0 == "/" }.prefix { $0 != " " && $0 != "/" }
            guard !tag.contains("<"), tag.split(separator: "\"", omittingEmptySubsequences: false).count % 2 == 1 else {
                return nil
            }
            if tag.hasPrefix("/") {
                guard open.popLast() == name else { return nil }
            } else {
                counts[String(name), default: 0] += 1
                if !tag.hasSuffix("/") { open.append(name) }
            }
        }
        return open.isEmpty && !rest.contains("<") ? counts : nil
    }

    @Test func `the profile covers the graph`() throws {
        let lines: [ProfileLine] = try lines(["--profile", "--case", "tokens:32"])
        let nodes = lines.map(\.node)
        for node in ["attnNorm", "qkv", "attention", "attnOut", "gateUpSwiGLU", "ffnDown", "kv"] {
            #expect(nodes.contains(node), "\(node)")
        }
        #expect(abs(lines.reduce(0) { $0 + $1.share } - 1) < 1e-6)
        #expect(try bench(["--profile", "--case", "tokens:32"]).lines.count == nodes.count + 2)
    }

    /// Rates are what they are, but every product has one, and a ceiling beside it.
    @Test(.enabled(if: Ceiling(isa: .best, family: .f32) != nil)) func `the roofline covers the products`() throws {
        let lines: [RooflineLine] = try lines(["--roofline", "--threads", "1"])
        let products = lines.filter { $0.product != nil }
        #expect(products.map(\.product) == ["qkv", "attnOut", "gateUpSwiGLU", "ffnDown", "kv"])
        #expect(products.allSatisfy { $0.macsPerSecond ?? 0 > 0 && $0.ceilingMacsPerSecond ?? 0 > 0 })
        let ceilings = lines.filter { $0.ceiling != nil }
        #expect(ceilings.count == Ceiling.all.count + 1)
        #expect(ceilings.allSatisfy { $0.macsPerSecond ?? $0.bytesPerSecond ?? 0 > 0 })
        #expect(lines.last?.tokensPerSecond ?? 0 > 0)
    }

    private static let wrong: [(arguments: [String], reason: String)] = [
        ([], "either --model or --synthetic"),
        (["--model", "a.gguf", "--synthetic", "0.6B:Q8_0"], "either --model or --synthetic"),
        (["--synthetic", "0.6B:Q9_9"], "0.6B:Q9_9"),
        (["--model", "a.gguf", "--case", "tokens:0"], "'tokens:0' is not a case"),
        (["--model", "a.gguf", "--case", "mixed", "nonsense"], "'nonsense' is not a case"),
        (["--model", "a.gguf", "--repeat", "0"], "--repeat"),
        (["--model", "a.gguf", "--threads", "0"], "--threads"),
        (["--model", "a.gguf", "--plot", "a.svg", "--case", "queries"], "--plot"),
        (["--model", "a.gguf", "--plot", "a.svg", "--profile"], "--plot"),
    ]

    @Test(arguments: wrong) func `wrong arguments are usage errors`(_ test: (arguments: [String], reason: String))
        throws
    {
        let outcome = try Tool.run(["bench"] + test.arguments)
        #expect(outcome.status == 64)
        #expect(outcome.messages.contains(test.reason), "\(outcome.messages)")
        #expect(outcome.output.isEmpty)
    }

    @Test func `texts beyond the context are usage errors`() throws {
        let outcome = try bench(["--case", "tokens:32769"])
        #expect(outcome.status == 64)
        #expect(outcome.messages.contains("32768"))
    }

    @Test func `missing models are named`() throws {
        let outcome = try Tool.run(["bench", "--model", "no-such.gguf", "--case", "tokens:1"])
        #expect(outcome.status == 66)
        #expect(outcome.messages.contains("no-such.gguf"))
    }
}
