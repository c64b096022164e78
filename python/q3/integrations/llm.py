"""The command `llm`: embedding models by the names of `q3 list`, as ``llm embed -m q3/q3-mini -c "a text"``.

What is in the model folder when `llm` starts can be used; the built-in q3-mini always can.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any, Iterable, Iterator

import llm

from .._program import program_path


class Q3EmbeddingModel(llm.EmbeddingModel):
    """One model, opened at its first use."""

    batch_size = 256
    supports_text = True

    def __init__(self, name: str, is_query: bool = False) -> None:
        self.model_id = f"q3/{name}" + ("-query" if is_query else "")
        self._name = name
        self._is_query = is_query
        self._embedder: Any = None

    def embed_batch(self, items: Iterable[str | bytes]) -> Iterator[list[float]]:
        """The vectors of texts."""
        from .._embedder import Embedder

        if self._embedder is None:
            self._embedder = Embedder(self._name)
        texts = [item.decode() if isinstance(item, bytes) else item for item in items]
        encode = self._embedder.encode_query if self._is_query else self._embedder.encode_document
        yield from encode(texts).tolist()


def _names() -> list[str]:
    """The built-in model, and the models for embedding that are downloaded."""
    names = ["q3-mini"]
    try:
        done = subprocess.run([program_path(), "list", "--json"], capture_output=True, text=True, timeout=20)
        rows = json.loads(done.stdout) if done.returncode == 0 else []
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return names
    rows = rows.get("models", []) if isinstance(rows, dict) else rows
    return names + [row["name"] for row in rows if row.get("path") and row.get("role") in ("embed", None)]


@llm.hookimpl
def register_embedding_models(register: Any) -> None:
    """Tell `llm` about the models. Those that take instructions also come with "-query", which puts one before each text."""
    for name in _names():
        register(Q3EmbeddingModel(name))
        if name != "q3-mini":
            register(Q3EmbeddingModel(name, is_query=True))
