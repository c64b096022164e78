"""Text embeddings and reranking with Qwen3 models, on the CPU.

>>> import q3
>>> model = q3.SentenceTransformer("qwen3-embedding-0.6b-q8_0")
>>> documents = model.encode_document(["Beijing is the capital of China.", "Bread and salt."])
>>> queries = model.encode_query(["capital of China"])
>>> model.similarity(queries, documents)

The engine is loaded when the first model is opened, not by ``import q3``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import (
    BadIndexError,
    BadModelError,
    BadRequestError,
    BadResultError,
    CancelledError,
    ClosedError,
    ForkedError,
    LibraryError,
    LongTextWarning,
    ModelNotFoundError,
    Q3Error,
    ResourceError,
    TextError,
    TextTooLongError,
    UnsupportedError,
    WrongModelError,
)

if TYPE_CHECKING:
    __version__: str
    from ._arrow import ArrowVectors
    from ._embedder import Embedder, SentenceTransformer
    from ._index import Index, IndexDocument, IndexHit, IndexReport
    from ._reranker import CrossEncoder, Reranker
    from ._tokenizer import Tokenizer
    from .jobs import embed_dataset, run_batch, verify_dataset

# Loaded when they are asked for, with NumPy: `import q3` takes milliseconds, and so does `q3 --help`.
_LAZY = {
    "ArrowVectors": "_arrow",
    "CrossEncoder": "_reranker",
    "Embedder": "_embedder",
    "Index": "_index",
    "IndexDocument": "_index",
    "IndexHit": "_index",
    "IndexReport": "_index",
    "Reranker": "_reranker",
    "SentenceTransformer": "_embedder",
    "Tokenizer": "_tokenizer",
    "embed_dataset": "jobs",
    "run_batch": "jobs",
    "verify_dataset": "jobs",
}

__all__ = [
    "ArrowVectors",
    "BadIndexError",
    "BadModelError",
    "BadRequestError",
    "BadResultError",
    "CancelledError",
    "ClosedError",
    "CrossEncoder",
    "Embedder",
    "ForkedError",
    "Index",
    "IndexDocument",
    "IndexHit",
    "IndexReport",
    "LibraryError",
    "LongTextWarning",
    "ModelNotFoundError",
    "Q3Error",
    "Reranker",
    "ResourceError",
    "SentenceTransformer",
    "TextError",
    "TextTooLongError",
    "Tokenizer",
    "UnsupportedError",
    "WrongModelError",
    "__version__",
    "embed_dataset",
    "run_batch",
    "verify_dataset",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _LAZY:
        value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in ("jobs", "spark", "ray"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'q3' has no attribute {name!r}")


def _version() -> str:
    """The version of the installed package, or of the library where only the sources are on the path."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("q3-embedding")
    except PackageNotFoundError:
        from ._library import version as library_version

        return library_version()


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
