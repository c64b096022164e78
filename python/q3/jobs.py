"""Jobs over files: rows in, the same rows with vectors out, part by part, so that a killed job goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sys
import tempfile
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Literal, Sequence

from ._columns import EmbeddingSpec, FingerprintError, as_ranges, vectors_of, with_vectors, worker_embedder
from ._inputs import InputFile, input_files
from .batch import run_batch
from .errors import Q3Error

__all__ = ["JobError", "JobReport", "VerifyReport", "embed_dataset", "run_batch", "verify_dataset"]

_FOLDER = "_q3"  # names with a "_" are no data for Spark, pyarrow and the like


class JobError(Q3Error, ValueError):
    """A job that does not fit to what is there, or cannot be started as asked."""


@dataclass(frozen=True)
class JobReport:
    """What a call of `embed_dataset` did."""

    output: str
    #: Parts of this shard, and those of them that were there already.
    part_count: int
    skipped_part_count: int
    #: Rows that were computed by this call, and those of them without a vector.
    row_count: int
    null_count: int
    fingerprint: str


@dataclass(frozen=True)
class VerifyReport:
    """What `verify_dataset` found."""

    part_count: int
    row_count: int
    checked_count: int
    #: Positions of rows, "PART:ROW", whose vectors have other bits than the model gives now.
    differing: tuple[str, ...]
    #: Parts that the job should have and that are not there.
    missing: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether all parts are there and all checked vectors have the model's bits."""
        return not self.differing and not self.missing


