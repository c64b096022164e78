// The operations of a layer on one thread, at the sizes of the 0.6B model.
//
// Times depend on the machine and are for reading only. Instructions and system calls are shown where the system counts
// them; virtual machines often do not.
import Benchmark
import Q3GGUF
import Q3Kernels

let benchmarks: @Sendable () -> Void = {
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, .instructions, .syscalls], timeUnits: .microseconds, maxDuration: .seconds(1))
    let (hidden, feedForward) = (1024, 3072)
    let types: [TensorType] = [.q4_K, .q5_K, .q4_0, .q8_0, .q6_K, .q5_0, .f16, .bf16, .f32]

    for type in types {
        for tokens in [1, 64, 512] {
            let bench = LayerBench(tokens: tokens, cols: hidden, rows: feedForward, type: type)
            Benchmark("multiply \(type.name), \(tokens) tokens", configuration: configuration) { benchmark in
                for _ in benchmark.scaledIterations { bench.multiply() }
            }
        }
    }
    for type in [TensorType.q4_K, .q8_0, .f32] {
        let bench = LayerBench(tokens: 512, cols: hidden, rows: feedForward, type: type)
        Benchmark("prepare for \(type.name), 512 tokens", configuration: configuration) { benchmark in
            for _ in benchmark.scaledIterations { bench.prepare() }
        }
    }
    let swiGLU = LayerBench(tokens: 512, cols: hidden, rows: feedForward, type: .q4_K)
    Benchmark("gate, up and SwiGLU Q4_K, 512 tokens", configuration: configuration) { benchmark in
        for _ in benchmark.scaledIterations { swiGLU.multiplySwiGLU() }
    }
    for tokens in [64, 512, 2048] {
        let bench = AttentionBench(tokens: tokens, heads: 16, kvHeads: 8, headDim: 128)
        for rounding in AttentionRounding.allCases {
            let name = "attention in \(rounding), \(tokens) tokens"
            Benchmark(name, configuration: configuration) { benchmark in
                for _ in benchmark.scaledIterations { bench.attend(rounding) }
            }
        }
        Benchmark("norm and rotation, \(tokens) tokens", configuration: configuration) { benchmark in
            for _ in benchmark.scaledIterations { bench.normalizeAndRotate() }
        }
    }
}
