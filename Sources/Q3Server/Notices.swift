// What an operator is told once, however often it happens.
#if Server
import Logging
import Synchronization

final class Notices: Sendable {
    private let logger: Logger
    private let said = Mutex<Set<String>>([])

    init(logger: Logger) { self.logger = logger }

    func say(_ message: String) {
        guard said.withLock({ $0.insert(message).inserted }) else { return }
        logger.notice("\(message)")
    }
}
#endif
