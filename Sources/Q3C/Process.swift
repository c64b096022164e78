// The process that the library works in: which one it is, and what it was started with.
import CQ3
import Q3Kernels
import Q3System
import Synchronization

enum Process {
    /// The process that opened a model or made a ticket first; 0 before.
    private static let owner = Atomic<Int32>(0)

    /// Throws in a child of the process that used the library first: the threads that compute, and those of Swift, did not
    /// come along, and every call would wait for them forever.
    static func check() throws(Fault) {
        let owner = owner.load(ordering: .relaxed)
        guard owner == 0 || owner == getpid() else { throw .forked }
    }

    /// Makes this process the only one in which the library works.
    static func claim() throws(Fault) {
        let pid = getpid()
        let (exchanged, owner) = owner.compareExchange(expected: 0, desired: pid, ordering: .relaxed)
        guard exchanged || owner == pid else { throw .forked }
    }

    /// Throws where the system has no thread to give: calls would wait forever.
    static func checkThreads() throws(Fault) {
        guard Team.startableThreads(5) == 5 else {
            throw Fault(
                status: q3_status(Q3_NO_RESOURCES),
                message: "the system lets no thread run; raise the limit (ulimit -u), or that on memory (ulimit -v)")
        }
    }

    /// The variables that say where models are.
    static var environment: [String: String] {
        var values: [String: String] = [:]
        for name in ["Q3_MODELS", "Q3_CATALOG", "XDG_CACHE_HOME", "HOME"] {
            if let value = unsafe getenv(name) { values[name] = unsafe String(validatingCString: value) }
        }
        return values
    }
}
