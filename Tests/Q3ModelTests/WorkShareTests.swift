// Threads with nothing to do, counted over the plan of each size of model: no clock, and no such processor needed.

import Q3Kernels
import Testing

@testable import Q3Model

struct WorkShareTests {
    /// Threads that processors and their halves have.
    private static let threadCounts = [
        8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 72, 80, 88, 96, 104, 112, 120, 128,
    ]
    private static let tokens = 512

    private static func config(hidden: Int, layers: Int, heads: Int, ffn: Int) -> Qwen3Config {
        Qwen3Config(
            layerCount: layers, hiddenSize: hidden, heads: heads, kvHeads: 8, headDim: 128, ffnSize: ffn,
            vocabularySize: 151_669, contextLength: 32_768, ropeTheta: 1_000_000, rmsNormEpsilon: 1e-6)
    }

    /// 0.6B, 4B and 8B.
    private static let configs = [
        config(hidden: 1024, layers: 28, heads: 16, ffn: 3072), config(hidden: 2560, layers: 36, heads: 32, ffn: 9728),
        config(hidden: 4096, layers: 36, heads: 32, ffn: 12_288),
    ]

    @Test(arguments: configs.indices, threadCounts)
    func `no product leaves more than a tenth of the threads idle`(_ model: Int, _ threads: Int) {
        let config = Self.configs[model]
        for node in LayerGraph.qwen3.allNodes {
            let outputs: Int
            switch node.operation {
            case .multiply(let products): outputs = products.reduce(0) { $0 + config[keyPath: $1.output.width] }
            case .multiplySwiGLU(_, _, let output): outputs = config[keyPath: output.width]
            default: continue
            }
            let items = WorkShare.productItems(outputs: outputs, tokens: Self.tokens, threads: threads)
            let idle = WorkShare.idle(costs: [Int](repeating: 1, count: items), threads: threads)
            // 64 panels on 72 threads: parts of fewer than 64 tokens would cost more in packing than that ninth.
            #expect(idle <= (threads == 72 ? 0.112 : 0.1), "\(node.name): \(items) items on \(threads) threads")
        }
    }

    @Test(arguments: configs.indices, threadCounts)
    func `attention leaves no more than a tenth of the threads idle`(_ model: Int, _ threads: Int) {
        let config = Self.configs[model]
        let plan = ScratchPlan(
            .qwen3, config: config, families: [.u8], rows: Self.tokens, keyRows: Self.tokens, pooledRows: 1,
            blockRows: Executor.blockRows, threads: threads)
        let costs = WorkShare.attentionCosts(
            tokens: Self.tokens, queryTokens: plan.queryTokens, kvHeads: config.kvHeads)
        #expect(WorkShare.idle(costs: costs, threads: threads) <= 0.1, "\(plan.queryTokens) tokens an item")
    }

    /// Norms and rotations take whole tokens, and 512 of them leave 96 threads a ninth and 120 a seventh at best.
    @Test(arguments: threadCounts)
    func `operations on rows leave at most a seventh of the threads idle`(_ threads: Int) {
        let items = WorkShare.rowItems(tokens: Self.tokens, threads: threads)
        let tokensEach = (Self.tokens + items - 1) / items
        let costs = (0..<items).map { min(tokensEach, Self.tokens - $0 * tokensEach) }
        #expect(WorkShare.idle(costs: costs, threads: threads) <= 0.15, "\(items) items")
    }

    /// On two threads every panel is packed once, and keys are transposed as few times as possible.
    @Test(arguments: configs.indices) func `few threads take whole items`(_ model: Int) {
        let config = Self.configs[model]
        #expect(WorkShare.productItems(outputs: config.hiddenSize, tokens: 512, threads: 2) == config.hiddenSize / 16)
        #expect(WorkShare.rowItems(tokens: 512, threads: 2) == 64)
        let whole = Team.queryTokens(group: config.group)
        #expect(WorkShare.queryTokens(tokens: 512, group: config.group, kvHeads: 8, threads: 2) == whole)
    }
}
