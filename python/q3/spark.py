"""Spark: a column of vectors for a DataFrame, computed where its rows are."""

from __future__ import annotations

import os
from typing import Any, Iterator, Literal

from ._columns import EmbeddingSpec, as_ranges, with_vectors, worker_embedder
from ._models import ModelPrecision
from .errors import Q3Error

__all__ = ["embed"]


def embed(
    df: Any,
    text_column: str = "text",
    *,
    model: str | os.PathLike[str] | None = None,
    output_column: str = "embedding",
    prompt_name: str | None = None,
    prompt: str | None = None,
    truncate_dim: int | None = None,
    type: Literal["float32", "int8"] = "float32",
    ranges: Any = None,
    precision: ModelPrecision = "auto",
    long_texts: Literal["truncate", "raise"] = "truncate",
    errors: Literal["raise", "null"] = "raise",
    threads: int | None = None,
    fingerprint: str | None = None,
) -> Any:
    """A DataFrame with a column of vectors behind the others.

    The model is opened once in each Python worker and stays there; its file is mapped, so that all workers of a machine share one
    copy. A text has the same bits wherever it is computed: tasks that are repeated or run twice change nothing.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
    text_column : str
        A column of strings. Nulls get null vectors.
    model : path or name, optional
        A file that every machine has at this path; or the name of one that was sent with ``SparkContext.addFile``.
    threads : int, optional
        Threads of each worker; ``spark.task.cpus`` of them without it, so that tasks beside each other do not compete.
    fingerprint : str, optional
        Fingerprint of the model, as ``q3 info`` shows it: workers that have another file fail. Without it the driver's is
        taken, if the driver has the file.

    Returns
    -------
    pyspark.sql.DataFrame
        Lazy, with a column of ``array<float>`` (or ``array<tinyint>``) more.

    Examples
    --------
    >>> vectors = q3.spark.embed(spark.table("news"), "body", model="/models/qwen3-embedding-0.6b-q8_0.gguf")
    >>> vectors.write.parquet("news-with-vectors")
    """
    from pyspark.sql.types import ArrayType, ByteType, FloatType, StringType, StructField, StructType

    if type not in ("float32", "int8"):
        raise ValueError(f'type is {type!r}, expected "float32" or "int8", as Spark has no others')
    if type == "int8" and ranges is None:
        raise ValueError("type int8 needs ranges: tasks that each took their own would not be comparable")
    names = {field.name: field.dataType for field in df.schema.fields}
    if text_column not in names:
        raise KeyError(f"there is no column {text_column!r}; there are {list(names)}")
    if not isinstance(names[text_column], StringType):
        raise TypeError(f"column {text_column!r} is {names[text_column].simpleString()}, expected strings")
    if output_column in names:
        raise KeyError(f"there is a column {output_column!r} already; give the vectors another name")
    spec = EmbeddingSpec(
        model=None if model is None else os.fspath(model), prompt_name=prompt_name, prompt=prompt,
        truncate_dim=truncate_dim, type=type, ranges=as_ranges(ranges), precision=precision, long_texts=long_texts,
        errors=errors, fingerprint=fingerprint,
    )
    if fingerprint is None:
        spec = _with_drivers_fingerprint(spec)
    if threads is None:
        threads = int(df.sparkSession.conf.get("spark.task.cpus", "1"))
    element = FloatType() if type == "float32" else ByteType()
    schema = StructType([*df.schema.fields, StructField(output_column, ArrayType(element, False), True)])

    def compute(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        embedder = None
        for batch in batches:
            embedder = embedder or worker_embedder(_located(spec), threads)
            table = with_vectors(embedder, pa.Table.from_batches([batch]), text_column, output_column, spec)
            # Spark knows lists of any size only.
            position = table.schema.get_field_index(output_column)
            column = table.column(position)
            wide = column.cast(pa.list_(pa.field("element", column.type.value_type, False)))
            yield from table.set_column(position, output_column, wide).combine_chunks().to_batches()

    return df.mapInArrow(compute, schema)


def _with_drivers_fingerprint(spec: EmbeddingSpec) -> EmbeddingSpec:
    """The spec with the fingerprint of the driver's file; as it is where the driver has none."""
    try:
        # In a process of its own: a model that is open here could not be used in workers that local mode forks.
        found = _fingerprint_elsewhere(spec)
    except Q3Error:
        return spec
    return EmbeddingSpec(**{**spec.as_dict(), "fingerprint": found})


def _fingerprint_elsewhere(spec: EmbeddingSpec) -> str:
    import subprocess
    import sys

    script = (
        "import sys, q3\n"
        "print(q3.Embedder(sys.argv[1] or None, precision=sys.argv[2], threads=1).fingerprint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, spec.model or "", spec.precision], capture_output=True, text=True
    )
    if done.returncode:
        raise Q3Error(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the model cannot be opened")
    return done.stdout.strip()


def _located(spec: EmbeddingSpec) -> EmbeddingSpec:
    """The spec with the path of a file that was sent to the workers, if it was."""
    if spec.model is None or os.path.exists(spec.model):
        return spec
    from pyspark import SparkFiles

    try:
        sent = SparkFiles.get(os.path.basename(spec.model))
    except Exception:  # outside of a task
        return spec
    return EmbeddingSpec(**{**spec.as_dict(), "model": sent}) if os.path.exists(sent) else spec
