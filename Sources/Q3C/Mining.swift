// q3_mine_bitext, q3_score_bitext and q3_mine_negatives: pairs that models are trained on.
public import CQ3
import Q3Analysis
import Q3Linear
import Q3Reranking

extension BitextOptions {
    fileprivate init(_ pointer: UnsafePointer<q3_bitext_options>?) throws(Fault) {
        let given = try unsafe Q3C.options(pointer, zero: q3_bitext_options(), name: "q3_bitext_options")
        self.init()
        guard BitextMargin.allCases.indices.contains(Int(given.margin)) else {
            throw .argument("margin is \(given.margin), expected Q3_MARGIN_RATIO to Q3_MARGIN_ABSOLUTE")
        }
        guard BitextRetrieval.allCases.indices.contains(Int(given.retrieval)) else {
            throw .argument("retrieval is \(given.retrieval), expected Q3_RETRIEVAL_MAX to Q3_RETRIEVAL_INTERSECT")
        }
        margin = BitextMargin.allCases[Int(given.margin)]  // in the order of the header's enums
        retrieval = BitextRetrieval.allCases[Int(given.retrieval)]
        neighbors = try count(given.neighbors, "neighbors", in: 1...1000, orElse: 4)
        if try flag(given.has_threshold, "has_threshold") {
            guard !given.threshold.isNaN else { throw .argument("threshold is not a number") }
            threshold = given.threshold
        }
        threads = try threadCount(given.threads)
    }
}

/// The neighbours of both sides.
private func bitext(
    _ left: UnsafePointer<q3_vectors>?, _ right: UnsafePointer<q3_vectors>?,
    _ options: UnsafePointer<q3_bitext_options>?, _ ticket: OpaquePointer?, pairsUp: Bool
) throws -> (bitext: Bitext, count: Int) {
    let options = try unsafe BitextOptions(options)
    let (leftRows, rightRows) = try unsafe (unitRows(left, "left"), unitRows(right, "right"))
    guard !pairsUp || leftRows.count == rightRows.count else {
        throw Fault.argument("\(leftRows.count) left and \(rightRows.count) right rows, expected as many")
    }
    let found = try unsafe analyzing(ticket) { progress in
        var options = options
        options.progress = progress
        return try await Bitext(left: leftRows, right: rightRows, options: options)
    }
    return (found, leftRows.count)
}

@c @implementation
public func q3_mine_bitext(
    _ left: UnsafePointer<q3_vectors>?, _ right: UnsafePointer<q3_vectors>?,
    _ options: UnsafePointer<q3_bitext_options>?, _ pairs: UnsafeMutablePointer<q3_pair>?, _ capacity: Int64,
    _ pair_count: UnsafeMutablePointer<Int64>?, _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let number = try unsafe needed(pair_count, "pair_count")
        let found = try unsafe bitext(left, right, options, ticket, pairsUp: false).bitext.pairs()
        unsafe number.pointee = Int64(found.count)
        guard found.count <= capacity else {
            throw Fault(
                status: q3_status(Q3_BUFFER_TOO_SMALL),
                message: "there are \(found.count) pairs, but there is room for \(max(0, capacity))")
        }
        guard !found.isEmpty else { return }
        let places = try unsafe needed(pairs, "pairs")
        for (index, pair) in found.enumerated() {
            unsafe places[index] = q3_pair(
                first: Int64(pair.left), second: Int64(pair.right), score: pair.score, reserved: 0)
        }
    }
}

@c @implementation
public func q3_score_bitext(
    _ left: UnsafePointer<q3_vectors>?, _ right: UnsafePointer<q3_vectors>?,
    _ options: UnsafePointer<q3_bitext_options>?, _ scores: UnsafeMutablePointer<Float>?, _ ticket: OpaquePointer?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let found = try unsafe bitext(left, right, options, ticket, pairsUp: true)
        guard found.count > 0 else { return }
        let places = try unsafe needed(scores, "scores")
        for row in 0..<found.count { unsafe places[row] = found.bitext.score(row, row) }
    }
}

extension NegativeOptions {
    fileprivate init(_ given: q3_negative_options) throws(Fault) {
        self.init()
        count = try unsafe Q3C.count(given.count, "count", orElse: 3)
        rangeMin = try unsafe Q3C.count(given.range_min, "range_min", in: 0...Int(Int32.max))
        if unsafe given.range_max != 0 {
            let most = try unsafe Q3C.count(given.range_max, "range_max")
            guard most - rangeMin >= count else {
                throw .argument("range_max is \(most), which leaves no \(count) candidates after range_min")
            }
            rangeMax = most
        }
        let limits = unsafe Int(given.limits)
        guard 0..<16 ~= limits else {
            throw .argument("limits is \(limits), expected a sum of Q3_MAX_SCORE and others")
        }
        func limit(_ bit: Int, _ value: Float, _ name: StaticString) throws(Fault) -> Float? {
            guard limits & bit != 0 else { return nil }
            guard !value.isNaN else { throw .argument("\(name) is not a number") }
            return value
        }
        maxScore = try unsafe limit(Q3_MAX_SCORE, given.max_score, "max_score")
        minScore = try unsafe limit(Q3_MIN_SCORE, given.min_score, "min_score")
        absoluteMargin = try unsafe limit(Q3_ABSOLUTE_MARGIN, given.absolute_margin, "absolute_margin")
        relativeMargin = try unsafe limit(Q3_RELATIVE_MARGIN, given.relative_margin, "relative_margin")
        if try unsafe flag(given.is_random, "is_random") { samplingSeed = unsafe given.seed }
        threads = try unsafe threadCount(given.threads)
    }
}

