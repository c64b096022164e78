// How long the parts of a request took, and how much it was.
#if Server
import HTTPTypes

struct Timing: Sendable {
    var total = Duration.zero
    var tokenization = Duration.zero
    var queue = Duration.zero
    var inference = Duration.zero
    var characters = 0
    var tokens = 0

    /// The headers of Text Embeddings Inference.
    var headers: HTTPFields {
        let values = [
            ("x-compute-type", "cpu"), ("x-compute-time", "\(total.milliseconds)"),
            ("x-total-time", "\(total.milliseconds)"), ("x-tokenization-time", "\(tokenization.milliseconds)"),
            ("x-queue-time", "\(queue.milliseconds)"), ("x-inference-time", "\(inference.milliseconds)"),
            ("x-compute-characters", "\(characters)"), ("x-compute-tokens", "\(tokens)"),
        ]
        return values.reduce(into: [:]) { $0[HTTPField.Name($1.0)!] = $1.1 }
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 { nanoseconds / 1_000_000 }

    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
#endif
