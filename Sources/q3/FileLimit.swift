// How many files and connections this process may have open.
import Q3System

enum FileLimit {
    /// Raises the soft limit to the hard one, as servers do, and returns what may be open at once.
    static func raise() -> Int {
        var limit = rlimit()
        #if canImport(Glibc)
            let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let files = RLIMIT_NOFILE
        #endif
        guard unsafe getrlimit(files, &limit) == 0 else { return 1024 }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(files, &limit)
        guard unsafe getrlimit(files, &limit) == 0 else { return 1024 }
        return Int(exactly: limit.rlim_cur) ?? .max
    }
}
