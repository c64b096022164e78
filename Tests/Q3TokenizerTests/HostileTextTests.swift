// Texts and vocabularies made to be slow, deep or large: time is counted in steps, the stack is small, memory is watched.

import FoundationEssentials
import Q3GGUF
import Q3System
import Synchronization
import TestSupport
import Testing

@testable import Q3Tokenizer

@Suite struct HostileTextTests {
    #if DEBUG
    /// The steps that `body` takes; in a process of its own, where nothing else counts.
    private static func steps(_ body: () throws -> Void) rethrows -> Int {
        let before = StepCount.total.load(ordering: .relaxed)
        try body()
        return StepCount.total.load(ordering: .relaxed) - before
    }

    /// What is repeated, and how many steps a byte of it may take: a look at 128 pairs in a short piece, or the depth of
    /// a heap in a long one.
    private static let units = [
        "a", "A", " ", "\n", "\r\n", " \n", "\n ", "\t", "1", "'", "'s", "=", "é", "e\u{301}", "\u{301}", "한", "😀",
        "\u{1100}\u{1161}\u{11A8}", "ab", "the", "the ", "x\u{327}\u{301}", "\u{327}\u{301}\u{334}", "<|im_end|>",
        "\0",
        "\u{2028}", "\u{FEFF}", "a'", "!\n", "aé1 ",
    ]
    private static let stepsPerByte = 80

