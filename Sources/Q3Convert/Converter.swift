// A Hugging Face folder in, a GGUF file out that q3 and llama.cpp run.
import Q3GGUF
package import Q3Model
import Q3Tokenizer

package enum Converter {
    /// Writes the model in a folder as a GGUF file.
    ///
    ///     try Converter.convert(folder: "Qwen3-Reranker-0.6B", to: "reranker-q8.gguf", as: .q8_0)
    ///
    /// A nil `type` keeps that of the token embeddings. A reranker gets a head of the two rows that its score comes
    /// from, with `causal` it stays a language model with all rows. The LoRA adapter in the folder `adapter` is merged.
    /// Throws `ConvertError` and `GGUFError`.
    package static func convert(
        folder path: String, adapter adapterPath: String? = nil, to output: String, as type: FileType? = nil,
        role: ModelRole.Kind? = nil, causal: Bool = false, options: ConvertOptions = ConvertOptions()
    ) throws -> FileReport {
        let checkpoint = try CheckpointFolder(path: path)
        if let fault = checkpoint.fault {
            throw ConvertError.badFile(path: "\(checkpoint.path)/config.json", fault: fault)
        }
        let role = role ?? ModelRole.Kind(of: checkpoint)
        guard role != .unstated else { throw ConvertError.unknownRole(folder: checkpoint.path) }
        guard role == .reranker || !causal else { throw ConvertError.embeddingsAreNotCausal }
        let adapter = try adapterPath.map { try LowRankAdapter(folder: $0) }
        let target = try outputPath(output, inputs: checkpoint.inputPaths + (adapter?.inputPaths ?? []))
        let source = try CheckpointTensors(checkpoint, role: role, causal: causal, adapter: adapter)
        let tokenizer = try CheckpointTokenizer(folder: checkpoint.path, rowCount: checkpoint.config.vocabularySize)
        let tensors = try source.all(tokenizer)
        let fileType = type ?? FileType(rawValue: source.embeddingType.name) ?? .f32
        let mix = Mix(fileType, tensorNames: tensors.map(\.name))
        let types = tensors.map { mix.type(of: $0.name, shape: $0.shape, now: $0.shape.count == 1 ? .f32 : $0.type) }
        var header = GGUFWriter()
        try header.describe(checkpoint, role: role, causal: causal)
        try header.describe(tokenizer, of: checkpoint, role: role, causal: causal)
        header.setFileType(fileType)
        let reports = try ModelWriter(tensors, types: types).write(header, to: target, options: options) { file in
            do {
                _ = try Qwen3Config(file: file)
                _ = try Tokenizer(metadata: file.metadata)
            } catch {
                throw ConvertError.unrunnable(folder: checkpoint.path, fault: "\(error)")
            }
        } verify: {
            try checkpoint.checkUnchanged()
            try adapter?.checkUnchanged()
        }
        return FileReport(fileType: fileType, tensors: reports)
    }
}
