// The start case: a new process of q3, from its start to its first vector.
import Q3Embedding
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System
import Q3Tokenizer

struct StartCase {
    let setup: BenchSetup

    private static let text = "The capital of China is Beijing."
    /// Tokens to run where there is no tokenizer.
    private static let tokenCount = 8

    /// Embeds a text, or, with a model that cannot, runs as many random tokens once.
    private func command() throws -> (arguments: [String], tokenCount: Int) {
        let shared = [
            "--model", setup.path, "--threads", "\(setup.threads)", "--precision", setup.options.precision.rawValue,
        ]
        let metadata = setup.file.metadata
        guard metadata.keys.contains(TokenizerKey.tokens), try ModelRole(of: setup.file).kind != .reranker else {
            let once = ["--case", "tokens:\(Self.tokenCount)", "--repeat", "1", "--skip-warm-up", "--json"]
            return (["bench"] + shared + ["--isa", setup.isa.name] + once, Self.tokenCount)
        }
        return (["embed"] + shared + [Self.text], try Tokenizer(metadata: metadata).encode(Self.text).count + 1)
    }

    func run() throws -> Measurement {
        let (arguments, tokenCount) = try command()
        var seconds: [Double] = []
        var peak = 0
        if setup.warmsUp { _ = try Child(arguments) }
        for run in 1...setup.repeatCount {
            BenchSetup.show("start: run \(run) of \(setup.repeatCount)")
            let child = try Child(arguments)
            seconds.append(child.secondsToOutput)
            peak = max(peak, child.peakResidentBytes)
        }
        return Measurement(
            benchCase: .start, tokenCount: tokenCount, distinctTokenCount: tokenCount, seconds: seconds,
            peakResidentBytes: peak, threads: setup.threads)
    }
}

/// A finished run of this executable.
private struct Child {
    /// From its start to the first byte that it wrote.
    let secondsToOutput: Double
    let peakResidentBytes: Int

    init(_ arguments: [String]) throws {
        var ends: [CInt] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw Failure(.system, "cannot make a pipe", errno: errno) }
        defer { close(ends[0]) }
        let start = ContinuousClock.now
        let process: pid_t
        do {
            defer { close(ends[1]) }
            process = try Self.spawn(arguments, output: ends[1], closing: ends[0])
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var first: ContinuousClock.Instant?
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(ends[0], $0.baseAddress, $0.count) }
            if count > 0, first == nil { first = .now }
            if count == 0 || count < 0 && errno != EINTR { break }
        }
        var status: CInt = 0
        var usage = rusage()
        while unsafe wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
        guard status == 0, let first else {
            throw Failure(.software, "'q3 \(arguments.joined(separator: " "))' failed with wait status \(status)")
        }
        secondsToOutput = (first - start) / .seconds(1)
        peakResidentBytes = ResidentMemory.byteCount(of: usage)
    }

    private static func spawn(_ arguments: [String], output: CInt, closing other: CInt) throws -> pid_t {
        let executable = try executablePath()
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = unsafe posix_spawn_file_actions_t()
        #endif
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_addclose(&actions, output)
        unsafe posix_spawn_file_actions_addclose(&actions, other)
        var strings = unsafe ([executable] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe strings.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let code = unsafe posix_spawn(&process, executable, &actions, nil, &strings, environ)
        guard code == 0 else { throw Failure(.system, "cannot start \(executable)", errno: code) }
        return process
    }

    private static func executablePath() throws -> String {
        #if os(Linux)
        let path: String? = "/proc/self/exe"
        #else
        var count: UInt32 = 4096
        var bytes = [CChar](repeating: 0, count: Int(count))
        let path = unsafe _NSGetExecutablePath(&bytes, &count) == 0 ? unsafe String(cString: bytes) : nil
        #endif
        guard let path else { throw Failure(.system, "the system does not tell where q3 is") }
        return path
    }
}
