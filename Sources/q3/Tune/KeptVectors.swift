// Vectors that a training embeds before its first step: kept in a file, so that a run that goes on embeds no text twice.
//
//     "q3vecs01"  key [32]  dimensions u64  rows done u64  rows, f32
#if Training
import Q3System
import Synchronization

/// Rows in the order in which they are computed. The file says what they are of, and how many are on disk.
final class KeptVectors: Sendable {
    private let path: String
    private let descriptor: CInt
    private let dimensions: Int
    private let state: Mutex<State>

    private struct State {
        /// Rows of an earlier run that were not asked for yet.
        var earlier: [[Float]]
        /// Rows on disk, and those that are not there yet.
        var writtenCount: Int
        var waiting: [Float] = []
        var lastWrite = ContinuousClock.now
    }

    private static let magic = Array("q3vecs01".utf8)
    private static let headerByteCount = 56
    private static let interval = Duration.seconds(5)

    /// Opens the file at `path`. `key` is a hash of all that the rows depend on: rows of others are dropped, and so are all
    /// where `resumes` is false.
    init(path: String, key: SHA256, dimensions: Int, resumes: Bool) throws {
        self.path = path
        self.dimensions = dimensions
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw Failure(.cannotCreate, "cannot write \(path)", errno: errno) }
        let head = Self.magic + key.finish() + Self.bytes(of: dimensions)
        let found = try Self.read(descriptor, count: Self.headerByteCount, at: 0)
        guard found.isEmpty || found.starts(with: Self.magic) else {
            throw Failure(.usage, "\(path) is another kind of file, and would be lost; give another --output")
        }
        var rows: [[Float]] = []
        if resumes, found.count == Self.headerByteCount, found.starts(with: head) {
            let done = unsafe found.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: 48, as: Int.self) }
            rows = try Self.rows(descriptor, done: done, dimensions: dimensions)
        }
        state = Mutex(State(earlier: rows.reversed(), writtenCount: rows.count))
        if rows.isEmpty {
            guard ftruncate(descriptor, 0) == 0 else { throw failure(errno) }
            try write(head + Self.bytes(of: 0), at: 0)
        } else {
            Terminal.say("\(rows.count) vectors of the earlier run are in \(path)")
        }
        sayWhenInterrupted(rows.count)
    }

    deinit { close(descriptor) }

    /// The next rows of an earlier run, at most so many.
    func next(_ count: Int) -> [[Float]] {
        state.withLock { state in
            let taken = min(count, state.earlier.count)
            defer { state.earlier.removeLast(taken) }
            return state.earlier.suffix(taken).reversed()
        }
    }

    /// Keeps the next row.
    @Sendable func append(_ row: [Float]) throws {
        try state.withLock { state in
            state.waiting += row
            if ContinuousClock.now - state.lastWrite > Self.interval { try flush(&state) }
        }
    }

    /// Brings all rows to disk.
    func flush() throws { try state.withLock { try flush(&$0) } }

    /// Removes the file: the result is there.
    func remove() { unsafe unlink(path) }

    private func flush(_ state: inout State) throws {
        state.lastWrite = .now
        guard !state.waiting.isEmpty else { return }
        let bytes = unsafe state.waiting.withUnsafeBytes { unsafe [UInt8]($0) }
        try write(bytes, at: Self.headerByteCount + state.writtenCount * dimensions * MemoryLayout<Float>.size)
        // The count may say only what is there, also after a power cut.
        guard fsync(descriptor) == 0 else { throw failure(errno) }
        state.writtenCount += state.waiting.count / dimensions
        state.waiting = []
        try write(Self.bytes(of: state.writtenCount), at: Self.headerByteCount - 8)
        sayWhenInterrupted(state.writtenCount)
    }

    private func sayWhenInterrupted(_ count: Int) {
        Interruption.sayWhenInterrupted(
            count == 0
                ? nil
                : "interrupted; \(count) vectors are in \(path): the same command with --resume continues")
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws {
        do throws(SystemError) {
            unsafe try writeAll(bytes.span.bytes, to: descriptor, at: offset)
        } catch {
            throw failure(error.code)
        }
    }

    private func failure(_ code: CInt) -> Failure { Failure(.inputOutput, "cannot write \(path)", errno: code) }

    private static func bytes(of number: Int) -> [UInt8] {
        unsafe withUnsafeBytes(of: UInt64(number).littleEndian) { unsafe [UInt8]($0) }
    }

    /// Rows as many as are whole.
    private static func rows(_ descriptor: CInt, done: Int, dimensions: Int) throws -> [[Float]] {
        var rows: [[Float]] = []
        let byteCount = dimensions * MemoryLayout<Float>.size
        while rows.count < done {
            let bytes = try read(descriptor, count: byteCount, at: headerByteCount + rows.count * byteCount)
            guard bytes.count == byteCount else { break }
            let row = unsafe bytes.withUnsafeBytes { bytes in
                (0..<dimensions).map { unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }
            guard row.allSatisfy(\.isFinite) else { break }
            rows.append(row)
        }
        return rows
    }

    /// As many bytes as there are.
    private static func read(_ descriptor: CInt, count: Int, at offset: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe pread(descriptor, bytes.baseAddress! + done, count - done, off_t(offset + done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Failure(.inputOutput, "cannot read what was kept", errno: errno) }
            if got == 0 { break }
            done += got
        }
        return Array(bytes[..<done])
    }
}
#endif
