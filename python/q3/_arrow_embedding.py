"""Vectors of a column of texts in Arrow's format; mixed into `Embedder`."""

from __future__ import annotations

import ctypes
from typing import Any, Literal

import numpy as np

from . import _library as c
from ._arrow import ArrowVectors, imported_chunks
from ._calls import RESULT, run
from ._sentence_transformers import SentenceTransformerNames

Precision = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]


class ArrowEmbedding(SentenceTransformerNames):
    """`embed_arrow`. Not to be made itself."""

    def embed_arrow(
        self, texts: Any, *, prompt_name: str | None = None, prompt: str | None = None, truncate_dim: int | None = None,
        type: Precision = "float32", ranges: np.ndarray | None = None, show_progress_bar: bool = False,
        parse_special_tokens: bool = False, long_texts: Literal["warn", "truncate", "raise"] | None = None,
        errors: Literal["raise", "null"] = "raise",
    ) -> ArrowVectors:
        """The vectors of a column of texts, in Arrow's format and without a Python object for any text.

        Parameters
        ----------
        texts : object with ``__arrow_c_array__`` or ``__arrow_c_stream__``
            An array or a chunked array of pyarrow, a series of polars, and so on, of strings, binary, or a dictionary of
            those, whose values are computed once each.
        type : str, optional
            Type of the stored values, as `precision` of `encode`; "int8" and "uint8" need `ranges`, [2, dimensions].
        errors : {"raise", "null"}, optional
            What comes of a text that has no vector, for instance because it is not UTF-8.

        Returns
        -------
        ArrowVectors
            Fixed-size lists, a null for each null; ``pyarrow.chunked_array(result)`` takes it, and so do others.
        """
        dimensions = self._checked_dimensions(truncate_dim) or self.get_embedding_dimension()
        if type not in c.TYPES:
            raise ValueError(f"type is {type!r}, expected one of {list(c.TYPES)}")
        if type in ("int8", "uint8"):
            if ranges is None:
                raise ValueError(f"type {type} needs ranges, the least and greatest value of each dimension")
            ranges = np.ascontiguousarray(ranges, np.float32)
            if ranges.shape != (2, dimensions):
                raise ValueError(f"ranges have the shape {ranges.shape}, expected (2, {dimensions})")
        if errors not in ("raise", "null"):
            raise ValueError(f'errors is {errors!r}, expected "raise" or "null"')
        long_texts = long_texts or self.long_texts
        options = self._options(
            self._chosen_prompt(prompt_name, prompt) or "", dimensions, type, long_texts != "raise", parse_special_tokens,
            self._chosen_adapter(prompt_name, prompt),
        )
        if ranges is not None:
            options.minimum, options.maximum = ranges[0].ctypes.data, ranges[1].ctypes.data
        model, chunks = self._handle.value, []
        for schema, array in imported_chunks(texts):
            results = np.zeros(array.length, RESULT)
            vectors_schema, vectors = c.ArrowSchema(), c.ArrowArray()
            error = run(
                lambda ticket, error: c.library().q3_embed_arrow(
                    model, ctypes.addressof(schema), ctypes.addressof(array), options, ctypes.addressof(vectors_schema),
                    ctypes.addressof(vectors), results.ctypes.data, ticket, error,
                ),
                description="Embedding", show_progress=show_progress_bar,
            )
            chunk = ArrowVectors.Chunk(vectors_schema, vectors)
            failed = np.flatnonzero(results["status"])
            if len(failed) and errors == "raise":
                raise error.exception(int(results["status"][failed[0]]))
            if long_texts == "warn":
                self._warn(results, f"texts have more than {self.max_seq_length} tokens")
            chunks.append(chunk)
        return ArrowVectors(chunks, dimensions // 8 if "binary" in type else dimensions, type)
