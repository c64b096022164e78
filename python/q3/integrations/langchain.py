"""LangChain: embeddings, and a compressor that reranks."""

from __future__ import annotations

from typing import Any, Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict

from .._embedder import Embedder
from .._reranker import Reranker


class Q3Embeddings(Embeddings):
    """Embeddings for LangChain.

    Parameters
    ----------
    model : str, path or Embedder, optional
        A model that is open, or what `Embedder` takes, with the other arguments.
    """

    def __init__(self, model: Any = None, **arguments: Any) -> None:
        self.model = model if isinstance(model, Embedder) else Embedder(model, **arguments)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each document."""
        return self.model.encode_document(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return self.model.encode_query(text).tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`; cancelling the task cancels the computation."""
        return (await self.model.aencode(texts, prompt=self.model.prompts.get("document", ""))).tolist()

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`; cancelling the task cancels the computation."""
        return (await self.model.aencode(text, prompt=self.model.prompts.get("query", ""))).tolist()


class Q3Reranker(BaseDocumentCompressor):
    """Keeps the documents that answer a query best, with their scores as ``relevance_score`` in the metadata."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: Reranker
    top_n: int | None = 3

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """The best documents, best first."""
        ranked = self.model.rank(query, [document.page_content for document in documents], top_k=self.top_n)
        return [
            Document(
                page_content=documents[entry["corpus_id"]].page_content,
                metadata={**documents[entry["corpus_id"]].metadata, "relevance_score": float(entry["score"])},
            )
            for entry in ranked
        ]
