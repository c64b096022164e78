// Values of q3 tune lora's options, and the model that it tunes.
#if Training
public import ArgumentParser
import Q3Embedding
import Q3Model
import Q3Reranking
public import Q3Training

/// A number of layers, or "all".
struct LayerCount: ExpressibleByArgument {
    let value: Int?

    init?(argument: String) {
        if argument == "all" {
            value = nil
        } else {
            guard let number = Int(argument), number > 0 else { return nil }
            value = number
        }
    }
}

/// Names of matrices with commas between.
struct TargetList: ExpressibleByArgument {
    let values: Set<Projection>

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        let found = names.compactMap { Projection(rawValue: String($0)) }
        guard !found.isEmpty, found.count == names.count else { return nil }
        values = Set(found)
    }
}

/// A model by what it is made for.
enum TunedModel {
    case embedder(Embedder)
    case reranker(Reranker)

    var model: Qwen3Model {
        switch self {
        case .embedder(let embedder): embedder.model
        case .reranker(let reranker): reranker.model
        }
    }
}

extension StateType: ExpressibleByArgument {}
extension LearningRate.Decay: ExpressibleByArgument {}
#endif
