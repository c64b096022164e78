// Warnings for the operator that are logged once, however often the cause occurs.
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
