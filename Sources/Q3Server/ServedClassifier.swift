// The classifiers that a server answers POST /classify with, each by the model whose vectors it reads.
#if Server
public import Q3Analysis
import Q3Embedding
import Q3Model

/// A classifier that a server answers with, and the name that clients call it by.
public struct ServedClassifier: Sendable {
    /// The name that clients call it by.
    public let name: String
    /// The classifier, as `q3 classify train` writes it.
    public let file: ClassifierFile
    /// The name of the served model that embeds the texts.
    public let model: String

    /// A classifier that was read.
    public init(name: String, file: ClassifierFile, model: String) {
        self.name = name
        self.file = file
        self.model = model
    }
}

extension Server {
    /// The same server that also labels texts: `POST /classify`, and `/predict` for lone texts.
    ///
    ///     let file = try JSONDecoder().decode(ClassifierFile.self, from: Data(contentsOf: url))
    ///     let server = try Server(models: models, logger: logger)
    ///         .classifying([ServedClassifier(name: "topics", file: file, model: "qwen3")])
    ///
    /// The first classifier answers where a request names none. Each model is read once, to compare its fingerprint. Throws
    /// `ServerError.sharedClassifierName`, also for the name of a model; `ServerError.noModelOfClassifier` for a model that is not
    /// among the served ones, or a reranker; `ServerError.otherModel` where a classifier was made for another one than that.
    public func classifying(_ classifiers: [ServedClassifier]) throws -> Server {
        var fingerprints: [[UInt8]: String] = [:]
        for classifier in classifiers {
            guard let embedder = try? backend.models.named(classifier.model).embedder else {
                throw ServerError.noModelOfClassifier(classifier: classifier.name, model: classifier.model)
            }
            let bytes = Array(classifier.model.utf8)
            let given = try fingerprints[bytes] ?? "\(Fingerprint(of: embedder.model))"
            fingerprints[bytes] = given
            guard classifier.file.fingerprint ?? given == given,
                classifier.file.dimensions <= embedder.model.config.hiddenSize
            else { throw ServerError.otherModel(classifier: classifier.name, model: classifier.model) }
        }
        return try classifying(checked: classifiers)
    }

    /// The same with classifiers whose models are known to be theirs.
    package func classifying(checked classifiers: [ServedClassifier]) throws(ServerError) -> Server {
        for (position, classifier) in classifiers.enumerated() {
            // Names are compared by their bytes, as requests compare them.
            let isTaken =
                classifiers[..<position].contains { $0.name.utf8.elementsEqual(classifier.name.utf8) }
                || (try? backend.models.named(classifier.name)) != nil
            if isTaken { throw .sharedClassifierName(classifier.name) }
        }
        var server = self
        server.backend.classifiers = classifiers
        return server
    }
}
#endif
