// The tensors of a checkpoint under the names that GGUF has for them.
import Q3GGUF

/// Takes the tensors of a folder one by one, checks their shapes, and leaves none unknown.
struct CheckpointTensors {
    private let folder: CheckpointFolder
    private let role: Role
    private let causal: Bool
    private let adapter: LowRankAdapter?
    /// Before the names of the model's own tensors: none in a bare model.
    private let prefix: String
    /// Of the token embeddings.
    let embeddingType: TensorType

    /// Throws where the token embeddings have not the rows that the vocabulary is made for.
    init(_ folder: CheckpointFolder, role: Role, causal: Bool, adapter: LowRankAdapter?) throws {
        self.folder = folder
        self.role = role
        self.causal = causal
        self.adapter = adapter
        prefix = folder.tensorNames.contains("model.embed_tokens.weight") ? "model." : ""
        let shape = [folder.config.vocabularySize, folder.config.hiddenSize]
        embeddingType = try Self.tensor(prefix + "embed_tokens.weight", shape, of: folder).type
    }

    /// All tensors in the order of GGUF files.
    func all(_ tokenizer: CheckpointTokenizer) throws -> [TensorSource] {
        let c = folder.config
        let (queryWidth, keyWidth) = (c.heads * c.headWidth, c.kvHeads * c.headWidth)
        var known: Set<String> = ["lm_head.weight"]
        var tensors: [TensorSource] = []
        var strayModules = adapter?.moduleNames ?? []
        func take(_ name: String, as ggufName: String, _ shape: [Int]) throws {
            known.insert(prefix + name)
            let tensor = try Self.tensor(prefix + name, shape, of: folder)
            let module = String(name.dropLast(".weight".count))
            // Only matrices of layers: the token embeddings serve as the output too, and norms have no rank.
            if let adapter, name.hasPrefix("layers."), shape.count == 2, strayModules.remove(module) != nil {
                tensors.append(try adapter.merged(tensor, of: module, as: ggufName))
            } else {
                tensors.append(TensorSource(tensor, as: ggufName))
            }
        }
        try take("embed_tokens.weight", as: "token_embd.weight", [c.vocabularySize, c.hiddenSize])
        for layer in 0..<c.layerCount {
            let (from, to) = ("layers.\(layer).", "blk.\(layer).")
            try take(from + "input_layernorm.weight", as: to + "attn_norm.weight", [c.hiddenSize])
            try take(from + "self_attn.q_proj.weight", as: to + "attn_q.weight", [queryWidth, c.hiddenSize])
            try take(from + "self_attn.k_proj.weight", as: to + "attn_k.weight", [keyWidth, c.hiddenSize])
            try take(from + "self_attn.v_proj.weight", as: to + "attn_v.weight", [keyWidth, c.hiddenSize])
            try take(from + "self_attn.q_norm.weight", as: to + "attn_q_norm.weight", [c.headWidth])
            try take(from + "self_attn.k_norm.weight", as: to + "attn_k_norm.weight", [c.headWidth])
            try take(from + "self_attn.o_proj.weight", as: to + "attn_output.weight", [c.hiddenSize, queryWidth])
            try take(from + "post_attention_layernorm.weight", as: to + "ffn_norm.weight", [c.hiddenSize])
            try take(from + "mlp.gate_proj.weight", as: to + "ffn_gate.weight", [c.ffnSize, c.hiddenSize])
            try take(from + "mlp.up_proj.weight", as: to + "ffn_up.weight", [c.ffnSize, c.hiddenSize])
            try take(from + "mlp.down_proj.weight", as: to + "ffn_down.weight", [c.hiddenSize, c.ffnSize])
        }
        try take("norm.weight", as: "output_norm.weight", [c.hiddenSize])
        if role == .reranker { try tensors += head(tokenizer) }
        if let stranger = folder.tensorNames.first(where: { !known.contains($0) }) {
            throw ConvertError.unknownTensor(folder: folder.path, name: stranger)
        }
        if let stray = strayModules.sorted().first {
            throw ConvertError.strayAdapter(folder: folder.path, module: stray)
        }
        return tensors
    }

    /// The head of a reranker: the rows of yes and no; with `causal` all rows, where they are not the token embeddings.
    private func head(_ tokenizer: CheckpointTokenizer) throws -> [TensorSource] {
        let c = folder.config
        let hasMatrix = try folder.tensor(named: "lm_head.weight") != nil
        let isTied = c.isTied ?? !hasMatrix
        let name = isTied ? prefix + "embed_tokens.weight" : "lm_head.weight"
        let rows = try Self.tensor(name, [c.vocabularySize, c.hiddenSize], of: folder)
        guard !causal else { return isTied ? [] : [TensorSource(rows, as: "output.weight")] }
        let rowByteCount = rows.byteCount / c.vocabularySize
        var bytes: [UInt8] = []
        for word in ["yes", "no"] {
            guard let id = tokenizer.id(of: word) else {
                throw ConvertError.missingToken(folder: folder.path, token: word)
            }
            var row = [UInt8](repeating: 0, count: rowByteCount)
            unsafe try row.withUnsafeMutableBytes { unsafe try rows.read(id * rowByteCount, $0) }
            bytes += row
        }
        return [TensorSource(name: "cls.output.weight", shape: [c.hiddenSize, 2], type: rows.type, bytes: bytes)]
    }

    private static func tensor(
        _ name: String, _ shape: [Int], of folder: CheckpointFolder
    ) throws -> SafetensorsFile.Tensor {
        guard let tensor = try folder.tensor(named: name) else {
            throw ConvertError.missingTensor(folder: folder.path, name: name)
        }
        guard tensor.shape == shape else {
            throw ConvertError.badShape(tensor: name, got: tensor.shape, wanted: shape, by: "config.json")
        }
        return tensor
    }
}

extension TensorSource {
    /// A tensor of a checkpoint under its new name. Its axes are named in the other order.
    init(_ tensor: SafetensorsFile.Tensor, as name: String) {
        unsafe self.init(name: name, shape: tensor.shape.reversed(), type: tensor.type, read: tensor.read)
    }

    /// A tensor with its bytes.
    init(name: String, shape: [Int], type: TensorType, bytes: [UInt8]) {
        unsafe self.init(name: name, shape: shape, type: type) { offset, memory in
            unsafe bytes[offset..<offset + memory.count].withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
        }
    }
}
