// Clusters, their names, their tree and their map, beside definitions computed one by one.
import Q3Linear
import Testing

@testable import Q3Analysis

@Suite struct ClusterTests {
    @Test func `k-means ends where no row has a nearer center`() async throws {
        let (rows, labels) = try Samples.clouds(400, 24, centers: 6, spread: 0.5, seed: 2)
        var options = KMeansOptions()
        options.count = 6
        let found = try await SphericalKMeans.fit(rows, options: options)
        #expect(found.isSettled && found.centers.count == 6)
        for row in 0..<rows.count {
            let cosines = (0..<6).map { rows.dot(row, found.centers, $0) }
            #expect(cosines[found.clusters[row]] >= cosines.max()! - 1e-6)
            #expect(abs(Double(found.similarities[row]) - cosines[found.clusters[row]]) < 1e-5)
        }
        // Clouds that lie apart are the clusters.
        var pairs: [Int: Set<Int>] = [:]
        for (label, cluster) in zip(labels, found.clusters) { pairs[label, default: []].insert(cluster) }
        #expect(pairs.values.filter { $0.count == 1 }.count >= 4)
        for threads in [1, 3] {
            options.threads = threads
            let again = try await SphericalKMeans.fit(rows, options: options)
            #expect(again.clusters == found.clusters && again.centers[5] == found.centers[5])
        }
        options.start = [0, 1]
        let two = try await SphericalKMeans.fit(rows, options: options)
        #expect(Set(two.clusters) == [0, 1])
    }

    /// More than a hundred, whose starts are drawn many at a time: each of 150 clouds that lie apart has a center.
    @Test func `many clusters start in different rows`() async throws {
        let (rows, labels) = try Samples.clouds(1500, 48, centers: 150, spread: 0.05, seed: 12)
        var options = KMeansOptions()
        options.count = Set(labels).count
        options.threads = 1
        let found = try await SphericalKMeans.fit(rows, options: options)
        #expect(found.meanDistance < 0.05 && Set(found.clusters).count == options.count)
        options.threads = 3
        #expect(try await SphericalKMeans.fit(rows, options: options).clusters == found.clusters)
        options.count = 150
        let equal = try VectorMatrix([[Float]](repeating: [0.6, 0.8], count: 200))
        #expect(try await SphericalKMeans.fit(equal, options: options).isSettled)
    }

    @Test func `k-means of what has nothing to tell apart`() async throws {
        var options = KMeansOptions()
        options.count = 5
        let equal = try VectorMatrix([[Float]](repeating: [0.6, 0.8], count: 40))
        let found = try await SphericalKMeans.fit(equal, options: options)
        #expect(found.isSettled && found.centers.count == 5 && found.meanDistance < 1e-6)
        let one = try await SphericalKMeans.fit(try VectorMatrix([[1, 0]]), options: options)
        #expect(one.clusters == [0])
        // Opposite rows cancel out: the cluster keeps its center.
        options.count = 1
        let opposite = try await SphericalKMeans.fit(try VectorMatrix([[1, 0], [-1, 0]]), options: options)
        #expect(opposite.clusters == [0, 0])
    }

    /// sentence-transformers' definition, one row after another.
    private func communities(_ rows: VectorMatrix, _ threshold: Double, _ least: Int) -> [Set<Int>] {
        let near = (0..<rows.count).map { row in (0..<rows.count).filter { rows.dot(row, rows, $0) >= threshold } }
        let centers = near.indices.filter { near[$0].count >= least }.sorted {
            (-near[$0].count, $0) < (-near[$1].count, $1)
        }
        var used: Set<Int> = []
        var found: [Set<Int>] = []
        for center in centers where !used.contains(center) {
            let free = Set(near[center]).subtracting(used)
            guard free.count >= least else { continue }
            found.append(free)
            used.formUnion(free)
        }
        return found.sorted { $0.count > $1.count }
    }

    @Test func `communities are those of the definition`() async throws {
        let rows = try Samples.clouds(600, 16, centers: 30, spread: 0.6, seed: 6).rows
        var options = CommunityOptions()
        options.threshold = 0.85
        options.minSize = 4
        let found = try await Communities.find(in: rows, options: options)
        let expected = communities(rows, 0.85, 4)
        #expect(found.count > 10 && found.map(\.count) == expected.map(\.count))
        #expect(Set(found.map(Set.init)) == Set(expected))
        #expect(found.allSatisfy { members in members.allSatisfy { rows.dot(members[0], rows, $0) >= 0.85 - 1e-6 } })
        let equal = try VectorMatrix([[Float]](repeating: [0.6, 0.8], count: 3000))
        #expect(try await Communities.find(in: equal, options: options) == [Array(0..<3000)])
        #expect(try await Communities.find(in: try VectorMatrix([[1, 0]]), options: options).isEmpty)
    }

    @Test func `the words that set clusters apart`() throws {
        let texts = [
            "The cat sat, the CAT slept", "the cat and a dog", "the rocket engine", "The engine of the rocket",
            "猫が好き", "nothing else",
        ]
        let words = try ClusterNames.words(of: texts, clusters: [0, 0, 1, 1, nil, nil], count: 2)
        #expect(words[0].first == "cat" && words[1] == ["engine", "rocket"])
        // What is in every text says nothing.
        let everywhere = try ClusterNames.words(
            of: ["the cat", "the cat", "the dog", "the dog"], clusters: [0, 0, 1, 1])
        #expect(everywhere == [["cat", "the"], ["dog", "the"]])
        #expect(ClusterNames.words(of: "猫が1x2 ab").contains("猫") && ClusterNames.words(of: "ab 123").isEmpty)
        #expect(try ClusterNames.words(of: [], clusters: []).isEmpty)
    }

