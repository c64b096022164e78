// Decomposes, orders and composes the scalars of one segment of text (Unicode Standard Annex 15).

/// Scratch for one segment at a time. Time is n log n in the segment's length, however many marks are piled up.
struct SegmentComposer {
    private(set) var scalars: [UInt32] = []
    private var classes: [UInt8] = []

    mutating func begin() {
        scalars.removeAll(keepingCapacity: true)
    }

    /// Appends a scalar's full decomposition.
    mutating func append(_ scalar: UInt32) {
        CanonicalData.appendDecomposition(of: scalar, to: &scalars)
    }

    /// Puts the appended scalars into canonical order and composes them in place.
    mutating func compose() {
        classes.removeAll(keepingCapacity: true)
        for scalar in scalars { classes.append(CanonicalData.combiningClass(scalar)) }
        orderMarks()
        composePairs()
    }

    /// Sorts each run of marks by combining class; marks of one class keep their order.
    private mutating func orderMarks() {
        var start = 0
        while start < scalars.count {
            var end = start + 1
            var isOrdered = true
            if classes[start] != 0 {
                while end < scalars.count, classes[end] != 0 {
                    if classes[end] < classes[end - 1] { isOrdered = false }
                    end += 1
                }
            }
            if !isOrdered {
                // Class, then place: a key that is unique, so any sort is stable.
                let keys = (start..<end).map { index in
                    UInt64(classes[index]) << 56 | UInt64(index - start) << 21 | UInt64(scalars[index])
                }
                for (place, key) in keys.sorted().enumerated() {
                    scalars[start + place] = UInt32(key & 0x1F_FFFF)
                    classes[start + place] = UInt8(key >> 56)
                }
            }
            start = end
        }
    }

    /// Composes each scalar with the last starter before it unless a scalar between them is in the way.
    private mutating func composePairs() {
        var count = 0
        var starter: Int? = nil
        for index in scalars.indices {
            let (scalar, scalarClass) = (scalars[index], classes[index])
            // What is in the way: a mark of the same or a higher class, or another starter.
            if let starter, count - 1 == starter || classes[count - 1] < scalarClass,
                let composite = CanonicalData.composition(scalars[starter], scalar)
            {
                scalars[starter] = composite
                continue
            }
            if scalarClass == 0 { starter = count }
            (scalars[count], classes[count]) = (scalar, scalarClass)
            count += 1
        }
        scalars.removeLast(scalars.count - count)
    }
}
