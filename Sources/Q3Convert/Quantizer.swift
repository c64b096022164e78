// One GGUF file in, the same model in other types out.
package import Q3GGUF
import Q3Kernels
import Q3Model

package enum Quantizer {
    /// Writes the model of `file` as a file of another type. Metadata is unchanged except for
    /// the storage keys.
    ///
    ///     let report = try Quantizer.quantize(GGUFFile(path: "f16.gguf"), to: "q4.gguf", as: .q4_K_M)
    ///     print(report.difference.rmse)
    ///
    /// The output appears when it is complete and on disk. The LoRA adapter in the folder `adapter` is merged into the
    /// weights as the file has them. Throws `ConvertError` and `GGUFError`.
    package static func quantize(
        _ file: GGUFFile, adapter adapterPath: String? = nil, to path: String, as type: FileType,
        options: ConvertOptions = ConvertOptions()
    ) throws -> FileReport {
        guard !file.tensors.isEmpty else { throw ConvertError.noTensors }
        let adapter = try adapterPath.map { try LowRankAdapter(folder: $0) }
        let path = try outputPath(path, inputs: file.paths + (adapter?.inputPaths ?? []))
        let mix = Mix(type, tensorNames: file.tensors.map(\.name))
        let types = file.tensors.map { mix.type(of: $0.name, shape: $0.shape, now: $0.type) }
        let writer = try ModelWriter(sources(file, adapter), types: types)
        var header = try GGUFWriter(metadataOf: file)
        header.setFileType(type)
        let tensors = try writer.write(header, to: path, options: options) {
            try file.checkUnchanged()
            try adapter?.checkUnchanged()
        }
        return FileReport(fileType: type, tensors: tensors)
    }

    private static func sources(_ file: GGUFFile, _ adapter: LowRankAdapter?) throws -> [TensorSource] {
        let sources = file.tensors.map { TensorSource($0, of: file) }
        guard let adapter else { return sources }
        var left = adapter.moduleNames
        let merged = try sources.map { source in
            guard let tensor = Qwen3Schema.Tensor(named: source.name) else { return source }
            guard WeightCodec.canDecode(typeID: source.type.rawValue) else {
                throw ConvertError.unreadableType(tensor: source.name, type: source.type)
            }
            return try adapter.merged(source, as: tensor, removing: &left)
        }
        if let stray = left.sorted().first { throw ConvertError.strayAdapter(model: file.path, module: stray) }
        return merged
    }
}

extension GGUFWriter {
    /// A new file with the metadata of another one.
    init(metadataOf file: GGUFFile) throws(GGUFError) {
        self.init()
        for key in file.metadata.keys where !key.hasPrefix("split.") {  // the new file is whole
            // Invalid UTF-8 would be replaced on the way out.
            if case .string = file.metadata.value(key) { _ = try file.metadata.string(key) }
            if let value = file.metadata.value(key) { set(key, to: value) }
        }
    }

    /// Says what the tensors are stored as.
    mutating func setFileType(_ type: FileType) {
        set(Qwen3Schema.Key.fileType, to: .uint32(type.id))
        if type.isQuantized { set(Qwen3Schema.Key.quantizationVersion, to: .uint32(2)) }
    }
}
