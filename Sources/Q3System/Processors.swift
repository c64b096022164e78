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
    ControlGroup.all(of: "cpu", membership: membership, root: root).compactMap(quota).min()
}

private func quota(_ group: ControlGroup) -> Int? {
    // "200000 100000", or "max 100000"
    let values =
        group.isSecond
        ? group.numbers("cpu.max") : group.numbers("cpu.cfs_quota_us") + group.numbers("cpu.cfs_period_us")
    guard values.count == 2, let quota = values[0], let period = values[1] else { return nil }
    return processors(quota, period)
}

private func processors(_ quota: Int, _ period: Int) -> Int? {
    guard quota > 0, period > 0 else { return nil }
    return max(1, quota / period + (quota % period > 0 ? 1 : 0))
}
