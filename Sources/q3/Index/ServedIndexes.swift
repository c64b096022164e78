// The indexes that q3 serve and q3 mcp answer from: each with a name, and with the model that it was made with.
#if Index
    import Q3Embedding
    import Q3Index
    import Q3IndexAPI
    import Q3System

    struct ServedIndexes {
        /// An embedding model and what requests call it.
        struct Model {
            let name: String
            let embedder: Embedder
        }

        private(set) var indexes: [NamedIndex] = []
        /// Models that an index needs and nobody gave.
        private(set) var added: [Model] = []

        /// Opens indexes, given as PATH or NAME=PATH.
        ///
        /// An index whose model is not among `models` gets what `open` makes of the name that it recorded.
        init(_ given: [String], models: [Model], open: (_ recorded: String) throws -> NamedEmbedder) throws {
            var known = try models.map { model in
                (model, try NamedEmbedder(model.embedder, name: model.name).identity().fingerprint)
            }
            for text in given {
                let (name, path) = Self.parts(of: text)
                if indexes.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
                    throw Failure(
                        .usage,
                        "two indexes are named \"\(name.withControlsEscaped)\"; tell them apart with --index NAME=PATH")
                }
                let index = try SearchIndex(path: path)
                let made = index.configuration.model
                if !known.contains(where: { $0.1 == made.fingerprint }) {
                    let opened = try open(made.name)
                    try index.check(opened)
                    let model = Model(name: Self.name(ofModel: opened.name), embedder: opened.embedder)
                    known.append((model, made.fingerprint))
                    added.append(model)
                }
                for (model, fingerprint) in known where fingerprint == made.fingerprint {
                    indexes.append(
                        NamedIndex(name: name, index: index, embedder: model.embedder, model: model.name))
                    break
                }
            }
        }

        /// The name and the path in NAME=PATH; a path alone has the name of its folder, without its ending.
        private static func parts(of text: String) -> (name: String, path: String) {
            if let equals = text.firstIndex(of: "="), !text[..<equals].contains("/"), equals > text.startIndex {
                return (String(text[..<equals]), String(text[text.index(after: equals)...]))
            }
            let folder = text.split(separator: "/").last.map(String.init) ?? text
            return (folder.hasSuffix(".q3i") && folder != ".q3i" ? String(folder.dropLast(4)) : folder, text)
        }

        private static func name(ofModel path: String) -> String {
            let file = path.split(separator: "/").last.map(String.init) ?? path
            return file.lowercased().hasSuffix(".gguf") ? String(file.dropLast(5)) : file
        }
    }
#endif
