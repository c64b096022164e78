"""Rows for what is computed with vectors: arrays as they are, texts through a model."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Sequence, Union

import numpy as np

from . import _library as c
from ._calls import as_list, run
from .errors import UnsupportedError

if TYPE_CHECKING:
    from ._embedder import Embedder

#: Texts, an array or a tensor of shape [rows, dimensions], or a list of vectors.
Inputs = Union[Sequence[str], np.ndarray, Sequence[np.ndarray]]

#: The task of the model card, for which a file may have a prompt of its own.
_DEFAULT_TASK = "Given a web search query, retrieve relevant passages that answer the query"


class Rows:
    """Vectors of float32 as the library reads them, and the texts and the model that they came from."""

    def __init__(
        self, inputs: Inputs, what: str, *, model: Embedder | None = None, instruct: str | None = None,
        dimensions: int | None = None, show_progress_bar: bool = False,
    ) -> None:
        self.texts: list[str] | None = None
        self.fingerprint: str | None = None
        vectors = _numbers(inputs, what)
        if vectors is None:
            self.texts = as_list(inputs, what)  # type: ignore[arg-type]
            model = model if model is not None else built_in()
            self.fingerprint = model.fingerprint
            vectors = model.encode(
                self.texts, prompt=task_prompt(model, instruct), show_progress_bar=show_progress_bar, truncate_dim=dimensions
            )
        elif dimensions is not None:
            if vectors.shape[1] < dimensions:
                raise ValueError(f"{what} has vectors of {vectors.shape[1]} values, expected {dimensions}")
            vectors = vectors[:, :dimensions]
        self.values = np.ascontiguousarray(vectors, np.float32)
        self.struct = c.Vectors(self.values.ctypes.data, *self.values.shape)

    def __len__(self) -> int:
        return len(self.values)


def built_in() -> Embedder:
    """The model in the wheel, opened for one call."""
    from ._embedder import Embedder

    return Embedder()


def task_prompt(model: Embedder, instruct: str | None) -> str:
    """What is put before texts that are for a task, described in a sentence; nothing without one."""
    if instruct is None:
        return model.prompts.get("document", "")
    if not model.takes_instructions:
        raise UnsupportedError("this model takes no instructions; leave out instruct=")
    if instruct == _DEFAULT_TASK:
        return model.prompts.get("query", "")
    return f"Instruct: {instruct}\nQuery:"


def _numbers(inputs: Inputs, what: str) -> np.ndarray | None:
    """A matrix; None where the inputs are texts."""
    if type(inputs).__module__.partition(".")[0] == "torch":
        inputs = inputs.detach().cpu().float().numpy()  # type: ignore[union-attr]
    if isinstance(inputs, np.ndarray):
        if inputs.dtype.kind in "US" or inputs.dtype == object:
            return None
        matrix = inputs
    elif isinstance(inputs, (list, tuple)) and len(inputs) and not isinstance(inputs[0], str):
        try:
            matrix = np.stack([np.asarray(row) for row in inputs])
        except ValueError as error:
            raise ValueError(f"{what} has vectors of several sizes; all must come from one model") from error
        if matrix.dtype.kind not in "fiu":
            return None  # the check of the texts names the place
    else:
        return None
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"{what} is not an array of numbers")
    if matrix.ndim != 2:
        raise ValueError(f"{what} has the shape {matrix.shape}, expected (rows, values)")
    return matrix


def analyze(
    name: str, *arguments: Any, description: str, show_progress_bar: bool = False
) -> None:
    """Calls a function of the library with a ticket; Ctrl-C ends it."""
    function: Callable[..., int] = getattr(c.library(), name)
    run(
        lambda ticket, error: function(*arguments, ticket, error), description=description,
        show_progress=show_progress_bar,
    )


def sized(structure: type[ctypes.Structure], **fields: Any) -> ctypes.Structure:
    """A struct with its size in front."""
    return structure(size=ctypes.sizeof(structure), **fields)


def same_space(first: Rows, second: Rows, what: str) -> None:
    """Raises where vectors cannot be compared."""
    if first.values.shape[1] != second.values.shape[1]:
        raise ValueError(
            f"vectors of {first.values.shape[1]} and of {second.values.shape[1]} values ({what}) cannot be compared; make both "
            "with the same model"
        )


def at_least(value: Any, least: int, name: str) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r}, expected a number")
    if value.__index__() < least:
        raise ValueError(f"{name} is {value}, expected at least {least}")
    return value.__index__()


def choice(value: str, names: Sequence[str], what: str) -> int:
    """The place of a name."""
    if value not in names:
        raise ValueError(f"{what} is {value!r}, expected one of {', '.join(names)}")
    return list(names).index(value)
