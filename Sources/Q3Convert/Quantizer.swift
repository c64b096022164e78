// One GGUF file in, the same model in other types out.
package import Q3GGUF
import Q3Model

package enum Quantizer {
    /// Writes the model of `file` as a file of another type. Metadata is unchanged except for
    /// the storage keys.
    ///
    ///     let report = try Quantizer.quantize(GGUFFile(path: "f16.gguf"), to: "q4.gguf", as: .q4_K_M)
    ///     print(report.difference.rmse)
    ///
    /// The output appears when it is complete and on disk. Throws `ConvertError` and `GGUFError`.
    package static func quantize(
        _ file: GGUFFile, to path: String, as type: FileType, options: ConvertOptions = ConvertOptions()
    ) throws -> FileReport {
        guard !file.tensors.isEmpty else { throw ConvertError.noTensors }
        let path = try outputPath(path, inputs: file.paths)
        let mix = Mix(type, tensorNames: file.tensors.map(\.name))
        let types = file.tensors.map { mix.type(of: $0.name, shape: $0.shape, now: $0.type) }
        let writer = try ModelWriter(file.tensors.map { TensorSource($0, of: file) }, types: types)
        var header = try GGUFWriter(metadataOf: file)
        header.setFileType(type)
        let tensors = try writer.write(header, to: path, options: options) { try file.checkUnchanged() }
        return FileReport(fileType: type, tensors: tensors)
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
