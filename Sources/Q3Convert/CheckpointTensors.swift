// The tensors of a checkpoint under the names that GGUF has for them.
import Q3GGUF
import Q3Model

/// Takes the tensors of a folder one by one, checks their shapes, and leaves none unknown.
struct CheckpointTensors {
    private let folder: CheckpointFolder
    private let role: ModelRole.Kind
    private let causal: Bool
    private let adapter: LowRankAdapter?
    /// Before the names of the model's own tensors: none in a bare model.
    private let prefix: String
    /// Of the token embeddings.
    let embeddingType: TensorType

    /// Throws where the number of rows of the token embeddings is not that of the vocabulary.
    init(_ folder: CheckpointFolder, role: ModelRole.Kind, causal: Bool, adapter: LowRankAdapter?) throws {
        self.folder = folder
        self.role = role
        self.causal = causal
        self.adapter = adapter
        prefix = folder.tensorNames.contains("model." + Self.table.checkpointName) ? "model." : ""
        let table = Self.table.shape(in: folder.config.numbers).reversed() as [Int]
        embeddingType = try Self.tensor(prefix + Self.table.checkpointName, table, of: folder).type
    }

    private static let table = Qwen3Schema.Tensor(.tokenEmbedding)
    private static let output = Qwen3Schema.Tensor(.output)
    private static let classifier = Qwen3Schema.Tensor(.classifier)

    /// All tensors in the order of GGUF files.
    func all(_ tokenizer: CheckpointTokenizer) throws -> [TensorSource] {
        let config = folder.config.numbers
        var known: Set<String> = [Self.output.checkpointName]
        var tensors: [TensorSource] = []
        var strayModules = adapter?.moduleNames ?? []
        for tensor in Qwen3Schema.tensors(layerCount: config.layerCount) {
            let name = prefix + tensor.checkpointName
            known.insert(name)
            let values = try Self.tensor(name, tensor.shape(in: config).reversed(), of: folder)
            let source = TensorSource(values, as: tensor.name)
            tensors.append(try adapter?.merged(source, as: tensor, removing: &strayModules) ?? source)
        }
        if folder.config.isClassifier {
            known.insert(Self.classifier.checkpointName)
            if role == .reranker { tensors.append(try logits()) }
        } else if role == .reranker {
            try tensors += head(tokenizer)
        }
        if let stranger = folder.tensorNames.first(where: { !known.contains($0) }) {
            throw ConvertError.unknownTensor(folder: folder.path, name: stranger)
        }
        if let stray = strayModules.sorted().first {
            throw ConvertError.strayAdapter(model: folder.path, module: stray)
        }
        return tensors
    }

    /// The head of a reranker: the rows of yes and no; with `causal` all rows, where they are not the token embeddings.
    private func head(_ tokenizer: CheckpointTokenizer) throws -> [TensorSource] {
        let c = folder.config
        let hasMatrix = try folder.tensor(named: Self.output.checkpointName) != nil
        let isTied = c.isTied ?? !hasMatrix
        let name = isTied ? prefix + Self.table.checkpointName : Self.output.checkpointName
        let rows = try Self.tensor(name, [c.vocabularySize, c.hiddenSize], of: folder)
        guard !causal else { return isTied ? [] : [TensorSource(rows, as: Self.output.name)] }
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
        return [
            TensorSource(
                name: Self.classifier.name, shape: Self.classifier.shape(in: c.numbers), type: rows.type, bytes: bytes)
        ]
    }

    /// The head of a sequence classifier: a row for each of its labels, which are one, or yes and no.
    private func logits() throws -> TensorSource {
        guard !causal else { throw ConvertError.classifierIsNotCausal }
        let name = Self.classifier.checkpointName
        let labels = folder.config.labels?.count ?? 1
        return TensorSource(
            try Self.tensor(name, [labels, folder.config.hiddenSize], of: folder), as: Self.classifier.name)
    }

    private static func tensor(
        _ name: String, _ shape: [Int], of folder: CheckpointFolder
    ) throws -> SafetensorsFile.Tensor {
        guard let tensor = try folder.tensor(named: name) else {
            throw ConvertError.missingTensor(folder: folder.path, name: name)
        }
        guard tensor.shape == shape else {
            throw ConvertError.badShape(tensor: name, got: tensor.shape, expected: shape, by: "config.json")
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
