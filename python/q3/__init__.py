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
    BadClassifierError,
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
    from ._classifier import Classifier, Validation
    from ._embedder import Embedder, SentenceTransformer
    from ._groups import Clusters, cluster, communities, duplicates, matches, paraphrase_mining
    from ._index import Index, IndexDocument, IndexHit, IndexReport
    from ._mining import MinedNegatives, mine_bitext, mine_negatives, score_bitext
    from ._reranker import CrossEncoder, Reranker
    from ._tokenizer import Tokenizer
    from .jobs import embed_dataset, run_batch, verify_dataset

# Loaded when they are asked for, with NumPy: `import q3` takes milliseconds, and so does `q3 --help`.
_LAZY = {
    "ArrowVectors": "_arrow",
    "Classifier": "_classifier",
    "Clusters": "_groups",
    "CrossEncoder": "_reranker",
    "Embedder": "_embedder",
    "Index": "_index",
    "IndexDocument": "_index",
    "IndexHit": "_index",
    "IndexReport": "_index",
    "MinedNegatives": "_mining",
    "Reranker": "_reranker",
    "SentenceTransformer": "_embedder",
    "Tokenizer": "_tokenizer",
    "Validation": "_classifier",
    "cluster": "_groups",
    "communities": "_groups",
    "duplicates": "_groups",
    "embed_dataset": "jobs",
    "matches": "_groups",
    "mine_bitext": "_mining",
    "mine_negatives": "_mining",
    "paraphrase_mining": "_groups",
    "run_batch": "jobs",
    "score_bitext": "_mining",
    "verify_dataset": "jobs",
}

__all__ = [
    "ArrowVectors",
    "BadClassifierError",
    "BadIndexError",
    "BadModelError",
    "BadRequestError",
    "BadResultError",
    "CancelledError",
    "Classifier",
    "ClosedError",
    "Clusters",
    "CrossEncoder",
    "Embedder",
    "ForkedError",
    "Index",
    "IndexDocument",
    "IndexHit",
    "IndexReport",
    "LibraryError",
    "LongTextWarning",
    "MinedNegatives",
    "ModelNotFoundError",
    "Q3Error",
    "Reranker",
    "ResourceError",
    "SentenceTransformer",
    "TextError",
    "TextTooLongError",
    "Tokenizer",
    "UnsupportedError",
    "Validation",
    "WrongModelError",
    "__version__",
    "cluster",
    "communities",
    "duplicates",
    "embed_dataset",
    "matches",
    "mine_bitext",
    "mine_negatives",
    "paraphrase_mining",
    "run_batch",
    "score_bitext",
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
