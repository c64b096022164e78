// How many files and connections this process may have open.
import Q3System

enum FileLimit {
    /// What the runtime needs before any command runs: it ends the process where it cannot open its own few.
    static let least = 16

    #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif

    /// How many files may be open at once.
    static var current: Int {
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return 1024 }
        return Int(exactly: limit.rlim_cur) ?? .max
    }

    /// Raises the soft limit to the hard one, as servers do, and returns how many may be open at once.
    static func raise() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return 1024 }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
        return current
    }
}
