// Runs the built q3 as a process of its own, as a shell would.
import Q3System
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a run left behind.
struct Outcome {
    let status: CInt
    let output: [UInt8]
    let messages: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n").map(String.init) }
}

enum Tool {
    /// The executable, beside the test bundle that SwiftPM built with it.
    static let path: String = {
        let arguments = CommandLine.arguments
        let bundle = arguments.firstIndex(of: "--test-bundle-path").map { arguments[$0 + 1] } ?? arguments[0]
        var folder = URL(filePath: bundle).deletingLastPathComponent()
        while folder.path != "/", !FileManager.default.isExecutableFile(atPath: folder.appending(path: "q3").path) {
            folder = folder.deletingLastPathComponent()
        }
        return folder.appending(path: "q3").path
    }()

    /// Runs q3 to its end. `input` is its stdin, which is empty otherwise.
    static func run(_ arguments: [String], input: [UInt8] = []) throws -> Outcome {
        try run(path, arguments, input: input)
    }

    /// Runs a shell script in which `$Q3` is the tool.
    static func shell(_ script: String) throws -> Outcome {
        try run("/bin/sh", ["-c", "Q3='\(path)'\n" + script], input: [])
    }

    private static func run(_ program: String, _ arguments: [String], input: [UInt8]) throws -> Outcome {
        let folder = try TemporaryFolder()
        try folder.write("in", input)
        let process = try start(
            program: program, arguments, input: folder.file("in"), output: folder.file("out"),
            messages: folder.file("err"))
        let status = wait(for: process)
        return Outcome(
            status: status, output: try folder.read("out"),
            messages: String(decoding: try folder.read("err"), as: UTF8.self))
    }

    /// Starts q3, or another program, and returns its process id.
    static func start(
        program: String = path, _ arguments: [String], input: String, output: String, messages: String
    ) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = unsafe posix_spawn_file_actions_t()
        #endif
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, messages, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var process = pid_t()
        var strings: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) }
        defer { for index in unsafe strings.indices { unsafe free(strings[index]) } }
        unsafe strings.append(nil)
        let code = unsafe posix_spawn(&process, program, &actions, nil, strings, environ)
        try #require(code == 0, "cannot start \(program)")
        return process
    }

    /// A named pipe in a folder, and its writing end. A child never has the end, so that closing it ends the input.
    static func pipe(in folder: TemporaryFolder) throws -> (path: String, end: CInt) {
        let path = folder.file("pipe")
        try #require(unsafe mkfifo(path, 0o600) == 0)
        let end = unsafe open(path, O_RDWR | O_CLOEXEC)
        try #require(end >= 0)
        return (path, end)
    }

    /// Waits for something that another process does, for a minute at least. It keeps its thread: a task that slept could be
    /// woken minutes later, behind all other tests.
    static func until(_ condition: () throws -> Bool) throws {
        for _ in 0..<6000 where try !condition() { usleep(10_000) }
        try #require(try condition())
    }

    /// The exit status of a process, or 128 and the signal that ended it, as shells give it.
    static func wait(for process: pid_t) -> CInt {
        var status: CInt = 0
        while unsafe waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }
}
