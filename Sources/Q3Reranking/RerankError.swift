// Everything that can be wrong with a reranker's file, a pair of texts or a request.

import Q3GGUF
import Q3System

/// Why a pair got no score, or why a file cannot give any.
public enum RerankError: Error, Sendable, Equatable {
    /// The file was made for embedding.
    case embeddingModel(path: String, evidence: String)
    /// The vocabulary lacks a piece that the prompt or the answer needs as a single token.
    case missingPiece(String)
    /// More tokens than token embeddings, so some text could not be read.
    case vocabulary(tokenCount: Int, embeddingCount: Int)
    /// The file's own prompt has a form that is not supported.
    case template(String)
    /// An instruction was given, but the prompt has no place for one.
    case fixedInstruction
    /// `cls.output.weight` is there, but not which of its rows means yes.
    case missingLabels
    /// The classifier's labels are not one yes and one no.
    case labels([String])
    /// The classifier has another number of labels than two.
    case labelCount(Int)
    /// `cls.output.weight` has another number of rows than there are labels.
    case classifierRows(rows: Int, labels: Int)
    /// No tensor that could give the logits of yes and no.
    case missingHead(hiddenSize: Int)
    /// A row of the head holds a NaN or an infinity.
    case nonFiniteHead(tensor: String)
    /// Query and instruction alone fill the context.
    case queryTooLong(tokenCount: Int, limit: Int)
    /// The whole prompt is longer than the context, and truncation was not asked for.
    case tooLong(tokenCount: Int, limit: Int)
    /// The hidden state holds a NaN or an infinity.
    case nonFinite
    /// The hidden state is zero in every dimension, which would read as a score of one half.
    case zeroState
    /// What is wrong with one pair of a list, by its index.
    indirect case pair(index: Int, RerankError)
}

extension RerankError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .embeddingModel(let path, let evidence):
            "\(path.escapedForTerminal) is an embedding model (\(evidence)), which cannot answer yes or no; open it with Q3Embedding"
        case .missingPiece(let piece):
            "the vocabulary has no single token \"\(piece)\", which the prompt needs; this is not a Qwen3 tokenizer"
        case .vocabulary(let tokenCount, let embeddingCount):
            "the tokenizer has \(tokenCount) tokens, but token_embd.weight has rows for \(embeddingCount); "
                + "the file's parts do not belong together"
        case .template(let reason):
            "the file's tokenizer.chat_template.rerank cannot be used: \(reason); a prompt of constant text with the holes "
                + "{query} and {document} can, and so can the prompts card and eval if the model was trained with them"
        case .fixedInstruction:
            "the model's own prompt has no place for an instruction; leave the instruction out"
        case .missingLabels:
            "the file has cls.output.weight but no qwen3.classifier.output_labels, so nothing says which row means yes; "
                + "converters differ in the order, and guessing would turn the ranking upside down"
        case .labels(let labels):
            "qwen3.classifier.output_labels is \(labels.map(\.escapedForTerminal)), but a Qwen3 reranker answers \"yes\" and \"no\""
        case .labelCount(let count):
            "qwen3.classifier.output_labels has \(count) labels, but a Qwen3 reranker has one for yes and one for no, or a single logit"
        case .classifierRows(let rows, let labels):
            "cls.output.weight has \(rows) rows for \(labels) labels; a Qwen3 reranker has one for yes and one for no"
        case .missingHead(let hiddenSize):
            "the file has neither cls.output.weight nor output.weight, and models of hidden size \(hiddenSize) do not "
                + "use the token embeddings as their output, so its scores cannot be computed; convert it again from "
                + "the original checkpoint"
        case .nonFiniteHead(let tensor):
            "\(tensor) holds values that are not finite numbers: the file is damaged"
        case .queryTooLong(let tokenCount, let limit):
            "query and instruction make a prompt of \(tokenCount) tokens without any document, but the model takes "
                + "at most \(limit); only documents are ever cut, so shorten the query"
        case .tooLong(let tokenCount, let limit):
            "the prompt has \(tokenCount) tokens, but the model takes at most \(limit); "
                + "split the document, or have it truncated"
        case .nonFinite:
            "the model gave a value that is not a finite number: the weights are damaged, or too large to compute with"
        case .zeroState:
            "the model gave a state of zeros, which answers nothing: the weights are damaged, or too large to compute with"
        case .pair(let index, let error):
            "pair \(index): \(error)"
        }
    }
}
