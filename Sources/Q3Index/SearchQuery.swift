// What is asked of an index, and what it answers.

/// Which of an index's two orders count.
public enum SearchMode: String, Sendable, CaseIterable {
    /// Both, fused by how near the vectors are and how much of the query the words make up.
    case hybrid
    /// The order by cosine alone.
    case vectors
    /// The order by BM25 alone; needs no model.
    case words
}

/// A search.
public struct SearchQuery: Sendable {
    /// The query as a person types it. No character in it is syntax.
    public var text: String
    /// Which orders count.
    public var mode: SearchMode
    /// How many hits to return.
    public var count: Int
    /// Only documents that pass all of these are searched.
    public var filters: [SearchFilter]
    /// Whether only the best chunk of each document is returned.
    public var groupsByDocument: Bool
    /// Hits with a smaller cosine are left out, unless they contain a word of the query.
    public var leastSimilarity: Float?

    /// A search for the ten best chunks, unless `count` says otherwise.
    public init(
        _ text: String, mode: SearchMode = .hybrid, count: Int = 10, filters: [SearchFilter] = [],
        groupsByDocument: Bool = false, leastSimilarity: Float? = nil
    ) {
        self.text = text
        self.mode = mode
        self.count = count
        self.filters = filters
        self.groupsByDocument = groupsByDocument
        self.leastSimilarity = leastSimilarity
    }
}

/// A chunk that answers a search.
public struct IndexHit: Sendable, Equatable {
    /// The chunk's id, valid until its document changes.
    public let id: Int
    /// What the list is sorted by: in a hybrid search nearness and words together (`Fusion`), else the cosine or the negated
    /// BM25.
    public internal(set) var score: Float
    /// The cosine of the chunk's vector and the query's; nil in a search by words alone.
    public internal(set) var similarity: Float?
    /// The reranker's probability that the chunk answers the query; nil for what it did not read.
    public internal(set) var relevance: Float?
    /// The logit of yes minus that of no, which does not saturate as `relevance` does.
    var margin: Float?
    /// The id of the chunk's document, for `SearchIndex.document(_:)`.
    public let document: Int
    /// The path of the file, absolute where the source is a folder or a file.
    public let path: String
    /// The record's id in its file; nil for a document that is a file.
    public let name: String?
    /// The document's title: its first heading, the record's title, or the file's name.
    public let title: String
    /// Title and headings above the chunk.
    public let context: String
    /// The chunk itself.
    public let text: String
    /// Its lines in the file, counted from 1.
    public let lines: ClosedRange<Int>
    /// Its bytes in the file.
    public let bytes: Range<Int>
    /// An excerpt of the text with most words of the query.
    public let snippet: Snippet
}

/// The hits of a search, and the candidates they were chosen from.
public struct SearchResults: Sendable {
    /// The best chunks, as many as the query asked for.
    public internal(set) var hits: [IndexHit]
    /// Candidates before the list was cut, best first; what a reranker may read.
    public internal(set) var candidates: [IndexHit]
    /// Candidates that a reranker read.
    public internal(set) var rerankedCount = 0
}

/// The constants of searching; those of fusing both orders are in `Fusion`.
enum SearchConstants {
    /// Candidates of each order that are fused, and most that a reranker may read.
    static let candidates = 100
    /// What a word in the title or a heading counts beside one in the text, for BM25.
    static let contextWeight = 0.5
    /// int8 candidates for each one that is scored exactly.
    static let scanBreadth = 10
}
