// What q3 serve opens: models, and the indexes and classifiers that may bring models of their own.
#if Server
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3Server
import Q3System

#if Index
import Q3Index
import Q3IndexAPI
#endif

extension ServeCommand {
    /// Opens the models and computes a text with each, so that the first request finds the file in memory.
    ///
    /// Also returns the evidence of each model's role.
    func load(_ settings: ServeSettings) async throws -> (models: [ServedModel], evidence: [String]) {
        var (served, evidence): ([ServedModel], [String]) = ([], [])
        var packed = PackedWeights(asked: computing.packedWeights)
        for (given, name) in settings.models {
            let path = try modelPath(given)
            let head: ServedModel.Head = try opening(given, copying: computing.noMmap) { file in
                // With several models --role is for those that say nothing.
                var options = settings.modelOptions
                let stated = try ModelRole(of: file)
                if settings.models.count > 1, stated.kind != .unstated { options.role = nil }
                let role = try ModelRole(of: file, asked: options.role)
                evidence.append(role.evidence)
                options.packedWeightBytes = try packed.bytes(for: file, precision: options.precision)
                return try role.kind == .reranker
                    ? .reranker(Reranker(file: file, options: options))
                    : .embedder(Embedder(file: file, options: options))
            }
            do {
                switch head {
                case .embedder(let embedder):
                    embedder.role.announce(use: .embedding, of: embedder.model)
                    _ = try await embedder.embed(["q3"])
                case .reranker(let reranker):
                    reranker.role.announce(use: .reranker, of: reranker.model)
                    _ = try await reranker.rerank("q3", documents: ["q3"])
                }
            } catch {
                throw Failure(error, model: path ?? name)
            }
            served.append(ServedModel(name: name, head: head, created: path.map(Self.modificationTime(of:)) ?? 0))
            try Self.checkMemory(of: served)
        }
        return (served, evidence)
    }

    #if Index
    /// Opens the indexes; models that they need beside the given ones are served as well.
    func indexes(
        among models: inout [ServedModel], _ adapters: ServedAdapters, _ options: ModelOptions
    ) throws -> [NamedIndex] {
        let given = models.compactMap { served in
            if case .embedder(let embedder) = served.head {
                ServedIndexes.Model(
                    name: served.name, embedder: embedder,
                    adapters: Dictionary(served.adapters.map { ($0.name, $0.adapter) }) { first, _ in first })
            } else {
                nil
            }
        }
        var options = options
        options.role = nil
        let opened = try ServedIndexes(index, models: given, adapters: adapters.byName) { [options] recorded in
            let embedder = try opening(recorded, copying: computing.noMmap) {
                try Embedder(file: $0, options: options)
            }
            return NamedEmbedder(embedder, name: recorded)
        }
        for model in opened.added {
            if models.contains(where: { $0.name.utf8.elementsEqual(model.name.utf8) }) {
                throw Failure(
                    .usage,
                    "an index was made with another model than the one served as \(model.name); name that one "
                        + "otherwise with --served-model-name")
            }
            models.append(
                ServedModel(
                    name: model.name, head: .embedder(model.embedder), created: 0,
                    adapters: model.adapters.map { ServedAdapter(name: $0.key, adapter: $0.value) }
                        .sorted { $0.name < $1.name }))
        }
        try Self.checkMemory(of: models)
        return opened.indexes
    }
    #endif

    /// Reads the classifiers; where no model was given, those that they need are served as well.
    func classifiers(
        among models: inout [ServedModel], _ settings: ServeSettings
    ) throws -> [ServedClassifier] {
        guard !classifier.isEmpty else { return [] }
        var options = settings.modelOptions
        options.role = nil
        let open = { [options] (recorded: String) in
            try opening(recorded, copying: computing.noMmap) { try Embedder(file: $0, options: options) }
        }
        let read = try ServedClassifiers(classifier, models: models, open: settings.models.isEmpty ? open : nil)
        models += read.added
        for served in read.classifiers {
            Terminal.say(
                "\(served.name) gives \(served.file.classifier.labels.count) labels to texts, by \(served.model)")
        }
        try Self.checkMemory(of: models)
        return read.classifiers
    }

    /// The largest request must fit beside the models' caches: better no server than one that dies of a long text.
    private static func checkMemory(of models: [ServedModel]) throws {
        guard let limit = MemoryLimit.bytes else { return }
        let plans = models.map { $0.model.memoryPlan(tokenCount: $0.model.config.contextLength) }
        let caches = models.reduce(0) { $0 + $1.model.options.prefixCacheBytes }
        let packed = plans.reduce(0) { $0 + $1.packedWeightBytes }
        let need = caches + packed + (plans.map { $0.totalBytes - $0.weightBytes - $0.packedWeightBytes }.max() ?? 0)
        guard need > limit else { return }
        throw Failure(
            .system,
            "the longest text that the models take needs \(need >> 20) MiB beside the mapped files, but this "
                + "process may have \(limit >> 20) MiB; give it more, or smaller --prefix-cache and --packed-weights")
    }

    private static func modificationTime(of path: String) -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return 0 }
        #if canImport(Darwin)
        return status.st_mtimespec.tv_sec
        #else
        return status.st_mtim.tv_sec
        #endif
    }
}
#endif
