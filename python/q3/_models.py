"""What embedders and rerankers have in common: opening by name, facts of the file, closing, pickling."""

from __future__ import annotations

import os
import warnings
from typing import Any, Literal, Mapping

import numpy as np

from . import _library as c
from .errors import LongTextWarning, UnsupportedError

BUILT_IN = "q3-mini"

# How far activations are rounded; see `Precision` of the Swift library.
ModelPrecision = Literal["auto", "fast", "fine", "exact"]


class Model:
    """An open model file. Not to be made itself."""

    _kind = c.EMBEDDER

    def __init__(
        self, model: str | os.PathLike[str] | None, *, threads: int | None = None, precision: str = "auto",
        copy_file: bool = False, prefix_cache_bytes: int = 0,
    ) -> None:
        self._settings = dict(
            threads=threads, precision=precision, copies_file=copy_file, prefix_cache_bytes=prefix_cache_bytes
        )
        name = None if model is None else os.fspath(model)
        if isinstance(name, bytes):
            name = os.fsdecode(name)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the model is of type {type(model).__name__}, expected a path or a name")
        if name == "" or name is not None and "\0" in name:
            raise ValueError("the name of the model is empty or holds a NUL")
        self._path = None if name in (None, BUILT_IN) else c.find_model(name)
        if self._path is None and self._kind == c.RERANKER:
            raise ValueError("there is no built-in reranker: give a path or a name, as `q3 list` has them")
        self._open()

    def _open(self) -> None:
        self._handle = c.Handle(self._path, self._kind, **self._settings)
        self._info = self._handle.info()

    def close(self) -> None:
        """Give the model's memory back. Calls that run go on to their end; later ones raise `ClosedError`."""
        self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_handle")
        state.pop("_info")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In a spawned worker: the file is opened again, and its pages are shared with the process it came from.
        self.__dict__.update(state)
        self._open()

    def __repr__(self) -> str:
        closed = ", closed" if self._handle.is_closed else ""
        return f"<q3.{type(self).__name__} {self._path or BUILT_IN}{closed}>"

    def _take(self, prompts: Mapping[str, str], default_prompt_name: str | None, long_texts: str) -> None:
        """Sets what embedders and rerankers do with texts."""
        #: What is put before texts, by name.
        self.prompts: dict[str, str] = dict(prompts)
        if default_prompt_name is not None and default_prompt_name not in self.prompts:
            raise ValueError(f"default_prompt_name is {default_prompt_name!r}, expected one of {list(self.prompts)}")
        self.default_prompt_name = default_prompt_name
        self.long_texts = long_texts
        self._has_warned = False

    def _chosen_prompt(self, name: str | None, prompt: str | None) -> str | None:
        """The prompt of a call: the text itself, the one of a name, or the default; None without any."""
        if prompt is not None:
            if not isinstance(prompt, str):
                raise TypeError(f"prompt is of type {type(prompt).__name__}, expected a str")
            return prompt
        name = name if name is not None else self.default_prompt_name
        if name is None:
            return None
        if name not in self.prompts:
            raise ValueError(f"prompt_name is {name!r}, expected one of {list(self.prompts)}")
        return self.prompts[name]

    def _warn(self, results: np.ndarray, what: str) -> None:
        """Warns once of texts that lost their end; `what` says which they are."""
        cut = int(results["is_truncated"].sum())
        if cut and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"{cut} of {len(results)} {what} and lost their end; "
                'long_texts="truncate" cuts them in silence, "raise" refuses them',
                LongTextWarning, stacklevel=4,
            )

    @property
    def path(self) -> str | None:
        """The file of the model; None for the built-in one."""
        return self._path

    @property
    def name(self) -> str:
        """The name that the file gives itself; may be empty."""
        return self._handle.text(c.TEXT_NAME)

    @property
    def role(self) -> str:
        """What the file was made for: "embedding", "reranker" or "unstated"."""
        return self._handle.text(c.TEXT_ROLE)

    @property
    def weight_type(self) -> str:
        """The type of most of the weights, for instance "Q8_0"."""
        return self._handle.text(c.TEXT_WEIGHTS)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name the vector space; reads the whole file once.

        Vectors may be compared where fingerprint, dimensions and prompt are equal. `q3 info` shows the same.
        """
        return self._handle.text(c.TEXT_FINGERPRINT)

    @property
    def threads(self) -> int:
        """Threads that compute, shared by all models of the process."""
        return self._info.threads

    @property
    def vocabulary_size(self) -> int:
        """The number of tokens."""
        return self._info.vocabulary_size


def check_device(device: Any) -> None:
    """Accepts the CPU by any name that people write, and raises for everything else."""
    if device is None:
        return
    if isinstance(device, (list, tuple)):
        for one in device:
            check_device(one)
        return
    if str(device).split(":")[0].lower() != "cpu":
        raise UnsupportedError(f"q3 computes on the CPU; device={device!r} cannot be used, leave it out")


def check_loading(
    *, modules: Any, device: Any, revision: Any, model_kwargs: Any, config_kwargs: Any, backend: Any
) -> None:
    """Raises for what a model file cannot be loaded with."""
    check_device(device)
    if modules is not None:
        raise UnsupportedError("modules= cannot be used: a GGUF file holds the whole model")
    if revision is not None:
        raise UnsupportedError("revision= cannot be used: q3 loads files; `q3 pull REPOSITORY/FILE@REVISION` downloads one")
    if backend not in (None, "q3", "torch"):
        raise UnsupportedError(f"backend={backend!r} cannot be used: q3 computes itself")
    for name, arguments in (("model_kwargs", model_kwargs), ("config_kwargs", config_kwargs)):
        if arguments:
            raise UnsupportedError(f"{name}={arguments!r} cannot be used: the file decides how its weights are stored")


def check_batch_size(batch_size: Any) -> None:
    """Raises for what no batch can be; any other size gives the same bits and is left to the engine."""
    if batch_size is None:
        return
    if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__") or batch_size.__index__() < 1:
        raise ValueError(f"batch_size is {batch_size!r}, expected a number from 1 up")


def check_long_texts(long_texts: Any) -> None:
    """Raises for anything but the three ways to treat long texts."""
    if long_texts not in ("warn", "truncate", "raise"):
        raise ValueError(f'long_texts is {long_texts!r}, expected "warn", "truncate" or "raise"')
