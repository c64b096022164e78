// q3 convert: a Hugging Face folder in, a model file out.
import ArgumentParser
import Q3Convert
import Q3Model

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Makes a GGUF file of a Hugging Face folder.",
        usage: "q3 convert FOLDER --output FILE.gguf [--type TYPE] [OPTION ...]",
        discussion: """
            The folder is one of Qwen3-Embedding or Qwen3-Reranker, or of a model trained
            from them: config.json, model.safetensors or its parts with their index,
            tokenizer.json (or vocab.json, merges.txt and tokenizer_config.json), and what
            sentence-transformers adds: prompts, pooling.

            A reranker's score needs two rows of its output matrix; they are stored in F32
            as cls.output.weight, and the template with them, so that llama.cpp reranks
            with the file too. --causal keeps all rows instead, and stores no head.

            Types are those of 'q3 quantize --help'; without --type the weights keep theirs.

            EXAMPLES
              q3 convert Qwen3-Embedding-0.6B -o embedding.gguf
              q3 convert Qwen3-Reranker-0.6B -o reranker-q8.gguf --type q8_0
              q3 convert Qwen3-Embedding-0.6B --lora my-adapter -o mine.gguf --type q8_0
              q3 convert my-model -o my-model.gguf --role embedding --type q4_k_m
            """)

    @Option(name: .shortAndLong, help: "The GGUF file to write; it appears when it is complete.")
    var output: String

    @Option(help: "The type to store matrices in. (default: as they are)")
    var type: FileType?

    @Option(help: "A folder with a PEFT LoRA adapter, to be merged into the weights.")
    var lora: String?

    @Option(help: "embedding or reranker. (default: what the folder says)")
    var role: ModelRole.Kind?

    @Flag(help: "Keep a reranker a language model, with all rows of its output matrix.")
    var causal = false

    @OptionGroup var conversion: ConversionArguments

    @Argument(help: "The folder to read.", completion: .directory)
    var folder: String

    func run() throws {
        try conversion.run(output: output) { options in
            try Converter.convert(
                folder: folder, adapter: lora, to: output, as: type, role: role, causal: causal, options: options)
        }
    }
}
