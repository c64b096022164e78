// Which tensor gets which type: the rules that files of a type are known by.
import Q3GGUF

/// The types of a model's tensors in a file of one type. The rules are those of llama.cpp's files for this architecture, so that
/// a file called Q4_K_M is what people expect; only the head of rerankers stays in f32.
struct Mix {
    let fileType: FileType
    let layerCount: Int
    /// Whether the model has a matrix for its output; otherwise the token embeddings serve as that.
    let hasOutput: Bool

    init(_ fileType: FileType, tensorNames: [String]) {
        self.fileType = fileType
        layerCount = tensorNames.count { $0.hasSuffix(".attn_v.weight") }
        hasOutput = tensorNames.contains("output.weight")
    }

    /// The type of a tensor that is stored as `type` now. `shape` has the fastest axis first.
    func type(of name: String, shape: [Int], now type: TensorType) -> TensorType {
        // A score is the difference of its two rows: they cost nothing and decide everything.
        if name == "cls.output.weight" { return .f32 }
        // Norms, and whatever else is no matrix.
        guard shape.dropFirst().contains(where: { $0 > 1 }), name.hasSuffix(".weight"), !name.hasSuffix("_norm.weight")
        else { return type }
        guard fileType.isQuantized else { return fileType.tensorType }
        return Self.fitting(wanted(name, rowLength: shape[0]), rowLength: shape[0])
    }

    private func wanted(_ name: String, rowLength: Int) -> TensorType {
        let type = fileType.tensorType
        if name == "output.weight" || name == "token_embd.weight" && !hasOutput {
            return type == .q8_0 || !rowLength.isMultiple(of: TensorType.q6_K.itemsPerBlock) ? .q8_0 : .q6_K
        }
        let parts = name.split(separator: ".")
        guard parts.count == 4, parts[0] == "blk", let layer = Int(parts[1]) else { return type }
        switch (fileType, parts[2]) {
        case (.q4_K_M, "attn_v"), (.q5_K_M, "attn_v"), (.q4_K_M, "ffn_down"), (.q5_K_M, "ffn_down"):
            return deservesMoreBits(layer) ? .q6_K : type
        case (.q4_K_S, "attn_v"):
            return layer < 4 ? .q5_K : type
        case (.q4_K_S, "ffn_down"):
            return layer < layerCount / 8 ? .q5_K : type
        default:
            return type
        }
    }

    /// The first and the last eighth of the layers, and every third between them.
    private func deservesMoreBits(_ layer: Int) -> Bool {
        let eighth = layerCount / 8
        return layer < eighth || layer >= 7 * layerCount / 8 || (layer - eighth) % 3 == 2
    }

    /// The type itself, or one with shorter blocks and at least as many bits where rows do not fill its blocks.
    private static func fitting(_ type: TensorType, rowLength: Int) -> TensorType {
        let shorter: [TensorType: TensorType] = [.q4_K: .q5_0, .q5_K: .q5_1, .q6_K: .q8_0]
        var type = type
        if !rowLength.isMultiple(of: type.itemsPerBlock), let other = shorter[type] { type = other }
        return rowLength.isMultiple(of: type.itemsPerBlock) ? type : .f16
    }
}
