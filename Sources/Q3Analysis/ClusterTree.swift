// Which clusters are near each other: a tree over their centers.
public import Q3Linear
import Q3System

/// Two clusters that become one.
public struct ClusterMerge: Sendable, Equatable {
    /// Clusters, or earlier merges: the first merge has the number that follows the last cluster.
    public let first: Int
    /// The other one.
    public let second: Int
    /// The cosine of their middles.
    public let similarity: Double
    /// Rows of both.
    public let size: Int
}

/// The tree of clusters.
public enum ClusterTree {
    /// Merges the two clusters whose middles, weighed by their rows, are nearest until one is left: as many merges as clusters
    /// less one. Of equally near ones the first. In memory for the centers in double precision. Throws `outOfMemory`.
    public static func merges(centers: VectorMatrix, sizes: [Int]) throws(LinearError) -> [ClusterMerge] {
        precondition(centers.count == sizes.count, "a size for each center")
        // The sums, of which each merge makes one and ends two; lists and slots of a dictionary for each cluster and merge.
        try MemoryNeed.check(centers.count * (MemoryNeed.array(centers.dimensions, of: 8) + 300))
        var sums: [[Double]?] = (0..<centers.count).map { row in centers[row].map { Double($0) * Double(sizes[row]) } }
        var counts = sizes
        var open = Array(0..<centers.count)
        // The nearest later one of each open cluster.
        var nearest: [Int: (other: Int, similarity: Double)] = [:]
        func cosine(_ a: Int, _ b: Int) -> Double {
            guard let x = sums[a], let y = sums[b] else { return -2 }
            var (product, first, second) = (0.0, 0.0, 0.0)
            for index in x.indices {
                product += x[index] * y[index]
                first += x[index] * x[index]
                second += y[index] * y[index]
            }
            let lengths = (first * second).squareRoot()
            return lengths > 0 ? product / lengths : 0
        }
        func search(_ cluster: Int) {
            var best: (other: Int, similarity: Double)?
            for other in open where other > cluster {
                let similarity = cosine(cluster, other)
                if best.map({ similarity > $0.similarity }) ?? true { best = (other, similarity) }
            }
            nearest[cluster] = best
        }
        for cluster in open { search(cluster) }
        var merges: [ClusterMerge] = []
        while open.count > 1 {
            guard
                let (first, found) = nearest.min(by: {
                    $0.value.similarity != $1.value.similarity
                        ? $0.value.similarity > $1.value.similarity : $0.key < $1.key
                }), let x = sums[first], let y = sums[found.other]
            else { break }
            let merged = sums.count
            sums.append(zip(x, y).map { $0 + $1 })
            counts.append(counts[first] + counts[found.other])
            (sums[first], sums[found.other]) = (nil, nil)
            open.removeAll { $0 == first || $0 == found.other }
            nearest[first] = nil
            nearest[found.other] = nil
            open.append(merged)
            for cluster in open where cluster != merged {
                if let old = nearest[cluster], old.other != first, old.other != found.other {
                    let similarity = cosine(cluster, merged)
                    if similarity > old.similarity { nearest[cluster] = (merged, similarity) }
                } else {
                    search(cluster)
                }
            }
            merges.append(
                ClusterMerge(first: first, second: found.other, similarity: found.similarity, size: counts[merged]))
        }
        return merges
    }
}
