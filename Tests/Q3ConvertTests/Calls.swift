// Remembers what a conversion told.
import Synchronization

final class Calls: Sendable {
    let counts = Mutex<[(done: Int, total: Int)]>([])
    let paths = Mutex<[String?]>([])

    func add(_ done: Int, _ total: Int) {
        counts.withLock { $0.append((done, total)) }
    }
}
