// q3 eval: how good a model is on labelled data, measured as MTEB does.
import ArgumentParser

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measures how good a model is on labelled data.",
        usage: "q3 eval TASK DATA [--model FILE] [OPTION ...]",
        discussion: """
            The measures are those of MTEB, with its definitions and samples. Results are
            a table, or with --json or --output a file in the layout of MTEB's results.
            Every line of the data must be usable: the first that is not ends the run.

            Each task has the instruction that Qwen3-Embedding is evaluated with, which
            the table shows; the reference words it for each data set, and so can
            --instruct. The same data, model and options give the same bits, with any
            number of threads.

            EXAMPLES
              q3 eval retrieval scifact -m embedding.gguf
              q3 eval retrieval scifact -m embedding.gguf --reranker reranker.gguf
              q3 eval sts pairs.tsv -m embedding.gguf --dimensions 256
              q3 eval classification banking77 -m embedding.gguf -o banking77.json
              q3 eval clustering topics.jsonl -m embedding.gguf
              q3 eval bitext tatoeba-deu-eng -m embedding.gguf --json
            """,
        subcommands: [
            EvalRetrievalCommand.self, EvalSTSCommand.self, EvalClassificationCommand.self, EvalClusteringCommand.self,
            EvalBitextCommand.self,
        ])
}
