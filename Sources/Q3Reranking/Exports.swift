// What the signatures of this library are made of: `import Q3Reranking` is all that its users write.
@_exported public import Q3GGUF
@_exported public import Q3Model
@_exported public import Q3Tokenizer
