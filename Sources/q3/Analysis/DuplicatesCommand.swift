// q3 duplicates: rows that say nearly the same, as groups or pairs, or the input without them.
import ArgumentParser
import Q3Analysis
import Q3Input
import Q3Linear
import Q3System

struct DuplicatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "duplicates",
        abstract: "Finds near-duplicates, or what of one file is in another.",
        usage: "q3 duplicates --input INPUT [--against OTHER] [--keep RULE] [OPTION ...]",
        discussion: """
            \(VectorSetArguments.discussion)

            Two rows are near-duplicates when the cosine of their vectors is --threshold or
            more. All pairs are found, none is missed. Groups are what pairs link: in a
            chain the ends may be less similar.

            OUTPUT is JSON lines: {"size", "members": [{"index", "id"?, "text"?}]} for each
            group; with --pairs {"score", "first", "second"}, the most similar first; with
            --against {"index", "id"?, "text"?, "score", "match"} for each row that has a
            near-duplicate in the other file. With --keep it is the input without its
            duplicates: lines of text, JSON lines, CSV and TSV as they were, of anything
            else {"index", "id"?, "text"?} in lines.

            EXAMPLES
              q3 duplicates -i tickets.jsonl --threshold 0.95
              q3 duplicates -i train.jsonl --vectors train.npy --keep longest -o clean.jsonl
              q3 duplicates -i train.jsonl --against test.jsonl --keep unmatched -o clean.jsonl
              q3 duplicates -i notes.q3i --pairs --max-pairs 100
            """)

    enum Keep: String, CaseIterable, ExpressibleByArgument {
        case first, longest, newest, unmatched
    }

    @OptionGroup var rows: VectorSetArguments

    @Option(help: ArgumentHelp("The least cosine of near-duplicates.", valueName: "cosine"))
    var threshold: Float = 0.9

    @Option(
        help: ArgumentHelp("Look for the rows of the input in this file, .npy or index.", valueName: "file"),
        completion: .file())
    var against: String?

    @Option(help: ArgumentHelp("The vectors of the texts of --against, as an .npy file.", valueName: "file"))
    var againstVectors: String?

    @Flag(help: "Print pairs instead of groups.")
    var pairs = false

    @Option(help: ArgumentHelp("Pairs to print at most.", valueName: "n"))
    var maxPairs = 100_000

    @Option(
        help: ArgumentHelp(
            "Print the input with one row of each group: the first, the longest text, or the newest; with --against "
                + "unmatched, the rows without a match.", valueName: "rule"))
    var keep: Keep?

    @Option(
        help: ArgumentHelp(
            "The column that says how new a record is: a number, or a date as 2026-11-26. (default: the last is the newest)",
            valueName: "name"))
    var timeColumn: String?

    @OptionGroup var output: OutputArguments

    func validate() throws {
        if !(threshold > -1 && threshold <= 1) { throw ValidationError("--threshold is a cosine, up to 1") }
        if maxPairs < 1 { throw ValidationError("--max-pairs must be at least 1") }
        if pairs, against != nil || keep != nil {
            throw ValidationError("--pairs goes with neither --against nor --keep")
        }
        if (keep == .unmatched) != (against != nil && keep != nil) {
            throw ValidationError("--against goes with --keep unmatched, and only that")
        }
        if timeColumn != nil, keep != .newest { throw ValidationError("--time-column is for --keep newest") }
        if againstVectors != nil, against == nil { throw ValidationError("--against-vectors goes with --against") }
    }

    func run() async throws {
        let inputs = rows.paths + [against, againstVectors].compactMap { $0 }
        let file = try OutputFile(path: output.output, inputs: inputs)
        let isAlone = against == nil
        let set = try await rows.load(
            extra: timeColumn, needsTexts: keep == .longest ? "--keep longest" : nil,
            need: { isAlone ? AnalysisMemory.duplicates(rows: $0, dimensions: $1) : 0 })
        var options = DuplicateOptions()
        options.threshold = threshold
        options.threads = rows.model.computing.threads
        options.pairLimit = pairs ? maxPairs : 0
        let progress = AnalysisProgress("comparing")
        options.progress = progress.show
        if let against {
            let other = try await rows.load(
                [against], vectors: againstVectors, comparedWith: set,
                need: { AnalysisMemory.matches(rows: set.count, others: $0, dimensions: $1) })
            try await AnalysisProgress.announce(set.vectors, with: other.vectors, threads: options.threads)
            let matches = try await Duplicates.overlap(of: set.vectors, with: other.vectors, options: options)
            progress.finish()
            try MemoryNeed.check(matches.count * 2 * MemoryLayout<SimilarPair>.stride)
            try write(matches.compactMap { $0 }, of: set, in: other, to: file)
        } else {
            try await AnalysisProgress.announce(set.vectors, threads: options.threads)
            let found = try await Duplicates.find(in: set.vectors, options: options)
            progress.finish()
            try write(found, of: set, to: file)
        }
        try file.finish()
    }

    private func write(_ found: Duplicates, of set: VectorSet, to file: OutputFile) throws {
        let extra = found.groups.reduce(0) { $0 + $1.count - 1 }
        if let keep {
            var dropped = [Bool](repeating: false, count: set.count)
            for group in found.groups {
                let kept = try kept(of: group, in: set, keep)
                for row in group where row != kept { dropped[row] = true }
            }
            try KeptRecords(rows.input, set).write(without: dropped, to: file)
            return Terminal.say("\(set.count - extra) of \(set.count) rows kept")
        }
        var lines = OutputLines(file)
        if pairs {
            for pair in found.pairs {
                var object = JSONObject()
                object.add("score", pair.similarity)
                object.add("first", set.object(pair.first))
                object.add("second", set.object(pair.second))
                try lines.append(object)
            }
            if found.hasMorePairs { Terminal.say("there are more pairs; these are the \(maxPairs) most similar") }
        } else {
            // Written piece by piece, as a group may be all rows.
            for group in found.groups {
                try lines.append("{\"size\":\(group.count),\"members\":[")
                for (place, row) in group.enumerated() {
                    try lines.append("\(place > 0 ? "," : "")\(set.object(row))")
                }
                try lines.append("]}\n")
            }
        }
        try lines.flush()
        Terminal.say("\(found.groups.count) groups in \(set.count) rows; \(extra) rows are one too many")
    }

    private func write(_ matches: [SimilarPair], of set: VectorSet, in other: VectorSet, to file: OutputFile) throws {
        if keep != nil {
            var dropped = [Bool](repeating: false, count: set.count)
            for match in matches { dropped[match.first] = true }
            try KeptRecords(rows.input, set).write(without: dropped, to: file)
        } else {
            var lines = OutputLines(file)
            for match in matches {
                var object = set.object(match.first)
                object.add("score", match.similarity)
                object.add("match", other.object(match.second))
                try lines.append(object)
            }
            try lines.flush()
        }
        Terminal.say("\(matches.count) of \(set.count) rows have a near-duplicate in \(other.name)")
    }

    private func kept(of group: [Int], in set: VectorSet, _ rule: Keep) throws -> Int? {
        switch rule {
        case .first, .unmatched: return group.first
        case .longest:
            return group.max { a, b in
                let (first, second) = (set.texts?[a].utf8.count ?? 0, set.texts?[b].utf8.count ?? 0)
                return first != second ? first < second : a > b
            }
        case .newest:
            guard timeColumn != nil else { return group.last }
            let times = group.map { set.extras[$0] }
            let numbers = times.map { Double($0) }
            return zip(group, numbers.indices).max { a, b in
                if let first = numbers[a.1], let second = numbers[b.1], first != second { return first < second }
                let (first, second) = (times[a.1], times[b.1])
                return first != second && numbers[a.1] == nil
                    ? first.utf8.lexicographicallyPrecedes(second.utf8) : a.0 < b.0
            }?.0
        }
    }
}
