"""Everything that can go wrong, as exceptions that are also the built-in ones people catch."""

from __future__ import annotations

__all__ = [
    "BadClassifierError",
    "BadIndexError",
    "BadModelError",
    "BadRequestError",
    "BadResultError",
    "CancelledError",
    "ClosedError",
    "ForkedError",
    "LibraryError",
    "LongTextWarning",
    "ModelNotFoundError",
    "Q3Error",
    "ResourceError",
    "TextError",
    "TextTooLongError",
    "UnsupportedError",
    "WrongModelError",
]


class Q3Error(Exception):
    """What all errors of this package are."""


class LibraryError(Q3Error, ImportError):
    """The library that computes is missing, or does not belong to this package."""


class UnsupportedError(Q3Error, NotImplementedError):
    """Something was asked for that q3 cannot do, such as another device than the CPU."""


class ModelNotFoundError(Q3Error, FileNotFoundError):
    """No model of that name, or one that has yet to be downloaded with ``q3 pull``."""


class BadModelError(Q3Error, OSError):
    """A file that cannot be read, is damaged, is not a Qwen3 model, or was written while it was in use."""


class BadClassifierError(Q3Error, ValueError):
    """A file that is not a classifier, is damaged, or was made for another model."""


class BadIndexError(Q3Error, OSError):
    """An index that is not there, is damaged, belongs to another model, or is being written to."""


class BadRequestError(Q3Error, ValueError):
    """A search with a value that cannot be, such as an unknown mode or a filter that is none."""


class WrongModelError(Q3Error, ValueError):
    """A reranker where vectors are asked for, or an embedding model where scores are."""


class TextError(Q3Error, ValueError):
    """A text that cannot be computed.

    Attributes
    ----------
    index : int or None
        Position of the text or pair in the call.
    """

    def __init__(self, message: str, index: int | None = None):
        super().__init__(message)
        self.index = index

    def __reduce__(self):
        return type(self), (str(self), self.index)


class TextTooLongError(TextError):
    """A text with more tokens than the model takes, where it must not be cut."""


class BadResultError(TextError):
    """The model computed something that is not a number: its weights are damaged."""


class ClosedError(Q3Error, ValueError):
    """The model was closed."""


class CancelledError(Q3Error):
    """The call was cancelled by another thread."""


class ForkedError(Q3Error, RuntimeError):
    """The process was forked from one that had opened a model already."""


class ResourceError(Q3Error, MemoryError):
    """The system gives no more memory or threads."""


class LongTextWarning(UserWarning):
    """Texts were cut to fit the model."""
