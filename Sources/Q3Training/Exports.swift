// What the signatures of this library are made of: `import Q3Training` is all that its users write.
@_exported public import Q3Embedding
@_exported public import Q3Linear
@_exported public import Q3Reranking
