// Runs one case: an untimed warm-up, then the timed runs.
import Q3GGUF
import Q3Kernels
import Q3Model

struct BenchRunner {
    let setup: BenchSetup

    /// Max tokens of a warm-up: enough to touch every weight, without doubling the time of long texts.
    private static let warmUpLimit = 4096

    /// The measurements of a case: one per number of threads for `threads`, none for a case that this model does not have.
    func run(_ benchCase: BenchCase) async throws -> [Measurement] {
        switch benchCase {
        case .start: return [try StartCase(setup: setup).run()]
        case .tokenizer: return try TokenizerCase(setup: setup).run()
        case .threads:
            var measurements: [Measurement] = []
            for threads in Self.threadCounts(upTo: setup.threads) {
                measurements.append(try await runPasses(.threads, threads: threads))
            }
            return measurements
        case .tokens, .mixed, .queries, .rerank: return [try await runPasses(benchCase, threads: setup.threads)]
        }
    }

    /// Every count up to 8, then the powers of two, and the most.
    static func threadCounts(upTo limit: Int) -> [Int] {
        (1...limit).filter { $0 <= 8 || $0 & ($0 - 1) == 0 || $0 == limit }
    }

    private func runPasses(_ benchCase: BenchCase, threads: Int) async throws -> Measurement {
        let model = try setup.model(threads: threads)
        guard let lists = benchCase.tokenLists(vocabularySize: model.config.vocabularySize) else {
            preconditionFailure("\(benchCase.name) is not a pass of the model")
        }
        if let longest = lists.map(\.count).max(), longest > model.config.contextLength {
            throw Failure(.usage, "\(benchCase.name) is more than the model's \(model.config.contextLength) tokens")
        }
        let sorted = lists.sorted { $0.lexicographicallyPrecedes($1) }
        ResidentMemory.resetPeak()
        if setup.warmsUp {
            BenchSetup.show("\(benchCase.name): warm-up")
            let short = lists.map { Array($0.prefix(Self.warmUpLimit)) }
            _ = try await model.lastHiddenStates(of: short)
        }
        var seconds: [Double] = []
        for run in 1...setup.repeatCount {
            BenchSetup.show("\(benchCase.name), \(threads) threads: run \(run) of \(setup.repeatCount)")
            seconds.append(try await BenchSetup.time { _ = try await model.lastHiddenStates(of: lists) })
        }
        return Measurement(
            benchCase: benchCase, tokenCount: lists.reduce(0) { $0 + $1.count },
            distinctTokenCount: sorted.newTokenCounts.reduce(0, +), seconds: seconds,
            peakResidentBytes: ResidentMemory.peakByteCount, threads: threads)
    }
}