    @Test func `the nearest clusters are merged first`() throws {
        let centers = try VectorMatrix([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0.9, 0.2]]).normalized()
        let merges = try ClusterTree.merges(centers: centers, sizes: [10, 20, 5, 1])
        #expect(merges.map { [$0.first, $0.second] } == [[0, 1], [2, 3], [4, 5]])
        #expect(merges.map(\.size) == [30, 6, 36])
        #expect(merges[0].similarity > merges[1].similarity && merges[1].similarity > merges[2].similarity)
        #expect(try ClusterTree.merges(centers: try VectorMatrix([[1]]), sizes: [3]).isEmpty)
    }

    /// Points on a plane in twelve dimensions come back with their distances.
    @Test func `a map keeps what lies on a plane`() async throws {
        let plane = try Samples.random(2, 12, seed: 4)
        let flat = try Samples.random(90, 2, seed: 5)
        let rows = try VectorMatrix(
            (0..<90).map { row in
                let (x, y) = (3 * flat[row][0], flat[row][1])
                return (0..<12).map { x * plane[0][$0] + y * plane[1][$0] + 1 }
            })
        let map = try await ClusterMap(rows)
        #expect(map.shownVariance > 0.999)
        for (a, b) in [(0, 1), (7, 80), (33, 34)] {
            let far = zip(rows[a], rows[b]).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
            let delta = map.places[a] - map.places[b]
            #expect(abs((delta * delta).sum().squareRoot() - far) < 1e-4)
        }
        let axes = try await PrincipalAxes(rows, count: 3)
        #expect(axes.variances[0] > axes.variances[1] && axes.variances[2] < 1e-6)
        let svg = map.svg(
            clusters: (0..<90).map { $0 < 80 ? $0 % 2 : nil }, names: ["a < b", "\u{1B}[31m"],
            labels: (0..<90).map { "<script>\($0)" }, title: "\"x\"")
        #expect(
            !svg.contains("<script>") && svg.contains("a &lt; b") && !svg.contains("\u{1B}") && svg.contains("#bbb"))
        let equal = try await ClusterMap(try VectorMatrix([[Float]](repeating: [1, 0], count: 5)))
        #expect(
            equal.places.allSatisfy { $0.x.isFinite && $0.y.isFinite }
                && !equal.svg(clusters: [0, 0, 0, 0, 0], names: ["x"], title: "").contains("nan"))
    }

    @Test func `margin scores and pairs`() async throws {
        let left = try VectorMatrix([[1, 0.1, 0], [0, 1, 0.1], [0.4, 0.4, 1]]).normalized()
        let right = try VectorMatrix([[0, 1, 0], [1, 0, 0], [0.3, 0.5, 1]]).normalized()
        var options = BitextOptions()
        options.neighbors = 2
        let bitext = try await Bitext(left: left, right: right, options: options)
        let means = (0..<3).map { row in
            (0..<3).map { left.dot(row, right, $0) }.sorted(by: >).prefix(2).reduce(0, +) / 2
        }
        let others = (0..<3).map { row in
            (0..<3).map { left.dot($0, right, row) }.sorted(by: >).prefix(2).reduce(0, +) / 2
        }
        #expect(abs(Double(bitext.score(0, 1)) - left.dot(0, right, 1) / ((means[0] + others[1]) / 2)) < 1e-6)
        #expect(Set(bitext.pairs().map { [$0.left, $0.right] }) == [[0, 1], [1, 0], [2, 2]])
        for retrieval in BitextRetrieval.allCases {
            options.retrieval = retrieval
            options.threshold = 100
            #expect(try await Bitext(left: left, right: right, options: options).pairs().isEmpty)
            options.threshold = nil
            #expect(try await Bitext(left: left, right: right, options: options).pairs().count == 3)
        }
    }

    @Test func `negatives keep their distance from the positives`() async throws {
        let passages = try VectorMatrix([[1, 0], [0.99, 0.1], [0.8, 0.6], [0.6, 0.8], [0, 1]]).normalized()
        let queries = try passages.rows([0])
        var options = NegativeOptions()
        options.count = 2
        func rows(_ options: NegativeOptions, _ rescore: HardNegatives.Rescoring? = nil) async throws -> [Int] {
            try await HardNegatives.mine(
                queries: queries, passages: passages, positives: [[0]], options: options, rescore: rescore)[0].negatives
                .map(\.row)
        }
        #expect(try await rows(options) == [1, 2])
        options.relativeMargin = 0.05
        #expect(try await rows(options) == [2, 3])
        options.relativeMargin = nil
        options.absoluteMargin = 0.3
        #expect(try await rows(options) == [3, 4])
        options.absoluteMargin = nil
        (options.maxScore, options.minScore) = (0.9, 0.7)
        #expect(try await rows(options) == [2])
        options = NegativeOptions()
        (options.rangeMin, options.count) = (1, 1)
        #expect(try await rows(options) == [2])
        options.maxScore = 0.5
        // A reranker turns the order round.
        #expect(try await rows(options) { _, rows in rows.map { Float($0) / 10 } } == [3])
    }
}
