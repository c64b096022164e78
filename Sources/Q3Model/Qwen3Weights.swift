// The weights: views into the mapped file, checked for shape and type; norm gains are copied.

import Q3GGUF
import Q3Kernels
import Q3System

/// One transformer layer. Matrices are [outputs, inputs].
struct Qwen3Layer: Sendable {
    let attnNorm: [Float]  // [hiddenSize]
    fileprivate(set) var q: Matrix  // [queryWidth, hiddenSize]
    fileprivate(set) var k: Matrix  // [keyWidth, hiddenSize]
    fileprivate(set) var v: Matrix  // [keyWidth, hiddenSize]
    let qNorm: [Float]  // [headDim]
    let kNorm: [Float]  // [headDim]
    fileprivate(set) var attnOut: Matrix  // [hiddenSize, queryWidth]
    let ffnNorm: [Float]  // [hiddenSize]
    fileprivate(set) var gate: Matrix  // [ffnSize, hiddenSize]
    fileprivate(set) var up: Matrix  // [ffnSize, hiddenSize]
    fileprivate(set) var ffnDown: Matrix  // [hiddenSize, ffnSize]

    fileprivate static let matrices: [WritableKeyPath<Qwen3Layer, Matrix> & Sendable] = [
        \.q, \.k, \.v, \.attnOut, \.gate, \.up, \.ffnDown,
    ]
}

/// All weights of a checkpoint. The file must outlive them.
struct Qwen3Weights: Sendable {
    let tokenEmbedding: Matrix  // [vocabularySize, hiddenSize]
    private(set) var layers: [Qwen3Layer]
    let outputNorm: [Float]  // [hiddenSize]
    /// Panel families that some matrix computes in.
    let families: Set<PanelFamily>
    /// How far attention rounds beside them.
    let attention: AttentionRounding
    /// Bytes of the layers' matrices, which every pass reads.
    let layerByteCount: Int
    /// Those of them that stay packed.
    private var store: PanelStore?

    init(file: GGUFFile, config c: Qwen3Config, precision: Precision) throws {
        var reader = TensorReader(file: file, config: c, precision: precision)
        tokenEmbedding = try reader.table(.tokenEmbedding)
        outputNorm = try reader.gain(.outputNorm)
        layers = try (0..<c.layerCount).map { layer in
            Qwen3Layer(
                attnNorm: try reader.gain(.attnNorm, layer), q: try reader.matrix(.q, layer),
                k: try reader.matrix(.k, layer), v: try reader.matrix(.v, layer),
                qNorm: try reader.gain(.qNorm, layer), kNorm: try reader.gain(.kNorm, layer),
                attnOut: try reader.matrix(.attnOut, layer), ffnNorm: try reader.gain(.ffnNorm, layer),
                gate: try reader.matrix(.gate, layer), up: try reader.matrix(.up, layer),
                ffnDown: try reader.matrix(.ffnDown, layer))
        }
        families = reader.families
        attention = precision == .fast ? .bytes : families == [.f32] ? .f32 : .w16
        layerByteCount = reader.byteCount
        let stranger = file.tensors.first {
            Qwen3Schema.Tensor(named: $0.name).map { $0.layer ?? 0 >= c.layerCount } ?? true
        }
        if let stranger { throw ModelError.unknownTensor(stranger.name.escapedForTerminal) }
    }

    /// Bytes of the layers' matrices once they are packed.
    var packedByteCount: Int { layers.reduce(0) { $0 + $1.packedByteCount } }

    /// Bytes that packed weights take at most.
    var keptByteCount: Int { store?.usedByteCount ?? 0 }

    /// Keeps matrices packed from the first layer on, as many as `limit` bytes hold.
    mutating func keepPanels(limit: Int) throws {
        let byteCount = min(limit, packedByteCount)
        guard byteCount > 0 else { return }
        guard let store = PanelStore(byteCount: byteCount) else { throw ModelError.outOfMemory(byteCount: byteCount) }
        for layer in layers.indices {
            for matrix in Qwen3Layer.matrices {
                layers[layer][keyPath: matrix] = unsafe layers[layer][keyPath: matrix].keepingPanels(in: store)
            }
        }
        self.store = store
    }
}

extension Qwen3Layer {
    fileprivate var packedByteCount: Int { Self.matrices.reduce(0) { $0 + self[keyPath: $1].panelByteCount } }
}

/// Takes tensors out of the file one by one.
private struct TensorReader {
    let file: GGUFFile
    let config: Qwen3Config
    let precision: Precision
    var families: Set<PanelFamily> = []
    var byteCount = 0

    private func tensor(_ part: Qwen3Schema.Part, _ layer: Int? = nil) throws -> TensorInfo {
        let expected = Qwen3Schema.Tensor(part, layer: layer)
        guard let tensor = file.tensor(named: expected.name) else { throw ModelError.missingTensor(expected.name) }
        guard tensor.shape == expected.shape(in: config) else {
            throw ModelError.badShape(tensor: expected.name, got: tensor.shape, expected: expected.shape(in: config))
        }
        return tensor
    }

    /// A matrix whose rows are only looked up.
    func table(_ part: Qwen3Schema.Part) throws -> Matrix {
        try Matrix(try tensor(part), in: file, families: Precision.exact.families)
    }

    /// A matrix of the layers.
    mutating func matrix(_ part: Qwen3Schema.Part, _ layer: Int) throws -> Matrix {
        let tensor = try tensor(part, layer)
        let matrix = try Matrix(
            tensor, in: file, families: precision.families(of: part, type: tensor.type))
        families.insert(matrix.family)
        byteCount += tensor.byteCount
        return matrix
    }

    /// The gains of a norm, copied.
    func gain(_ part: Qwen3Schema.Part, _ layer: Int? = nil) throws -> [Float] {
        let tensor = try tensor(part, layer)
        guard tensor.type == .f32 else {
            throw ModelError.unsupportedType(
                tensor: tensor.name, type: tensor.type, expected: "F32, as norms have")
        }
        let bytes = unsafe file.bytes(of: tensor)
        let values = (0..<tensor.elementCount).map {
            unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw ModelError.nonFiniteWeight(tensor: tensor.name, index: index)
        }
        return values
    }
}

extension Matrix {
    /// A matrix of the file in the first of `families` that takes its type.
    init(_ tensor: TensorInfo, in file: GGUFFile, families: [PanelFamily]) throws {
        let type = tensor.type.rawValue
        guard let family = PanelFamily.forType(type, in: families),
            let matrix = unsafe Matrix(
                bytes: file.bytes(of: tensor), typeID: type, rows: tensor.rowCount, cols: tensor.shape[0],
                family: family)
        else {
            let readable = TensorType.allCases.filter { PanelFamily.forType($0.rawValue, in: families) != nil }
            throw ModelError.unsupportedType(
                tensor: tensor.name, type: tensor.type,
                expected: "one of " + readable.map(\.name).joined(separator: " ") + " in rows of whole blocks of 32")
        }
        self = matrix
    }
}
