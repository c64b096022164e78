// Walks over a mapped file from front to back; no read ever passes the end.

/// A position in a mapped file. Every read checks that its bytes are there, then moves on; a failed read throws
/// `truncated` with what was being read.
struct ByteCursor {
    let file: MappedFile
    private(set) var offset = 0

    init(_ file: MappedFile) {
        self.file = file
    }

    var remaining: Int { file.byteCount - offset }

    /// Takes the next `byteCount` bytes and returns where they are.
    mutating func take(_ byteCount: UInt64, _ what: @autoclosure () -> String) throws(GGUFError) -> Range<Int> {
        guard let count = Int(exactly: byteCount), count <= remaining else {
            throw .truncated(what: what(), at: offset, expected: byteCount, available: remaining)
        }
        let range = offset..<offset + count  // cannot overflow: count is at most what remains of an existing file
        offset = range.upperBound
        return range
    }

    mutating func scalar<T: MetadataScalar>(
        _ what: @autoclosure () -> String, as type: T.Type = T.self
    ) throws(GGUFError) -> T {
        let range = try take(UInt64(MemoryLayout<T>.size), what())
        return file.load(at: range.lowerBound)
    }

    /// Takes a string, eight bytes of length and then the text, and returns where the text is.
    mutating func string(_ what: @autoclosure () -> String) throws(GGUFError) -> Range<Int> {
        let start = offset
        let length: UInt64 = try scalar(what())
        guard length <= HeaderLimits.stringByteCount else {
            throw .tooMany(what: "bytes of \(what())", at: start, got: length, limit: HeaderLimits.stringByteCount)
        }
        return try take(length, what())
    }

    /// Takes `count` strings and returns where they are, lengths and all.
    mutating func strings(_ count: Int, _ what: @autoclosure () -> String) throws(GGUFError) -> Range<Int> {
        let start = offset
        for _ in 0..<count {
            _ = try string(what())
        }
        return start..<offset
    }
}
