// Parts of q3 bench: names of cases, counted work, numbers as text, axes, and model files with random weights.
import Q3GGUF
import Q3Kernels
import Q3Model
import TestSupport
import Testing

@testable import q3

@Suite struct BenchPartsTests {
    @Test func `cases have names`() {
        for benchCase in BenchCase.all { #expect(BenchCase.named(benchCase.name) == [benchCase]) }
        #expect(BenchCase.named("tokens") == BenchCase.lengths.map(BenchCase.tokens))
        #expect(BenchCase.named("all") == BenchCase.all)
        for name in ["", "tokens:", "tokens:0", "tokens:-1", "tokens:1x", "Tokens", "tokens :1"] {
            #expect(BenchCase.named(name) == nil, "\(name)")
        }
    }

    @Test func `cases are the same every time`() {
        for benchCase in BenchCase.all where benchCase != .tokens(32_768) {
            let lists = benchCase.tokenLists(vocabularySize: 50)
            #expect(lists == benchCase.tokenLists(vocabularySize: 50))
            #expect((lists ?? []).joined().allSatisfy { 0..<50 ~= $0 })
        }
    }

    @Test func `thread counts stay few`() {
        #expect(BenchRunner.threadCounts(upTo: 1) == [1])
        #expect(BenchRunner.threadCounts(upTo: 3) == [1, 2, 3])
        #expect(BenchRunner.threadCounts(upTo: 12) == [1, 2, 3, 4, 5, 6, 7, 8, 12])
        #expect(BenchRunner.threadCounts(upTo: 64) == [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64])
    }

    private static let numbers: [(value: Double, digits: Int, fixed: String, trimmed: String)] = [
        (1234.5678, 2, "1234.57", "1234.57"), (0, 3, "0.000", "0"), (9.996, 2, "10.00", "10"),
        (0.05, 2, "0.05", "0.05"),
        (-0.004, 2, "0.00", "0"), (-1.5, 1, "-1.5", "-1.5"), (100, 0, "100", "100"), (2.5, 0, "3", "3"),
        (.infinity, 1, "inf", "inf"),
    ]

    @Test(arguments: numbers)
    func `numbers are rounded`(_ test: (value: Double, digits: Int, fixed: String, trimmed: String)) {
        #expect(test.value.fixed(test.digits) == test.fixed)
        #expect(test.value.trimmed(test.digits) == test.trimmed)
    }

    @Test func `rows are aligned`() {
        let table = Table(columns: [("name", -6), ("count", 5)])
        #expect(table.header == "name    count")
        #expect(table.line(["a", "12"]) == "a          12")
        #expect(table.line(["too long", ""]) == "too long")
    }

    @Test func `axes are round`() {
        for (step, nice) in [(0.3, 0.5), (1.0, 1), (21, 50), (99, 100), (1000, 1000), (0.001, 0.001), (0, 1)] {
            #expect(abs(Axis.niceStep(step) - nice) < 1e-12, "\(step)")
        }
        #expect(Axis(fromZeroThrough: [93]).ticks == [0, 20, 40, 60, 80, 100])
        #expect(Axis(around: [1, 4]).ticks == [1, 2, 3, 4])
        #expect(Axis(logarithmicAround: [1, 8, 512]).ticks == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
        #expect(Axis(logarithmicAround: [1, 32_768]).ticks == [1, 4, 16, 64, 256, 1024, 4096, 16_384])
        #expect(Axis(logarithmicAround: [3]).ticks == [3])
        #expect(Axis(logarithmicAround: [1, 64]).place(8) == 0.5)
        #expect(Axis(around: [2]).place(2) == 0.5)
        #expect(Axis.label(1_500_000) == "1.5M" && Axis.label(32_768) == "32768" && Axis.label(0.25) == "0.25")
    }

    private static let types: [TensorType] = [.f32, .f16, .bf16, .q8_0, .q6_K, .q5_0, .q4_0, .q4_K, .q5_K]

    /// Random weights are as large as trained ones, whatever the type; the fill goes on where the last chunk ended.
    @Test(arguments: types) func `random blocks are as large as trained weights`(_ type: TensorType) throws {
        let pool = try #require(BlockPool(type))
        let (rows, cols) = (64, 512)
        var bytes = [UInt8](repeating: 0, count: rows * cols / type.itemsPerBlock * type.bytesPerBlock)
        var elements = bytes.mutableSpan
        var span = unsafe elements.mutableBytes
        pool.fill(&span, from: 2 * type.bytesPerBlock)
        let values = try unsafe bytes.withUnsafeBytes { bytes in
            let matrix = try #require(
                unsafe Matrix(bytes: bytes, typeID: type.rawValue, rows: rows, cols: cols, family: .f32))
            return (0..<rows).flatMap(matrix.dequantizedRow)
        }
        let mean = values.reduce(0, +) / Float(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)
        #expect(abs(mean) < 0.005)
        #expect(0.01...0.03 ~= variance.squareRoot())

        var rest = [UInt8](repeating: 0, count: 100)
        var restElements = rest.mutableSpan
        var restSpan = unsafe restElements.mutableBytes
        pool.fill(&restSpan, from: 2 * type.bytesPerBlock + 1000)
        #expect(rest == Array(bytes[1000..<1100]))
    }

    @Test func `types without a recipe are refused`() {
        #expect(BlockPool(.iq2_XXS) == nil)
        for name in ["0.6B", "0.6B:Q4_K", "1B:Q8_0", "0.6B:Q8_0:", ""] {
            #expect(SyntheticModel(argument: name) == nil, "\(name)")
        }
    }

    /// llama-quantize gives half of attn_v and ffn_down, and the table, six bits.
    @Test func `synthetic models are mixed and have no name`() throws {
        let made = try #require(SyntheticModel(argument: "0.6B:Q4_K_M")).make()
        let counts = Dictionary(grouping: made.file.tensors, by: \.type).mapValues(\.count)
        #expect(counts == [.q4_K: 168, .q6_K: 29, .f32: 113])
        #expect(try Qwen3Model(file: made.file).config.layerCount == 28)
        // The name is gone, the file is not.
        #expect(throws: GGUFError.self) { try GGUFFile(path: made.file.path) }
        #expect(try GGUFFile(path: made.path).byteCount == made.file.byteCount)
    }
}
