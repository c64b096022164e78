"""Jobs over files: rows in, the same rows with vectors out, part by part, so that a killed job goes on where it was."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import dataclass
from typing import Any, Callable, Literal, Sequence

from ._columns import EmbeddingSpec, FingerprintError, as_ranges, vectors_of, worker_embedder
from ._inputs import InputFile, input_files
from ._job_folder import FOLDER, Job, JobError, Part, metadata
from ._models import ModelPrecision
from .batch import run_batch

__all__ = ["FingerprintError", "JobError", "JobReport", "VerifyReport", "embed_dataset", "run_batch", "verify_dataset"]

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
    lists: Literal["auto", "fixed", "variable"] = "auto",
    shard: str | tuple[int, int] | None = None,
    shards: int | None = None,
    threads: int | None = None,
    precision: ModelPrecision = "auto",
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
    lists : {"auto", "fixed", "variable"}, optional
        Vectors as fixed-size lists, or as lists of any size, which every version of every reader can have nulls in: pyarrow
        before 26 cannot read nulls among fixed-size lists. "auto" takes "fixed" where the pyarrow of this process can.
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
    if lists not in ("auto", "fixed", "variable"):
        raise ValueError(f'lists is {lists!r}, expected "auto", "fixed" or "variable"')
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
    if lists == "auto" and is_file and os.path.exists(output):
        lists = "variable" if metadata(output).get("q3.lists") == "variable" else "fixed"  # as when it was written, with whichever pyarrow
    job = Job(output + ".parts" if is_file else output, files, spec, text_column, embedding_column, columns, lists)
    if is_file and os.path.exists(output):
        if metadata(output).get("q3.job") == job.digest:
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
            part = Part(file_index, unit)
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
        description = os.path.join(output, FOLDER, "job.json")
        if os.path.exists(description):
            with open(description) as file:
                units = [entry["units"] for entry in json.load(file)["inputs"]]
            expected = {Part(index, unit).name for index, count in enumerate(units) for unit in range(count)}
            missing = sorted(expected - set(names))
    else:
        paths = [output]
    groups: list[tuple[str, int, int]] = []
    facts: dict[str, str] = {}
    for path in paths:
        found = metadata(path)
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
        try:
            table = pq.ParquetFile(path).read_row_group(group)
        except pa.ArrowException as error:
            raise JobError(
                f"{path}, row group {group}: {error} (pyarrow {pa.__version__}; nulls among fixed-size lists need pyarrow 26)"
            ) from error
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
