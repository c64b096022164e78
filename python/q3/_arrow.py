"""Arrow arrays through its C interface, from and to whatever library has them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_void_p, py_object
from typing import Any, Iterator

import numpy as np

from ._library import ArrowArray, ArrowSchema


class _Stream(ctypes.Structure):
    pass


_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(c_int, POINTER(_Stream), POINTER(ArrowSchema))),
    ("get_next", ctypes.CFUNCTYPE(c_int, POINTER(_Stream), POINTER(ArrowArray))),
    ("get_last_error", ctypes.CFUNCTYPE(c_char_p, POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, POINTER(_Stream))),
    ("private_data", c_void_p),
]

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype, _get_pointer.argtypes = c_void_p, [py_object, c_char_p]

_DESTRUCTOR = ctypes.CFUNCTYPE(None, c_void_p)
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = py_object, [c_void_p, c_char_p, _DESTRUCTOR]
_raw_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


def _release(struct: Any) -> None:
    if struct.release:
        struct.release(ctypes.byref(struct))


def imported_chunks(texts: Any) -> Iterator[tuple[ArrowSchema, ArrowArray]]:
    """The chunks of an array or a stream; each is released when the next one is asked for."""
    if hasattr(texts, "__arrow_c_array__"):
        schema_capsule, array_capsule = texts.__arrow_c_array__()
        # The capsules keep the structs, and release them with themselves.
        yield (
            ArrowSchema.from_address(_get_pointer(schema_capsule, b"arrow_schema")),
            ArrowArray.from_address(_get_pointer(array_capsule, b"arrow_array")),
        )
        return
    if not hasattr(texts, "__arrow_c_stream__"):
        raise TypeError(
            f"texts is of type {type(texts).__name__}, expected an Arrow array: something with __arrow_c_array__ or "
            "__arrow_c_stream__, as pyarrow and polars have"
        )
    capsule = texts.__arrow_c_stream__()
    stream = _Stream.from_address(_get_pointer(capsule, b"arrow_array_stream"))
    schema = ArrowSchema()
    _check(stream, stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)))
    try:
        while True:
            array = ArrowArray()
            _check(stream, stream.get_next(ctypes.byref(stream), ctypes.byref(array)))
            if not array.release:
                return
            try:
                yield schema, array
            finally:
                _release(array)
    finally:
        _release(schema)


def _check(stream: _Stream, code: int) -> None:
    if code:
        message = stream.get_last_error(ctypes.byref(stream)) or b""
        raise OSError(code, f"the Arrow stream ended with an error: {message.decode(errors='replace')}")


class _Owned:
    """Structs that capsules point to, kept until the capsule is gone and then released."""

    kept: dict[int, Any] = {}

    @classmethod
    def capsule(cls, struct: Any, name: bytes) -> Any:
        address = ctypes.addressof(struct)
        cls.kept[address] = struct
        return _new_capsule(address, name, _release_schema if name == b"arrow_schema" else _release_array)


def _drop(capsule: int, name: bytes) -> None:
    struct = _Owned.kept.pop(_raw_pointer(capsule, name), None)
    if struct is not None:
        _release(struct)  # nobody has taken it


@_DESTRUCTOR
def _release_schema(capsule: int) -> None:
    _drop(capsule, b"arrow_schema")


@_DESTRUCTOR
def _release_array(capsule: int) -> None:
    _drop(capsule, b"arrow_array")


class ArrowVectors:
    """Vectors as an Arrow array of fixed-size lists, in one chunk for each chunk of the texts.

    ``pyarrow.chunked_array(vectors)`` and ``polars.Series(vectors)`` take them without a copy; `to_pyarrow` and `to_numpy` do
    the same without an import in between. They can be handed over once.
    """

    class Chunk:
        """One array with its schema; released with this object unless it was handed over."""

        def __init__(self, schema: ArrowSchema, array: ArrowArray) -> None:
            self.schema, self.array = schema, array
            self.length, self.null_count = array.length, array.null_count

        def __del__(self) -> None:
            if self.schema is not None:
                _release(self.schema)
                _release(self.array)

        def capsules(self) -> tuple[Any, Any]:
            if self.schema is None:
                raise ValueError("the vectors were handed over already")
            schema, array = self.schema, self.array
            self.schema = self.array = None
            return _Owned.capsule(schema, b"arrow_schema"), _Owned.capsule(array, b"arrow_array")

    class _Part:
        def __init__(self, chunk: Any) -> None:
            self._chunk = chunk

        def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:
            return self._chunk.capsules()

    def __init__(self, chunks: list[Any], dimensions: int, type: str) -> None:
        self._chunks = chunks
        self.dimensions = dimensions
        self.type = type

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype({"binary": "int8", "ubinary": "uint8"}.get(self.type, self.type))

    def __len__(self) -> int:
        return sum(chunk.length for chunk in self._chunks)

    @property
    def null_count(self) -> int:
        """Rows without a vector."""
        return sum(chunk.null_count for chunk in self._chunks)

    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[Any, Any]:
        if len(self._chunks) != 1:
            raise ValueError(f"the vectors are in {len(self._chunks)} chunks; use to_pyarrow()")
        return self._chunks[0].capsules()

    def to_pyarrow(self) -> Any:
        """As a ``pyarrow.ChunkedArray``."""
        import pyarrow

        item = pyarrow.from_numpy_dtype(self._dtype)
        parts = [pyarrow.array(self._Part(chunk)) for chunk in self._chunks]
        return pyarrow.chunked_array(parts, pyarrow.list_(pyarrow.field("item", item), self.dimensions))

    def to_numpy(self) -> np.ndarray:
        """As a copy of shape [rows, dimensions]; rows that are null are zeros."""
        kind = self._dtype
        matrix, row = np.zeros((len(self), self.dimensions), kind), 0
        for chunk in self._chunks:
            if chunk.array is None:
                raise ValueError("the vectors were handed over already")
            child = ctypes.cast(chunk.array.children, POINTER(POINTER(ArrowArray)))[0].contents
            data = ctypes.cast(child.buffers, POINTER(c_void_p))[1]
            count = chunk.length * self.dimensions
            if count:
                view = (ctypes.c_char * (count * kind.itemsize)).from_address(data)
                values = np.frombuffer(view, kind, count).reshape(-1, self.dimensions)
                matrix[row : row + chunk.length] = values
            row += chunk.length
        return matrix