def embed_dataset(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    text_column: str = "text",
    model: str | os.PathLike[str] | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
    truncate_dim: int | None = None,
    type: Literal["float32", "float16", "int8", "uint8"] = "float32",
    ranges: Any = None,
    embedding_column: str = "embedding",
    columns: Sequence[str] | None = None,
    shard: str | tuple[int, int] | None = None,
    shards: int | None = None,
    threads: int | None = None,
    precision: Literal["fast", "exact"] = "fast",
    long_texts: Literal["truncate", "raise"] = "truncate",
    errors: Literal["raise", "null"] = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> JobReport:
    """Embed a column of files of rows.

    Every row group of the inputs becomes a file of `output`, complete or not there at all. Calling it again computes what is
    missing, and refuses inputs or options that have changed. The bytes do not depend on where it was interrupted.

    Parameters
    ----------
    inputs : path, pattern, folder, or a list of those
        Parquet, Arrow, CSV and JSON lines by their names' ends, and folders that Hugging Face's `datasets` saved.
    output : path
        A folder; or a name that ends with ".parquet" for one file at the end, which no shard can have.
    text_column : str
        The column of texts. Nulls get null vectors.
    prompt_name, prompt : str, optional
        As for `Embedder.encode`; documents need none.
    type : str, optional
        How the values are stored. "int8" and "uint8" need `ranges`, [2, dimensions].
    columns : list of str, optional
        Columns to keep; all without it.
    shard : str or pair, optional
        ``"3/16"``: the fourth of 16 processes that share the work and the folder.
    shards : int, optional
        The same with the number of this process from ``JOB_COMPLETION_INDEX``, as Kubernetes sets it in indexed jobs.
    errors : {"raise", "null"}, optional
        What comes of a text that has no vector.
    progress : callable, optional
        Gets the number of parts that are done, and of all.

    Returns
    -------
    JobReport

    Raises
    ------
    JobError
        For a folder that holds another job, and for shards that cannot be.
    """
    output = os.fspath(output)
    index, count = _shard(shard, shards)
    is_file = output.endswith(".parquet")
    if is_file and count > 1:
        raise JobError(f"{output} is one file, which several shards cannot write; give a folder")
    if type not in ("float32", "float16", "int8", "uint8"):
        raise ValueError(f'type is {type!r}, expected "float32", "float16", "int8" or "uint8"')
    if type in ("int8", "uint8") and ranges is None:
        raise ValueError(f"type {type} needs ranges: parts that each took their own would not be comparable")
    files = [InputFile.open(path) for path in input_files(inputs)]
    spec = EmbeddingSpec(
        model=None if model is None else os.fspath(model), prompt_name=prompt_name, prompt=prompt,
        truncate_dim=truncate_dim, type=type, ranges=as_ranges(ranges), precision=precision, long_texts=long_texts,
        errors=errors,
    )
    embedder = worker_embedder(spec, threads)
    spec = EmbeddingSpec(**{**spec.as_dict(), "fingerprint": embedder.fingerprint})
    job = _Job(output + ".parts" if is_file else output, files, spec, text_column, embedding_column, columns)
    if is_file and os.path.exists(output):
        if _metadata(output).get("q3.job") == job.digest:
            return JobReport(output, job.part_count, job.part_count, 0, 0, embedder.fingerprint)
        raise JobError(f"{output} is there already and of another job; remove it, or choose another name")
    job.claim()
    done, skipped, rows, nulls = 0, 0, 0, 0
    mine = [part for number, part in enumerate(job.parts()) if number % count == index]
    for file_index, file in enumerate(files):
        wanted = set()
        for part in (part for part in mine if part.file_index == file_index):
            if job.has(part):
                skipped += 1
                done += 1
            else:
                wanted.add(part.unit)
        for unit, table in file.units(wanted):
            part = _Part(file_index, unit)
            try:
                result = job.computed(embedder, table)
            except (KeyError, TypeError) as error:
                raise JobError(f"{file.path}: {error.args[0]}") from error
            job.write(part, result)
            rows += result.num_rows
            nulls += result.column(embedding_column).null_count
            done += 1
            if progress is not None:
                progress(done, len(mine))
    if is_file:
        job.merge(output)
    return JobReport(output, len(mine), skipped, rows, nulls, embedder.fingerprint)


def _shard(shard: str | tuple[int, int] | None, shards: int | None) -> tuple[int, int]:
    if shard is not None and shards is not None:
        raise JobError("shard= and shards= are two ways to say the same; give one")
    if shards is not None:
        text = os.environ.get("JOB_COMPLETION_INDEX")
        if text is None or not text.isdigit():
            raise JobError("shards= takes the number of this process from JOB_COMPLETION_INDEX, which is not set")
        index, count = int(text), shards
    elif shard is None:
        return 0, 1
    else:
        try:
            index, count = map(int, shard.split("/") if isinstance(shard, str) else shard)
        except ValueError:
            raise JobError(f'shard is {shard!r}, expected for instance "3/16"') from None
    if not 0 <= index < count:
        raise JobError(f"shard {index} of {count} is not there: they are numbered from 0 to {count - 1}")
    return index, count


@dataclass(frozen=True)
class _Part:
    file_index: int
    unit: int

    @property
    def name(self) -> str:
        return f"part-{self.file_index:05}-{self.unit:05}.parquet"


class _Job:
    """A folder of parts and the file that says what they are parts of."""

    def __init__(self, folder: str, files: list[InputFile], spec: EmbeddingSpec, text_column: str,
                 embedding_column: str, columns: Sequence[str] | None) -> None:
        self.folder = folder
        self._files = files
        self._spec = spec
        self._text_column = text_column
        self._embedding_column = embedding_column
        self._columns = None if columns is None else list(columns)
        options = spec.as_dict()
        options["model"] = os.path.basename(spec.model or "q3-mini")  # the fingerprint says which; its folder may differ
        self._description = {
            "format": 1,
            "inputs": [
                {"name": os.path.basename(file.path), "bytes": file.byte_count, "sha256": file.digest, "units": file.unit_count}
                for file in files
            ],
            "text_column": text_column,
            "embedding_column": embedding_column,
            "columns": self._columns,
            **options,
        }
        text = json.dumps(self._description, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    @property
    def part_count(self) -> int:
        return sum(file.unit_count for file in self._files)

    def parts(self) -> Iterator[_Part]:
        for index, file in enumerate(self._files):
            for unit in range(file.unit_count):
                yield _Part(index, unit)

    def claim(self) -> None:
        """Writes what the job is, or compares it with what is written. Several shards may do so at once."""
        os.makedirs(os.path.join(self.folder, _FOLDER), exist_ok=True)
        path = os.path.join(self.folder, _FOLDER, "job.json")
        if not os.path.exists(path):
            with _beside(path) as draft:
                with open(draft, "w") as file:
                    json.dump(self._description, file, indent=1, sort_keys=True)
                    _flush(file)
                with contextlib.suppress(FileExistsError):  # another shard was first
                    os.link(draft, path)
            _flush_folder(os.path.dirname(path))
        with open(path) as file:
            there = json.load(file)
        ours = json.loads(json.dumps(self._description))
        if there != ours:
            differing = sorted(key for key in {*there, *ours} if there.get(key) != ours.get(key))
            raise JobError(
                f"{self.folder} holds a job with other {', '.join(differing)}; choose another folder, or remove this one"
            )

    def has(self, part: _Part) -> bool:
        path = os.path.join(self.folder, part.name)
        return os.path.exists(path) and _metadata(path).get("q3.job") == self.digest

    def computed(self, embedder: Any, table: Any) -> Any:
        result = with_vectors(embedder, table, self._text_column, self._embedding_column, self._spec)
        if self._columns is not None:
            missing = [name for name in self._columns if name not in table.schema.names]
            if missing:
                raise KeyError(f"there are no columns {missing}; there are {table.schema.names}")
            result = result.select([*self._columns, self._embedding_column])
        prompt = embedder._prompt(self._spec.prompt_name, self._spec.prompt)
        facts = {
            "q3.job": self.digest,
            "q3.fingerprint": self._spec.fingerprint or "",
            "q3.prompt": prompt,
            "q3.dimensions": str(self._spec.truncate_dim or embedder.dimensions),
            "q3.type": self._spec.type,
            "q3.model": str(self._description["model"]),
            "q3.text_column": self._text_column,
            "q3.embedding_column": self._embedding_column,
            "q3.long_texts": self._spec.long_texts,
            "q3.precision": self._spec.precision,
        }
        return result.replace_schema_metadata({**(table.schema.metadata or {}), **facts})

    def write(self, part: _Part, table: Any) -> None:
        _write_table(os.path.join(self.folder, part.name), [table])

    def merge(self, output: str) -> None:
        """Makes one file of the parts, a row group of each, and removes them."""
        import pyarrow.parquet as pq

        names = [os.path.join(self.folder, part.name) for part in self.parts()]
        if not names:
            raise JobError("the inputs have no rows at all")
        _write_table(output, (pq.read_table(name, partitioning=None) for name in names))
        for name in [*names, os.path.join(self.folder, _FOLDER, "job.json")]:
            os.remove(name)
        for folder in (os.path.join(self.folder, _FOLDER), self.folder):
            with contextlib.suppress(OSError):  # somebody put something there
                os.rmdir(folder)


def _write_table(path: str, tables: Any) -> None:
    """Writes tables as row groups of a file that is there when it is complete and on the disk."""
    import pyarrow.parquet as pq

    with _beside(path) as draft:
        writer = None
        try:
            for table in tables:
                if writer is None:
                    writer = pq.ParquetWriter(draft, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
        finally:
            if writer is not None:
                writer.close()
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    _flush_folder(os.path.dirname(path) or ".")


@contextlib.contextmanager
def _beside(path: str) -> Iterator[str]:
    """A name in the same folder that nobody else has and that readers of the folder skip."""
    descriptor, draft = tempfile.mkstemp(prefix=f"_{os.path.basename(path)}.", dir=os.path.dirname(path) or ".")
    os.fchmod(descriptor, 0o666 & ~_mask())
    os.close(descriptor)
    try:
        yield draft
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(draft)


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _metadata(path: str) -> dict[str, str]:
    """What q3 wrote into a Parquet file's footer; empty for what is no such file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}
    return {
        key.decode(): value.decode() for key, value in found.items() if key.startswith(b"q3.")
    }


def verify_dataset(
    output: str | os.PathLike[str], *, model: str | os.PathLike[str] | None = None, sample: int = 200, seed: int = 0,
    ranges: Any = None, threads: int | None = None,
) -> VerifyReport:
    """Recompute a sample of the rows of a finished job and compare the bits.

    Parameters
    ----------
    output : path
        The folder or file that `embed_dataset` wrote; the column of texts must be in it.
    model : path or name, optional
        The model of the job; the built-in one without it.
    sample : int, optional
        Rows to compute again.

    Raises
    ------
    FingerprintError
        If the model is another one than the job's.
    JobError
        If the files are not those of a job.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    output = os.fspath(output)
    missing: list[str] = []
    if os.path.isdir(output):
        names = sorted(name for name in os.listdir(output) if name.startswith("part-") and name.endswith(".parquet"))
        paths = [os.path.join(output, name) for name in names]
        description = os.path.join(output, _FOLDER, "job.json")
        if os.path.exists(description):
            with open(description) as file:
                units = [entry["units"] for entry in json.load(file)["inputs"]]
            expected = {_Part(index, unit).name for index, count in enumerate(units) for unit in range(count)}
            missing = sorted(expected - set(names))
    else:
        paths = [output]
    groups: list[tuple[str, int, int]] = []
    facts: dict[str, str] = {}
    for path in paths:
        found = _metadata(path)
        if "q3.fingerprint" not in found:
            raise JobError(f"{path} does not say which model its vectors are from; it was not written by embed_dataset")
        facts = facts or found
        if found["q3.job"] != facts["q3.job"]:
            raise JobError(f"{path} is of another job than {paths[0]}")
        counts = pq.ParquetFile(path).metadata
        groups += [(path, group, counts.row_group(group).num_rows) for group in range(counts.num_row_groups)]
    rows = sum(count for _, _, count in groups)
    if not groups:
        return VerifyReport(0, 0, 0, (), tuple(missing))
    spec = EmbeddingSpec(
        model=None if model is None else os.fspath(model), prompt=facts["q3.prompt"],
        truncate_dim=int(facts["q3.dimensions"]), type=facts["q3.type"], ranges=as_ranges(ranges),
        precision=facts["q3.precision"], long_texts=facts["q3.long_texts"], errors="null",
        fingerprint=facts["q3.fingerprint"],
    )
    embedder = worker_embedder(spec, threads)
    chosen = sorted(random.Random(seed).sample(range(rows), min(sample, rows)))
    differing, first, checked = [], 0, 0
    for path, group, count in groups:
        here = [row - first for row in chosen if first <= row < first + count]
        first += count
        if not here:
            continue
        table = pq.ParquetFile(path).read_row_group(group)
        if facts["q3.text_column"] not in table.schema.names:
            raise JobError(f"{path} was written without its column {facts['q3.text_column']!r}, so nothing can be recomputed")
        table = table.take(pa.array(here, pa.int64()))
        again = vectors_of(embedder, table.column(facts["q3.text_column"]), spec).combine_chunks()
        there = table.column(facts["q3.embedding_column"]).combine_chunks()
        for position, (old, new) in enumerate(zip(there, again)):
            if old.is_valid != new.is_valid or old.is_valid and not old.values.equals(new.values):
                differing.append(f"{os.path.basename(path)}:{here[position]}")
        checked += len(here)
    return VerifyReport(len(paths), rows, checked, tuple(differing), tuple(missing))


def show_progress(done: int, total: int) -> None:
    """A line on stderr."""
    sys.stderr.write(f"\r{done} of {total} parts" + ("\n" if done == total else ""))
    sys.stderr.flush()
