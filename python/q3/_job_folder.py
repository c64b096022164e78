"""The folder of a job: its parts, each complete or not there at all, and the file that says what they are parts of."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

from ._columns import EmbeddingSpec, as_variable_lists, keeps_null_vectors, with_vectors
from ._inputs import InputFile
from .errors import Q3Error

FOLDER = "_q3"  # names with a "_" are no data for Spark, pyarrow and the like


class JobError(Q3Error, ValueError):
    """A job that does not fit to what is there, or cannot be started as asked."""


@dataclass(frozen=True)
class Part:
    file_index: int
    unit: int

    @property
    def name(self) -> str:
        return f"part-{self.file_index:05}-{self.unit:05}.parquet"


class Job:
    """A folder of parts and the file that says what they are parts of."""

    def __init__(self, folder: str, files: list[InputFile], spec: EmbeddingSpec, text_column: str,
                 embedding_column: str, columns: Sequence[str] | None, lists: str) -> None:
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
        self._has_variable_lists = self._chosen_lists(lists) == "variable"
        if self._has_variable_lists:
            self._description["lists"] = "variable"
        text = json.dumps(self._description, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def _chosen_lists(self, lists: str) -> str:
        """`lists`, where "auto" is what the folder has already, else what this pyarrow can keep nulls in."""
        if lists != "auto":
            return lists
        try:
            with open(self._path) as file:
                return str(json.load(file).get("lists", "fixed"))
        except FileNotFoundError:
            return "fixed" if keeps_null_vectors() else "variable"

    @property
    def _path(self) -> str:
        return os.path.join(self.folder, FOLDER, "job.json")

    @property
    def part_count(self) -> int:
        return sum(file.unit_count for file in self._files)

    def parts(self) -> Iterator[Part]:
        for index, file in enumerate(self._files):
            for unit in range(file.unit_count):
                yield Part(index, unit)

    def claim(self) -> None:
        """Writes what the job is, or compares it with what is written. Several shards may do so at once."""
        os.makedirs(os.path.join(self.folder, FOLDER), exist_ok=True)
        path = self._path
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

    def has(self, part: Part) -> bool:
        path = os.path.join(self.folder, part.name)
        return os.path.exists(path) and metadata(path).get("q3.job") == self.digest

    def computed(self, embedder: Any, table: Any) -> Any:
        result = with_vectors(embedder, table, self._text_column, self._embedding_column, self._spec)
        vectors = result.column(self._embedding_column)
        if self._has_variable_lists:
            position = result.schema.get_field_index(self._embedding_column)
            result = result.set_column(position, self._embedding_column, as_variable_lists(vectors))
        elif vectors.null_count > 0 and not keeps_null_vectors():
            import pyarrow

            raise JobError(
                f"{vectors.null_count} texts have no vector, and pyarrow {pyarrow.__version__} cannot keep nulls in fixed-size "
                f'lists; start again with lists="variable" (--lists variable), or with pyarrow 26'
            )
        if self._columns is not None:
            missing = [name for name in self._columns if name not in table.schema.names]
            if missing:
                raise KeyError(f"there are no columns {missing}; there are {table.schema.names}")
            result = result.select([*self._columns, self._embedding_column])
        prompt = embedder._chosen_prompt(self._spec.prompt_name, self._spec.prompt) or ""
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
        if self._has_variable_lists:
            facts["q3.lists"] = "variable"
        return result.replace_schema_metadata({**(table.schema.metadata or {}), **facts})

    def write(self, part: Part, table: Any) -> None:
        _write_table(os.path.join(self.folder, part.name), [table])

    def merge(self, output: str) -> None:
        """Makes one file of the parts, a row group of each, and removes them."""
        import pyarrow.parquet as pq

        names = [os.path.join(self.folder, part.name) for part in self.parts()]
        if not names:
            raise JobError("the inputs have no rows at all")
        _write_table(output, (pq.read_table(name, partitioning=None) for name in names))
        for name in [*names, self._path]:
            os.remove(name)
        # Drafts that a killed run left: a job with one file has no other shards that could be writing theirs.
        _remove_drafts(os.path.join(self.folder, FOLDER), "_job.json.")
        _remove_drafts(self.folder, "_part-")
        _remove_drafts(os.path.dirname(output) or ".", f"_{os.path.basename(output)}.")
        for folder in (os.path.join(self.folder, FOLDER), self.folder):
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


def _remove_drafts(folder: str, prefix: str) -> None:
    for name in os.listdir(folder):
        if name.startswith(prefix):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(folder, name))


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


def metadata(path: str) -> dict[str, str]:
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
