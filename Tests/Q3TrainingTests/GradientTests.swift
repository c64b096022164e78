// Loss, gradients and optimizer beside PyTorch's: the script is Tests/EndToEnd/Tune/adapter_gradients.py.
import Q3Model
import TestSupport
import Testing

@testable import Q3Training

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

private struct Reference: Decodable {
    struct Example: Decodable {
        let query: Int
        let positive: Int
        let negatives: [Int]
        let otherAnswers: [Int]
    }

    struct Case: Decodable {
        let temperature: Double
        let margin: Double?
        let comparesQueries: Bool
        let comparesAnswers: Bool
        let sharesNegatives: Bool
        let dimensions: [[Double]]
        let scope: String
        let loss: Double
        let queryGradient: [Double]
        let passageGradient: [Double]
        let adaptedLoss: Double
        let downGradient: [Double]
        let upGradient: [Double]

        var options: InfoNCE {
            var options = InfoNCE()
            (options.temperature, options.margin) = (temperature, margin)
            (options.comparesQueries, options.comparesAnswers) = (comparesQueries, comparesAnswers)
            options.sharesNegatives = sharesNegatives
            options.dimensions = dimensions.map { (Int($0[0]), $0[1]) }
            return options
        }
    }

    struct Optimizer: Decodable {
        let start: [Float]
        let gradients: [[Float]]
        let steps: [[Float]]
        let peak: Double
        let warmup: Double
        let count: Int
    }

    let columns: Int
    let rank: Int
    let queries: [Double]
    let passages: [Double]
    let down: [Float]
    let up: [Float]
    let examples: [Example]
    let cases: [Case]
    let adamW: Optimizer

    static func load() throws -> Reference {
        let data = try Data(contentsOf: URL(filePath: Fixture.path("tune/adapter-gradients.json")))
        return try JSONDecoder().decode(Reference.self, from: data)
    }

    var batch: [ContrastiveExample] {
        examples.map {
            ContrastiveExample(
                query: $0.query, positive: $0.positive, negatives: $0.negatives, otherAnswers: $0.otherAnswers)
        }
    }
}

/// The largest difference, as a part of the largest value.
private func error(_ got: [Double], _ expected: [Double]) -> Double {
    let size = expected.reduce(0) { max($0, abs($1)) }
    return got.count == expected.count ? zip(got, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / size : .infinity
}

@Suite struct GradientTests {
    /// What issue and documents promise; double precision gives 1e-12.
    private static let tolerance = 1e-5

    @Test(arguments: 0..<13) func `loss and gradients of InfoNCE are those of PyTorch`(_ number: Int) async throws {
        let reference = try Reference.load()
        #expect(reference.cases.count == 13)
        let expected = reference.cases[number]
        for threads in [1, 3] {
            let got = try await InferenceThread.shared().run {
                expected.options(
                    queries: reference.queries, passages: reference.passages, columns: reference.columns,
                    examples: reference.batch, threads: threads)
            }
            #expect(abs(got.value - expected.loss) <= 1e-10 * abs(expected.loss))
            #expect(error(got.queryGradient, expected.queryGradient) < Self.tolerance)
            #expect(error(got.passageGradient, expected.passageGradient) < Self.tolerance)
        }
    }

    @Test(arguments: 0..<13) func `gradients of the adapter are those of PyTorch`(_ number: Int) async throws {
        let reference = try Reference.load()
        let expected = reference.cases[number]
        let everything = expected.scope == "everything"
        let (loss, down, up) = try await InferenceThread.shared().run {
            let residual = LowRankResidual(down: reference.down, up: reference.up, rank: reference.rank, threads: 2)
            let queries = RowMatrix(reference.queries, columns: reference.columns)
            let passages = RowMatrix(reference.passages, columns: reference.columns)
            let (q, queryShares) = residual(queries)
            let (p, passageShares) = residual(passages)
            let loss = expected.options(
                queries: q.values, passages: everything ? p.values : reference.passages, columns: reference.columns,
                examples: reference.batch, threads: 2, needsPassageGradient: everything)
            var slopes = residual.gradients(
                of: RowMatrix(loss.queryGradient, columns: reference.columns), rows: queries, shares: queryShares)
            if everything {
                let more = residual.gradients(
                    of: RowMatrix(loss.passageGradient, columns: reference.columns), rows: passages,
                    shares: passageShares)
                slopes.down.add(more.down)
                slopes.up.add(more.up)
            }
            return (loss.value, slopes.down.values, slopes.up.values)
        }
        #expect(abs(loss - expected.adaptedLoss) <= 1e-10 * abs(expected.adaptedLoss))
        #expect(error(down, expected.downGradient) < Self.tolerance)
        #expect(error(up, expected.upGradient) < Self.tolerance)
    }

    @Test func `every mask and term of the loss changes it`() throws {
        let losses = try Reference.load().cases.map(\.loss)
        // A margin of 0 leaves out the same negatives as one of 0.1 here.
        #expect(Set(losses.prefix(10)).count == 9)
    }

    @Test func `AdamW and the schedule are those of PyTorch`() throws {
        let reference = try Reference.load().adamW
        let rate = LearningRate(peak: reference.peak, warmup: reference.warmup, stepCount: reference.count)
        var optimizer = AdamW(count: reference.start.count)
        var values = reference.start
        for (step, gradient) in reference.gradients.enumerated() {
            optimizer.update(&values, gradient: gradient, learningRate: rate[step])
            for (got, expected) in zip(values, reference.steps[step]) { #expect(abs(got - expected) < 2e-7) }
        }
        #expect(optimizer.step == 20)
    }
}
