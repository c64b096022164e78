"""BERTopic: a backend for ``BERTopic(embedding_model=...)``."""

from __future__ import annotations

from typing import Any

import numpy as np
from bertopic.backend import BaseEmbedder

from .._embedder import Embedder


class Q3Backend(BaseEmbedder):
    """Embeds documents and words.

    Parameters
    ----------
    model : str, path or Embedder, optional
        A model that is open, or what `Embedder` takes, with the other arguments.
    """

    def __init__(self, model: Any = None, **arguments: Any) -> None:
        super().__init__()
        self.embedding_model = model if isinstance(model, Embedder) else Embedder(model, **arguments)

    def embed(self, documents: list[str], verbose: bool = False) -> np.ndarray:
        """The vectors of documents or words, [texts, dimensions]."""
        return self.embedding_model.encode(list(documents), show_progress_bar=verbose)
