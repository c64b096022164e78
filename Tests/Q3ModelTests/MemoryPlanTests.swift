// The announced memory: what a pass allocates, growing with the text only where it must.

import Q3GGUF
import Q3Kernels
import Testing

@testable import Q3Model

struct MemoryPlanTests {
    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `the plan grows with the text and is what a pass allocates`(_ tiny: Tiny, _ precision: Precision) throws {
        let model = try tiny.model(precision, threads: 2)
        let config = model.config
        let file = model.file
        let weights = try Qwen3Weights(file: file, config: config, precision: precision)
        let executor = Executor(config: config, weights: weights, isa: .best, threads: 2, cacheByteLimit: 0)
        var previous = model.memoryPlan(tokenCount: 0)
        #expect(previous == model.memoryPlan(tokenCount: 1))
        for count in [1, 2, 31, 511, 512, 513, 4096, 32_768] {
            let plan = model.memoryPlan(tokenCount: count)
            #expect(plan.tokenCount == count)
            #expect(plan.weightBytes > 0 && plan.weightBytes <= file.byteCount)
            #expect(plan.weightBytes >= previous.weightBytes && plan.scratchBytes >= previous.scratchBytes)
            #expect(plan.residualBytes >= (count + 1) * config.hiddenSize * 4)
            #expect(plan.keyValueBytes >= 2 * count * config.keyWidth * 4)
            #expect(
                plan.residualBytes + plan.keyValueBytes <= count * (config.hiddenSize + 2 * config.keyWidth) * 4 + 4096)
            #expect(
                plan.totalBytes == plan.weightBytes + plan.residualBytes + plan.keyValueBytes + plan.scratchBytes)
            let arena = executor.plan(rows: count, keyRows: count, pooledRows: 1).byteCount
            let rotations = Executor.rotatedPositions(for: count) * config.headDim * 4
            #expect(plan.totalBytes - plan.weightBytes == arena + rotations)
            previous = plan
        }
    }

    /// Weights kept packed are in the plan as far as the limit allows, and never more than all of them.
    @Test(arguments: Precision.allCases)
    func `the plan holds weights that are kept packed`(_ precision: Precision) throws {
        let plain = try Tiny.q4_K_M.model(precision)
        let all = try Qwen3Model.packedWeightBytes(of: plain.file, precision: precision)
        #expect(all > 0 && plain.memoryPlan(tokenCount: 9).packedWeightBytes == 0)
        for (limit, least) in [(all / 2, all / 4), (all, all), (1 << 40, all)] {
            let plan = try Tiny.q4_K_M.model(precision, packedBytes: limit).memoryPlan(tokenCount: 9)
            #expect(least...min(limit, all) ~= plan.packedWeightBytes)
            #expect(plan.totalBytes == plain.memoryPlan(tokenCount: 9).totalBytes + plan.packedWeightBytes)
        }
    }

    /// Products take 512 tokens at a time, so their work memory is the same for any longer text.
    @Test func `scratch is bounded for any length`() throws {
        let model = try Tiny.q4_K_M.model(threads: 2)
        func scratch(_ count: Int) -> Int {
            model.memoryPlan(tokenCount: count).scratchBytes
                - Executor.rotatedPositions(for: count) * model.config.headDim * 4
        }
        #expect(scratch(512) == scratch(513) && scratch(512) == scratch(32_768))
        #expect(scratch(511) <= scratch(512))
    }

    /// A plan of all its places: each view that a pass takes fits.
    @Test(arguments: [(1, 1, 1), (7, 9, 7), (513, 513, 2), (2000, 2100, 600)])
    func `every buffer fits its place`(_ rows: Int, _ keyRows: Int, _ pooledRows: Int) throws {
        let config = try Tiny.q4_K_M.model().config
        let graph = LayerGraph.qwen3
        let plan = ScratchPlan(
            graph, config: config, families: [.u8, .w16, .f32], rows: rows, keyRows: keyRows, pooledRows: pooledRows,
            blockRows: 512, threads: 3)
        let arena = try #require(Arena(byteCount: plan.byteCount))
        #expect(plan.blockRows == min(rows, 512))
        #expect(graph.buffers.map(\.name) == ["x", "q", "k", "v", "attention", "gateUpSwiGLU"])
        let rowsOfBuffers = [rows, plan.blockRows, keyRows, keyRows, plan.blockRows, plan.blockRows]
        for (buffer, rows) in zip(graph.buffers, rowsOfBuffers) {
            let cols = config[keyPath: buffer.width]
            let place = plan.places[buffer.index]
            #expect(place.byteCount == rows * cols * 4)
            #expect(arena.matrix(place, rows: rows, cols: cols).values().allSatisfy { $0 == 0 })
        }
        #expect(plan.pooledResidual.byteCount == pooledRows * config.hiddenSize * 4)
        #expect(plan.residualByteCount == plan.places[0].byteCount + plan.pooledResidual.byteCount)
        #expect(plan.keyValueByteCount == plan.places[2].byteCount + plan.places[3].byteCount)
        #expect(
            plan.byteCount == (plan.places + [plan.pooledResidual, plan.threads]).reduce(0) { $0 + $1.byteCount }
                + inputBytes(plan.blockRows, config))
    }

    /// One block of tokens in all three formats, each part rounded up to 64 bytes.
    private func inputBytes(_ rows: Int, _ config: Qwen3Config) -> Int {
        let padded = (rows + 7) / 8 * 8
        let values = padded * config.widestInput
        let perBlock = values / 32 * 4  // scales, sums and starts
        let halves = ActivationPlaces.splitsWords ? 2 * values : 0
        return [4 * values, values, perBlock, perBlock, perBlock, 2 * values, perBlock, perBlock, halves].reduce(0) {
            $0 + ($1 + 63) / 64 * 64
        }
    }
}
