// Finds where in the original text the bytes of normalised text come from.

/// Walks once through normalised text, token by token.
struct OffsetMap {
    private let start: Int
    private let edits: [NormalizedText.Edit]
    /// The first edit that ends after the current place.
    private var edit = 0
    private var position = 0
    /// What the edits before the place have added to an original offset.
    private var shift = 0

    /// - Parameters:
    ///   - start: Where the section begins in the original text.
    ///   - edits: Relative to the section.
    init(start: Int, edits: [NormalizedText.Edit]) {
        self.start = start
        self.edits = edits
    }

    /// Goes on by the bytes of a token; the token's range in the original text.
    mutating func advance(by byteCount: Int) -> Range<Int> {
        let lower = original(position, ifInside: \.lowerBound)
        position += byteCount
        return start + lower..<start + original(position, ifInside: \.upperBound)
    }

    private mutating func original(_ offset: Int, ifInside bound: KeyPath<Range<Int>, Int>) -> Int {
        while edit < edits.count, edits[edit].normalized.upperBound <= offset {
            shift = edits[edit].normalized.upperBound - edits[edit].original.upperBound
            edit += 1
        }
        guard edit < edits.count, edits[edit].normalized.lowerBound < offset else { return offset - shift }
        return edits[edit].original[keyPath: bound]
    }
}
