// What sentence-transformers says of a folder: prompts, and what follows the model.
import Q3GGUF
import Q3Model
import Q3System

/// The modules that sentence-transformers would run, refused where q3 computes something else.
struct SentenceModules {
    /// The role that the folder's modules give the model, nil if they do not say.
    let role: ModelRole.Kind?
    /// From `config_sentence_transformers.json`, by name.
    let prompts: [String: String]

    init(folder: String) throws {
        prompts =
            try JSONFile.decode("config_sentence_transformers.json", in: folder, as: Settings.self)?
            .prompts?.compactMapValues { $0 } ?? [:]
        if let name = prompts.keys.first(where: { $0.isEmpty || $0.utf8.count > 1024 || $0.utf8.contains(0) }) {
            throw ConvertError.badFile(
                path: "\(folder)/config_sentence_transformers.json",
                fault: "it has a prompt named \"\(name.escapedForTerminal)\", expected 1 to 1024 characters")
        }
        let modules = try JSONFile.decode("modules.json", in: folder, as: [Module].self) ?? []
        func refuse(_ fault: String) -> ConvertError { .badFile(path: "\(folder)/modules.json", fault: fault) }
        if let other = modules.first(where: {
            !["Transformer", "Pooling", "Normalize", "LogitScore"].contains($0.kind)
        }) {
            throw refuse("it has a module \(other.type.escapedForTerminal), which q3 does not compute")
        }
        if let pooling = modules.first(where: { $0.kind == "Pooling" }), pooling.path != "1_Pooling" {
            throw refuse("its pooling lies in \(pooling.path.escapedForTerminal), expected 1_Pooling")
        }
        let pooling = try JSONFile.decode("1_Pooling/config.json", in: folder, as: Pooling.self)
        if let modes = pooling?.modes, modes != ["lasttoken"] {
            throw ConvertError.pooling(folder: folder, modes: modes)
        }
        let scores = modules.contains { $0.kind == "LogitScore" }
        role = scores ? .reranker : pooling != nil ? .embedding : nil
    }

    private struct Settings: Decodable { let prompts: [String: String?]? }

    private struct Module: Decodable {
        let type: String
        let path: String
        /// The class; the package it lies in has changed its name more than once.
        var kind: String { type.split(separator: ".").last.map(String.init) ?? "" }
    }

    /// A flag for each mode in files of version 4, the mode's name or names from version 5 on.
    private struct Pooling: Decodable {
        let modes: [String]

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: AnyKey.self)
            let key = AnyKey(stringValue: "pooling_mode")
            if let mode = try? values.decode(String.self, forKey: key) {
                modes = [mode]
            } else if values.contains(key) {
                modes = try values.decode([String].self, forKey: key)
            } else {
                modes = try values.allKeys.compactMap { flag in
                    guard flag.stringValue.hasPrefix("pooling_mode_") else { return nil }
                    let name = flag.stringValue.dropFirst("pooling_mode_".count)
                    return try values.decode(Bool.self, forKey: flag) ? String(name) : nil
                }.sorted()
            }
        }
    }
}
