"""Ray: a class for `Dataset.map_batches` that adds a column of vectors."""

from __future__ import annotations

import os
from typing import Any, Literal

from ._columns import EmbeddingSpec, as_ranges, with_vectors, worker_embedder
from ._models import ModelPrecision

__all__ = ["Embedder"]


class Embedder:
    """Adds a column of vectors to tables; one of these lives in each of Ray's actors, with the model open.

    Parameters
    ----------
    model : path or name, optional
        A file that every machine has at this path; the built-in q3-mini without it.
    text_column, output_column : str
        A column of strings, and the name of the new one. Nulls get null vectors.
    fingerprint : str, optional
        Fingerprint of the model, as ``q3 info`` shows it: actors that have another file fail.
    threads : int, optional
        Threads of each actor; as many as the CPUs that Ray gave it without it.

    Examples
    --------
    >>> vectors = dataset.map_batches(
    ...     q3.ray.Embedder,
    ...     fn_constructor_kwargs={"model": "/models/qwen3-embedding-0.6b-q8_0.gguf", "text_column": "body"},
    ...     batch_format="pyarrow", num_cpus=4, concurrency=8,
    ... )
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        text_column: str = "text",
        output_column: str = "embedding",
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        truncate_dim: int | None = None,
        type: Literal["float32", "float16", "int8", "uint8"] = "float32",
        ranges: Any = None,
        precision: ModelPrecision = "auto",
        long_texts: Literal["truncate", "raise"] = "truncate",
        errors: Literal["raise", "null"] = "raise",
        fingerprint: str | None = None,
        threads: int | None = None,
    ) -> None:
        if type in ("int8", "uint8") and ranges is None:
            raise ValueError(f"type {type} needs ranges: batches that each took their own would not be comparable")
        self._spec = EmbeddingSpec(
            model=None if model is None else os.fspath(model), prompt_name=prompt_name, prompt=prompt,
            truncate_dim=truncate_dim, type=type, ranges=as_ranges(ranges), precision=precision, long_texts=long_texts,
            errors=errors, fingerprint=fingerprint,
        )
        self._columns = (text_column, output_column)
        self._embedder = worker_embedder(self._spec, threads or _assigned_threads())

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        if not isinstance(batch, pa.Table):
            raise TypeError(f'the batch is of type {type(batch).__name__}; give batch_format="pyarrow" to map_batches')
        return with_vectors(self._embedder, batch, *self._columns, self._spec)


def _assigned_threads() -> int | None:
    """The CPUs that Ray gave this actor; None outside of Ray."""
    import ray

    if not ray.is_initialized():
        return None
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU")
    return max(1, int(cpus)) if cpus else 1
