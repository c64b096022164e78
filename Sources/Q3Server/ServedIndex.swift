// The indexes that a server searches, each by the model that it was made with.
#if Server && Index
import Q3Embedding
public import Q3Index
package import Q3IndexAPI

/// An index that a server searches, and the name that clients call it by.
public struct ServedIndex: Sendable {
    /// The name that clients call it by.
    public let name: String
    /// The index. It may be written to, and compacted, while it is served.
    public let index: SearchIndex
    /// The name of the served model that the index was made with, which embeds the queries; NAME:ADAPTER for one whose
    /// documents, or queries as a rule, an adapter changes.
    public let model: String

    /// An index that is open.
    public init(name: String, index: SearchIndex, model: String) {
        self.name = name
        self.index = index
        self.model = model
    }
}

extension Server {
    /// The same server that also searches indexes: `POST /search`, `/indexes`, `/mcp` for agents, and the page of `/ui`.
    ///
    ///     let index = ServedIndex(name: "notes", index: try SearchIndex(path: "notes.q3i"), model: "qwen3")
    ///     let server = try Server(models: models, logger: logger).searching([index])
    ///
    /// The first index answers where a request names none. Each model is read once, to compare its fingerprint. Throws
    /// `ServerError.sharedIndexName`; `ServerError.noModel` for a model that is not among the served ones, or a reranker;
    /// `IndexError.otherModel` where an index was made with another model than the one of that name.
    public func searching(_ indexes: [ServedIndex]) throws -> Server {
        var named: [NamedIndex] = []
        var identities: [[UInt8]: ModelIdentity] = [:]
        for served in indexes {
            // Names are compared by their bytes, as requests compare them.
            guard !named.contains(where: { $0.name.utf8.elementsEqual(served.name.utf8) }) else {
                throw ServerError.sharedIndexName(served.name)
            }
            guard let model = try? backend.models.named(served.model), let embedder = model.embedder else {
                throw ServerError.noModel(index: served.name, model: served.model)
            }
            let bytes = Array(served.model.utf8)
            let adapter = model.adapter
            let identity =
                try identities[bytes]
                ?? NamedEmbedder(embedder, name: served.model, adapter: adapter?.adapter).identity()
            identities[bytes] = identity
            try served.index.check(identity)
            named.append(
                NamedIndex(
                    name: served.name, index: served.index, embedder: embedder, model: served.model,
                    adapters: Dictionary(model.adapters.map { ($0.name, $0.adapter) }) { first, _ in first },
                    adapterName: adapter?.name))
        }
        return searching(checked: named)
    }

    /// The same with indexes whose names differ and whose models are known to be theirs.
    package func searching(checked indexes: [NamedIndex]) -> Server {
        var server = self
        server.backend.indexes = indexes
        return server
    }
}
#endif
