// A Hugging Face folder: its JSON files and where each tensor lies.
import Q3GGUF
import Q3System

/// The files of a model as `save_pretrained` writes them.
struct CheckpointFolder {
    let path: String
    /// The folder's own name, also where `path` is "." or a link.
    let name: String
    let config: CheckpointConfig
    private let settings: UnknownSettings
    let modules: SentenceModules
    let chatTemplate: String?
    private let files: [SafetensorsFile]
    private let fileOfTensor: [ExactText: Int]

    init(path: String) throws {
        guard let resolved = unsafe realpath(path, nil) else { throw GGUFError.cannotOpen(path: path, code: errno) }
        defer { unsafe free(resolved) }
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.path = path
        name = unsafe String(cString: resolved).split(separator: "/").last.map(String.init) ?? "model"
        config = try JSONFile.required("config.json", in: path, as: CheckpointConfig.self)
        settings = try JSONFile.required("config.json", in: path, as: UnknownSettings.self)
        modules = try SentenceModules(folder: path)
        let tokenizer = try JSONFile.decode("tokenizer_config.json", in: path, as: TokenizerConfig.self)
        chatTemplate =
            try JSONFile.data("chat_template.jinja", in: path).map { String(decoding: $0, as: UTF8.self) }
            ?? tokenizer?.chatTemplate
        (files, fileOfTensor) = try Self.tensorFiles(in: path)
    }

    /// The part of the model that q3 does not compute, nil if there is none.
    var fault: String? { config.fault ?? settings.fault }

    var tensorNames: [String] { fileOfTensor.keys.map(\.text).sorted() }

    /// Paths of the files that are read; the output may not replace any of them.
    var inputPaths: [String] { files.map(\.path) + Self.smallFiles.map { "\(path)/\($0)" } }

    private static let smallFiles = [
        "config.json", "config_sentence_transformers.json", "modules.json", "1_Pooling/config.json", "tokenizer.json",
        "tokenizer_config.json", "vocab.json", "merges.txt", "chat_template.jinja", "model.safetensors.index.json",
    ]

    func tensor(named name: String) throws -> SafetensorsFile.Tensor? {
        try fileOfTensor[ExactText(name)].flatMap { try files[$0].tensor(named: name) }
    }

    func checkUnchanged() throws {
        for file in files { try file.checkUnchanged() }
    }

    // MARK: - Weights

    private struct Index: Decodable {
        let weightMap: [String: String]
        private enum CodingKeys: String, CodingKey { case weightMap = "weight_map" }
    }

    /// The one file, as in the reference also where there is an index; or the parts that the index names, with each
    /// tensor in the part that it says.
    private static func tensorFiles(in path: String) throws -> ([SafetensorsFile], [ExactText: Int]) {
        let name = "model.safetensors"
        if JSONFile.exists(name, in: path) {
            let file = try SafetensorsFile(path: "\(path)/\(name)")
            return ([file], Dictionary(uniqueKeysWithValues: file.names.map { (ExactText($0), 0) }))
        }
        guard let index = try JSONFile.decode(name + ".index.json", in: path, as: Index.self) else {
            throw ConvertError.missingFile(folder: path, name: name)
        }
        let parts = Set(index.weightMap.values).sorted()
        let files = try parts.map { part in
            // A part lies in the folder itself, whatever the index says.
            guard !part.hasByte("/"), !part.hasByte("\0"), part.hasSuffix(".safetensors") else {
                throw ConvertError.badFile(
                    path: "\(path)/\(name).index.json", fault: "it names a part \(part.escapedForTerminal)")
            }
            guard JSONFile.exists(part, in: path) else { throw ConvertError.missingFile(folder: path, name: part) }
            return try SafetensorsFile(path: "\(path)/\(part)")
        }
        let places = Dictionary(uniqueKeysWithValues: parts.enumerated().map { ($1, $0) })
        let pairs = index.weightMap.compactMap { name, part in places[part].map { (ExactText(name), $0) } }
        return (files, Dictionary(uniqueKeysWithValues: pairs))
    }

    private struct TokenizerConfig: Decodable {
        let chatTemplate: String?
        private enum CodingKeys: String, CodingKey { case chatTemplate = "chat_template" }

        init(from decoder: any Decoder) throws {
            // Some models have a list of them, which does not matter here.
            chatTemplate = try? decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .chatTemplate)
        }
    }
}
