// How many threads can run at the same time.
internal import CQ3System

/// Processors that this process may use: those that it may run on, but no more than its control groups give it time for. In a
/// container with a quota of 2 on a host of 64 that is 2.
package var processorCount: Int {
    let allowed = Int(q3_processor_count())
    return max(1, min(allowed, processorQuota() ?? allowed))
}

/// The time that the control groups of this process allow, in processors, rounded up; nil without a limit. Groups are nested, and
/// the lowest limit counts; both versions of control groups are read (cpu.max, cpu.cfs_quota_us).
func processorQuota(membership: String = "/proc/self/cgroup", root: String = "/sys/fs/cgroup") -> Int? {
    var quotas: [Int] = []
    for line in smallFile(membership).split(separator: "\n") {
        // "0::/path" of version 2, "4:cpu,cpuacct:/path" of version 1
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { continue }
        let isSecond = parts[1].isEmpty
        guard isSecond || parts[1].split(separator: ",").contains("cpu") else { continue }
        for mount in isSecond ? [root, "\(root)/unified"] : ["\(root)/\(parts[1])", "\(root)/cpu"] {
            var path = parts[2]
            while true {
                let folder = "\(mount)\(path == "/" ? "" : path)"
                quotas += [isSecond ? secondQuota(folder) : firstQuota(folder)].compactMap { $0 }
                guard let slash = path.lastIndex(of: "/"), path != "/" else { break }
                path = slash == path.startIndex ? "/" : path[..<slash]
            }
        }
    }
    return quotas.min()
}

/// "200000 100000", or "max 100000".
private func secondQuota(_ folder: String) -> Int? {
    let words = smallFile("\(folder)/cpu.max").split(whereSeparator: \.isWhitespace).map { Int($0) }
    guard words.count == 2, let quota = words[0], let period = words[1] else { return nil }
    return processors(quota, period)
}

private func firstQuota(_ folder: String) -> Int? {
    let values = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map { name in
        smallFile("\(folder)/\(name)").split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
    }
    guard let quota = values[0], let period = values[1] else { return nil }
    return processors(quota, period)
}

private func processors(_ quota: Int, _ period: Int) -> Int? {
    guard quota > 0, period > 0 else { return nil }
    return max(1, quota / period + (quota % period > 0 ? 1 : 0))
}

/// The first bytes of a file of the system; empty where there is none.
private func smallFile(_ path: String) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
}
