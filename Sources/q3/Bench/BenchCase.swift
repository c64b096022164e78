// What q3 bench can measure, and the token lists that stand for it.
import Q3System

/// One thing to measure.
enum BenchCase: Equatable {
    /// One text of so many tokens.
    case tokens(Int)
    /// A corpus of mixed lengths.
    case mixed
    /// Short queries after one instruction.
    case queries
    /// The pairs of one query and many passages.
    case rerank
    /// A process from its start to its first vector.
    case start
    /// Text to tokens.
    case tokenizer
    /// One text with 1, 2, ... threads.
    case threads

    /// More than the context of any model, and few enough to fit in memory.
    private static let tokenLimit = 1 << 20

    static let lengths = [1, 4, 16, 64, 128, 512, 2048, 8192, 32_768]

    /// Every case, the ones that need little memory first.
    static let all = [.start, .tokenizer] + [.queries, .rerank, .mixed, .threads] + lengths.map(BenchCase.tokens)

    /// The cases that an argument asks for, nil for a name that means nothing. `tokens` stands for all lengths.
    static func named(_ name: String) -> [BenchCase]? {
        switch name {
        case "all": return all
        case "tokens": return lengths.map(BenchCase.tokens)
        case "mixed": return [.mixed]
        case "queries": return [.queries]
        case "rerank": return [.rerank]
        case "start": return [.start]
        case "tokenizer": return [.tokenizer]
        case "threads": return [.threads]
        default:
            let prefix = "tokens:"
            guard name.hasPrefix(prefix), let count = Int(name.dropFirst(prefix.count)),
                1...tokenLimit ~= count
            else { return nil }
            return [.tokens(count)]
        }
    }

    var name: String {
        switch self {
        case .tokens(let count): "tokens:\(count)"
        case .mixed: "mixed"
        case .queries: "queries"
        case .rerank: "rerank"
        case .start: "start"
        case .tokenizer: "tokenizer"
        case .threads: "threads"
        }
    }

    /// Tokens of the text that `threads` and `--roofline` run.
    static let steadyLength = 512

    /// Random ids below `vocabularySize` in the shape of the case; the same on every run. Nil for a case that does not run
    /// the model.
    func tokenLists(vocabularySize: Int) -> [[Int32]]? {
        var random = SeededGenerator(seed: 3)
        func ids(_ count: Int) -> [Int32] {
            (0..<count).map { _ in Int32.random(in: 0..<Int32(clamping: vocabularySize), using: &random) }
        }
        switch self {
        case .tokens(let count): return [ids(count)]
        case .threads: return [ids(Self.steadyLength)]
        case .mixed: return (0..<64).map { _ in ids(Int.random(in: 8...1024, using: &random)) }
        case .queries:
            // "Instruct: Given a web search query, ... \nQuery:" is 22 tokens.
            let instruction = ids(22)
            return (0..<256).map { _ in instruction + ids(Int.random(in: 6...14, using: &random)) }
        case .rerank:
            // System prompt, instruction and query; the document; the end of the turn with an empty thought.
            let (prefix, suffix) = (ids(90), ids(9))
            return (0..<100).map { _ in prefix + ids(150) + suffix }
        case .start, .tokenizer: return nil
        }
    }
}
