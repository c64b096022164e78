// The two official prompts of Qwen3-Reranker, byte for byte.
import Q3Model

/// Which of the two official prompts the model is asked with.
///
/// The model card and the code behind the published tables disagree; scores of one are not comparable with the other's.
public enum PromptStyle: String, Sendable, CaseIterable {
    /// The model card's: single line breaks. What other runtimes use too.
    case card
    /// The published evaluation's: blank lines between the parts, and `<|im_end|>` twice after the document.
    case eval

    /// The instruction when none is given.
    public var defaultInstruction: String {
        switch self {
        case .card: Qwen3Schema.webSearchTask
        case .eval: "Given the user query, retrieval the relevant passages"
        }
    }

    /// What precedes the user's text; its control tokens are meant.
    var prefix: String {
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
            + "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n"
    }

    /// What follows the user's text; its control tokens are meant. The next token is the answer.
    var suffix: String {
        switch self {
        case .card: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        case .eval: "<|im_end|>\n<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        }
    }

    /// The user's text up to the document, which follows with nothing between.
    func middle(instruction: String, query: String) -> String {
        switch self {
        case .card: "<Instruct>: \(instruction)\n<Query>: \(query)\n<Document>: "
        case .eval: "<Instruct>: \(instruction)\n\n<Query>: \(query)\n\n<Document>: "
        }
    }

    /// The whole prompt with its holes, as `q3 info` shows it.
    public var template: String { prompt(instruction: "{instruction}") }

    /// The prompt with the holes that llama.cpp fills, as GGUF files carry it.
    package var chatTemplate: String { prompt(instruction: defaultInstruction) }

    private func prompt(instruction: String) -> String {
        prefix + middle(instruction: instruction, query: "{query}") + "{document}" + suffix
    }
}
