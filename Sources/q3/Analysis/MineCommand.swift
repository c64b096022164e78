// q3 mine: pairs for training, out of texts that are there.
import ArgumentParser

struct MineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mine",
        abstract: "Finds translations of each other, and hard negatives for training.",
        subcommands: [MineBitextCommand.self, MineNegativesCommand.self])
}
