// The way out of a library's error, in the words of the command line.
import Q3Convert
import Q3Embedding
import Q3Pull
import Q3Reranking

#if Index
import Q3Index
#endif

enum Remedy {
    /// The error and the option that avoids it, if there is one.
    static func adding(to error: any Error) -> String {
        text(for: error).map { "\(error) (\($0))" } ?? "\(error)"
    }

    private static func text(for error: any Error) -> String? {
        switch error {
        case EmbeddingError.tooLong, RerankError.tooLong: "--truncate cuts it"
        case EmbeddingError.text(_, let error): text(for: error)
        case RerankError.pair(_, let error): text(for: error)
        case PullError.otherHashAsked: "--sha256"
        case PullError.absent: "--offline"
        case PullError.otherBytes: "--force"
        case PullError.unknownHash: "give --sha256, or --no-verify"
        case PullError.noHash: "give --sha256 HEX, or --no-verify to take what comes"
        case PullError.untrustedHost(_, let host, _): "--allow-http-host \(host) allows it"
        case ConvertError.embeddingsAreNotCausal: "leave --causal out, or give --role reranker"
        case ConvertError.classifierIsNotCausal: "leave out --causal"
        case ConvertError.unknownRole: "--role embedding or --role reranker"
        case EmbeddingError.rerankerModel: "use 'q3 rerank'"
        case RerankError.embeddingModel: "use 'q3 embed'"
        default: indexText(for: error)
        }
    }

    private static func indexText(for error: any Error) -> String? {
        #if Index
        switch error {
        case IndexError.exists: return "'q3 index add' adds to an index"
        case IndexError.absent: return "'q3 index create' makes one"
        case let error as IndexError where error.isDamage: return "'q3 index audit --repair'"
        case IndexError.otherModel: return "choose with --model"
        default: return nil
        }
        #else
        return nil
        #endif
    }
}
