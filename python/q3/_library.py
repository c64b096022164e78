"""The C library: where it is, what its functions take, and how its errors become exceptions."""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any

from . import errors

ABI_VERSION = 1

OK = 0
BAD_ARGUMENT, NO_SUCH_MODEL, BAD_FILE, WRONG_ROLE, BAD_TEXT, TOO_LONG = 1, 2, 3, 4, 5, 6
BAD_RESULT, CANCELLED, FORKED, BUFFER_TOO_SMALL, NO_RESOURCES = 7, 8, 9, 10, 11

EMBEDDER, RERANKER, TOKENIZER = 0, 1, 2
TEXT_PATH, TEXT_NAME, TEXT_ROLE, TEXT_WEIGHTS, TEXT_QUERY_PROMPT, TEXT_FINGERPRINT = range(6)
ADAPTER_INSTRUCTION, ADAPTER_FINGERPRINT = range(2)
PRECISIONS = {"auto": 0, "exact": 1, "fast": 2, "fine": 3}
TYPES = {"float32": 0, "float16": 1, "int8": 2, "uint8": 3, "binary": 4, "ubinary": 5}


class Error(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("status", c_int32),
        ("index", c_int64),
        ("message", c_void_p),
        ("capacity", c_size_t),
    ]

    def __init__(self) -> None:
        self.text = ctypes.create_string_buffer(4096)
        super().__init__(
            size=ctypes.sizeof(Error), index=-1, message=ctypes.addressof(self.text), capacity=len(self.text)
        )

    def exception(self, status: int) -> Exception:
        message = self.text.value.decode("utf-8", "replace")
        index = self.index if self.index >= 0 else None
        if status in (BAD_TEXT, TOO_LONG, BAD_RESULT):
            kinds = {BAD_TEXT: errors.TextError, TOO_LONG: errors.TextTooLongError, BAD_RESULT: errors.BadResultError}
            return kinds[status](message, index)
        if status == BAD_ARGUMENT:
            return errors.ClosedError("the model was closed") if "was closed" in message else ValueError(message)
        return {
            NO_SUCH_MODEL: errors.ModelNotFoundError,
            BAD_FILE: errors.BadModelError,
            WRONG_ROLE: errors.WrongModelError,
            CANCELLED: errors.CancelledError,
            FORKED: errors.ForkedError,
            NO_RESOURCES: errors.ResourceError,
        }.get(status, errors.Q3Error)(message)


class OpenOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int32),
        ("precision", c_int32),
        ("threads", c_int32),
        ("copies_file", c_int32),
        ("prefix_cache_bytes", c_int64),
    ]


class Info(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int32),
        ("dimensions", c_int32),
        ("token_limit", c_int32),
        ("vocabulary_size", c_int32),
        ("layer_count", c_int32),
        ("threads", c_int32),
        ("takes_instructions", c_int32),
        ("end_of_text_id", c_int32),
    ]


class Texts(ctypes.Structure):
    _fields_ = [("bytes", c_void_p), ("offsets", c_void_p), ("count", c_int64)]


class EmbedOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("dimensions", c_int32),
        ("type", c_int32),
        ("truncates", c_int32),
        ("parses_special_tokens", c_int32),
        ("prefix", c_char_p),
        ("prefix_length", c_int64),
        ("minimum", c_void_p),
        ("maximum", c_void_p),
        ("adapter", c_void_p),
    ]


class AdapterFacts(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("dimensions", c_int32),
        ("rank", c_int32),
        ("changes_documents", c_int32),
        ("reserved", c_int32),
    ]


class ScoreOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("style", c_int32),
        ("truncates", c_int32),
        ("instruction", c_char_p),
        ("instruction_length", c_int64),
    ]


class Vectors(ctypes.Structure):
    _fields_ = [("values", c_void_p), ("count", c_int64), ("dimensions", c_int64)]


class DuplicateOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("threshold", c_float), ("threads", c_int32)]


class ClusterOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("count", c_int64),
        ("seed", c_uint64),
        ("round_limit", c_int64),
        ("start", c_void_p),
        ("threads", c_int32),
    ]


class CommunityOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("threshold", c_float), ("threads", c_int32), ("min_size", c_int64)]


class BitextOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("margin", c_int32),
        ("retrieval", c_int32),
        ("neighbors", c_int64),
        ("has_threshold", c_int32),
        ("threshold", c_float),
        ("threads", c_int32),
    ]


class NegativeOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("count", c_int64),
        ("range_min", c_int64),
        ("range_max", c_int64),
        ("limits", c_int32),
        ("max_score", c_float),
        ("min_score", c_float),
        ("absolute_margin", c_float),
        ("relative_margin", c_float),
        ("is_random", c_int32),
        ("seed", c_uint64),
        ("threads", c_int32),
        ("reranker", c_void_p),
        ("query_texts", POINTER(Texts)),
        ("passage_texts", POINTER(Texts)),
        ("score_options", POINTER(ScoreOptions)),
    ]


class TrainOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int32),
        ("folds", c_int32),
        ("strength", c_double),
        ("seed", c_uint64),
        ("threads", c_int32),
    ]


class Training(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("folds", c_int32),
        ("accuracy", c_double),
        ("macro_f1", c_double),
        ("log_loss", c_double),
        ("calibrated_log_loss", c_double),
        ("calibration_error", c_double),
        ("calibrated_calibration_error", c_double),
        ("temperature", c_double),
    ]


class Classifier(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_int32),
        ("label_count", c_int32),
        ("rows", Vectors),
        ("row_labels", c_void_p),
        ("temperature", c_double),
        ("threads", c_int32),
    ]


class ArrowSchema(ctypes.Structure):
    pass


class ArrowArray(ctypes.Structure):
    pass


ArrowSchema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_void_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", c_void_p),
    ("dictionary", c_void_p),
    ("release", ctypes.CFUNCTYPE(None, POINTER(ArrowSchema))),
    ("private_data", c_void_p),
]
ArrowArray._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", c_void_p),
    ("children", c_void_p),
    ("dictionary", c_void_p),
    ("release", ctypes.CFUNCTYPE(None, POINTER(ArrowArray))),
    ("private_data", c_void_p),
]

