// q3 quantize: a model in, the same model in smaller types out.
import ArgumentParser
import Q3Convert
import Q3GGUF

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Writes a model with its weights in another type.",
        usage: "q3 quantize [--lora FOLDER] [--threads N] [--json] IN.gguf OUT.gguf TYPE",
        discussion: """
            Types, from large to small: F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q5_1,
            Q5_0, Q4_K_M, Q4_K_S, Q4_1, Q4_0; Q5_K and Q4_K are their M mixes. Mixes give
            the same tensors more bits as llama.cpp's do, and rows that do not fill blocks
            of 256 the same other types. Norms keep their type, and the two rows that a
            reranker's scores come from are F32.

            Scales are searched for the least squared error. Start from F32, F16 or BF16:
            what is rounded twice loses more.

            stderr has a line for each tensor that changed: the root of the mean squared
            difference from the values of IN, that in percent of the values' own, and
            the largest difference; the last line is for all tensors. --json prints the
            same on stdout. Memory does not depend on the model's size.

            --lora merges an adapter of 'q3 tune lora' or PEFT into the weights, for a
            model of which there is no checkpoint; 'q3 convert --lora' takes one.

            EXAMPLES
              q3 quantize embedding-f16.gguf embedding-q8.gguf Q8_0
              q3 quantize --json reranker-bf16.gguf reranker-q4.gguf q4_k_m > report.json
              q3 quantize --lora my-adapter q3-mini mine.gguf q8_0
            """)

    @Option(help: ArgumentHelp("A folder with a PEFT LoRA adapter, to be merged.", valueName: "folder"))
    var lora: String?

    @OptionGroup var conversion: ConversionArguments

    @Argument(help: "The GGUF file to read.", completion: .file(extensions: ["gguf"]))
    var input: String

    @Argument(help: "The GGUF file to write; it appears when it is complete.", completion: .file())
    var output: String

    @Argument(help: "The type to store matrices in.")
    var type: FileType

    func run() throws {
        try conversion.run(output: output) { options in
            try opening(input) { try Quantizer.quantize($0, adapter: lora, to: output, as: type, options: options) }
        }
    }
}
