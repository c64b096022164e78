"""Tokenizer: texts to token ids and back."""

from __future__ import annotations

import os
from typing import Any, Sequence, overload

import numpy as np

from . import _library as c
from ._calls import PackedTexts, as_list
from ._models import Model


class Tokenizer(Model):
    """The tokenizer of a model file.

    Parameters
    ----------
    model : str, path, Embedder or Reranker, optional
        A GGUF file, a name of ``q3 list``, or a model that is open; without it that of the built-in q3-mini.

    Examples
    --------
    >>> q3.Tokenizer().encode("Hello world")
    [9707, 1879]
    """

    _kind = c.TOKENIZER

    def __init__(self, model: str | os.PathLike[str] | Model | None = None) -> None:
        super().__init__(model.path if isinstance(model, Model) else model)

    def _tokens(self, texts: Sequence[str], special: bool, with_ranges: bool) -> tuple[Any, Any, Any]:
        packed = PackedTexts(texts)
        offsets = np.zeros(len(packed) + 1, np.int64)
        capacity = len(packed.block) + 16  # NFC can make more tokens than bytes, which is found out below
        while True:
            ids = np.empty(capacity, np.int32)
            ranges = np.empty((capacity, 2), np.int64) if with_ranges else None
            error = c.Error()
            status = c.library().q3_tokenize(
                self._handle.value, packed.struct, int(special), ids.ctypes.data, capacity, offsets.ctypes.data,
                None if ranges is None else ranges.ctypes.data, error,
            )
            if status == c.BUFFER_TOO_SMALL:
                capacity = int(offsets[-1])
                continue
            if status != c.OK:
                raise error.exception(status)
            return ids, offsets, ranges

    @overload
    def encode(self, text: str, *, parse_special_tokens: bool = False) -> list[int]: ...

    @overload
    def encode(self, text: Sequence[str], *, parse_special_tokens: bool = False) -> list[list[int]]: ...

    def encode(self, text: Any, *, parse_special_tokens: bool = False) -> Any:
        """The ids of a text, or of each of several; nothing is put before or after them."""
        texts = [text] if isinstance(text, str) else as_list(text, "text")
        ids, offsets, _ = self._tokens(texts, parse_special_tokens, False)
        lists = [ids[start:end].tolist() for start, end in zip(offsets, offsets[1:])]
        return lists[0] if isinstance(text, str) else lists

    def offsets(self, text: str, *, parse_special_tokens: bool = False) -> list[tuple[int, int]]:
        """For each token the bytes of the text, as UTF-8, that it covers: where they begin and where they end."""
        _, ends, ranges = self._tokens([text], parse_special_tokens, True)
        return [tuple(pair) for pair in ranges[: ends[-1]].tolist()]

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        return len(self.encode(text))

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """The text of tokens, with U+FFFD for what is not UTF-8."""
        wide = np.asarray(ids, np.int64).ravel()
        if len(wide) and not (0 <= wide.min() and wide.max() < self.vocabulary_size):
            raise ValueError(f"token ids are 0 to {self.vocabulary_size - 1}, not {wide.min()} to {wide.max()}")
        narrow = np.ascontiguousarray(wide, np.int32)
        value = self._handle.value
        return c._text(
            lambda *room: c.library().q3_detokenize(
                value, narrow.ctypes.data, len(narrow), int(skip_special_tokens), *room
            )
        ).decode()

    __call__ = encode

    def __len__(self) -> int:
        return self.vocabulary_size
