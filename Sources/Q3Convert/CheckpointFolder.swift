// A Hugging Face folder: its JSON files and where each tensor lies.
import Q3GGUF

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The files of a model as `save_pretrained` writes them.
struct CheckpointFolder {
    let path: String
    let config: CheckpointConfig
    /// From `config_sentence_transformers.json`, by name.
    let prompts: [String: String]
    /// Whether a pooling is given; it is the last token's then.
    let hasPooling: Bool
    let chatTemplate: String?
    private let files: [SafetensorsFile]
    private let fileOfTensor: [String: Int]

    init(path: String) throws {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.path = path
        config = try Self.json("config.json", in: path, as: CheckpointConfig.self)
        prompts =
            try Self.optionalJSON("config_sentence_transformers.json", in: path, as: SentenceTransformers.self)?
            .prompts?.compactMapValues { $0 } ?? [:]
        let pooling = try Self.optionalJSON("1_Pooling/config.json", in: path, as: Pooling.self)
        if let pooling, !pooling.isLastToken { throw ConvertError.pooling(path: path) }
        hasPooling = pooling != nil
        let tokenizer = try Self.optionalJSON("tokenizer_config.json", in: path, as: TokenizerConfig.self)
        chatTemplate =
            try Self.optionalData("chat_template.jinja", in: path).map { String(decoding: $0, as: UTF8.self) }
            ?? tokenizer?.chatTemplate
        (files, fileOfTensor) = try Self.tensorFiles(in: path)
    }

    var tensorNames: [String] { fileOfTensor.keys.sorted() }

    /// Paths of the files with weights.
    var tensorPaths: [String] { files.map(\.path) }

    func tensor(named name: String) throws -> SafetensorsFile.Tensor? {
        try fileOfTensor[name].flatMap { try files[$0].tensor(named: name) }
    }

    func checkUnchanged() throws {
        for file in files { try file.checkUnchanged() }
    }

    // MARK: - Weights

    private struct Index: Decodable {
        let weightMap: [String: String]
        private enum CodingKeys: String, CodingKey { case weightMap = "weight_map" }
    }

    /// The one file, or the parts that the index names; each tensor in the part that the index says.
    private static func tensorFiles(in path: String) throws -> ([SafetensorsFile], [String: Int]) {
        let name = "model.safetensors"
        guard let index = try optionalJSON(name + ".index.json", in: path, as: Index.self) else {
            guard exists(name, in: path) else { throw ConvertError.missingFile(folder: path, name: name) }
            let file = try SafetensorsFile(path: "\(path)/\(name)")
            return ([file], Dictionary(uniqueKeysWithValues: file.names.map { ($0, 0) }))
        }
        let parts = Set(index.weightMap.values).sorted()
        let files = try parts.map { part in
            // A part lies in the folder itself, whatever the index says.
            guard !part.contains("/"), !part.contains("\0"), part.hasSuffix(".safetensors") else {
                throw ConvertError.badFile(
                    path: "\(path)/\(name).index.json", fault: "it names a part \(part.escapedForTerminal)")
            }
            guard exists(part, in: path) else { throw ConvertError.missingFile(folder: path, name: part) }
            return try SafetensorsFile(path: "\(path)/\(part)")
        }
        let places = Dictionary(uniqueKeysWithValues: parts.enumerated().map { ($1, $0) })
        return (files, index.weightMap.compactMapValues { places[$0] })
    }

    // MARK: - JSON files

    private struct SentenceTransformers: Decodable { let prompts: [String: String?]? }

    private struct Pooling: Decodable {
        let lastToken: Bool?
        let mode: String?
        var isLastToken: Bool { lastToken == true || mode == "lasttoken" }
        private enum CodingKeys: String, CodingKey {
            case lastToken = "pooling_mode_lasttoken"
            case mode = "pooling_mode"
        }
    }

    private struct TokenizerConfig: Decodable {
        let chatTemplate: String?
        private enum CodingKeys: String, CodingKey { case chatTemplate = "chat_template" }

        init(from decoder: any Decoder) throws {
            // Some models have a list of them, which is none of ours.
            chatTemplate = try? decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .chatTemplate)
        }
    }

    private static func exists(_ name: String, in path: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(path)/\(name)")
    }

    static func optionalData(_ name: String, in path: String) throws -> Data? {
        guard exists(name, in: path) else { return nil }
        let file = try MappedFile(path: "\(path)/\(name)", copying: true)
        guard file.byteCount <= 1 << 28 else { throw ConvertError.badFile(path: file.path, fault: "it is too large") }
        return unsafe Data(file.bytes)
    }

    static func optionalJSON<T: Decodable>(_ name: String, in path: String, as type: T.Type) throws -> T? {
        guard let data = try optionalData(name, in: path) else { return nil }
        do {
            return try JSONDecoder().decode(T.self, from: data)
        } catch {
            throw ConvertError.badFile(path: "\(path)/\(name)", fault: jsonFault(error))
        }
    }

    static func json<T: Decodable>(_ name: String, in path: String, as type: T.Type) throws -> T {
        guard let value = try optionalJSON(name, in: path, as: type) else {
            throw ConvertError.missingFile(folder: path, name: name)
        }
        return value
    }
}