_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "q3_abi_version": (c_int32, []),
    "q3_version": (c_char_p, []),
    "q3_find_model": (c_int32, [c_char_p, c_void_p, c_size_t, POINTER(c_size_t), POINTER(Error)]),
    "q3_open": (c_int32, [c_char_p, POINTER(OpenOptions), POINTER(c_void_p), POINTER(Error)]),
    "q3_close": (None, [c_void_p]),
    "q3_model_info": (c_int32, [c_void_p, POINTER(Info), POINTER(Error)]),
    "q3_model_text": (c_int32, [c_void_p, c_int32, c_void_p, c_size_t, POINTER(c_size_t), POINTER(Error)]),
    "q3_open_adapter": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), POINTER(Error)]),
    "q3_close_adapter": (None, [c_void_p]),
    "q3_adapter_info": (c_int32, [c_void_p, POINTER(AdapterFacts), POINTER(Error)]),
    "q3_adapter_text": (c_int32, [c_void_p, c_int32, c_void_p, c_size_t, POINTER(c_size_t), POINTER(Error)]),
    "q3_ticket_create": (c_void_p, []),
    "q3_ticket_cancel": (None, [c_void_p]),
    "q3_ticket_progress": (None, [c_void_p, POINTER(c_int64), POINTER(c_int64)]),
    "q3_ticket_close": (None, [c_void_p]),
    "q3_embed": (
        c_int32,
        [c_void_p, POINTER(Texts), POINTER(EmbedOptions), c_void_p, c_size_t, c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_score": (
        c_int32,
        [c_void_p, POINTER(Texts), POINTER(Texts), POINTER(ScoreOptions), c_void_p, c_void_p, c_void_p, c_void_p]
        + [POINTER(Error)],
    ),
    "q3_tokenize": (
        c_int32,
        [c_void_p, POINTER(Texts), c_int32, c_void_p, c_int64, c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_detokenize": (
        c_int32,
        [c_void_p, c_void_p, c_int64, c_int32, c_void_p, c_size_t, POINTER(c_size_t), POINTER(Error)],
    ),
    "q3_find_duplicates": (
        c_int32,
        [POINTER(Vectors), POINTER(DuplicateOptions), c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p]
        + [POINTER(Error)],
    ),
    "q3_find_matches": (
        c_int32,
        [POINTER(Vectors), POINTER(Vectors), POINTER(DuplicateOptions), c_void_p, c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_cluster": (
        c_int32,
        [POINTER(Vectors), POINTER(ClusterOptions), c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_find_communities": (
        c_int32,
        [POINTER(Vectors), POINTER(CommunityOptions), c_void_p, c_void_p, c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_mine_bitext": (
        c_int32,
        [POINTER(Vectors), POINTER(Vectors), POINTER(BitextOptions), c_void_p, c_int64, c_void_p, c_void_p]
        + [POINTER(Error)],
    ),
    "q3_score_bitext": (
        c_int32,
        [POINTER(Vectors), POINTER(Vectors), POINTER(BitextOptions), c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_mine_negatives": (
        c_int32,
        [POINTER(Vectors), POINTER(Vectors), c_void_p, c_void_p, POINTER(NegativeOptions), c_void_p, c_void_p]
        + [c_void_p, c_void_p, POINTER(Error)],
    ),
    "q3_train_classifier": (
        c_int32,
        [POINTER(Vectors), c_void_p, c_int32, POINTER(TrainOptions), c_void_p, POINTER(Training), c_void_p]
        + [POINTER(Error)],
    ),
    "q3_classify": (c_int32, [POINTER(Classifier), POINTER(Vectors), c_void_p, c_void_p, POINTER(Error)]),
    "q3_embed_arrow": (
        c_int32,
        [c_void_p, c_void_p, c_void_p, POINTER(EmbedOptions), c_void_p, c_void_p, c_void_p, c_void_p, POINTER(Error)],
    ),
}

_lock = threading.Lock()
_library: ctypes.CDLL | None = None


def library_path() -> str:
    """Where the library is: ``Q3_LIBRARY``, else inside this package."""
    return os.environ.get("Q3_LIBRARY") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "libq3.so")


def library() -> ctypes.CDLL:
    """The library, loaded by the first call: a process that only imports this package may fork as it likes."""
    global _library
    if _library is not None:
        return _library
    with _lock:
        if _library is None:
            _library = _load(library_path())
        return _library


def _load(path: str) -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(path)
        version = loaded.q3_abi_version
    except (OSError, AttributeError) as error:
        raise errors.LibraryError(
            f"cannot load {path}: {error}; install the wheel q3-embedding, or set Q3_LIBRARY to a libq3.so"
        ) from error
    version.restype = c_int32
    if version() != ABI_VERSION:
        raise errors.LibraryError(
            f"{path} has the interface {version()}, but this package needs {ABI_VERSION}; install both from one wheel"
        )
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def version() -> str:
    """The version of the library."""
    return library().q3_version().decode()


def find_model(name: str) -> str:
    """The path of a model by its name, as ``q3 --model`` finds it."""
    return _text(lambda *room: library().q3_find_model(os.fsencode(name), *room)).decode("utf-8", "surrogateescape")


def _text(call: Any) -> bytes:
    """What a function writes that takes room, capacity, length and error."""
    capacity = 4096
    while True:
        room, length, error = ctypes.create_string_buffer(capacity), c_size_t(), Error()
        status = call(room, capacity, ctypes.byref(length), ctypes.byref(error))
        if status == BUFFER_TOO_SMALL and length.value >= capacity:
            capacity = length.value + 1
            continue
        if status != OK:
            raise error.exception(status)
        return room.raw[: length.value]


class Handle:
    """An open model: closed once, at the latest with the object, and never used in a forked child."""

    def __init__(self, path: str | None, kind: int, *, threads: int | None, precision: str, copies_file: bool,
                 prefix_cache_bytes: int) -> None:
        self._value: int | None = None
        if precision not in PRECISIONS:
            raise ValueError(f'precision is {precision!r}, expected "auto", "fast", "fine" or "exact"')
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ValueError(f"threads is {threads!r}, expected a number from 1 up")
        options = OpenOptions(
            size=ctypes.sizeof(OpenOptions), kind=kind, precision=PRECISIONS[precision], threads=threads or 0,
            copies_file=int(copies_file), prefix_cache_bytes=prefix_cache_bytes,
        )
        handle, error = c_void_p(), Error()
        encoded = None if path is None else os.fsencode(path)
        status = library().q3_open(encoded, options, handle, error)
        if status != OK:
            raise error.exception(status)
        self._value, self._process = handle.value, os.getpid()

    @property
    def value(self) -> int:
        """The pointer for C. Raises where the model cannot be used."""
        value = self._value
        if value is None:
            raise errors.ClosedError("the model was closed")
        if os.getpid() != self._process:
            raise errors.ForkedError(
                "this model was opened before the process was forked, and its threads are not here; open it in the child, "
                "with a parent that has opened none, or start processes by spawn or forkserver"
            )
        return value

    @property
    def is_closed(self) -> bool:
        return self._value is None

    def close(self) -> None:
        value, self._value = self._value, None
        if value is not None and os.getpid() == self._process:
            library().q3_close(value)

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # the interpreter is ending, and with it the library
            pass

    def info(self) -> Info:
        info, error = Info(size=ctypes.sizeof(Info)), Error()
        status = library().q3_model_info(self.value, info, error)
        if status != OK:
            raise error.exception(status)
        return info

    def text(self, which: int) -> str:
        value = self.value
        return _text(lambda *room: library().q3_model_text(value, which, *room)).decode("utf-8", "surrogateescape")
