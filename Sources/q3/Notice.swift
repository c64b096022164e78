// What is worth saying once a day and not with every command.
import Q3System

/// Notices that were given are remembered by empty files in the cache folder.
enum Notice {
    private static let secondsBetween = 24 * 3600

    /// Whether a notice was not given for a day; notes that it is given now. Where nothing can be noted it is due each time.
    static func isDue(_ name: String) -> Bool {
        let environment = Environment.current
        guard let cache = environment.text("XDG_CACHE_HOME") ?? environment.text("HOME").map({ "\($0)/.cache" }) else {
            return true
        }
        let path = "\(cache)/q3/said-\(name)"
        var status = stat()
        #if canImport(Darwin)
        let isThere = unsafe stat(path, &status) == 0
        let written = status.st_mtimespec.tv_sec
        #else
        let isThere = unsafe stat(path, &status) == 0
        let written = status.st_mtim.tv_sec
        #endif
        let now = time(nil)
        if isThere, (0..<secondsBetween).contains(now - written) { return false }
        for folder in [cache, "\(cache)/q3"] { unsafe mkdir(folder, 0o755) }
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return true }
        futimens(descriptor, nil)
        close(descriptor)
        return true
    }
}
