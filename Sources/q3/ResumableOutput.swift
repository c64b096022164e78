// An output that survives the end of its run: finished rows stay in a file beside it, and the same command continues after
// them.
import Q3Catalog
import Q3Input
import Q3System

/// What an output is made of, by name; two jobs with equal values make the same bytes.
struct ResumableJob {
    private(set) var values: [(name: String, value: String)] = []

    mutating func add(_ name: String, _ value: String) { values.append((name, value)) }

    /// The content of all inputs.
    mutating func add(_ source: InputSource) throws {
        switch source {
        case .arguments(let texts):
            var hash = SHA256()
            for text in texts { hash.update(Array("\(text.utf8.count):\(text)".utf8)) }
            add("the texts", SHA256Digest(hash).hex)
        case .files(let paths):
            add("the number of inputs", "\(paths.count)")
            for (index, path) in paths.enumerated() {
                guard let path else { continue }
                add("input \(index + 1), \(path)", try fileDigest(path).hex)
            }
        }
    }

    var json: String {
        var object = JSONObject()
        for (name, value) in values { object.add(name, quoted: value) }
        return "\(object)\n"
    }

    /// Names what differs from the job of a file; nil where nothing does.
    func difference(from fields: Fields) -> String? {
        let changed = values.first { fields.optionalText($0.name) != $0.value }
        guard let changed else { return nil }
        let (before, now) = (fields.optionalText(changed.name) ?? "none", changed.value)
        return before.utf8.count == 64 && now.utf8.count == 64
            ? "\(changed.name) has changed" : "\(changed.name) was \(before), and is \(now) now"
    }
}

/// How far a job is.
struct FinishedRows: Equatable {
    var rowCount = 0
    /// The first record that is not done.
    var nextIndex = 0
    /// Records before it that were left out.
    var rejectedCount = 0
    static let none = FinishedRows()
}

/// Rows go to FILE.q3-part; FILE.q3-job describes the job. Both are removed once FILE exists.
///
/// The states that a killed run can leave, by the order of the steps: an empty part without a job, which is started over; a part
/// with a job, whose last row may be cut; and a job that says "finished" with or without its part, of which the rename is
/// all that is left to do.
final class ResumableOutput: VectorOutput {
    let path: String
    private var partPath: String { "\(path).q3-part" }
    private var jobPath: String { "\(path).q3-job" }
    private let descriptor: CInt
    private var byteCount = 0
    private var job = ResumableJob()
    private var lastSync = ContinuousClock.now
    private static let finishedName = "finished"

    let canPatch = true
    var isEmpty: Bool { byteCount == 0 }

