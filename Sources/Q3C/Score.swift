// q3_score: queries and documents in, probabilities and margins out.
public import CQ3
import Q3Model
import Q3Reranking

/// The caller's memory for scores; either part may be missing.
@safe private struct ScoreMemory: @unchecked Sendable {
    let scores: UnsafeMutablePointer<Float>?
    let margins: UnsafeMutablePointer<Float>?

    init(scores: UnsafeMutablePointer<Float>?, margins: UnsafeMutablePointer<Float>?) {
        unsafe self.scores = scores
        unsafe self.margins = margins
    }

    func write(score: Float, margin: Float, at index: Int) {
        unsafe scores?[index] = score
        unsafe margins?[index] = margin
    }
}

extension RerankOptions {
    init(_ pointer: UnsafePointer<q3_score_options>?) throws(Fault) {
        let given = try unsafe Q3C.options(pointer, zero: q3_score_options(), name: "q3_score_options")
        self.init()
        switch unsafe Int(given.style) {
        case Q3_STYLE_MODEL: style = .model
        case Q3_STYLE_CARD: style = .card
        case Q3_STYLE_EVAL: style = .eval
        default:
            throw .argument(
                unsafe "style is \(given.style), expected Q3_STYLE_MODEL, Q3_STYLE_CARD or Q3_STYLE_EVAL")
        }
        truncates = try unsafe flag(given.truncates, "truncates")
        instruction = try unsafe text(given.instruction, count: given.instruction_length, "instruction")
    }
}

/// Scores all pairs in windows.
private func score(
    _ reranker: Reranker, _ queries: TextList, _ documents: TextList, options: RerankOptions, into memory: ScoreMemory,
    outcomes: inout Outcomes, ticket: Ticket?
) async throws {
    let hasOneQuery = queries.count == 1
    func byteCount(_ index: Int) -> Int {
        documents.byteCount(index) + queries.byteCount(hasOneQuery ? 0 : index)
    }
    try await computeInWindows(
        count: documents.count, byteCount: byteCount, ticket: ticket,
        input: { index throws(Fault) in
            let query = try queries.text(hasOneQuery ? 0 : index)
            return RerankPair(query: query, document: try documents.text(index))
        },
        compute: { try await reranker.results(for: $0, options: options, progress: $1) },
        finish: { index, result throws(Fault) in
            do throws(Fault) {
                let score = try result.get()
                memory.write(score: score.score, margin: score.margin, at: index)
                outcomes.succeed(index, tokenCount: score.tokenCount, isTruncated: score.isTruncated)
            } catch {
                memory.write(score: .nan, margin: .nan, at: index)
                try outcomes.fail(index, error, what: "pair")
            }
        })
}

@c @implementation
public func q3_score(
    _ model: OpaquePointer?, _ queries: UnsafePointer<q3_texts>?, _ documents: UnsafePointer<q3_texts>?,
    _ options: UnsafePointer<q3_score_options>?, _ scores: UnsafeMutablePointer<Float>?,
    _ margins: UnsafeMutablePointer<Float>?, _ results: UnsafeMutablePointer<q3_result>?, _ ticket: OpaquePointer?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let reranker = try unsafe openModel(model).reranker
        let options = try unsafe RerankOptions(options)
        let queryList = try unsafe TextList(queries, name: "queries")
        let documentList = try unsafe TextList(documents, name: "documents")
        guard queryList.count == 1 || queryList.count == documentList.count else {
            throw Fault.argument(
                "\(queryList.count) queries for \(documentList.count) documents, expected 1 or \(documentList.count)")
        }
        let shared = try unsafe openTicket(ticket)
        let memory = unsafe ScoreMemory(scores: scores, margins: margins)
        let first = unsafe SendableResults(results)
        let fault = try waiting(shared) {
            var outcomes = unsafe Outcomes(first.start)
            try await score(
                reranker, queryList, documentList, options: options, into: memory, outcomes: &outcomes, ticket: shared)
            return outcomes.firstFault
        }
        unsafe fault?.write(to: error)
    }
}
