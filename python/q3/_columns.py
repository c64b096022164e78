"""A column of texts of an Arrow table to a column of vectors: what jobs, Spark and Ray have in common."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ._embedder import Embedder
from .errors import Q3Error


class FingerprintError(Q3Error):
    """A model whose vectors may not be mixed with those that are there."""


@dataclass(frozen=True)
class EmbeddingSpec:
    """What makes a vector of a text: everything that two workers must agree on."""

    model: str | None = None
    prompt_name: str | None = None
    prompt: str | None = None
    truncate_dim: int | None = None
    type: str = "float32"
    ranges: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    precision: str = "auto"
    long_texts: str = "truncate"
    errors: str = "raise"
    fingerprint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def as_ranges(ranges: Any) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Ranges as a value that can be compared and sent around; float32 goes through float without loss."""
    if ranges is None:
        return None
    matrix = np.asarray(ranges, np.float32)
    if matrix.ndim != 2 or matrix.shape[0] != 2:
        raise ValueError(f"ranges have the shape {matrix.shape}, expected (2, dimensions)")
    return tuple(matrix[0].tolist()), tuple(matrix[1].tolist())


_lock = threading.Lock()
_open: dict[tuple[Any, ...], Embedder] = {}


def worker_embedder(spec: EmbeddingSpec, threads: int | None = None) -> Embedder:
    """The model of a spec, opened once per process. Raises `FingerprintError` if the file is another one here."""
    key = (spec.model, spec.precision, spec.fingerprint, threads, os.getpid())
    with _lock:
        if key not in _open:
            embedder = Embedder(spec.model, precision=spec.precision, threads=threads)
            if spec.fingerprint is not None and embedder.fingerprint != spec.fingerprint:
                raise FingerprintError(
                    f"{spec.model or 'q3-mini'} has the fingerprint {embedder.fingerprint} here, but the job was started with "
                    f"{spec.fingerprint}: its vectors would not be comparable; put the same file on every machine"
                )
            _open[key] = embedder
        return _open[key]


def vectors_of(embedder: Embedder, texts: Any, spec: EmbeddingSpec) -> Any:
    """The vectors of a pyarrow array of texts, as a chunked array of fixed-size lists."""
    return embedder.embed_arrow(
        texts, prompt_name=spec.prompt_name, prompt=spec.prompt, truncate_dim=spec.truncate_dim, type=spec.type,
        ranges=None if spec.ranges is None else np.asarray(spec.ranges, np.float32), long_texts=spec.long_texts,
        errors=spec.errors,
    ).to_pyarrow()


def text_column_of(table: Any, name: str) -> Any:
    """A column of texts. Raises `KeyError` with the names there are, `TypeError` for other types."""
    import pyarrow as pa

    if name not in table.schema.names:
        raise KeyError(f"there is no column {name!r}; there are {table.schema.names}")
    if table.schema.names.count(name) > 1:
        raise KeyError(f"there are several columns {name!r}")
    column = table.column(name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    ):
        raise TypeError(f"column {name!r} is of type {column.type}, expected strings")
    return column


def with_vectors(embedder: Embedder, table: Any, text_column: str, output_column: str, spec: EmbeddingSpec) -> Any:
    """The table with a column of vectors behind the others."""
    if output_column in table.schema.names:
        raise KeyError(f"there is a column {output_column!r} already; give the vectors another name")
    return table.append_column(output_column, vectors_of(embedder, text_column_of(table, text_column), spec))


@functools.cache
def keeps_null_vectors() -> bool:
    """Whether this pyarrow writes nulls among fixed-size lists into Parquet and reads them back: those before 26 do not
    (apache/arrow issue 35692)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"vectors": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))})
    file = pa.BufferOutputStream()
    try:
        pq.write_table(table, file)
        return bool(pq.read_table(pa.BufferReader(file.getvalue())).equals(table))
    except pa.ArrowException:
        return False


def as_variable_lists(column: Any) -> Any:
    """A chunked array of fixed-size lists as one of lists of any size, where nulls hold no values."""
    import pyarrow as pa

    size, item = column.type.list_size, column.type.value_field
    rows_of_a_chunk = (2**31 - 1) // max(size, 1)  # offsets are int32
    chunks = []
    for chunk in column.chunks:
        for start in range(0, len(chunk), rows_of_a_chunk):
            part = chunk.slice(start, rows_of_a_chunk)
            valid = np.asarray(part.is_valid())
            offsets = np.concatenate([[0], np.cumsum(valid, dtype=np.int32) * np.int32(size)]).astype(np.int32)
            # A null offset stands for a null list.
            chunks.append(pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(~valid, False)), part.flatten()))
    return pa.chunked_array(chunks, pa.list_(item))
