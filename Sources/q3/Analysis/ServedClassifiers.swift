// The classifiers that q3 serve answers with: each with a name, and over the model that it was made for.
#if Server
import Q3Analysis
import Q3Embedding
import Q3Model
import Q3Server
import Q3System

struct ServedClassifiers {
    private(set) var classifiers: [ServedClassifier] = []
    /// Models that a classifier needs and nobody gave.
    private(set) var added: [ServedModel] = []

    /// Reads classifiers, given as FILE or NAME=FILE. Each is answered by the model of its fingerprint; where `open` is given, what that
    /// makes of the model that the file names may be added.
    init(_ given: [String], models: [ServedModel], open: ((_ recorded: String) throws -> Embedder)?) throws {
        var known: [(name: String, embedder: Embedder, fingerprint: String)] = []
        for served in models {
            guard case .embedder(let embedder) = served.head else { continue }
            known.append((served.name, embedder, "\(try Fingerprint(of: embedder.model))"))
        }
        for text in given {
            let place = NamedPath(text, ending: ".json")
            let file = try HeadFile.read(place.path)
            var model = known.first { file.fingerprint ?? $0.fingerprint == $0.fingerprint }
            if model == nil {
                guard let open, let recorded = file.model else {
                    throw Failure(
                        .badData, Self.refusal(place.path, file, known.map { "\($0.name) (\($0.fingerprint))" }))
                }
                let embedder = try open(recorded)
                let found = "\(try Fingerprint(of: embedder.model))"
                let name = NamedPath.name(of: recorded, ending: ".gguf")
                guard file.fingerprint ?? found == found else {
                    throw Failure(.badData, Self.refusal(place.path, file, ["\(recorded) (\(found))"]))
                }
                added.append(ServedModel(name: name, head: .embedder(embedder), created: 0))
                known.append((name, embedder, found))
                model = known.last
            }
            guard let model else { continue }
            guard file.dimensions <= model.embedder.model.config.hiddenSize else {
                throw Failure(.badData, Self.refusal(place.path, file, [model.name]))
            }
            if file.fingerprint == nil {
                Terminal.say(
                    "note: \(place.path) does not say which model made its vectors; \(model.name) is taken for it")
            }
            classifiers.append(ServedClassifier(name: place.name, file: file, model: model.name))
        }
    }

    private static func refusal(_ path: String, _ file: ClassifierFile, _ served: [String]) -> String {
        let made = "\(file.model ?? "a model") (\(file.fingerprint ?? "\(file.dimensions) values"))"
        return served.isEmpty
            ? "\(path) was made for \(made): give the model with --model"
            : "\(path) was made for \(made), not for \(served.joined(separator: ", ")): give that with --model, or train again"
    }
}
#endif
