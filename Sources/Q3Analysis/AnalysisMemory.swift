// How much memory each function takes, known before it runs.
import Q3Embedding
import Q3Linear

/// Bytes that the functions of this library take at once, beside the vectors that they are given.
///
/// Each function asks for as much before it begins, and throws `LinearError.outOfMemory` where it cannot be had: by the limit on
/// address space, that of the control group, or the free memory of the machine. What depends on the rows themselves is asked for
/// when it is known: copies without equal rows, the members of a community, pairs above a threshold.
public enum AnalysisMemory {
    /// Vectors in memory.
    public static func vectors(rows: Int, dimensions: Int) -> Int { MemoryNeed.rows(rows, dimensions: dimensions) }

    /// `Duplicates.find`, of rows with few duplicates.
    public static func duplicates(rows: Int, dimensions: Int) -> Int {
        let equal = EqualRows.byteCount(rows)
        let walk = HeadBounds.byteCount(rows: rows, others: rows, dimensions: dimensions)
        return equal.kept + max(equal.work, walk + 3 * DisjointSets.byteCount(rows))
    }

    /// `Duplicates.overlap`.
    public static func matches(rows: Int, others: Int, dimensions: Int) -> Int {
        HeadBounds.byteCount(rows: rows, others: others, dimensions: dimensions)
            + HeadBounds.byteCount(rows: others, others: rows, dimensions: dimensions)
            + 2 * MemoryNeed.array(rows, of: MemoryLayout<SimilarPair?>.stride)
    }

    /// `SphericalKMeans.fit` with so many clusters.
    public static func clusters(rows: Int, dimensions: Int, count: Int) -> Int {
        SphericalKMeans.byteCount(rows: rows, dimensions: dimensions, count: min(count, rows))
    }

    /// `Communities.find`, before it knows how many rows are near each other.
    public static func communities(rows: Int, dimensions: Int) -> Int {
        // Counts as parts and as a whole, which rows are taken, the communities, and copies of their centers.
        rows * (2 * 4 + 1 + 8) + MemoryNeed.rows(min(rows, 256), dimensions: dimensions)
    }

    /// `ClusterMap`.
    public static func map(rows: Int, dimensions: Int) -> Int {
        let covariance = 2 * dimensions * dimensions * MemoryLayout<Double>.stride
        return rows * MemoryLayout<SIMD2<Double>>.stride + covariance + 3 * 4096 * dimensions * 4 + (48 << 20)
    }

    /// `Classifier.train`, and with `folds` `Classifier.validate`, for so many different labels.
    public static func training(
        rows: Int, dimensions: Int, labels: Int, kind: ClassifierKind = .logistic, folds: Int = 0
    ) -> Int {
        // The names of labels and their numbers.
        var byteCount = rows * (2 * MemoryLayout<String>.stride + 8)
        if kind == .logistic {
            byteCount += Classifier.fitByteCount(rows: rows, dimensions: dimensions, labels: labels)
        }
        if folds > 0 {
            byteCount += MemoryNeed.rows(rows, dimensions: dimensions)
            byteCount += rows * (MemoryNeed.array(labels, of: 8) + 6 * 8)
        }
        return byteCount
    }

    /// `Classifier.probabilities`.
    public static func probabilities(rows: Int, labels: Int, kind: ClassifierKind = .logistic) -> Int {
        // Logits and probabilities of each row, and the lists of them, once as parts.
        let results = rows * 2 * (MemoryNeed.array(labels, of: 8) + 2 * 8)
        return kind == .logistic ? results : results + NearestRows.byteCount(labels, of: labels, to: rows)
    }

    /// `Bitext` and its pairs.
    public static func bitext(left: Int, right: Int, neighbors: Int) -> Int {
        let kept = (left + right) * (MemoryNeed.array(neighbors, of: 8) + 3 * 8)
        let hits = max(
            NearestRows.byteCount(neighbors, of: right, to: left), NearestRows.byteCount(neighbors, of: left, to: right)
        )
        // The best of both sides, the pairs, what sorting copies, those that are left, and which rows they have.
        let pairs = (left + right) * (5 * MemoryLayout<BitextPair>.stride + 1)
        return kept + max(hits, pairs)
    }

    /// `HardNegatives.mine` for queries that have so many positives each.
    public static func negatives(
        queries: Int, passages: Int, positives: Int = 1, options: NegativeOptions = NegativeOptions()
    ) -> Int {
        let range = min(options.range(positives: positives), passages) + positives
        let stride = MemoryLayout<ScoredPassage>.stride
        let mined = MemoryNeed.array(positives, of: stride) + MemoryNeed.array(min(options.count, passages), of: stride)
        return NearestRows.byteCount(range, of: passages, to: queries)
            + queries * (mined + 2 * MemoryLayout<MinedNegatives>.stride)
    }
}
