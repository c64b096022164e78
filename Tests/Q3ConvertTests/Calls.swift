// Remembers what a conversion told.
import Q3Model
import Synchronization

final class Calls: Sendable {
    let counts = Mutex<[Progress]>([])
    let paths = Mutex<[String?]>([])
}
