// The adapters that q3 serve offers, each with the model that it was made for.
#if Server
import Q3Embedding
import Q3Server
import Q3System

struct ServedAdapters {
    private let adapters: [(path: String, served: ServedAdapter)]

    /// Opens adapters, given as FILE or NAME=FILE; a file alone has its own name, without its ending.
    init(_ given: [String]) throws {
        var adapters: [(path: String, served: ServedAdapter)] = []
        for text in given {
            let place = NamedPath(text, ending: ".gguf")
            let (name, path) = (place.name, place.path)
            guard !adapters.contains(where: { $0.served.name.hasBytes(of: name) }) else {
                throw Failure(
                    .usage,
                    "two adapters are named \"\(name.withControlsEscaped)\"; tell them apart with --adapter NAME=FILE")
            }
            do {
                adapters.append((path, ServedAdapter(name: name, adapter: try EmbeddingAdapter(path: path))))
            } catch {
                throw Failure(error, model: path)
            }
        }
        self.adapters = adapters
    }

    /// All adapters by their names.
    var byName: [String: EmbeddingAdapter] {
        Dictionary(adapters.map { ($0.served.name, $0.served.adapter) }) { first, _ in first }
    }

    /// The models with the adapters that were made for each.
    func added(to models: [ServedModel]) throws -> [ServedModel] {
        guard !adapters.isEmpty else { return models }
        return try models.map { model in
            guard case .embedder(let embedder) = model.head else { return model }
            let own = try Fingerprint(of: embedder.model)
            return ServedModel(
                name: model.name, head: model.head, created: model.created, prompt: model.prompt,
                adapters: adapters.map(\.served).filter { $0.adapter.model == own })
        }
    }

    /// Throws for an adapter of a model that is not served.
    func check(_ models: [ServedModel]) throws {
        let used = Set(models.flatMap { $0.adapters.map(\.name) })
        for (path, served) in adapters where !used.contains(served.name) {
            throw Failure(
                .badData,
                "\(path) was made for the model \(served.adapter.model), and none of the served ones is that ('q3 info' tells the "
                    + "fingerprint of a model)")
        }
    }
}
#endif