    @Test func `steps grow with the text`() async {
        await #expect(processExitsWith: .success) {
            let tokenizer = try Fixture.tokenizer.get()
            for unit in Self.units {
                for byteCount in [1000, 10_000, 100_000] {
                    let text = String(repeating: unit, count: byteCount / unit.utf8.count)
                    for parseSpecial in [false, true] {
                        let steps = Self.steps { _ = tokenizer.encode(text, parseSpecial: parseSpecial) }
                        #expect(steps <= Self.stepsPerByte * byteCount, "\(unit.debugDescription): \(byteCount)")
                    }
                }
            }
            var random = SeededGenerator(seed: 5)
            for byteCount in [1000, 30_000, 1_000_000] {
                let letters = (0..<byteCount).map { _ in UInt8.random(in: 0x61...0x7A, using: &random) }
                let text = String(decoding: letters, as: UTF8.self)
                #expect(Self.steps { _ = tokenizer.encode(text) } <= Self.stepsPerByte * byteCount)
            }
        }
    }

    /// Merges that double: a long piece is merged again and again as a whole.
    @Test func `steps of doubling merges`() async {
        await #expect(processExitsWith: .success) {
            let merges = (0..<9).map { level in
                let half = String(repeating: "a", count: 1 << level)
                return "\(half) \(half)"
            }
            for list in [merges, merges.reversed()] {
                let tokenizer = try HandMade(merges: list).load()
                for byteCount in [1000, 10_000, 100_000] {
                    let text = String(repeating: "a", count: byteCount)
                    #expect(Self.steps { _ = tokenizer.encode(text) } <= Self.stepsPerByte * byteCount)
                }
            }
        }
    }

    /// The first tokens of a text cost what they cost, however much text follows.
    @Test func `the rest of a cut text is not encoded`() async {
        await #expect(processExitsWith: .success) {
            let tokenizer = try Fixture.tokenizer.get()
            let text = String(repeating: "some words, 12 ", count: 20_000)
            let whole = tokenizer.encode(text)
            let steps = Self.steps {
                let ids = tokenizer.encode(text, atLeast: 100)
                #expect(ids.count >= 100 && ids.count < 200 && whole.starts(with: ids))
            }
            #expect(steps < 200 * Self.stepsPerByte)
        }
    }

    /// Tokens that would all fall into one place of a table whose hash is known in advance.
    @Test func `tokens made to collide`() async {
        await #expect(processExitsWith: .success) {
            let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
            var inverse = factor
            for _ in 0..<6 { inverse = inverse &* (2 &- factor &* inverse) }
            let tokens = (0..<8192).map { index in
                let mixed = (UInt64(0xABC) << 52 | UInt64(index)) &* inverse
                let key = mixed ^ mixed >> 29 ^ mixed >> 58
                return (0..<8).map { HandMade.byteAlphabet[Int(key >> (56 - 8 * UInt64($0)) & 0xFF)] }.joined()
            }
            var made = HandMade(merges: [])
            made.tokens = HandMade.byteAlphabet + tokens
            made.types = [Int32](repeating: 1, count: 256 + tokens.count)
            let steps = try Self.steps {
                let size = try made.load().vocabularySize
                #expect(size == 256 + tokens.count)
            }
            #expect(steps < 20 * tokens.count)
        }
    }
    #endif

    @Test func `the first tokens are those of the whole text`() throws {
        let tokenizer = try Fixture.tokenizer.get()
        for golden in try Fixture.lines("tokenizer.jsonl", as: GoldenText.self) {
            for count in [0, 1, 3, 10, golden.ids.count] {
                let ids = tokenizer.encode(golden.text, atLeast: count)
                #expect(golden.ids.starts(with: ids) && ids.count >= min(count, golden.ids.count))
            }
        }
    }

    /// Ten million characters on a stack of 256 KiB: one piece, as many pieces, one segment of marks, all of them NFC's.
    @Test(arguments: ["a", " ", "\n", "1", "\u{301}", "\u{1100}\u{1161}"]) func `a small stack is enough`(
        _ unit: String
    )
        throws
    {
        let tokenizer = try Fixture.tokenizer.get()
        let count = unit == "a" ? 10_000_000 : 1_000_000
        let text = String(repeating: unit, count: count)
        let isWhole = Mutex(false)
        runOnThreads(1, stackByteCount: 256 << 10) {
            let ids = tokenizer.encode(text)
            isWhole.withLock { $0 = ids.count > 0 && (try? tokenizer.decode(ids)) == text }
        }
        #expect(isWhole.withLock { $0 })
    }

    @Test func `sixty four threads get the same IDs`() throws {
        let tokenizer = try HandMadeTokenizers.fresh()
        let texts = try Fixture.lines("tokenizer.jsonl", as: GoldenText.self)
        let rightCount = Atomic(0)
        runOnThreads(64, stackByteCount: 1 << 20) {
            if texts.allSatisfy({ tokenizer.encode($0.text) == $0.ids }) { rightCount.add(1, ordering: .relaxed) }
        }
        #expect(rightCount.load(ordering: .relaxed) == 64)
    }

    #if os(Linux)
    /// Nothing is remembered but a bit for each token.
    @Test func `distinct words leave nothing`() async {
        await #expect(processExitsWith: .success) {
            func kilobytes() throws -> Int {
                let status = String(
                    decoding: try Data(contentsOf: URL(filePath: "/proc/self/status")), as: UTF8.self)
                let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
                return try #require(
                    line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
            }
            let tokenizer = try Fixture.tokenizer.get()
            func encode(_ range: Range<Int>) {
                for number in range {
                    let word = String(UInt64(number) &* 0x9E37_79B9_7F4A_7C15, radix: 36)
                    #expect(!tokenizer.encode(word).isEmpty)
                }
            }
            encode(0..<20_000)
            let before = try kilobytes()
            encode(20_000..<220_000)
            #expect(try kilobytes() - before < 1024)
        }
    }
    #endif

    /// A hundred thousand random texts come back from their tokens as they are in NFC.
    @Test func `random texts come back`() throws {
        let tokenizer = try Fixture.tokenizer.get()
        var random = SeededGenerator(seed: 20)
        let ranges: [ClosedRange<UInt32>] = [
            0...0x7F, 0...0x7F, 0x80...0x7FF, 0x300...0x36F, 0x800...0xD7FF, 0x1100...0x11FF, 0xE000...0xFFFF,
            0x10000...0x10FFFF,
        ]
        for _ in 0..<100_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                let range = ranges[Int.random(in: 0..<ranges.count, using: &random)]
                text.unicodeScalars.append(Unicode.Scalar(UInt32.random(in: range, using: &random)) ?? "?")
            }
            let bytes = try tokenizer.decodeBytes(tokenizer.encode(text))
            guard bytes == normalize(text)?.bytes ?? Array(text.utf8) else {
                Issue.record("\(text.debugDescription)")
                return
            }
        }
    }
}

private enum HandMadeTokenizers {
    /// The fixture's tokenizer with no token met yet.
    static func fresh() throws -> Tokenizer {
        try Tokenizer(metadata: GGUFFile(path: Fixture.path("tokenizer.gguf")).metadata)
    }
}

/// Runs `body` on `count` threads at once, with stacks of a size, and waits for all.
private func runOnThreads(_ count: Int, stackByteCount: Int, _ body: @escaping @Sendable () -> Void) {
    final class Job {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    precondition(unsafe pthread_attr_setstacksize(&attributes, stackByteCount) == 0)
    let job = Job(body)
    let threads = (0..<count).map { _ in
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let code = unsafe pthread_create(
            &thread, &attributes,
            { context in
                #if canImport(Darwin)
                let context: UnsafeMutableRawPointer? = unsafe context
                #endif
                unsafe Unmanaged<Job>.fromOpaque(context!).takeUnretainedValue().body()
                return nil
            }, Unmanaged.passUnretained(job).toOpaque())
        precondition(code == 0)
        return thread
    }
    for thread in threads {
        #if canImport(Darwin)
        unsafe pthread_join(thread!, nil)
        #else
        pthread_join(thread, nil)
        #endif
    }
}
