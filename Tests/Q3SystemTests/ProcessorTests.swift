// Processors that a container gives: quotas of both versions of control groups, nested, absent and odd.
import TestSupport
import Testing

@testable import Q3System

@Suite struct ProcessorTests {
    private struct Case: Sendable {
        let membership: String
        /// Paths below the root, and what the files hold.
        let files: [(path: String, text: String)]
        let quota: Int?
    }

    private static let cases: [Case] = [
        Case(membership: "0::/\n", files: [("cpu.max", "200000 100000\n")], quota: 2),
        Case(membership: "0::/\n", files: [("cpu.max", "150000 100000\n")], quota: 2),
        Case(membership: "0::/\n", files: [("cpu.max", "1000 100000\n")], quota: 1),
        Case(membership: "0::/\n", files: [("cpu.max", "max 100000\n")], quota: nil),
        Case(membership: "0::/\n", files: [("cpu.max", "-1 0\n")], quota: nil),
        Case(membership: "0::/\n", files: [], quota: nil),
        // The least of a group and those that it is in.
        Case(
            membership: "0::/a/b\n", files: [("a/cpu.max", "300000 100000"), ("a/b/cpu.max", "max 100000")], quota: 3),
        Case(
            membership: "0::/a/b\n", files: [("a/cpu.max", "800000 100000"), ("a/b/cpu.max", "50000 10000")], quota: 5),
        // Where the group of the host is not visible in the container, its own is the root.
        Case(membership: "0::/host/path\n", files: [("cpu.max", "400000 100000")], quota: 4),
        Case(
            membership: "4:memory:/\n3:cpu,cpuacct:/docker/1\n0::/\n",
            files: [("cpu,cpuacct/cpu.cfs_quota_us", "250000\n"), ("cpu,cpuacct/cpu.cfs_period_us", "100000\n")],
            quota: 3),
        Case(
            membership: "3:cpu:/\n", files: [("cpu/cpu.cfs_quota_us", "-1\n"), ("cpu/cpu.cfs_period_us", "100000\n")],
            quota: nil),
        Case(membership: "nonsense\n", files: [("cpu.max", "100000 100000")], quota: nil),
    ]

    @Test(arguments: cases.indices) func `quotas of control groups are read`(_ index: Int) throws {
        let test = Self.cases[index]
        let folder = try TemporaryFolder()
        try folder.write("membership", test.membership.utf8)
        for file in test.files { try folder.write(below: "root/\(file.path)", file.text) }
        #expect(processorQuota(membership: folder.file("membership"), root: folder.file("root")) == test.quota)
    }

    @Test func `there is a processor at least, and no more than the machine has`() {
        #expect(processorCount >= 1)
        #expect(processorCount <= sysconf(CInt(_SC_NPROCESSORS_CONF)))
    }
}

extension TemporaryFolder {
    /// Writes a file, and makes the folders of its path that are not there.
    func write(below path: String, _ text: String) throws {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += folder.isEmpty ? "\(part)" : "/\(part)"
            unsafe mkdir(file(folder), 0o700)
        }
        try write(path, text.utf8)
    }
}
