// The prompts that rerankers are asked with: the two official ones of Qwen3-Reranker, and the file's own.
import Q3Model

/// Which prompt the model is asked with.
///
/// Qwen3-Reranker's model card and the code of its published evaluation disagree. Scores of different prompts cannot be
/// compared.
public enum PromptStyle: String, Sendable, CaseIterable {
    /// The prompt that the file carries as `tokenizer.chat_template.rerank`; the card's where it carries none.
    case model
    /// The model card's: single line breaks. What other runtimes use too.
    case card
    /// The published evaluation's: blank lines between the parts, and `<|im_end|>` twice after the document.
    case eval

    /// The instruction when none is given. A file's own prompt may hold another, or none.
    public var defaultInstruction: String {
        switch self {
        case .model, .card: Qwen3Schema.webSearchTask
        case .eval: "Given the user query, retrieval the relevant passages"
        }
    }

    /// The whole prompt with its holes, as `q3 info` shows it; of `model` the one for files that carry none.
    public var template: String {
        let (gap, end) = self == .eval ? ("\n\n", "<|im_end|>\n<|im_end|>") : ("\n", "<|im_end|>")
        return
            "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
            + "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n"
            + "<Instruct>: {instruction}\(gap)<Query>: {query}\(gap)<Document>: {document}"
            + "\(end)\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    }

    /// The card's prompt with the holes that llama.cpp fills, as GGUF files carry it.
    package static let chatTemplate = PromptStyle.card.template.replacingFirst(
        "{instruction}", with: PromptStyle.card.defaultInstruction)
}

extension String {
    /// With the first occurrence of `part` replaced; itself without one.
    func replacingFirst(_ part: String, with other: String) -> String {
        guard let range = firstRange(of: part) else { return self }
        return self[..<range.lowerBound] + other + self[range.upperBound...]
    }
}
