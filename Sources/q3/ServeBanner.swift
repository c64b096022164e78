// The message of a server that has started: its models, its address, and what to type next.
#if Server
import Logging
import Q3Model
import Q3Server
import Q3System

struct ServeBanner {
    private let models: [ServedModel]
    private let evidence: [String]
    private let options: ServerOptions
    private let packsByItself: Bool

    /// - Parameters:
    ///   - evidence: For each model what decided whether it is an embedding model or a reranker.
    ///   - packsByItself: Whether nobody asked for weights that stay packed.
    init(_ models: [ServedModel], evidence: [String], options: ServerOptions, packsByItself: Bool) {
        self.packsByItself = packsByItself
        self.models = models
        self.evidence = evidence
        self.options = options
    }

    /// To a terminal in a few lines, to a log in one.
    func say(at place: String, logger: Logger?) {
        if let logger {
            logger.info(
                "listening",
                metadata: [
                    "place": .string(place), "version": .string(Release.version),
                    "models": .array(models.indices.map { .string("\(models[$0].name): \(description($0))") }),
                    "keys": .stringConvertible(options.apiKeys.count),
                ])
        } else {
            let lines = text(at: place).split(separator: "\n").map { "\(String($0).withControlsEscaped)\n" }
            Terminal.write(lines.joined(), to: 2)
        }
    }

    func text(at place: String) -> String {
        let width = models.map(\.name.count).max() ?? 0
        let rows = models.enumerated().map { index, served in
            let name = served.name + String(repeating: " ", count: width - served.name.count)
            return "  \(name)  \(description(index))"
        }
        return """
            q3 \(Release.version) listens on \(place)
            \(rows.joined(separator: "\n"))
            \(links(at: place))
            Try:  \(example(at: place))
            """
    }

    private func description(_ index: Int) -> String {
        let served = models[index]
        let config = served.model.config
        let role: String =
            switch served.head {
            case .embedder: "embedding, \(config.hiddenSize) dimensions"
            case .reranker: "reranker"
            }
        return "\(role), \(config.contextLength) tokens (\(evidence[index]))\(packed(served.model))"
    }

    /// What a model keeps packed, and how that is turned off where the server chose it.
    private func packed(_ model: Qwen3Model) -> String {
        let bytes = model.memoryPlan(tokenCount: 1).packedWeightBytes
        guard bytes > 0 else { return "" }
        let way = packsByItself ? "; --packed-weights 0 turns that off" : ""
        return ", weights kept packed (\((bytes + 500_000) / 1_000_000) MB\(way))"
    }

    private func links(at place: String) -> String {
        if case .unixSocket = options.address { return "Routes: /docs" }
        return "Page: \(place)/ui   Routes: \(place)/docs"
    }

    /// A request that shows what the first model does.
    private func example(at place: String) -> String {
        var command = "curl"
        var root = place
        if case .unixSocket(let path) = options.address {
            command += " --unix-socket '\(path)'"
            root = "http://localhost"
        }
        if !options.apiKeys.isEmpty { command += " -H 'Authorization: Bearer KEY'" }
        command += " -H 'Content-Type: application/json'"
        if case .reranker? = models.first?.head {
            let body = #"{"query": "capital of China", "documents": ["Beijing", "Bread"]}"#
            return "\(command) \(root)/v1/rerank -d '\(body)'"
        }
        return "\(command) \(root)/v1/embeddings -d '{\"input\": \"Hello\"}'"
    }
}
#endif
