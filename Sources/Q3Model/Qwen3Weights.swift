// The weights: views into the mapped file, checked for shape and type; norm gains are copied.

import Q3GGUF
import Q3Kernels
import Q3System

/// One transformer layer. Matrices are [outputs, inputs].
struct Qwen3Layer: Sendable {
    let attnNorm: [Float]  // [hiddenSize]
    let q: Matrix  // [queryWidth, hiddenSize]
    let k: Matrix  // [keyWidth, hiddenSize]
    let v: Matrix  // [keyWidth, hiddenSize]
    let qNorm: [Float]  // [headDim]
    let kNorm: [Float]  // [headDim]
    let attnOut: Matrix  // [hiddenSize, queryWidth]
    let ffnNorm: [Float]  // [hiddenSize]
    let gate: Matrix  // [ffnSize, hiddenSize]
    let up: Matrix  // [ffnSize, hiddenSize]
    let ffnDown: Matrix  // [hiddenSize, ffnSize]
}

/// All weights of a checkpoint. The file must outlive them.
struct Qwen3Weights: Sendable {
    let tokenEmbedding: Matrix  // [vocabularySize, hiddenSize]
    let layers: [Qwen3Layer]
    let outputNorm: [Float]  // [hiddenSize]
    /// Panel families that some matrix computes in.
    let families: Set<PanelFamily>
    /// Bytes of the layers' matrices, which every pass reads.
    let layerByteCount: Int

    init(file: GGUFFile, config c: Qwen3Config, precision: Precision) throws {
        var reader = TensorReader(file: file, precision: precision)
        tokenEmbedding = try reader.table("token_embd.weight", rows: c.vocabularySize, cols: c.hiddenSize)
        outputNorm = try reader.gain("output_norm.weight", count: c.hiddenSize)
        layers = try (0..<c.layerCount).map { index in
            func name(_ part: String) -> String { "blk.\(index).\(part).weight" }
            return Qwen3Layer(
                attnNorm: try reader.gain(name("attn_norm"), count: c.hiddenSize),
                q: try reader.matrix(name("attn_q"), rows: c.queryWidth, cols: c.hiddenSize),
                k: try reader.matrix(name("attn_k"), rows: c.keyWidth, cols: c.hiddenSize),
                v: try reader.matrix(name("attn_v"), rows: c.keyWidth, cols: c.hiddenSize),
                qNorm: try reader.gain(name("attn_q_norm"), count: c.headDim),
                kNorm: try reader.gain(name("attn_k_norm"), count: c.headDim),
                attnOut: try reader.matrix(name("attn_output"), rows: c.hiddenSize, cols: c.queryWidth),
                ffnNorm: try reader.gain(name("ffn_norm"), count: c.hiddenSize),
                gate: try reader.matrix(name("ffn_gate"), rows: c.ffnSize, cols: c.hiddenSize),
                up: try reader.matrix(name("ffn_up"), rows: c.ffnSize, cols: c.hiddenSize),
                ffnDown: try reader.matrix(name("ffn_down"), rows: c.hiddenSize, cols: c.ffnSize))
        }
        families = reader.families
        layerByteCount = reader.byteCount
        // Heads read these two themselves.
        reader.known.formUnion(["output.weight", "cls.output.weight"])
        if let stranger = file.tensors.first(where: { !reader.known.contains($0.name) }) {
            throw ModelError.unknownTensor(stranger.name.escapedForTerminal)
        }
    }
}

/// Takes tensors out of the file one by one and remembers which.
private struct TensorReader {
    let file: GGUFFile
    let precision: Precision
    var known: Set<String> = []
    var families: Set<PanelFamily> = []
    var byteCount = 0

    init(file: GGUFFile, precision: Precision) {
        self.file = file
        self.precision = precision
    }

    private mutating func tensor(_ name: String, shape: [Int]) throws -> TensorInfo {
        known.insert(name)
        guard let tensor = file.tensor(named: name) else { throw ModelError.missingTensor(name) }
        guard tensor.shape == shape else {
            throw ModelError.badShape(tensor: name, got: tensor.shape, wanted: shape)
        }
        return tensor
    }

    /// A matrix whose rows are only looked up.
    mutating func table(_ name: String, rows: Int, cols: Int) throws -> Matrix {
        try Matrix(try tensor(name, shape: [cols, rows]), in: file, exact: true)
    }

    /// A matrix of the layers.
    mutating func matrix(_ name: String, rows: Int, cols: Int) throws -> Matrix {
        let tensor = try tensor(name, shape: [cols, rows])
        let matrix = try Matrix(tensor, in: file, exact: precision == .exact)
        families.insert(matrix.family)
        byteCount += tensor.byteCount
        return matrix
    }

    mutating func gain(_ name: String, count: Int) throws -> [Float] {
        let tensor = try tensor(name, shape: [count])
        guard tensor.type == .f32 else {
            throw ModelError.unsupportedType(tensor: name, type: tensor.type, wanted: "F32, as norms have")
        }
        let bytes = unsafe file.bytes(of: tensor)
        let values = (0..<count).map { unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw ModelError.nonFiniteWeight(tensor: name, index: index)
        }
        return values
    }
}

extension Matrix {
    /// A matrix of the file in the fastest family that its type allows.
    init(_ tensor: TensorInfo, in file: GGUFFile, exact: Bool) throws {
        let type = tensor.type.rawValue
        guard let family = PanelFamily.forType(type, exact: exact),
            let matrix = unsafe Matrix(
                bytes: file.bytes(of: tensor), typeID: type, rows: tensor.rowCount, cols: tensor.shape[0],
                family: family)
        else {
            let readable = TensorType.allCases.filter { PanelFamily.forType($0.rawValue, exact: true) != nil }
            throw ModelError.unsupportedType(
                tensor: tensor.name, type: tensor.type,
                wanted: "one of " + readable.map(\.name).joined(separator: " ") + " in rows of whole blocks of 32")
        }
        self = matrix
    }
}
