// What the signatures of this library are made of: `import Q3Server` is all that its users write.
#if Server
@_exported public import CoreMetrics
@_exported public import Logging
@_exported public import Q3Analysis
@_exported public import Q3Embedding
@_exported public import Q3Reranking
@_exported public import ServiceLifecycle
@_exported public import UnixSignals

#if Index
@_exported public import Q3Index
#endif
#endif
