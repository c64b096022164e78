"""LanceDB: an embedding function of its registry, by the name "q3"."""

from __future__ import annotations

from typing import Any

import numpy as np
from lancedb.embeddings import TextEmbeddingFunction, register
from pydantic import PrivateAttr

from .._embedder import Embedder


@register("q3")
class Q3Embeddings(TextEmbeddingFunction):
    """Embeds sources as documents and, with the model's instruction, queries.

    ``get_registry().get("q3").create(name=MODEL, truncate_dim=256)``
    """

    name: str = "q3-mini"
    truncate_dim: int | None = None
    _embedder: Any = PrivateAttr(default=None)

    @property
    def _model(self) -> Embedder:
        if self._embedder is None:
            self._embedder = Embedder(self.name, truncate_dim=self.truncate_dim)
        return self._embedder

    def ndims(self) -> int:
        """Values of a vector."""
        return self._model.get_embedding_dimension()

    def generate_embeddings(self, texts: Any, *args: Any, **kwargs: Any) -> list[np.ndarray]:
        """The vectors of documents."""
        return list(self._model.encode_document(list(texts)))

    def compute_query_embeddings(self, query: str, *args: Any, **kwargs: Any) -> list[np.ndarray]:
        """The vector of a query."""
        return [self._model.encode_query(query)]
