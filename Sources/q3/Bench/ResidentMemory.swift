// The most memory that this process has had resident.
import Q3System

enum ResidentMemory {
    /// Forgets the peak so far where the system can (Linux); elsewhere peaks only grow, so small cases come first.
    static func resetPeak() {
        #if os(Linux)
        let descriptor = unsafe open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        Terminal.write("5", to: descriptor)
        close(descriptor)
        #endif
    }

    /// Bytes, mapped pages of the model file included; 0 where the system does not tell.
    static var peakByteCount: Int {
        #if os(Linux)
        // getrusage keeps the peak of the whole past, which resetting does not touch; this file does not.
        return (statusKilobytes("VmHWM:") ?? 0) * 1024
        #else
        var usage = rusage()
        unsafe getrusage(RUSAGE_SELF, &usage)
        return byteCount(of: usage)
        #endif
    }

    /// The peak in a process's usage; the unit is not the same everywhere.
    static func byteCount(of usage: rusage) -> Int {
        #if canImport(Darwin)
        usage.ru_maxrss
        #else
        usage.ru_maxrss * 1024
        #endif
    }

    #if os(Linux)
    private static func statusKilobytes(_ key: String) -> Int? {
        let descriptor = unsafe open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        let line = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix(key) }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    }
    #endif
}
