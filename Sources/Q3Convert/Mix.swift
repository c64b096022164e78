// Which tensor gets which type: the rules that files of a type are known by.
package import Q3GGUF
import Q3Model

/// The types of a model's tensors in a file of one type. The rules are those of llama.cpp's files for this
/// architecture, so that a file called Q4_K_M is what people expect; only the head of rerankers stays in f32.
package struct Mix {
    private let fileType: FileType
    private let layerCount: Int
    /// Whether the model has a matrix for its output; otherwise the token embeddings serve as that.
    private let hasOutput: Bool

    /// For a model of those tensors.
    package init(_ fileType: FileType, tensorNames: [String]) {
        let parts = tensorNames.compactMap { Qwen3Schema.Tensor(named: $0)?.part }
        self.fileType = fileType
        layerCount = parts.count { $0 == .v }
        hasOutput = parts.contains(.output)
    }

    /// The type of a tensor that is stored as `type` now. `shape` has the fastest axis first.
    package func type(of name: String, shape: [Int], now type: TensorType) -> TensorType {
        let tensor = Qwen3Schema.Tensor(named: name)
        // A score is the difference of its two rows: their precision costs nothing and decides everything.
        if tensor?.part == .classifier { return .f32 }
        // Norms, and whatever else is not a matrix.
        guard shape.dropFirst().contains(where: { $0 > 1 }), name.hasSuffix(".weight"), !name.hasSuffix("_norm.weight")
        else { return type }
        guard fileType.isQuantized else { return fileType.tensorType }
        return Self.fitting(preferred(tensor, rowLength: shape[0]), rowLength: shape[0])
    }

    private func preferred(_ tensor: Qwen3Schema.Tensor?, rowLength: Int) -> TensorType {
        let type = fileType.tensorType
        guard let tensor else { return type }
        if tensor.part == .output || tensor.part == .tokenEmbedding && !hasOutput {
            return type == .q8_0 || !rowLength.isMultiple(of: TensorType.q6_K.itemsPerBlock) ? .q8_0 : .q6_K
        }
        guard let layer = tensor.layer else { return type }
        switch (fileType, tensor.part) {
        case (.q4_K_M, .v), (.q5_K_M, .v), (.q4_K_M, .ffnDown), (.q5_K_M, .ffnDown):
            return deservesMoreBits(layer) ? .q6_K : type
        case (.q4_K_S, .v):
            return layer < 4 ? .q5_K : type
        case (.q4_K_S, .ffnDown):
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
