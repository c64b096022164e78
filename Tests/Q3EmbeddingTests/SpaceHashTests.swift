// The hash behind fingerprints: fixed for ever, and different for what is different.
import Testing

@testable import Q3Embedding

@Suite struct SpaceHashTests {
    private func hash(_ body: (inout SpaceHash) -> Void) -> UInt64 {
        var hash = SpaceHash()
        body(&hash)
        return hash.finish()
    }

    private func hash(_ bytes: [UInt8]) -> UInt64 {
        hash { hash in unsafe bytes.withUnsafeBytes { unsafe hash.combine($0) } }
    }

    @Test func `every length and every byte counts`() {
        var seen: Set<UInt64> = []
        for count in 0...100 {
            let bytes = [UInt8](repeating: 0, count: count)
            seen.insert(hash(bytes))
            for index in bytes.indices {
                var changed = bytes
                changed[index] = 1
                seen.insert(hash(changed))
            }
        }
        #expect(seen.count == 101 + 100 * 101 / 2)
    }

    @Test func `boundaries between values count`() {
        let parts: [[String]] = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ["c", "ab"]]
        let hashes = parts.map { texts in hash { hash in for text in texts { hash.combine(text) } } }
        #expect(Set(hashes).count == parts.count)
    }

    @Test func `place in memory does not count`() {
        let bytes = (0..<100).map { UInt8($0) }
        for shift in 1..<9 {
            let moved = [UInt8](repeating: 9, count: shift) + bytes
            let got = hash { hash in
                unsafe moved.withUnsafeBytes { unsafe hash.combine(UnsafeRawBufferPointer(rebasing: $0[shift...])) }
            }
            #expect(got == hash(bytes))
        }
    }

    /// Stored fingerprints must stay valid: this number may only change together with `Fingerprint.rulesVersion`.
    @Test func `result is fixed`() {
        let value = hash { hash in
            hash.combine(7)
            hash.combine("q3")
            let bytes = (0..<77).map { UInt8($0) }
            unsafe bytes.withUnsafeBytes { unsafe hash.combine($0) }
        }
        #expect(value == 17_427_719_140_556_745_513)
    }
}
