// What a server needs before it can start.
import Q3System

extension MemoryLimit {
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
}
