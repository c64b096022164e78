// How well two lists of numbers correlate.

package enum Correlation {
    /// Pearson's coefficient; nil where one of the lists is constant or has fewer than two values.
    package static func pearson(_ x: [Double], _ y: [Double]) -> Double? {
        precondition(x.count == y.count, "lists of \(x.count) and \(y.count) numbers")
        guard x.count > 1 else { return nil }
        let meanX = x.reduce(0, +) / Double(x.count)
        let meanY = y.reduce(0, +) / Double(y.count)
        var (xy, xx, yy) = (0.0, 0.0, 0.0)
        for (a, b) in zip(x, y) {
            xy += (a - meanX) * (b - meanY)
            xx += (a - meanX) * (a - meanX)
            yy += (b - meanY) * (b - meanY)
        }
        guard isSpread(x), isSpread(y), xx > 0, yy > 0 else { return nil }
        return max(-1, min(1, xy / xx.squareRoot() / yy.squareRoot()))
    }

    /// Spearman's coefficient: Pearson's of the ranks.
    package static func spearman(_ x: [Double], _ y: [Double]) -> Double? { pearson(ranks(x), ranks(y)) }

    /// Ranks from 1; equal values share the mean of theirs.
    package static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            let end = order[start...].firstIndex { values[$0] != values[order[start]] } ?? order.count
            for index in order[start..<end] { ranks[index] = Double(start + end + 1) / 2 }
            start = end
        }
        return ranks
    }

    /// Rounding of the mean would otherwise give constant lists a spread of their own.
    private static func isSpread(_ values: [Double]) -> Bool { values.contains { $0 != values[0] } }
}
