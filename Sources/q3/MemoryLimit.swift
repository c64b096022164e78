// How much memory the system lets this process have.
import Q3Input
import Q3System

enum MemoryLimit {
    /// Stacks and libraries of a server alone; with less address space its first threads cannot be started.
    private static let leastAddressSpace = 512 << 20

    /// Throws where a server could not even start.
    static func checkForServer() throws {
        guard let limit = addressSpace, limit < leastAddressSpace else { return }
        throw Failure(
            .system,
            "a server needs \(leastAddressSpace >> 20) MiB of address space, but this process may have "
                + "\(limit >> 20) MiB (ulimit -v)")
    }

    /// The smaller of the limit on address space (`ulimit -v`) and the control group's, in bytes; nil without either.
    static var bytes: Int? {
        [addressSpace, controlGroup].compactMap { $0 }.min()
    }

    /// Bytes that this process may still take without others losing theirs, as the system estimates; nil where it does not say.
    static var available: Int? {
        guard let reader = try? RecordSplitter(path: "/proc/meminfo") else { return nil }
        while let line = try? reader.next(), let text = try? line.text() {
            let words = text.split(separator: " ", omittingEmptySubsequences: true)
            guard words.count == 3, words[0] == "MemAvailable:", words[2] == "kB", let kilobytes = Int(words[1]) else {
                continue
            }
            return min(kilobytes << 10, bytes ?? .max)
        }
        return nil
    }

    private static var addressSpace: Int? {
        var limit = rlimit()
        #if canImport(Glibc)
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return nil }
        #else
        guard unsafe getrlimit(RLIMIT_AS, &limit) == 0 else { return nil }
        #endif
        return Int(exactly: limit.rlim_cur)
    }

    /// `memory.max` of control groups version 2 as a container sees it: a number or `max`.
    private static var controlGroup: Int? {
        guard let reader = try? RecordSplitter(path: "/sys/fs/cgroup/memory.max"), let line = try? reader.next() else {
            return nil
        }
        return (try? line.text()).flatMap { Int($0) }
    }
}
