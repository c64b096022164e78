// How well clusters match the true classes.
import Q3System

/// The harmonic mean of homogeneity (a cluster holds one class) and completeness (a class is in one cluster), from
/// entropies (Rosenberg and Hirschberg, 2007). A single class, or a single cluster, has no entropy and counts as matched.
package func vMeasure(truth: [Int], clusters: [Int]) -> Double {
    precondition(truth.count == clusters.count, "a cluster for each row")
    let total = Double(truth.count)
    var joint: [SIMD2<Int>: Int] = [:]
    for (label, cluster) in zip(truth, clusters) { joint[SIMD2(label, cluster), default: 0] += 1 }
    let classes = counts(truth)
    let groups = counts(clusters)
    let (classEntropy, groupEntropy) = (entropy(classes, total), entropy(groups, total))
    // In the order of the keys: a dictionary's own order, and with it the rounding, differs between runs.
    let information = joint.sorted { ($0.key.x, $0.key.y) < ($1.key.x, $1.key.y) }.reduce(0.0) { sum, cell in
        let (n, a, b) = (Double(cell.value), Double(classes[cell.key.x] ?? 0), Double(groups[cell.key.y] ?? 0))
        return sum + n / total * log(n * total / (a * b))
    }
    let homogeneity = classEntropy > 0 ? information / classEntropy : 1
    let completeness = groupEntropy > 0 ? information / groupEntropy : 1
    let sum = homogeneity + completeness
    return sum > 0 ? max(0, min(1, 2 * homogeneity * completeness / sum)) : 0
}

private func counts(_ values: [Int]) -> [Int: Int] {
    values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
}

private func entropy(_ counts: [Int: Int], _ total: Double) -> Double {
    counts.count < 2
        ? 0 : counts.values.sorted().reduce(0.0) { $0 - Double($1) / total * log(Double($1) / total) }
}
