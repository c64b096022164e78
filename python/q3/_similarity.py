"""Comparing vectors and storing them in fewer bits, exactly as sentence-transformers does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

FUNCTIONS = ("cosine", "dot", "euclidean", "manhattan")


def _matrix(vectors: Any, name: str) -> tuple[np.ndarray, bool]:
    """Vectors as a float matrix, and whether they came as a torch tensor."""
    is_tensor = type(vectors).__module__.partition(".")[0] == "torch"
    if is_tensor:
        vectors = vectors.detach().cpu().float().numpy()
    matrix = np.asarray(vectors)
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"{name} is not an array of numbers")
    if matrix.dtype.kind != "f" or matrix.dtype.itemsize < 4:
        matrix = matrix.astype(np.float32)
    if matrix.ndim == 1:
        matrix = matrix[None, :]
    if matrix.ndim != 2:
        raise ValueError(f"{name} has {matrix.ndim} dimensions, expected 1 or 2")
    return matrix, is_tensor


def _unit(matrix: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.maximum(lengths, 1e-12)


def similarity(function: str, first: Any, second: Any, pairwise: bool) -> Any:
    a, first_is_tensor = _matrix(first, "embeddings1")
    b, second_is_tensor = _matrix(second, "embeddings2")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"vectors of {a.shape[1]} and of {b.shape[1]} dimensions cannot be compared")
    if pairwise and len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} vectors do not make pairs")
    if function == "cosine":
        a, b = _unit(a), _unit(b)
    if function in ("cosine", "dot"):
        result = np.einsum("ij,ij->i", a, b) if pairwise else a @ b.T
    elif pairwise:
        gap = a - b
        result = -np.linalg.norm(gap, axis=1) if function == "euclidean" else -np.abs(gap).sum(axis=1)
    elif function == "euclidean":
        squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * (a @ b.T)
        result = -np.sqrt(np.maximum(squares, 0))
    else:
        result = np.empty((len(a), len(b)), a.dtype)
        for row, vector in enumerate(a):  # a row at a time: all gaps at once would take rows x rows x dimensions
            result[row] = -np.abs(b - vector).sum(1)
    if first_is_tensor or second_is_tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(result))
    return result


def quantized(vectors: np.ndarray, precision: str, ranges: Any = None) -> np.ndarray:
    """Vectors in another type: int8 and uint8 in 256 steps between each dimension's least and greatest value."""
    if precision == "float16":
        return vectors.astype(np.float16)
    if precision in ("binary", "ubinary"):
        if vectors.shape[1] % 8:
            raise ValueError(f"bits are packed eight to a byte: {vectors.shape[1]} dimensions cannot be divided by 8")
        packed = np.packbits(vectors > 0, axis=-1)
        return (packed ^ 0x80).view(np.int8) if precision == "binary" else packed
    if ranges is None:
        if not len(vectors):
            return vectors.astype(precision)
        if len(vectors) < 100:
            warnings.warn(
                f"the ranges of {precision} come from {len(vectors)} vectors only, and fit no others; give ranges=",
                UserWarning, stacklevel=3,
            )
        ranges = np.stack([vectors.min(0), vectors.max(0)])
    else:
        ranges = np.asarray(ranges, np.float32)
        if ranges.shape != (2, vectors.shape[1]):
            raise ValueError(f"ranges have the shape {ranges.shape}, expected (2, {vectors.shape[1]})")
    least, steps = ranges[0], (ranges[1] - ranges[0]) / np.float32(255)
    # A dimension that never varies carries nothing: its step is 0, and so is what is stored.
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(steps > 0, (vectors - least) / steps, np.float32(0))
    if precision == "uint8":
        return np.clip(values, 0, 255).astype(np.uint8)
    return np.clip(values - np.float32(128), -128, 127).astype(np.int8)
