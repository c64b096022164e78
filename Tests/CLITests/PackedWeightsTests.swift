// Which models a server keeps packed by itself.
#if Server
import Q3Model
import TestSupport
import Testing

@testable import q3

@Suite struct PackedWeightsTests {
    @Test func `a server packs models by itself while an eighth of the memory holds them`() throws {
        let file = try Fixture.model("tiny-embed-Q8_0")
        let all = try Qwen3Model.packedWeightBytes(of: file, precision: .auto)
        var two = PackedWeights(asked: nil, available: PackedWeights.share * 2 * all)
        #expect(try (0..<3).map { _ in try two.bytes(for: file, precision: .auto) } == [all, all, 0])
        for memory in [nil, 0, PackedWeights.share * all - 1] {
            var none = PackedWeights(asked: nil, available: memory)
            #expect(try none.bytes(for: file, precision: .auto) == 0)
        }
    }

    @Test func `what the user asks for is for each model`() throws {
        let file = try Fixture.model("tiny-embed-Q8_0")
        for megabytes in [0, 3] {
            var asked = PackedWeights(asked: megabytes, available: 1 << 40)
            for _ in 0..<2 { #expect(try asked.bytes(for: file, precision: .fast) == megabytes << 20) }
        }
    }
}
#endif
