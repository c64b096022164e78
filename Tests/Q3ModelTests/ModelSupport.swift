// What the model tests share: the tiny models and what the reference computes for them, seeded numbers, comparisons.

import FoundationEssentials
import Q3GGUF
import Q3Kernels
import TestSupport

@testable import Q3Model

/// The tiny embedding models of Tests/Fixtures, by the type of their weights.
enum Tiny: String, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8_0 = "Q8_0"
    case q4_0 = "Q4_0"
    case q5_0 = "Q5_0"
    case q4_K_M = "Q4_K_M"
    case q5_K_M = "Q5_K_M"
    case q6_K = "Q6_K"

    var name: String { "tiny-embed-\(rawValue)" }

    var golden: Golden {
        get throws {
            let data = try Data(contentsOf: URL(filePath: Fixture.path("\(name).json")))
            return try JSONDecoder().decode(Golden.self, from: data)
        }
    }

    func model(
        _ precision: Precision = .auto, threads: Int = 1, batchTokens: Int = 4096, sharing: Bool = true,
        cacheBytes: Int = 0, packedBytes: Int = 0, isa: ISA = .best
    ) throws -> Qwen3Model {
        var options = ModelOptions()
        options.precision = precision
        options.threads = threads
        options.batchTokens = batchTokens
        options.sharesPrefixes = sharing
        options.prefixCacheBytes = cacheBytes
        options.packedWeightBytes = packedBytes
        return try Qwen3Model(file: Fixture.model(name), options: options, isa: isa)
    }
}

/// What the generator of the fixtures writes beside each model; Tests/Fixtures/make.py describes it.
struct Golden: Decodable {
    let items: [EmbeddingItem]
    let states: States

    struct States: Decodable {
        let file: String
        let item: Int
        let nodes: [Node]
    }

    struct Node: Decodable {
        let name: String
        /// [tokens, width]
        let shape: [Int]
        /// In floats.
        let offset: Int
    }

    var lists: [[Int32]] { items.map(\.ids) }

    /// The traced states by node, [tokens, width] each.
    func traces() throws -> [String: [Float]] {
        let bytes = try Array(Data(contentsOf: URL(filePath: Fixture.path(states.file))))
        let pairs = states.nodes.map { node in
            let values = (0..<node.shape[0] * node.shape[1]).map { index in
                unsafe bytes.withUnsafeBytes {
                    unsafe $0.loadUnaligned(fromByteOffset: 4 * (node.offset + index), as: Float.self)
                }
            }
            return (node.name, values)
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }
}

extension ModelCopy {
    /// tiny-embed-Q8_0 without its tokenizer.
    static func tiny() throws -> ModelCopy { try ModelCopy(of: Tiny.q8_0.name, tokenizer: false) }

    /// The error that loading the file as a model throws, nil if it loads.
    func errorOfLoading() throws -> (any Error)? {
        let file = try open()
        do {
            _ = try Qwen3Model(file: file)
            return nil
        } catch {
            return error
        }
    }
}

extension ISA {
    static var available: [ISA] { allCases.filter(\.isAvailable) }
}

extension [[Float]] {
    /// The bits, to be compared with ==; a NaN is not equal to itself.
    var bits: [[UInt32]] { map { $0.map(\.bitPattern) } }
}

/// 1 - cosine, as half the squared distance of the unit vectors: exact where the cosine itself would round to 1.
func distance(_ a: [Float], _ b: [Float]) -> Double {
    func unit(_ x: [Float]) -> [Double] {
        let length = x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        return x.map { Double($0) / length }
    }
    return zip(unit(a), unit(b)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / 2
}

extension SeededGenerator {
    /// Ids of a text; all tiny models have at least 480 tokens.
    mutating func ids(_ count: Int, below limit: Int32 = 480) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: 0..<limit, using: &self) }
    }
}
