"""Files of rows in units that a job computes one by one: Parquet, Arrow, CSV, JSON lines, folders of Hugging Face datasets."""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

#: Rows of a unit where the file has no parts of its own.
ROWS_PER_UNIT = 8192

_FORMATS = {
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow", ".csv": "csv", ".jsonl": "json",
    ".ndjson": "json", ".json": "json",
}


def input_files(inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """The files of paths, patterns and folders, in a fixed order."""
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    files: list[str] = []
    for given in map(os.fspath, inputs):
        if os.path.isdir(given):
            found = [
                os.path.join(folder, name)
                for folder, folders, names in os.walk(given)
                for name in names
                if os.path.splitext(name)[1] in _FORMATS and not name.startswith((".", "_"))
                # What `datasets` keeps beside the rows of a folder that it saved.
                and name not in ("dataset_info.json", "state.json", "dataset_dict.json")
                and not os.path.relpath(folder, given).startswith(("_", ".q"))
            ]
        elif glob.has_magic(given) and not os.path.exists(given):
            found = glob.glob(given, recursive=True)
        else:
            found = [given]
            if not os.path.isfile(given):
                raise FileNotFoundError(f"there is no file {given}")
        if not found:
            raise FileNotFoundError(f"{given} has no file of rows: {', '.join(_FORMATS)}")
        files += sorted(found)
    if len(set(files)) != len(files):
        raise ValueError("a file is given twice")
    return files


@dataclass(frozen=True)
class InputFile:
    """One file, what it is recognized by, and its units."""

    path: str
    format: str
    byte_count: int
    digest: str
    unit_count: int

    @classmethod
    def open(cls, path: str) -> InputFile:
        """Raises `ValueError` for a file that is not what its name says."""
        format = _FORMATS.get(os.path.splitext(path)[1])
        if format is None:
            raise ValueError(f"{path}: the name of an input ends with {', '.join(_FORMATS)}")
        size = os.path.getsize(path)
        return cls(path, format, size, _digest(path, size), sum(1 for _ in cls._ranges(path, format)))

    @staticmethod
    def _ranges(path: str, format: str) -> Iterator[Any]:
        """What each unit is read by."""
        if format == "parquet":
            yield from range(_parquet(path).metadata.num_row_groups)
        elif format == "arrow":
            rows = sum(batch.num_rows for batch in _batches(path))
            yield from range(0, rows, ROWS_PER_UNIT)
        else:
            yield from range(0, len(_table(path, format)), ROWS_PER_UNIT)

    def units(self, wanted: set[int]) -> Iterator[tuple[int, Any]]:
        """The units whose numbers are wanted, as tables."""
        import pyarrow as pa

        if not wanted:
            return
        if self.format == "parquet":
            file = _parquet(self.path)
            for number in sorted(wanted):
                yield number, file.read_row_group(number)
            return
        if self.format == "arrow":
            table = pa.Table.from_batches(list(_batches(self.path)))
        else:
            table = _table(self.path, self.format)
        for number in sorted(wanted):
            yield number, table.slice(number * ROWS_PER_UNIT, ROWS_PER_UNIT)


def _digest(path: str, size: int) -> str:
    """Of the end of a file, where Parquet has its footer, and of its beginning: enough to see that it is another one."""
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        digest.update(file.read(1 << 16))
        file.seek(max(0, size - (1 << 20)))
        digest.update(file.read())
    return digest.hexdigest()


def _parquet(path: str) -> Any:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except Exception as error:
        raise ValueError(f"{path} is not a Parquet file that can be read: {error}") from error


def _batches(path: str) -> Iterator[Any]:
    import pyarrow as pa

    with pa.memory_map(path) as source:
        try:
            reader = pa.ipc.open_file(source)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            try:
                batches = iter(pa.ipc.open_stream(source))
            except pa.ArrowInvalid as error:
                raise ValueError(f"{path} is not an Arrow file: {error}") from error
        yield from batches


def _table(path: str, format: str) -> Any:
    import pyarrow as pa

    try:
        if format == "csv":
            import pyarrow.csv

            # Lines may stand within quotes; and what looks like a number in a column of texts is a text.
            return pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))
        import pyarrow.json

        return pyarrow.json.read_json(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} cannot be read as {'CSV' if format == 'csv' else 'JSON lines'}: {error}") from error
