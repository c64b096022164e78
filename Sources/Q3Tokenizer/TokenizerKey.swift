// What GGUF files call the parts of a tokenizer. Stated here only.

/// Metadata keys of the tokenizer.
package enum TokenizerKey {
    package static let model = "tokenizer.ggml.model"
    package static let preTokenizer = "tokenizer.ggml.pre"
    package static let tokens = "tokenizer.ggml.tokens"
    package static let tokenTypes = "tokenizer.ggml.token_type"
    package static let merges = "tokenizer.ggml.merges"
    package static let bosID = "tokenizer.ggml.bos_token_id"
    package static let eosID = "tokenizer.ggml.eos_token_id"
    package static let padID = "tokenizer.ggml.padding_token_id"
    package static let endOfTurnID = "tokenizer.ggml.eot_token_id"
    package static let addsBOS = "tokenizer.ggml.add_bos_token"
    package static let addsEOS = "tokenizer.ggml.add_eos_token"
    package static let chatTemplate = "tokenizer.chat_template"
    /// Names of further templates, each under `chatTemplate` and its name.
    package static let chatTemplateNames = "tokenizer.chat_templates"
}
