// Memory that a container gives: limits of both versions of control groups, and what is left of them.
import TestSupport
import Testing

@testable import Q3System

@Suite struct MemoryLimitTests {
    private struct Case: Sendable {
        let membership: String
        /// Paths below the root, and what the files hold.
        let files: [(path: String, text: String)]
        let limit: Int?
        let room: Int?
    }

    private static let cases: [Case] = [
        Case(
            membership: "0::/\n",
            files: [
                ("memory.max", "1000000\n"), ("memory.current", "600000\n"),
                ("memory.stat", "anon 1\nfile 2\ninactive_file 100000\nactive_file 50000\n"),
            ], limit: 1_000_000, room: 550_000),
        Case(membership: "0::/\n", files: [("memory.max", "max\n"), ("memory.current", "5\n")], limit: nil, room: nil),
        Case(membership: "0::/\n", files: [], limit: nil, room: nil),
        // More is in use than a new limit allows.
        Case(membership: "0::/\n", files: [("memory.max", "10\n"), ("memory.current", "20\n")], limit: 10, room: 0),
        // The group around it has the lower limit, and its own the less room.
        Case(
            membership: "0::/a/b\n",
            files: [
                ("a/memory.max", "500\n"), ("a/memory.current", "100\n"), ("a/b/memory.max", "600\n"),
                ("a/b/memory.current", "450\n"),
            ], limit: 500, room: 150),
        Case(
            membership: "4:memory:/docker/1\n0::/\n",
            files: [
                ("memory/memory.limit_in_bytes", "4096\n"), ("memory/memory.usage_in_bytes", "3000\n"),
                ("memory/memory.stat", "total_inactive_file 1000\ntotal_active_file 0\n"),
            ], limit: 4096, room: 2096),
        // Version 1 has no word for "no limit", but a number.
        Case(
            membership: "4:memory:/\n", files: [("memory/memory.limit_in_bytes", "9223372036854771712\n")], limit: nil,
            room: nil),
    ]

    @Test(arguments: cases.indices) func `limits of control groups are read`(_ index: Int) throws {
        let test = Self.cases[index]
        let folder = try TemporaryFolder()
        try folder.write("membership", test.membership.utf8)
        for file in test.files { try folder.write(below: "root/\(file.path)", file.text) }
        let (membership, root) = (folder.file("membership"), folder.file("root"))
        #expect(MemoryLimit.controlGroup(membership: membership, root: root) == test.limit)
        #expect(MemoryLimit.controlGroupRoom(membership: membership, root: root) == test.room)
    }

    @Test func `little can be had and the whole address space cannot`() {
        #expect(MemoryRoom.lacking(1) == nil)
        #expect(MemoryRoom.lacking(.max) != nil && MemoryRoom.lacking(1 << 55) != nil)
    }
}
