// Puts UTF-8 text into Unicode normalisation form C and remembers where it changed.

/// Text in NFC, with what is needed to find its bytes in the original.
struct NormalizedText {
    /// A stretch of the text that differs from the original. Stretches are in order and do not overlap; between them
    /// the bytes are the same.
    struct Edit {
        let original: Range<Int>
        let normalized: Range<Int>
    }

    var bytes: [UInt8] = []
    var edits: [Edit] = []
}

/// NFC by segments: an inert scalar begins a segment, the marks and other unstable scalars after it belong to it,
/// and no segment depends on another. Most text has no segment that needs work, and then nothing is copied.
struct Normalizer: ~Escapable {
    private let text: Span<UInt8>
    private let characters = CharacterTable.shared
    private var result = NormalizedText()
    /// Bytes of `text` that `result` accounts for.
    private var copiedCount = 0
    private var segment = SegmentComposer()

    @_lifetime(copy text)
    private init(_ text: Span<UInt8>) {
        self.text = text
    }

    /// Valid UTF-8 in NFC; nil if it is already, which costs one look per scalar to see.
    static func normalize(_ text: Span<UInt8>) -> NormalizedText? {
        var normalizer = Normalizer(text)
        normalizer.run()
        return normalizer.result.edits.isEmpty ? nil : normalizer.result
    }

    @_lifetime(self: copy self)
    private mutating func run() {
        var (offset, segmentStart) = (0, 0)
        while offset < text.count {
            if text[offset] < 0x80 {
                segmentStart = offset
                offset += 1
                continue
            }
            let (value, byteCount) = text.scalar(at: offset)
            if characters[value].isInert {
                segmentStart = offset
                offset += byteCount
                continue
            }
            let end = segmentEnd(from: offset + byteCount)
            normalize(segmentStart..<end)
            (offset, segmentStart) = (end, end)
        }
        if !result.edits.isEmpty { copy(upTo: text.count) }
    }

    private func segmentEnd(from start: Int) -> Int {
        var end = start
        while end < text.count {
            countSteps()
            let (value, byteCount) = text.scalar(at: end)
            if characters[value].isInert { break }
            end += byteCount
        }
        return end
    }

    @_lifetime(self: copy self)
    private mutating func normalize(_ range: Range<Int>) {
        guard !isNormalized(range) else { return }
        segment.begin()
        var offset = range.lowerBound
        while offset < range.upperBound {
            countSteps()
            let (value, byteCount) = text.scalar(at: offset)
            segment.append(value)
            offset += byteCount
        }
        segment.compose()
        // Scalars that are the same at the front, often the inert one, are not part of the edit.
        var (same, start) = (0, range.lowerBound)
        while same < segment.scalars.count, start < range.upperBound {
            let (value, byteCount) = text.scalar(at: start)
            guard value == segment.scalars[same] else { break }
            (same, start) = (same + 1, start + byteCount)
        }
        if start == range.upperBound, same == segment.scalars.count { return }
        copy(upTo: start)
        let normalizedStart = result.bytes.count
        for scalar in segment.scalars[same...] { result.bytes.append(scalar: scalar) }
        result.edits.append(
            .init(original: start..<range.upperBound, normalized: normalizedStart..<result.bytes.count))
        copiedCount = range.upperBound
    }

    @_lifetime(self: copy self)
    private mutating func copy(upTo end: Int) {
        for offset in copiedCount..<end { result.bytes.append(text[offset]) }
        copiedCount = end
    }

    /// The quick check of Unicode Standard Annex 15, section 9: no unstable scalar, and marks in order.
    private func isNormalized(_ range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        var last: UInt8 = 0
        while offset < range.upperBound {
            countSteps()
            let (value, byteCount) = text.scalar(at: offset)
            let properties = characters[value]
            if properties.isUnstable { return false }
            let current = properties.isMark ? CanonicalData.combiningClass(value) : 0
            if current != 0, current < last { return false }
            last = current
            offset += byteCount
        }
        return true
    }
}
