// What is known of a request from its first byte to its last.
#if Server
import Hummingbird
import Synchronization

/// What Hummingbird keeps for a request.
struct ServerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let arrival = ContinuousClock.now
    let record = RequestRecord()
    /// Tells when the client has gone; nil where there is no connection.
    let connection = ConnectionLife.current
    /// Names the request in the log and in the answer.
    var id = ""

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
    }
}

/// What a handler leaves for the access log.
final class RequestRecord: Sendable {
    private let tokenCount = Atomic(0)

    var tokens: Int { tokenCount.load(ordering: .relaxed) }

    func computed(tokens: Int) { tokenCount.store(tokens, ordering: .relaxed) }
}
#endif
