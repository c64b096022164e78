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
            /// Adapters of it, by the names that requests call them by.
            var adapters: [String: EmbeddingAdapter] = [:]
            /// The adapter of searches that name none.
            var adapterName: String?

            /// How this model searches an index: nil where the index is another model's.
            fileprivate func match(_ fingerprint: String, own: Fingerprint) -> Match? {
                if "\(own)" == fingerprint { return Match(adapterName: adapterName) }
                return adapters.sorted { $0.key < $1.key }.first { "\(own.adapted(by: $0.value))" == fingerprint }.map {
                    Match(adapterName: $0.key)
                }
            }
        }

        /// The adapter that a search uses where the request names none.
        fileprivate struct Match {
            let adapterName: String?
        }

        private(set) var indexes: [NamedIndex] = []
        /// Models that an index needs and nobody gave.
        private(set) var added: [Model] = []

        /// Opens indexes, given as PATH or NAME=PATH.
        ///
        /// An index whose model is not among `models` gets what `open` makes of the name that it recorded, with those of
        /// `adapters` that were made for it.
        init(
            _ given: [String], models: [Model], adapters: [String: EmbeddingAdapter] = [:],
            open: (_ recorded: String) throws -> NamedEmbedder
        ) throws {
            var known = try models.map { ($0, try Fingerprint(of: $0.embedder.model)) }
            for text in given {
                let place = NamedPath(text, ending: ".q3i")
                let (name, path) = (place.name, place.path)
                if indexes.contains(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
                    throw Failure(
                        .usage,
                        "two indexes are named \"\(name.withControlsEscaped)\"; tell them apart with --index NAME=PATH")
                }
                let index = try SearchIndex(path: path)
                let made = index.configuration.model
                if !known.contains(where: { $0.0.match(made.fingerprint, own: $0.1) != nil }) {
                    let opened = try open(made.name)
                    let own = try Fingerprint(of: opened.embedder.model)
                    var model = Model(name: NamedPath.name(of: opened.name, ending: ".gguf"), embedder: opened.embedder)
                    model.adapters = adapters.filter { $0.value.model == own }
                    if let adapter = opened.adapter {
                        (model.adapters, model.adapterName) = ([Self.onlyAdapter: adapter], Self.onlyAdapter)
                    }
                    if model.match(made.fingerprint, own: own) == nil { try index.check(opened) }
                    known.append((model, own))
                    added.append(model)
                }
                for (model, own) in known {
                    guard let match = model.match(made.fingerprint, own: own) else { continue }
                    indexes.append(
                        NamedIndex(
                            name: name, index: index, embedder: model.embedder, model: model.name,
                            adapters: model.adapters, adapterName: match.adapterName))
                    break
                }
            }
        }

        /// What the adapter of a command that takes one is called.
        private static let onlyAdapter = "adapter"
    }
#endif
