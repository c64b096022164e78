// How much memory the system lets this process have, and what of it is left.
internal import CQ3System
import Synchronization

package enum MemoryLimit {
    /// The smaller of the limit on address space (`ulimit -v`) and the control groups', in bytes; nil without either.
    package static var bytes: Int? {
        [addressSpace, controlGroup()].compactMap { $0 }.min()
    }

    /// Bytes that this process may still take without others losing theirs, as the system estimates; nil where it does not say.
    package static var available: Int? { freeBytes.map { min($0, bytes ?? .max) } }

    /// The limit on address space, in bytes; nil without one.
    package static var addressSpace: Int? {
        var limit = rlimit()
        #if canImport(Glibc)
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return nil }
        #else
        guard unsafe getrlimit(RLIMIT_AS, &limit) == 0 else { return nil }
        #endif
        // "No limit" is a number too: one that no machine has.
        return Int(exactly: limit.rlim_cur).flatMap { $0 < 1 << 60 ? $0 : nil }
    }

    /// The lowest limit of this process's control groups (memory.max, memory.limit_in_bytes); nil without one.
    static func controlGroup(membership: String = "/proc/self/cgroup", root: String = "/sys/fs/cgroup") -> Int? {
        ControlGroup.all(of: "memory", membership: membership, root: root).compactMap(\.memoryLimit).min()
    }

    /// What the control groups have left, without the pages of files, which they give back.
    static func controlGroupRoom(membership: String = "/proc/self/cgroup", root: String = "/sys/fs/cgroup") -> Int? {
        ControlGroup.all(of: "memory", membership: membership, root: root).compactMap { group in
            group.memoryLimit.map { max(0, $0 - group.memoryInUse) }
        }.min()
    }

    /// Memory that nobody uses, or that is only a copy of files.
    fileprivate static var freeBytes: Int? { kilobytes("MemAvailable:", in: "/proc/meminfo") }

    fileprivate static func kilobytes(_ label: String, in path: String) -> Int? {
        labeledNumber(label, in: smallFile(path)).map { $0 << 10 }
    }

    // MARK: Arenas

    /// Address space that glibc takes for each thread that allocates, to allocate in.
    static let arenaByteCount = 64 << 20
    private static let isOneArena = Atomic(false)

    /// Where address space is limited, lets all threads allocate in the same part of it. For a program's start.
    package static func useOneArenaWhereLimited() {
        guard addressSpace != nil, q3_use_one_arena() else { return }
        isOneArena.store(true, ordering: .relaxed)
    }

    /// Address space that threads may take at any time without being asked.
    fileprivate static var threadByteCount: Int {
        #if canImport(Glibc)
        isOneArena.load(ordering: .relaxed) ? 0 : 4 * arenaByteCount
        #else
        0
        #endif
    }
}

extension ControlGroup {
    fileprivate var memoryLimit: Int? {
        let limit = numbers(isSecond ? "memory.max" : "memory.limit_in_bytes").first ?? nil
        return limit.flatMap { $0 < 1 << 60 ? $0 : nil }
    }

    fileprivate var memoryInUse: Int {
        let all = (numbers(isSecond ? "memory.current" : "memory.usage_in_bytes").first ?? nil) ?? 0
        let files = ["inactive_file", "active_file"].map { name in
            number(isSecond ? name : "total_\(name)", in: "memory.stat") ?? 0
        }
        return all - files.reduce(0, +)
    }
}

/// What this process can still take, and what keeps it from more.
package struct MemoryRoom: Sendable, Equatable {
    package enum Limit: String, Sendable {
        case addressSpace = "the limit on address space (ulimit -v)"
        case controlGroup = "the limit of its control group"
        case machine = "the free memory of this machine"
        case system = "what the system gives"
    }

    /// Bytes that are left; nil where the system does not say how many.
    package let byteCount: Int?
    package let limit: Limit

    /// Memory that a step may take beside what it says: small objects, stacks, what allocators keep. Of small steps it is little.
    private static func spare(beside byteCount: Int, threads: Int) -> Int {
        min(4 * min(byteCount, 1 << 40), threads + 32 << 20)
    }

    /// Nil where so many bytes more can be had, else what can be.
    package static func lacking(_ byteCount: Int) -> MemoryRoom? {
        let spare = spare(beside: byteCount, threads: 0)
        let needed = byteCount.checkedAdding(spare) ?? .max
        var rooms: [MemoryRoom] = []
        if let limit = MemoryLimit.addressSpace, let used = Self.addressSpaceInUse {
            let spare = Self.spare(beside: byteCount, threads: MemoryLimit.threadByteCount)
            rooms.append(MemoryRoom(byteCount: max(0, limit - used - spare), limit: .addressSpace))
        }
        if let room = MemoryLimit.controlGroupRoom() {
            rooms.append(MemoryRoom(byteCount: max(0, room - spare), limit: .controlGroup))
        }
        if let free = MemoryLimit.freeBytes {
            let swap = MemoryLimit.kilobytes("SwapFree:", in: "/proc/meminfo") ?? 0
            rooms.append(MemoryRoom(byteCount: max(0, free + swap - spare), limit: .machine))
        }
        let least = rooms.min { $0.byteCount ?? .max < $1.byteCount ?? .max }
        if let least, let room = least.byteCount, room < byteCount { return least }
        // Limits that no number tells, as that on data (ulimit -d): the system is asked.
        let map = unsafe mmap(nil, max(needed, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let map = unsafe map, unsafe map != MAP_FAILED else { return MemoryRoom(byteCount: nil, limit: .system) }
        unsafe munmap(map, max(needed, 1))
        return nil
    }

    /// Bytes of address space that this process has; nil where the system does not say.
    package static var addressSpaceInUse: Int? {
        smallFile("/proc/self/statm").split(separator: " ").first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) }
    }
}
