// What is in Tests/Fixtures/eval/metrics.json.
import TestSupport

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct Reference: Decodable {
    struct Retrieval: Decodable {
        let corpus: [[Float]]
        let queries: [[Float]]
        let ids: [String]
        let qrels: [[Judgment]]
        let expected: [String: [Double]]
    }

    struct Judgment: Decodable {
        let id: String
        let grade: Int
    }

    struct Correlations: Decodable {
        let x: [Double]
        let y: [Double]
        let ranks: [Double]
        let pearson: Double
        let spearman: Double
    }

    struct Comparisons: Decodable {
        let a: [[Float]]
        let b: [[Float]]
        let cosine: [Double]
        let manhattan: [Double]
        let euclidean: [Double]
    }

    struct Classes: Decodable {
        let truth: [Int]
        let predictions: [Int]
        let scores: [String: Double]
    }

    struct Experiment: Decodable {
        let rows: [Int]
        let classes: [Int]
        let accuracy: Double
    }

    struct Probe: Decodable {
        let train: [[Float]]
        let test: [[Float]]
        let trainLabels: [Int]
        let testLabels: [Int]
        let experiments: [Experiment]
        let unitTrain: [[Float]]
        let unitTest: [[Float]]
        let neighbors: [Int]
    }

    struct VMeasure: Decodable {
        let truth: [Int]
        let clusters: [Int]
        let vMeasure: Double
    }

    struct Clustering: Decodable {
        let vectors: [[Float]]
        let labels: [Int]
        let clusters: Int
        let vMeasure: Double
    }

    struct Bitext: Decodable {
        let left: [[Float]]
        let right: [[Float]]
        let scores: [String: Double]
    }

    struct Twister: Decodable {
        let words: [UInt32]
        let doubles: [Double]
        let shuffled: [[Int]]
    }

    let retrieval: Retrieval
    let correlation: [Correlations]
    let comparisons: Comparisons
    let classes: [Classes]
    let probe: [Probe]
    let vMeasures: [VMeasure]
    let clustering: [Clustering]
    let bitext: Bitext
    let twister: Twister

    static func load() throws -> Self {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(
            Self.self, from: Data(contentsOf: URL(filePath: Fixture.path("eval/metrics.json"))))
    }
}
