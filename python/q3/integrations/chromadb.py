"""Chroma: an embedding function that a collection stores by its settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import register_embedding_function

from .._embedder import Embedder


@register_embedding_function
class Q3EmbeddingFunction(EmbeddingFunction[Documents]):
    """Embeds documents and, with the model's instruction, queries.

    Parameters
    ----------
    model : str or path, optional
    truncate_dim : int, optional
    """

    def __init__(self, model: str | None = None, truncate_dim: int | None = None) -> None:
        self._settings = {"model": model, "truncate_dim": truncate_dim}
        self._embedder = Embedder(model, truncate_dim=truncate_dim)

    def __call__(self, input: Documents) -> Embeddings:
        return list(np.asarray(self._embedder.encode_document(list(input))))

    def embed_query(self, input: Documents) -> Embeddings:
        """The vectors of queries."""
        return list(np.asarray(self._embedder.encode_query(list(input))))

    @staticmethod
    def name() -> str:
        """The name under which Chroma stores the settings."""
        return "q3"

    def default_space(self) -> Space:
        """Vectors have unit length."""
        return "cosine"

    def supported_spaces(self) -> list[Space]:
        """All of them."""
        return ["cosine", "l2", "ip"]

    def get_config(self) -> dict[str, Any]:
        """What is stored with a collection."""
        return {**self._settings, "fingerprint": self._embedder.fingerprint}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Q3EmbeddingFunction:
        """The function of a stored collection. Raises where the model is another one now."""
        made = Q3EmbeddingFunction(config.get("model"), config.get("truncate_dim"))
        if config.get("fingerprint") not in (None, made._embedder.fingerprint):
            raise ValueError(
                f"the collection was made with a model of fingerprint {config['fingerprint']}, but "
                f"{config.get('model') or 'q3-mini'} has {made._embedder.fingerprint} now"
            )
        return made

    def validate_config_update(self, old_config: dict[str, Any], new_config: dict[str, Any]) -> None:
        """Raises for a change that would mix vectors."""
        if old_config.get("fingerprint") != new_config.get("fingerprint"):
            raise ValueError("the model of a collection cannot be changed: its vectors would not be comparable")