    /// Opens the part and locks it against other processes.
    init(path: String, inputs: [String]) throws {
        guard !inputs.contains(where: { InputFolder.isSameFile($0, path) }) else {
            throw Failure(.usage, "\(path) is an input of this command; give another --output")
        }
        try OutputPlace.check(path)
        self.path = path
        let existed = InputFolder.isFile("\(path).q3-part")
        descriptor = unsafe open("\(path).q3-part", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure(.cannotCreate, "cannot create \(path).q3-part", errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Failure(.unavailable, "another q3 is writing \(path).q3-part")
        }
        isNew = !existed
    }

    /// Whether this run made the part.
    private let isNew: Bool

    deinit {
        if isNew, byteCount == 0 { unsafe unlink(partPath) }
        close(descriptor)
    }

    /// Finds the rows that an earlier run of this job finished, and drops what follows them. Nil if the job is finished.
    func begin(
        _ job: ResumableJob, format: VectorFormat, rowByteCount: Int, shard: Shard?
    ) throws -> FinishedRows? {
        self.job = job
        guard let earlier = try readJob() else {
            // A part without a job never got a row.
            try resize(to: 0)
            try writeJob(finished: false)
            sayWhenInterrupted()
            return FinishedRows.none
        }
        if let difference = job.difference(from: earlier) {
            throw Failure(
                .usage,
                "cannot resume \(path): \(difference); give another --output, or delete \(partPath) and "
                    + "\(jobPath) to start over")
        }
        if earlier.optionalText(Self.finishedName) == "true", isNew {
            unsafe unlink(partPath)
            unsafe unlink(jobPath)
            return nil
        }
        let (rows, byteCount) = try finishedRows(format, rowByteCount, shard)
        try resize(to: byteCount)
        sayWhenInterrupted()
        return rows
    }

    /// Makes an interruption say how to continue; from the first row on, so without their number.
    private func sayWhenInterrupted() {
        Interruption.sayWhenInterrupted(
            "interrupted; the rows in \(partPath) are kept: the same command resumes from them")
    }

    private func finishedRows(
        _ format: VectorFormat, _ rowByteCount: Int, _ shard: Shard?
    ) throws -> (FinishedRows, byteCount: Int) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw failure(errno) }
        let size = Int(status.st_size)
        let (step, first) = (shard?.count ?? 1, shard?.number ?? 0)
        if format.isBinary {
            let start = format == .npy ? NPY.headerByteCount : 0
            guard size >= start else { return (.none, 0) }
            let rowCount = (size - start) / rowByteCount
            return (
                FinishedRows(rowCount: rowCount, nextIndex: rowCount == 0 ? 0 : first + rowCount * step),
                start + rowCount * rowByteCount
            )
        }
        // Rows of text: the last whole one says which record it is.
        let splitter = RecordSplitter(
            try ByteStream(path: partPath), form: format == .csv ? .rows(delimiter: UInt8(ascii: ",")) : .lines)
        var rowCount = 0
        var (end, lastIndex) = (0, -1)
        while let line = try splitter.next() {
            guard case .bytes(let bytes) = line.content, splitter.lastRecordIsTerminated else { break }
            let isHeader = format == .csv && end == 0
            if !isHeader {
                guard let index = Self.index(ofRow: bytes) else { break }
                lastIndex = index
                rowCount += 1
            }
            end = splitter.byteOffset
        }
        guard rowCount > 0 else { return (.none, end) }
        let recordCount = (lastIndex - first) / step + 1
        return (
            FinishedRows(rowCount: rowCount, nextIndex: lastIndex + 1, rejectedCount: recordCount - rowCount), end
        )
    }

    /// The index that a row begins with, after `{"index":` or alone.
    private static func index(ofRow row: [UInt8]) -> Int? {
        let digits = row.drop { !(0x30...0x39 ~= $0) }.prefix { 0x30...0x39 ~= $0 }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private func readJob() throws -> Fields? {
        guard InputFolder.isFile(jobPath) else { return nil }
        let bytes = try ByteStream(path: jobPath, decodes: false)
        var text: [UInt8] = []
        while case let chunk = try bytes.read(), !chunk.isEmpty { text += chunk }
        guard let fields = try? Fields(json: String(decoding: text, as: UTF8.self)) else {
            throw Failure(.badData, "\(jobPath) is damaged; delete it and \(partPath) to start over")
        }
        return fields
    }

    private func writeJob(finished: Bool) throws {
        var job = job
        job.add(Self.finishedName, "\(finished)")
        let file = try OutputFile(path: jobPath, inputs: [])
        try file.write(Array(job.json.utf8))
        try file.finish()
    }

    private func resize(to byteCount: Int) throws {
        guard ftruncate(descriptor, off_t(byteCount)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
            throw failure(errno)
        }
        self.byteCount = byteCount
    }

    /// Writes bytes after the others; a signal waits for the last of them.
    func write(_ bytes: [UInt8]) throws {
        do throws(SystemError) {
            try Interruption.deferred { _ throws(SystemError) in unsafe try writeAll(bytes.span.bytes, to: descriptor) }
        } catch {
            throw failure(error.code)
        }
        byteCount += bytes.count
        // A machine that loses power loses a few seconds of work at most.
        if ContinuousClock.now - lastSync > .seconds(5) {
            fsync(descriptor)
            lastSync = .now
        }
    }

    func patchStart(_ bytes: [UInt8]) throws {
        do throws(SystemError) {
            unsafe try writeAll(bytes.span.bytes, to: descriptor, at: 0)
        } catch {
            throw failure(error.code)
        }
    }

    func finish() throws {
        guard fsync(descriptor) == 0 else { throw failure(errno) }
        try writeJob(finished: true)
        let code: CInt = Interruption.deferred { _ in
            guard unsafe rename(partPath, path) == 0 else { return errno }
            unsafe unlink(jobPath)
            return 0
        }
        guard code == 0 else { throw failure(code) }
        syncFolder(of: path)
        Interruption.sayWhenInterrupted(nil)
    }

    private func failure(_ code: CInt) -> Failure {
        let failure = Failure(.inputOutput, "cannot write \(partPath)", errno: code)
        return Failure(
            failure.status, "\(failure.message ?? ""); finished rows are kept, and the same command resumes from them")
    }
}

extension SHA256 {
    mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { bytes in unsafe update(bytes) }
    }
}
