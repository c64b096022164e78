// Options that say which near passages are negatives; names and meaning are sentence-transformers'.
import ArgumentParser
import Q3Analysis

struct NegativeArguments: ParsableArguments {
    enum Sampling: String, CaseIterable, ExpressibleByArgument {
        case top, random
    }

    @Option(help: ArgumentHelp("Best candidates to skip.", valueName: "n"))
    var rangeMin = 0

    @Option(help: ArgumentHelp("Candidates to look at. (default: as many as are needed)", valueName: "n"))
    var rangeMax: Int?

    @Option(help: ArgumentHelp("The largest score of a negative.", valueName: "score"))
    var maxScore: Float?

    @Option(help: ArgumentHelp("The least score of a negative.", valueName: "score"))
    var minScore: Float?

    @Option(help: ArgumentHelp("How far below its positive a negative must be.", valueName: "score"))
    var absoluteMargin: Float?

    @Option(help: ArgumentHelp("The same as a part of the positive's score, as 0.05.", valueName: "part"))
    var relativeMargin: Float?

    @Option(help: ArgumentHelp("Negatives of each query.", valueName: "n"))
    var numNegatives = 3

    @Option(help: "top: the hardest; random: drawn from the candidates.")
    var samplingStrategy: Sampling = .top

    @Option(help: ArgumentHelp("What random draws begin with.", valueName: "n"))
    var seed: UInt64 = 0

    func validate() throws {
        if numNegatives < 1 { throw ValidationError("--num-negatives must be at least 1") }
        if rangeMin < 0 { throw ValidationError("--range-min must be at least 0") }
        if let rangeMax, rangeMax - rangeMin < numNegatives {
            throw ValidationError("--range-max must leave room for --num-negatives after --range-min")
        }
    }

    var options: NegativeOptions {
        var options = NegativeOptions()
        (options.rangeMin, options.rangeMax) = (rangeMin, rangeMax)
        (options.maxScore, options.minScore) = (maxScore, minScore)
        (options.absoluteMargin, options.relativeMargin) = (absoluteMargin, relativeMargin)
        options.count = numNegatives
        options.samplingSeed = samplingStrategy == .random ? seed : nil
        return options
    }
}