/// The positives of each query, numbers of passages.
private func rowsOfPositives(
    _ positives: UnsafePointer<Int64>?, _ offsets: UnsafePointer<Int64>?, queries: Int, passages: Int
) throws(Fault) -> [[Int]] {
    guard queries > 0 else { return [] }
    guard let offsets = unsafe offsets else { throw .argument("offsets is NULL") }
    guard unsafe offsets[0] == 0 else { throw .argument("offsets[0] is \(unsafe offsets[0]), expected 0") }
    var answers: [[Int]] = []
    do throws(LinearError) {
        try MemoryNeed.check(queries * (MemoryNeed.array(1, of: 8) + 8) + max(0, unsafe Int(offsets[queries])) * 8)
    } catch {
        throw Fault(error)
    }
    answers.reserveCapacity(queries)
    for query in 0..<queries {
        let (from, to) = unsafe (offsets[query], offsets[query + 1])
        guard from <= to else { throw .argument("offsets decrease after \(query)") }
        guard let start = unsafe positives ?? (from == to ? UnsafePointer(offsets) : nil) else {
            throw .argument("positives is NULL")
        }
        answers.append(
            try (from..<to).map { place throws(Fault) in
                guard let row = unsafe Int(exactly: start[Int(place)]), 0..<passages ~= row else {
                    throw .argument("positives[\(place)] is not a passage")
                }
                return row
            })
    }
    return answers
}

/// Scores of a reranker; nil where none was given.
private func rerankerScoring(
    _ given: q3_negative_options, queries: Int, passages: Int
) throws(Fault) -> HardNegatives.Rescoring? {
    guard unsafe given.reranker != nil else { return nil }
    let reranker = try unsafe openModel(given.reranker).reranker
    let options = try unsafe RerankOptions(given.score_options)
    let queryTexts = try unsafe TextList(given.query_texts, name: "query_texts")
    let passageTexts = try unsafe TextList(given.passage_texts, name: "passage_texts")
    guard queryTexts.count == queries, passageTexts.count == passages else {
        throw .argument(
            "\(queryTexts.count) query texts for \(queries) queries, \(passageTexts.count) passage texts for \(passages) passages; "
                + "expected as many")
    }
    return { query, rows in
        let text = try queryTexts.text(query)
        let pairs = try rows.map { RerankPair(query: text, document: try passageTexts.text($0)) }
        return try await reranker.score(pairs, options: options).map(\.score)
    }
}

/// The same scores, with progress by the queries that are done.
private func counting(
    _ rescore: @escaping HardNegatives.Rescoring, of total: Int, _ progress: @escaping @Sendable (Double) -> Void
) -> HardNegatives.Rescoring {
    { query, candidates in
        progress(Double(query) / Double(total))
        return try await rescore(query, candidates)
    }
}

@c @implementation
public func q3_mine_negatives(
    _ queries: UnsafePointer<q3_vectors>?, _ passages: UnsafePointer<q3_vectors>?, _ positives: UnsafePointer<Int64>?,
    _ offsets: UnsafePointer<Int64>?, _ options: UnsafePointer<q3_negative_options>?,
    _ negatives: UnsafeMutablePointer<Int64>?, _ scores: UnsafeMutablePointer<Float>?,
    _ positive_scores: UnsafeMutablePointer<Float>?, _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let given = try unsafe Q3C.options(options, zero: q3_negative_options(), name: "q3_negative_options")
        let options = try unsafe NegativeOptions(given)
        let (queryRows, passageRows) = try unsafe (unitRows(queries, "queries"), unitRows(passages, "passages"))
        let answers = try unsafe rowsOfPositives(
            positives, offsets, queries: queryRows.count, passages: passageRows.count)
        let rescore = try unsafe rerankerScoring(given, queries: queryRows.count, passages: passageRows.count)
        guard queryRows.count > 0 else { return }
        let (rows, values) = try unsafe (needed(negatives, "negatives"), needed(scores, "scores"))
        let mined = try unsafe analyzing(ticket) { progress in
            var options = options
            if rescore == nil { options.progress = progress }
            return try await HardNegatives.mine(
                queries: queryRows, passages: passageRows, positives: answers, options: options,
                rescore: rescore.map { counting($0, of: answers.count, progress) })
        }
        var place = 0
        for (query, found) in mined.enumerated() {
            for index in 0..<options.count {
                let negative: ScoredPassage? = index < found.negatives.count ? found.negatives[index] : nil
                unsafe rows[query * options.count + index] = Int64(negative?.row ?? -1)
                unsafe values[query * options.count + index] = negative?.score ?? .nan
            }
            for positive in found.positives {
                unsafe positive_scores?[place] = positive.score
                place += 1
            }
        }
    }
}
