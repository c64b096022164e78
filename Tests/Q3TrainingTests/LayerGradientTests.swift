// Gradients of the trained layers beside those of PyTorch's autograd in float64; Tests/EndToEnd/Tune/gradients.py made
// them.
import Q3Linear
import Q3Model
import Q3Reranking
import TestSupport
import Testing

@testable import Q3Training

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One model, its adapter, its texts, and the loss; see the script.
struct LayerCase: Decodable, Sendable, CustomTestStringConvertible {
    struct Example: Decodable, Sendable {
        let query: Int
        let positive: Int
        let negatives: [Int]
        let otherAnswers: [Int]
    }

    let name: String
    let model: String
    let layers: Int
    let rank: Int
    let alpha: Double
    let texts: [[Int32]]
    let loss: Double
    let offset: Int
    let count: Int
    let queries: Int?
    let examples: [Example]?
    let temperature: Double?
    let margin: Double?
    let dimensions: [[Double]]?
    let labels: [Int]?

    var testDescription: String { name }

    static let all: [LayerCase] = try! Fixture.items("tune/gradients")

    /// Values of the fixture's binary file.
    func reference() throws -> [Float] {
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: Fixture.path("tune/gradients.f32"))))
        return unsafe bytes.withUnsafeBytes { bytes in
            (offset..<offset + count).map { unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }
}

/// What one case gives in one type of numbers.
struct LayerRun<Scalar: ProductScalar> {
    let loss: Double
    /// In the order of the fixture.
    let tensors: [(name: String, values: [Double])]

    init(_ test: LayerCase, threads: Int, chunks: [Range<Int>]? = nil) async throws {
        let model = try Qwen3Model(file: Fixture.model(test.model), options: ModelOptions())
        let config = model.config
        let first = config.layerCount - test.layers
        let shape = AdapterShape(
            rank: test.rank, alpha: test.alpha, layers: first..<config.layerCount,
            projections: Set(Projection.allCases), config: config)
        let head = test.labels == nil ? nil : try Reranker(file: Fixture.model(test.model)).headDifference
        (loss, tensors) = try await InferenceThread.shared().run {
            try Self.compute(test, model, shape, head, threads: threads, chunks: chunks ?? [0..<test.texts.count])
        }
    }

    private static func compute(
        _ test: LayerCase, _ model: Qwen3Model, _ shape: AdapterShape, _ head: [Double]?, threads: Int,
        chunks: [Range<Int>]
    ) throws -> (Double, [(name: String, values: [Double])]) {
        let team = try ProductTeam(threads: threads)
        let longest = test.texts.map(\.count).max() ?? 1
        let total = test.texts.reduce(0) { $0 + $1.count }
        let all = AdapterShape(
            rank: 1, alpha: 1, layers: 0..<model.config.layerCount, projections: [.q], config: model.config)
        let trunk = try TrunkLayers<Scalar>(model, shape: all, longest: longest, team: team)
        let stack = try LayerStack<Scalar>(model, shape: shape, longest: longest, team: team)
        try stack.reserve(chunkTokens: total, longest: longest)
        let parameters = Grid(factors(shape), columns: shape.count)
        var passes: [LayerStack<Scalar>.Saved] = []
        var states: [Scalar] = []
        for chunk in chunks {
            let texts = Array(test.texts[chunk])
            let (output, saved) = stack.forward(
                try trunk.states(texts, layers: shape.layers.lowerBound), tokenCounts: texts.map(\.count),
                parameters: parameters)
            states += output.values
            passes.append(saved)
        }
        let (loss, slopes) = loss(test, states.map { Double($0) }, head, threads)
        let gradients = Grid([Scalar](repeating: 0, count: shape.count), columns: shape.count)
        let columns = model.config.hiddenSize
        var input: [Double] = []
        for (chunk, saved) in zip(chunks, passes) {
            let part = slopes[chunk.lowerBound * columns..<chunk.upperBound * columns].map { Scalar($0) }
            let dInput = stack.backward(
                Grid(part, columns: columns), saved, parameters: parameters, into: gradients, wantsInput: true)
            input += dInput?.values.map { Double($0) } ?? []
        }
        return (loss, tensors(shape, gradients.values) + (head == nil ? [("the input", input)] : []))
    }

    private static func loss(
        _ test: LayerCase, _ states: [Double], _ head: [Double]?, _ threads: Int
    ) -> (Double, [Double]) {
        let columns = states.count / test.texts.count
        if let head, let labels = test.labels {
            var (total, slopes) = (0.0, [Double](repeating: 0, count: states.count))
            for (row, label) in labels.enumerated() {
                let margin = zip(states[row * columns..<(row + 1) * columns], head).reduce(0) { $0 + $1.0 * $1.1 }
                let (loss, slope) = YesNoLoss.of(margin: margin, isYes: label == 1)
                total += loss / Double(labels.count)
                for i in 0..<columns { slopes[row * columns + i] = slope * head[i] / Double(labels.count) }
            }
            return (total, slopes)
        }
        var loss = InfoNCE()
        loss.temperature = test.temperature ?? 1
        loss.margin = test.margin
        loss.dimensions = (test.dimensions ?? []).map { (Int($0[0]), $0[1]) }
        let split = (test.queries ?? 0) * columns
        let result = loss(
            queries: Array(states[..<split]), passages: Array(states[split...]), columns: columns,
            examples: (test.examples ?? []).map {
                ContrastiveExample(
                    query: $0.query, positive: $0.positive, negatives: $0.negatives, otherAnswers: $0.otherAnswers)
            }, threads: threads)
        return (result.value, result.queryGradient + result.passageGradient)
    }

