"""LlamaIndex: an embedding model."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from .._embedder import Embedder


class Q3Embedding(BaseEmbedding):
    """Embeddings for LlamaIndex.

    Parameters
    ----------
    model : str, path or Embedder, optional
        A model that is open, or what `Embedder` takes.
    """

    _model: Embedder = PrivateAttr()

    def __init__(self, model: Any = None, **arguments: Any) -> None:
        opened = model if isinstance(model, Embedder) else Embedder(model)
        # Batches of LlamaIndex would only cut what the engine keeps together.
        super().__init__(**{"model_name": opened.path or "q3-mini", "embed_batch_size": 2048, **arguments})
        self._model = opened

    @classmethod
    def class_name(cls) -> str:
        """The name in settings that are stored."""
        return "Q3Embedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._model.encode_query(query).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._model.encode_document(text).tolist()

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._model.encode_document(texts).tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._model.aencode(query, prompt=self._model.prompts.get("query", ""))).tolist()

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._model.aencode(text, prompt=self._model.prompts.get("document", ""))).tolist()
