// The states of every token below the layers that are trained: computed once, kept in a file, read for each chunk.
//
//     "q3trunk1"  key [32]  lists done u64  lists u64  tokens u64  columns u64  type u64  rows, list after list
import Q3Embedding
import Q3Kernels
import Q3Model
import Q3System
import Synchronization

/// How states are stored.
public enum StateType: String, Sendable, CaseIterable {
    /// 16 bits with a scale for each token: half the space, and 11 bits of every value.
    case f16
    /// As they were computed.
    case f32
}

/// States [tokens, hiddenSize] of many texts. The file says which model and which texts it is of, and how many of them
/// are done, so that an interrupted run goes on where it was and a run over other texts begins anew.
package final class TrunkStates: Sendable {
    package let tokenCounts: [Int]
    private let firstRows: [Int]
    private let columns: Int
    private let type: StateType
    private let descriptor: CInt
    private let path: String

    private static let magic = Array("q3trunk1".utf8)
    private static let headerByteCount = 80
    /// Tokens that are computed between two notes of how far it is.
    private static let windowTokens = 1 << 14

    private var rowByteCount: Int { Self.rowByteCount(columns, type) }

    private static func rowByteCount(_ columns: Int, _ type: StateType) -> Int {
        switch type {
        case .f32: columns * 4
        case .f16: columns * 2 + 4
        }
    }

    /// Bytes of the file for so many tokens.
    package static func byteCount(tokens: Int, columns: Int, type: StateType) -> Int {
        headerByteCount + tokens * rowByteCount(columns, type)
    }

    /// Takes the states of `lists` after `layerCount` layers from the file, and computes those that it lacks. `key`
    /// tells the model.
    ///
    /// Throws what the model throws, and `TrainingError.states` where the file cannot be written or read.
    package init(
        path: String, model: Qwen3Model, key: String, lists: [[Int32]], layerCount: Int, type: StateType,
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws {
        self.path = path
        self.type = type
        columns = model.config.hiddenSize
        tokenCounts = lists.map(\.count)
        var first = 0
        firstRows = lists.map { list in
            defer { first += list.count }
            return first
        }
        let total = first
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw TrainingError.states(path: path, fault: "\(SystemError(code: errno))") }
        let hash = Self.hash(key: key, lists: lists, layerCount: layerCount, type: type)
        let counts = [lists.count, total, columns, type == .f16 ? 16 : 32]
        // One process writes it; when it is whole, any number may read.
        let writes = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        if !writes, flock(descriptor, LOCK_SH | LOCK_NB) != 0 {
            throw TrainingError.states(path: path, fault: "another training writes it")
        }
        var done = try readDone(hash, counts)
        guard writes || done == lists.count else {
            throw TrainingError.states(path: path, fault: "another training uses it for other texts")
        }
        if done == nil {
            guard ftruncate(descriptor, 0) == 0 else { throw fault(errno) }
            try writeHeader(hash, done: 0, counts)
            done = 0
        }
        var next = done ?? 0
        let before = next < lists.count ? firstRows[next] : total
        while next < lists.count {
            var (end, tokens) = (next, 0)
            while end < lists.count, end == next || tokens + lists[end].count <= Self.windowTokens {
                tokens += lists[end].count
                end += 1
            }
            let (window, start) = (next..<end, firstRows[next])
            try await model.trunkStates(
                of: Array(lists[window]), layerCount: layerCount,
                progress: { part in
                    progress?(Progress(completed: start - before + part.completed, total: total - before))
                }
            ) { [self] index, rows in try write(rows, at: firstRows[window.lowerBound + index]) }
            guard fsync(descriptor) == 0 else { throw fault(errno) }
            try writeHeader(hash, done: end, counts)
            next = end
        }
        _ = flock(descriptor, LOCK_SH)
    }

    deinit { close(descriptor) }

    private func fault(_ code: CInt) -> TrainingError {
        .states(path: path, fault: "\(SystemError(code: code))")
    }

    /// What states depend on besides the arithmetic of this version.
    private static func hash(key: String, lists: [[Int32]], layerCount: Int, type: StateType) -> [UInt8] {
        var hash = SHA256()
        let job = Array("\(key) \(layerCount) \(type.rawValue) \(lists.count) ".utf8)
        unsafe job.withUnsafeBytes { unsafe hash.update($0) }
        for list in lists {
            let count = Array("\(list.count) ".utf8)
            unsafe count.withUnsafeBytes { unsafe hash.update($0) }
            unsafe list.withUnsafeBytes { unsafe hash.update($0) }
        }
        return hash.finish()
    }

    /// How many lists the file has, nil if it is of others or none.
    private func readDone(_ hash: [UInt8], _ counts: [Int]) throws -> Int? {
        var header = [UInt8](repeating: 0, count: Self.headerByteCount)
        let read = unsafe pread(descriptor, &header, header.count, 0)
        guard read == header.count, header[..<8].elementsEqual(Self.magic), header[8..<40].elementsEqual(hash) else {
            guard read == 0 || read >= 8 && header[..<8].elementsEqual(Self.magic) else {
                throw TrainingError.states(path: path, fault: "it is another kind of file; it would be lost")
            }
            return nil
        }
        let numbers = unsafe header.withUnsafeBytes { bytes in
            (0..<5).map { unsafe bytes.loadUnaligned(fromByteOffset: 40 + 8 * $0, as: Int.self) }
        }
        guard numbers[1...].elementsEqual(counts), 0...counts[0] ~= numbers[0] else { return nil }
        var status = stat()
        let rows = numbers[0] == 0 ? 0 : firstRows[numbers[0] - 1] + tokenCounts[numbers[0] - 1]
        guard unsafe fstat(descriptor, &status) == 0,
            Int(status.st_size) >= Self.headerByteCount + rows * rowByteCount
        else { return nil }
        return numbers[0]
    }

    private func writeHeader(_ hash: [UInt8], done: Int, _ counts: [Int]) throws {
        let numbers = unsafe ([done] + counts).withUnsafeBytes { unsafe [UInt8]($0) }
        let header = Self.magic + hash + numbers
        try writeAt(0, header)
    }

    private func writeAt(_ offset: Int, _ bytes: [UInt8]) throws {
        do throws(SystemError) {
            unsafe try writeAll(bytes.span.bytes, to: descriptor, at: offset)
        } catch {
            throw fault(error.code)
        }
    }

    private func write(_ rows: [Float], at first: Int) throws {
        let offset = Self.headerByteCount + first * rowByteCount
        switch type {
        case .f32: try writeAt(offset, unsafe rows.withUnsafeBytes { unsafe [UInt8]($0) })
        case .f16:
            var bytes: [UInt8] = []
            bytes.reserveCapacity(rows.count / columns * rowByteCount)
            for start in stride(from: 0, to: rows.count, by: columns) {
                let row = rows[start..<start + columns]
                // States have a few channels that are thousands of times larger than the others: a power of two brings
                // the largest near the top of f16's range, so that small ones keep their bits.
                let largest = row.reduce(0) { max($0, abs($1)) }
                let exponent = largest > 0 && largest.isFinite ? 14 - Int(largest.exponent) : 0
                let factor = Float(sign: .plus, exponent: min(max(exponent, -100), 100), significand: 1)
                let inverse = 1 / factor
                bytes += unsafe withUnsafeBytes(of: inverse) { unsafe [UInt8]($0) }
                for value in row {
                    let bits = HalfPrecision.bits(of: value * factor)
                    bytes.append(UInt8(truncatingIfNeeded: bits))
                    bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
                }
            }
            try writeAt(offset, bytes)
        }
    }

    /// The states of some texts, one after the other [tokens, hiddenSize].
    package func read(_ texts: [Int], from pool: GridPool<Float>) throws -> Grid<Float> {
        let grid = Grid(texts.reduce(0) { $0 + tokenCounts[$1] }, columns, from: pool)
        var row = 0
        for text in texts {
            let count = tokenCounts[text]
            let offset = Self.headerByteCount + firstRows[text] * rowByteCount
            switch type {
            case .f32: unsafe try read(count * rowByteCount, at: offset, into: grid.row(row))
            case .f16:
                unsafe try withUnsafeTemporaryAllocation(byteCount: count * rowByteCount, alignment: 16) { bytes in
                    guard let base = bytes.baseAddress else { return }
                    unsafe try read(bytes.count, at: offset, into: base)
                    for index in 0..<count { unsafe decode(base + index * rowByteCount, into: grid.row(row + index)) }
                }
            }
            row += count
        }
        return grid
    }

    @unsafe private func decode(_ bytes: UnsafeMutableRawPointer, into row: UnsafeMutablePointer<Float>) {
        let factor = unsafe bytes.loadUnaligned(as: Float.self)
        let halves = unsafe UnsafeRawBufferPointer(start: bytes + 4, count: 2 * columns)
        unsafe WeightCodec().decode(
            halves, typeID: Self.halfTypeID, into: UnsafeMutableBufferPointer(start: row, count: columns))
        for index in 0..<columns { unsafe row[index] *= factor }
    }

    /// GGUF's number for F16.
    private static let halfTypeID: UInt32 = 1

    @unsafe private func read(_ byteCount: Int, at offset: Int, into memory: UnsafeMutableRawPointer) throws {
        var done = 0
        while done < byteCount {
            let count = unsafe pread(descriptor, memory + done, byteCount - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw TrainingError.states(path: path, fault: count < 0 ? "\(SystemError(code: errno))" : "it was cut")
            }
            done += count
        }
    }
}
