"""Haystack: components that embed texts and documents, and one that ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from .._embedder import Embedder
from .._reranker import Reranker


class _OfAModel:
    """What the components share: a model by its name, opened by `warm_up` or the first run."""

    _class: Any = Embedder

    def _set_model(self, model: str | None, arguments: dict[str, Any] | None) -> None:
        self.model = model
        self.arguments = arguments
        self._opened: Any = None

    def warm_up(self) -> None:
        """Open the model."""
        if self._opened is None:
            self._opened = self._class(self.model, **(self.arguments or {}))


@component
class Q3TextEmbedder(_OfAModel):
    """Embeds a query."""

    def __init__(self, model: str | None = None, arguments: dict[str, Any] | None = None) -> None:
        self._set_model(model, arguments)

    def to_dict(self) -> dict[str, Any]:
        """What a pipeline stores."""
        return default_to_dict(self, model=self.model, arguments=self.arguments)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Q3TextEmbedder:
        """The component of a stored pipeline."""
        return default_from_dict(cls, data)

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        """The vector of a query."""
        self.warm_up()
        return {"embedding": self._opened.encode_query(text).tolist()}


@component
class Q3DocumentEmbedder(_OfAModel):
    """Embeds documents, with some of their metadata before their content if asked."""

    def __init__(
        self, model: str | None = None, arguments: dict[str, Any] | None = None,
        meta_fields_to_embed: list[str] | None = None, embedding_separator: str = "\n",
    ) -> None:
        self._set_model(model, arguments)
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator

    def to_dict(self) -> dict[str, Any]:
        """What a pipeline stores."""
        return default_to_dict(
            self, model=self.model, arguments=self.arguments, meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Q3DocumentEmbedder:
        """The component of a stored pipeline."""
        return default_from_dict(cls, data)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """The documents with their vectors."""
        self.warm_up()
        texts = [
            self.embedding_separator.join(
                [str(document.meta[field]) for field in self.meta_fields_to_embed if document.meta.get(field) is not None]
                + [document.content or ""]
            )
            for document in documents
        ]
        vectors = self._opened.encode_document(texts).tolist()
        return {"documents": [replace(document, embedding=vector) for document, vector in zip(documents, vectors)]}


@component
class Q3Ranker(_OfAModel):
    """Ranks documents by how well they answer a query."""

    _class = Reranker

    def __init__(self, model: str, top_k: int = 10, arguments: dict[str, Any] | None = None) -> None:
        self._set_model(model, arguments)
        self.top_k = top_k

    def to_dict(self) -> dict[str, Any]:
        """What a pipeline stores."""
        return default_to_dict(self, model=self.model, top_k=self.top_k, arguments=self.arguments)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Q3Ranker:
        """The component of a stored pipeline."""
        return default_from_dict(cls, data)

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, Any]:
        """The best documents, best first."""
        self.warm_up()
        ranked = self._opened.rank(query, [document.content or "" for document in documents], top_k=top_k or self.top_k)
        return {"documents": [replace(documents[entry["corpus_id"]], score=float(entry["score"])) for entry in ranked]}
