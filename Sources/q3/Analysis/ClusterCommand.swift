// q3 cluster: which groups texts fall into, what each is about, and a map of them.
import ArgumentParser
import Q3Analysis
import Q3Linear
import Q3System

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Groups texts by what they are about.",
        usage: "q3 cluster --input INPUT [--clusters N|--density] [OPTION ...]",
        discussion: """
            \(VectorSetArguments.discussion)

            --clusters N makes so many by k-means, where nearness is the cosine. --density
            needs no number: a community is a row and all rows with a cosine of --threshold
            to it, --min-size at least; what is in none is an outlier. (That is
            sentence-transformers' community_detection. HDBSCAN is not offered: its tree
            over all rows knows no bound that a user could set.) Both end for certain.

            Without --output, clusters are printed: size, the words that set its texts
            apart, and the text nearest the middle; --json prints them as JSON lines, then
            the tree over them, {"merge", "first", "second", "similarity", "size"}. With
            --output a line for each row goes to the file: {"index", "id"?, "cluster",
            "similarity", "outlier"}. In k-means an outlier lies more than three standard
            deviations farther from its center than the rows of its cluster do.

            --map draws all rows on the plane of their two largest differences (PCA), as
            .svg or .html.

            EXAMPLES
              q3 cluster -i tickets.jsonl --clusters 20 --map tickets.html
              q3 cluster -i tickets.jsonl --vectors tickets.npy --density --threshold 0.7
              q3 cluster -i notes.q3i --clusters 12 -o labels.jsonl
            """)

    @OptionGroup var rows: VectorSetArguments

    @Option(
        name: .customLong("clusters"), help: ArgumentHelp("Clusters to make by k-means. (default: 10)", valueName: "n"))
    var clusterCount: Int?

    @Flag(help: "Find communities of dense rows, as many as there are.")
    var density = false

    @Option(
        help: ArgumentHelp("The least cosine of a community's center and members. (default: 0.75)", valueName: "cosine")
    )
    var threshold: Float?

    @Option(help: ArgumentHelp("Rows of the smallest community. (default: 10)", valueName: "n"))
    var minSize: Int?

    @Option(help: ArgumentHelp("Rounds of k-means at most.", valueName: "n"))
    var rounds = 100

    @Option(help: ArgumentHelp("What random draws begin with.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Draw a map into this .svg or .html file.", valueName: "file"), completion: .file())
    var map: String?

    @Flag(help: "Print the clusters and their tree as JSON lines.")
    var json = false

    @OptionGroup var output: OutputArguments

    func validate() throws {
        if density, clusterCount != nil {
            throw ValidationError("--density finds the number of clusters; leave out --clusters")
        }
        if !density, threshold != nil || minSize != nil {
            throw ValidationError("--threshold and --min-size go with --density")
        }
        if let clusterCount, clusterCount < 1 { throw ValidationError("--clusters must be at least 1") }
        if let minSize, minSize < 1 { throw ValidationError("--min-size must be at least 1") }
        if rounds < 1 { throw ValidationError("--rounds must be at least 1") }
        if let threshold, !(threshold > -1 && threshold <= 1) {
            throw ValidationError("--threshold is a cosine, up to 1")
        }
        if let map, !map.lowercased().hasSuffix(".svg"), !map.lowercased().hasSuffix(".html") {
            throw ValidationError("--map is a file whose name ends in .svg or .html")
        }
    }

    func run() async throws {
        let file = try output.output.map { try OutputFile(path: $0, inputs: rows.paths) }
        let mapFile = try map.map { try OutputFile(path: $0, inputs: rows.paths + [output.output].compactMap { $0 }) }
        let set = try await rows.load(need: need)
        let found = try await density ? communities(set) : kMeans(set)
        let names =
            try set.texts.map { try ClusterNames.words(of: $0, clusters: found.clusters) }
            ?? found.sizes.map { _ in [] }
        // Drawn first: where there is no memory for it, no file is made.
        if let mapFile, let map {
            let picture = try await ClusterMap(set.vectors, threads: rows.model.computing.threads)
            let svg = picture.svg(
                clusters: found.clusters, names: names.map { $0.prefix(2).joined(separator: ", ") }, labels: set.texts,
                title: set.name)
            let isPage = map.lowercased().hasSuffix(".html")
            let page =
                "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Clusters</title>\n<body style=\"margin:0\">\n"
            try mapFile.write(Array((isPage ? page + svg + "</body></html>\n" : svg).utf8))
        }
        if let file {
            try write(found, of: set, to: file)
        } else {
            try report(found, names, set)
        }
        try mapFile?.finish()
        let outliers = found.isOutlier.count { $0 }
        Terminal.say("\(found.sizes.count) clusters of \(set.count) rows, \(outliers) outliers; \(found.note)")
    }

    /// Clusters from either way.
    private struct Found {
        /// Nil for rows of no cluster.
        var clusters: [Int?]
        /// Cosine of a row and the middle of its cluster, 0 for a row of none.
        var similarities: [Float]
        var isOutlier: [Bool]
        var centers: VectorMatrix
        var sizes: [Int]
        /// The row nearest the middle of each.
        var middles: [Int]
        var note: String
    }

    /// What takes the most memory: finding the clusters, keeping what was found of each row, or the map.
    private func need(rows: Int, dimensions: Int) -> Int {
        let finding =
            density
            ? AnalysisMemory.communities(rows: rows, dimensions: dimensions)
            : AnalysisMemory.clusters(rows: rows, dimensions: dimensions, count: clusterCount ?? 10)
        let drawing = map == nil ? 0 : AnalysisMemory.map(rows: rows, dimensions: dimensions)
        return max(finding, rows * (Self.foundBytes + 12), rows * Self.foundBytes + drawing)
    }

    /// Bytes of each row in `Found`.
    private static let foundBytes = MemoryLayout<Int?>.stride + MemoryLayout<Float>.stride + MemoryLayout<Bool>.stride

    private func kMeans(_ set: VectorSet) async throws -> Found {
        var options = KMeansOptions()
        options.count = clusterCount ?? 10
        (options.seed, options.roundLimit) = (seed, rounds)
        options.threads = rows.model.computing.threads
        if options.count > set.count {
            Terminal.say("note: there are \(set.count) rows, so there are no more clusters than that")
        }
        let progress = ProgressLine()
        options.progress = { rounds, changed in
            progress.show { _ in "round \(rounds): \(changed) rows moved" }
        }
        let found = try await SphericalKMeans.fit(set.vectors, options: options)
        progress.finish()
        try MemoryNeed.check(set.count * Self.foundBytes)
        let count = found.centers.count
        var (sizes, middles) = ([Int](repeating: 0, count: count), [Int](repeating: -1, count: count))
        var (sums, squares) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
        for (row, cluster) in found.clusters.enumerated() {
            sizes[cluster] += 1
            let value = Double(found.similarities[row])
            sums[cluster] += value
            squares[cluster] += value * value
            if middles[cluster] < 0 || found.similarities[row] > found.similarities[middles[cluster]] {
                middles[cluster] = row
            }
        }
        let isOutlier = found.clusters.enumerated().map { row, cluster in
            let size = Double(sizes[cluster])
            let mean = sums[cluster] / size
            let deviation = max(0, squares[cluster] / size - mean * mean).squareRoot()
            return Double(found.similarities[row]) < mean - 3 * deviation - 1e-6
        }
        let distance = found.meanDistance.fixed(5)
        return Found(
            clusters: found.clusters, similarities: found.similarities, isOutlier: isOutlier, centers: found.centers,
            sizes: sizes, middles: middles,
            note:
                "mean distance \(distance) after \(found.rounds) rounds\(found.isSettled ? "" : ", not settled: give more --rounds")"
        )
    }

    private func communities(_ set: VectorSet) async throws -> Found {
        var options = CommunityOptions()
        options.threshold = threshold ?? options.threshold
        options.minSize = minSize ?? options.minSize
        options.threads = rows.model.computing.threads
        let progress = AnalysisProgress("comparing")
        options.progress = progress.show
        try await AnalysisProgress.announce(set.vectors, with: set.vectors, threads: options.threads)
        let found = try await Communities.find(in: set.vectors, options: options)
        progress.finish()
        try MemoryNeed.check(set.count * Self.foundBytes)
        var clusters = [Int?](repeating: nil, count: set.count)
        var similarities = [Float](repeating: 0, count: set.count)
        for (cluster, members) in found.enumerated() {
            for row in members {
                clusters[row] = cluster
                similarities[row] = Float(set.vectors.dot(row, set.vectors, members[0]))
            }
        }
        let middles = found.map { $0[0] }
        return Found(
            clusters: clusters, similarities: similarities, isOutlier: clusters.map { $0 == nil },
            centers: try set.vectors.rows(middles.isEmpty ? [0] : middles), sizes: found.map(\.count),
            middles: middles, note: "cosines of \(options.threshold) and more")
    }

    private func write(_ found: Found, of set: VectorSet, to file: OutputFile) throws {
        var lines = OutputLines(file)
        for row in 0..<set.count {
            var object = set.object(row, withText: false)
            object.add("cluster", found.clusters[row].map { "\($0)" } ?? "null")
            object.add("similarity", found.similarities[row])
            object.add("outlier", found.isOutlier[row])
            try lines.append(object)
        }
        try lines.flush()
        try file.finish()
    }

    private func report(_ found: Found, _ names: [[String]], _ set: VectorSet) throws {
        let order = found.sizes.indices.sorted {
            found.sizes[$0] != found.sizes[$1] ? found.sizes[$0] > found.sizes[$1] : $0 < $1
        }
        var text = JSONText()
        for cluster in order {
            let words = cluster < names.count ? names[cluster] : []
            let middle = found.middles[cluster]
            if json {
                var object = JSONObject()
                object.add("cluster", cluster)
                object.add("size", found.sizes[cluster])
                object.add("words", "[\(words.map(JSONText.quoted).joined(separator: ","))]")
                if middle >= 0 { object.add("middle", set.object(middle)) }
                text.append("\(object)\n")
            } else {
                let example = middle < 0 ? "" : set.texts?[middle] ?? set.ids[middle] ?? "row \(set.indices[middle])"
                let line = example.prefix(200).split(whereSeparator: \.isWhitespace).joined(separator: " ")
                text.append(
                    "\(found.sizes[cluster])\t\(words.joined(separator: ", "))\t\(ResultLines.cut(line, to: 100))"
                        .withTabs)
            }
        }
        if json {
            let merges = try ClusterTree.merges(centers: found.centers, sizes: found.sizes.isEmpty ? [1] : found.sizes)
            for (index, merge) in merges.enumerated() {
                var object = JSONObject()
                object.add("merge", found.sizes.count + index)
                object.add("first", merge.first)
                object.add("second", merge.second)
                object.add("similarity", merge.similarity)
                object.add("size", merge.size)
                text.append("\(object)\n")
            }
        }
        let stdout = try OutputFile(path: nil, inputs: [])
        try stdout.write(text.bytes)
    }
}

extension String {
    /// A line whose cells hold nothing that could move a terminal's cursor.
    fileprivate var withTabs: String {
        split(separator: "\t", omittingEmptySubsequences: false).map { String($0).withControlsEscaped }
            .joined(separator: "\t") + "\n"
    }
}