    /// The factors that the script sets.
    static func factors(_ shape: AdapterShape) -> [Scalar] {
        var values = [Scalar](repeating: 0, count: shape.count)
        for (number, (layer, projection)) in shape.matrices.enumerated() {
            guard let place = shape.place(of: projection, layer: layer) else { continue }
            for i in 0..<shape.rank * place.inputs {
                let value = 0.3 / Double(place.inputs).squareRoot() * sin(0.37 * Double(i) + 1.3 * Double(number))
                values[place.down + i] = Scalar(Float(value))
            }
            for i in 0..<shape.rank * place.outputs {
                let value = 0.05 * cos(0.61 * Double(i) + 0.7 * Double(number))
                let (output, row) = (i / shape.rank, i % shape.rank)
                values[place.up + row * place.outputs + output] = Scalar(Float(value))
            }
        }
        return values
    }

    /// The gradients of A and B of each matrix, as PyTorch has them.
    private static func tensors(_ shape: AdapterShape, _ values: [Scalar]) -> [(name: String, values: [Double])] {
        shape.matrices.flatMap { layer, projection -> [(name: String, values: [Double])] in
            guard let place = shape.place(of: projection, layer: layer) else { return [] }
            let down = (0..<shape.rank * place.inputs).map { Double(values[place.down + $0]) }
            let up = (0..<shape.rank * place.outputs).map { i in
                Double(values[place.up + i % shape.rank * place.outputs + i / shape.rank])
            }
            return [("A of \(projection) in layer \(layer)", down), ("B of \(projection) in layer \(layer)", up)]
        }
    }

    /// |got - expected| / |expected| of the tensor that is furthest off.
    func worst(_ expected: [Float]) -> (name: String, error: Double) {
        var (worst, start) = (("", 0.0), 0)
        for (name, values) in tensors {
            var (off, size) = (0.0, 0.0)
            for (i, value) in values.enumerated() {
                off += (value - Double(expected[start + i])) * (value - Double(expected[start + i]))
                size += Double(expected[start + i]) * Double(expected[start + i])
            }
            start += values.count
            let error = (off / size).squareRoot()
            if !(error <= worst.1) { worst = (name, error) }
        }
        precondition(start == expected.count)
        return worst
    }
}

/// The layers below those that are trained, in the same numbers: the fixture knows no integer kernels.
struct TrunkLayers<Scalar: ProductScalar> {
    private let model: Qwen3Model
    private let stack: LayerStack<Scalar>
    private let shape: AdapterShape

    init(_ model: Qwen3Model, shape: AdapterShape, longest: Int, team: ProductTeam) throws {
        (self.model, self.shape) = (model, shape)
        stack = try LayerStack(model, shape: shape, longest: longest, team: team)
        try stack.reserve(chunkTokens: 1024, longest: longest)
    }

    /// States [tokens, hiddenSize] after so many layers.
    func states(_ texts: [[Int32]], layers: Int) throws -> Grid<Scalar> {
        let rows = try texts.flatMap { $0 }.flatMap { token in
            try model.dequantizedRow(Int(token), of: "token_embd.weight")!.map { Scalar($0) }
        }
        let zeros = Grid([Scalar](repeating: 0, count: shape.count), columns: shape.count)
        var first = 0
        let places = texts.map { text in
            defer { first += text.count }
            return TextRows(first: first, count: text.count)
        }
        return (0..<layers).reduce(Grid(rows, columns: model.config.hiddenSize)) { x, layer in
            stack.pass(layer, places, isLast: false, zeros, nil).forward(x).0
        }
    }
}

struct LayerGradientTests {
    /// Of every tensor as a whole. What is left in double precision are the cosines of rotations, which are floats
    /// here.
    private static let (bar, floatBar) = (1e-6, 5e-5)

    @Test(arguments: LayerCase.all)
    func `gradients in double precision are those of autograd`(_ test: LayerCase) async throws {
        let run = try await LayerRun<Double>(test, threads: 1)
        #expect(abs(run.loss - test.loss) < 1e-6 * abs(test.loss))
        let worst = try run.worst(test.reference())
        #expect(worst.error < Self.bar, "\(worst.name)")
    }

    @Test(arguments: LayerCase.all)
    func `gradients in single precision are those of autograd`(_ test: LayerCase) async throws {
        let run = try await LayerRun<Float>(test, threads: 2)
        #expect(abs(run.loss - test.loss) < 1e-5 * abs(test.loss))
        let worst = try run.worst(test.reference())
        #expect(worst.error < Self.floatBar, "\(worst.name)")
    }

    @Test func `gradients have the same bits for any number of threads`() async throws {
        let test = LayerCase.all[1]
        let one = try await LayerRun<Float>(test, threads: 1)
        for threads in [2, 3, 5] {
            let other = try await LayerRun<Float>(test, threads: threads)
            #expect(one.loss == other.loss)
            #expect(zip(one.tensors, other.tensors).allSatisfy { $0.values == $1.values })
        }
    }

    @Test func `a batch in chunks has the loss of the whole and nearly its gradient`() async throws {
        let test = LayerCase.all[0]
        let whole = try await LayerRun<Float>(test, threads: 2)
        let parts = try await LayerRun<Float>(test, threads: 2, chunks: [0..<2, 2..<3, 3..<test.texts.count])
        #expect(whole.loss == parts.loss)
        let (a, b) = (whole.tensors.flatMap(\.values), parts.tensors.flatMap(\.values))
        let off = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        #expect(off < 1e-6 * a.reduce(0) { $0 + $1 * $1 }.squareRoot())
    }
}
