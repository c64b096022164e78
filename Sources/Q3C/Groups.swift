// q3_find_duplicates, q3_find_matches, q3_cluster and q3_find_communities: which rows belong together.
public import CQ3
import Q3Analysis
import Q3Linear

extension DuplicateOptions {
    fileprivate init(_ pointer: UnsafePointer<q3_duplicate_options>?) throws(Fault) {
        let given = try unsafe Q3C.options(pointer, zero: q3_duplicate_options(), name: "q3_duplicate_options")
        guard unsafe pointer != nil else { throw .argument("options is NULL, but has the threshold") }
        self.init()
        threshold = try Q3C.threshold(given.threshold)
        threads = try threadCount(given.threads)
    }
}

@c @implementation
public func q3_find_duplicates(
    _ vectors: UnsafePointer<q3_vectors>?, _ options: UnsafePointer<q3_duplicate_options>?,
    _ groups: UnsafeMutablePointer<Int64>?, _ pairs: UnsafeMutablePointer<q3_pair>?, _ capacity: Int64,
    _ pair_count: UnsafeMutablePointer<Int64>?, _ has_more: UnsafeMutablePointer<Int32>?, _ ticket: OpaquePointer?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        var options = try unsafe DuplicateOptions(options)
        options.pairLimit = unsafe pairs == nil ? 0 : try count(capacity, "capacity", in: 0...Int(Int32.max))
        let rows = try unsafe unitRows(vectors, "vectors")
        let found = try unsafe analyzing(ticket) { [options] progress in
            var options = options
            options.progress = progress
            return try await Duplicates.find(in: rows, options: options)
        }
        if let groups = unsafe groups {
            unsafe groups.update(repeating: -1, count: rows.count)
            for (number, group) in found.groups.enumerated() {
                for row in group { unsafe groups[row] = Int64(number) }
            }
        }
        if let pairs = unsafe pairs {
            for (index, pair) in found.pairs.enumerated() { unsafe pairs[index] = q3_pair(pair) }
        }
        unsafe pair_count?.pointee = Int64(found.pairs.count)
        unsafe has_more?.pointee = found.hasMorePairs ? 1 : 0
    }
}

extension q3_pair {
    fileprivate init(_ pair: SimilarPair) {
        self.init(first: Int64(pair.first), second: Int64(pair.second), score: pair.similarity, reserved: 0)
    }
}

@c @implementation
public func q3_find_matches(
    _ vectors: UnsafePointer<q3_vectors>?, _ others: UnsafePointer<q3_vectors>?,
    _ options: UnsafePointer<q3_duplicate_options>?, _ matches: UnsafeMutablePointer<Int64>?,
    _ scores: UnsafeMutablePointer<Float>?, _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let options = try unsafe DuplicateOptions(options)
        let (rows, otherRows) = try unsafe (unitRows(vectors, "vectors"), unitRows(others, "others"))
        let found = try unsafe analyzing(ticket) { progress in
            var options = options
            options.progress = progress
            return try await Duplicates.overlap(of: rows, with: otherRows, options: options)
        }
        for (row, pair) in found.enumerated() {
            unsafe matches?[row] = Int64(pair?.second ?? -1)
            unsafe scores?[row] = pair?.similarity ?? .nan
        }
    }
}

@c @implementation
public func q3_cluster(
    _ vectors: UnsafePointer<q3_vectors>?, _ options: UnsafePointer<q3_cluster_options>?,
    _ clusters: UnsafeMutablePointer<Int64>?, _ similarities: UnsafeMutablePointer<Float>?,
    _ centers: UnsafeMutablePointer<Float>?, _ rounds: UnsafeMutablePointer<Int64>?, _ ticket: OpaquePointer?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let given = try unsafe Q3C.options(options, zero: q3_cluster_options(), name: "q3_cluster_options")
        let rows = try unsafe unitRows(vectors, "vectors")
        var options = KMeansOptions()
        options.count = try unsafe count(given.count, "count")
        options.seed = unsafe given.seed
        options.roundLimit = try unsafe count(given.round_limit, "round_limit", orElse: 100)
        options.threads = try unsafe threadCount(given.threads)
        if let start = unsafe given.start {
            options.start = try (0..<options.count).map { index throws(Fault) in
                guard let row = unsafe Int(exactly: start[index]), 0..<rows.count ~= row else {
                    throw .argument("start[\(index)] is not a row of the vectors")
                }
                return row
            }
            guard options.count <= rows.count else {
                throw Fault.argument("\(options.count) centers to start with, but \(rows.count) rows")
            }
        }
        let places = try unsafe needed(clusters, "clusters")
        guard rows.count > 0 else {
            unsafe rounds?.pointee = 0
            return
        }
        let found = try unsafe analyzing(ticket) { [options] progress in
            var options = options
            let limit = Double(options.roundLimit)
            options.progress = { rounds, _ in progress(Double(rounds) / limit) }
            return try await SphericalKMeans.fit(rows, options: options)
        }
        for row in 0..<rows.count {
            unsafe places[row] = Int64(found.clusters[row])
            unsafe similarities?[row] = found.similarities[row]
        }
        if let centers = unsafe centers {
            for (row, start) in zip(0..<found.centers.count, stride(from: 0, to: .max, by: rows.dimensions)) {
                for (index, value) in found.centers[row].enumerated() { unsafe centers[start + index] = value }
            }
        }
        unsafe rounds?.pointee = Int64(found.rounds)
    }
}

@c @implementation
public func q3_find_communities(
    _ vectors: UnsafePointer<q3_vectors>?, _ options: UnsafePointer<q3_community_options>?,
    _ members: UnsafeMutablePointer<Int64>?, _ ends: UnsafeMutablePointer<Int64>?,
    _ count: UnsafeMutablePointer<Int64>?, _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let given = try unsafe Q3C.options(options, zero: q3_community_options(), name: "q3_community_options")
        var options = CommunityOptions()
        options.threshold = try threshold(given.threshold)
        options.minSize = try Q3C.count(given.min_size, "min_size")
        options.threads = try threadCount(given.threads)
        let rows = try unsafe unitRows(vectors, "vectors")
        let (places, bounds) = try unsafe (needed(members, "members"), needed(ends, "ends"))
        let number = try unsafe needed(count, "count")
        let found = try unsafe analyzing(ticket) { [options] progress in
            var options = options
            options.progress = progress
            return try await Communities.find(in: rows, options: options)
        }
        var place = 0
        for (index, community) in found.enumerated() {
            for row in community {
                unsafe places[place] = Int64(row)
                place += 1
            }
            unsafe bounds[index] = Int64(place)
        }
        unsafe number.pointee = Int64(found.count)
    }
}
