// Appends windows of vectors to the newest segment; what is not committed afterwards is overwritten by the next writer.

/// The file that grows. It is flushed to disk before the catalog says that it grew.
final class SegmentWriter {
    /// A segment that reached this size is closed, and a new one begun.
    private static let byteLimit = 256 << 20

    private let folder: String
    private let header: SegmentHeader
    private(set) var entry: SegmentEntry
    private var file: WritableFile

    /// Continues after `last`, or begins the first segment.
    init(folder: String, header: SegmentHeader, last: SegmentEntry?) throws(IndexError) {
        self.folder = folder
        var header = header
        if let last {
            header.number = last.number
            entry = last
            file = try WritableFile(path: "\(folder)/\(SegmentEntry.fileName(last.number))", creating: false)
            // What a writer left that was killed.
            try file.truncate(to: last.byteCount)
        } else {
            header.number = 1
            (entry, file) = try Self.begin(1, firstSlot: 0, header: header, folder: folder)
        }
        self.header = header
    }

    /// Begins a segment of a given number, which is for compacting.
    init(folder: String, header: SegmentHeader, number: Int, firstSlot: Int) throws(IndexError) {
        self.folder = folder
        self.header = header
        (entry, file) = try Self.begin(number, firstSlot: firstSlot, header: header, folder: folder)
    }

    private static func begin(
        _ number: Int, firstSlot: Int, header: SegmentHeader, folder: String
    ) throws(IndexError) -> (SegmentEntry, WritableFile) {
        let path = "\(folder)/\(SegmentEntry.fileName(number))"
        // A file of a number that the catalog does not know was left by a writer that was killed.
        try SystemCall.remove(path)
        let file = try WritableFile(path: path, creating: true)
        var header = header
        header.number = number
        try file.write(header.bytes, at: 0)
        SystemCall.syncFolder("\(folder)/vectors")
        let entry = SegmentEntry(
            number: number, firstSlot: firstSlot, rows: 0, byteCount: SegmentLayout.headerByteCount)
        return (entry, file)
    }

    /// Appends vectors [rows, dimensions] and flushes them to disk. Gives the slot of the first and what the catalog has to
    /// say of the segment then; until it says so, nobody sees the rows.
    func append(_ vectors: [[Float]]) throws(IndexError) -> (firstSlot: Int, entry: SegmentEntry) {
        if entry.byteCount >= Self.byteLimit {
            (entry, file) = try Self.begin(
                entry.number + 1, firstSlot: entry.firstSlot + entry.rows, header: header, folder: folder)
        }
        let firstSlot = entry.firstSlot + entry.rows
        let bytes = VectorBlock.bytes(of: vectors, firstSlot: firstSlot)
        do throws(IndexError) {
            try file.write(bytes, at: entry.byteCount)
            try file.sync()
        } catch {
            try? file.truncate(to: entry.byteCount)
            throw error
        }
        var grown = entry
        grown.rows += vectors.count
        grown.byteCount += bytes.count
        return (firstSlot, grown)
    }

    /// To be called once the catalog has committed what `append` gave.
    func commit(_ entry: SegmentEntry) { self.entry = entry }
}
