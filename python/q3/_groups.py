"""Near-duplicates, clusters and communities: which texts or vectors belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence

import numpy as np

from . import _library as c
from ._rows import Inputs, Rows, analyze, at_least, same_space, sized

if TYPE_CHECKING:
    from ._embedder import Embedder

__all__ = ["Clusters", "cluster", "communities", "duplicates", "matches", "paraphrase_mining"]

_PAIR = np.dtype([("first", "<i8"), ("second", "<i8"), ("score", "<f4"), ("reserved", "<i4")])


def duplicates(
    inputs: Inputs, *, threshold: float = 0.9, model: Embedder | None = None, instruct: str | None = None,
    threads: int | None = None, show_progress_bar: bool = False,
) -> list[list[int]]:
    """Groups of near-duplicates, as ``q3 duplicates`` finds them: none is missed.

    Parameters
    ----------
    inputs : list of str, or array of shape [rows, dimensions]
        Texts, or vectors of one model, which need not have unit length.
    threshold : float, optional
        The least cosine of two near-duplicates. Groups are what they link: in a chain the ends may be less similar.
    model : Embedder, optional
        What embeds texts; without it the built-in q3-mini.
    instruct : str, optional
        What the texts are for, in a sentence, for models that take instructions.
    threads : int, optional
        Threads that compute; one per core without it. They change no result.
    show_progress_bar : bool, optional
        Show how far the call is, on stderr.

    Returns
    -------
    list of list of int
        The rows of each group; rows without a near-duplicate are in none.

    Raises
    ------
    ValueError
        For a vector of zeros or with a NaN, with its row.

    Examples
    --------
    >>> q3.duplicates(["Bread is baked.", "Gravity pulls.", "Bread is baked!"])
    [[0, 2]]
    """
    rows = Rows(inputs, "inputs", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    groups = np.empty(len(rows), np.int64)
    analyze(
        "q3_find_duplicates", rows.struct, _threshold(threshold, threads), groups.ctypes.data, None, 0, None, None,
        description="Comparing", show_progress_bar=show_progress_bar,
    )
    members: list[list[int]] = [[] for _ in range(int(groups.max(initial=-1)) + 1)]
    for row in np.flatnonzero(groups >= 0):
        members[groups[row]].append(int(row))
    return members


def paraphrase_mining(
    inputs: Inputs, *, threshold: float = 0.5, max_pairs: int = 500_000, model: Embedder | None = None,
    instruct: str | None = None, threads: int | None = None, show_progress_bar: bool = False,
) -> list[tuple[float, int, int]]:
    """The most similar pairs of texts or vectors, in the form of sentence-transformers' `paraphrase_mining`.

    Its `top_k` is not needed: all pairs above the threshold are compared, and the best are kept.

    Parameters
    ----------
    threshold : float, optional
        The least cosine of a pair; the higher it is, the faster the call.
    max_pairs : int, optional
        Pairs to return at most.
    inputs, model, instruct, threads, show_progress_bar
        As for `duplicates`.

    Returns
    -------
    list of (float, int, int)
        Cosine and the two rows, the most similar first.
    """
    rows = Rows(inputs, "inputs", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    possible = len(rows) * (len(rows) - 1) // 2
    capacity = min(at_least(max_pairs, 1, "max_pairs"), max(possible, 1))
    pairs, count = np.empty(capacity, _PAIR), np.zeros(1, np.int64)
    analyze(
        "q3_find_duplicates", rows.struct, _threshold(threshold, threads), None, pairs.ctypes.data, capacity,
        count.ctypes.data, None, description="Comparing", show_progress_bar=show_progress_bar,
    )
    found = pairs[: count[0]]
    return list(zip(found["score"].tolist(), found["first"].tolist(), found["second"].tolist()))


def matches(
    inputs: Inputs, others: Inputs, *, threshold: float = 0.9, model: Embedder | None = None,
    instruct: str | None = None, threads: int | None = None, show_progress_bar: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """For each row the most similar one of others: what of a training set is in a test set.

    Parameters
    ----------
    others : list of str, or array
        Where to look.
    inputs, threshold, model, instruct, threads, show_progress_bar
        As for `duplicates`.

    Returns
    -------
    rows : numpy.ndarray
        int64 of shape [rows]: the row of `others`, or -1 where none reaches the threshold.
    scores : numpy.ndarray
        float32 of shape [rows]: the cosine, or NaN.
    """
    rows = Rows(inputs, "inputs", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    other = Rows(others, "others", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    same_space(rows, other, "others")
    found, scores = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    analyze(
        "q3_find_matches", rows.struct, other.struct, _threshold(threshold, threads), found.ctypes.data,
        scores.ctypes.data, description="Comparing", show_progress_bar=show_progress_bar,
    )
    return found, scores


@dataclass(frozen=True)
class Clusters:
    """What `cluster` found."""

    #: int64 of shape [rows]: the cluster of each row.
    labels: np.ndarray
    #: float32 of shape [rows]: the cosine of each row and its center.
    similarities: np.ndarray
    #: float32 of shape [clusters, dimensions], of unit length.
    centers: np.ndarray
    #: Rounds that were made.
    rounds: int


def cluster(
    inputs: Inputs, n_clusters: int = 10, *, seed: int = 0, max_iter: int = 100, init: Sequence[int] | None = None,
    model: Embedder | None = None, instruct: str | None = None, threads: int | None = None,
    show_progress_bar: bool = False,
) -> Clusters:
    """Clusters of a given number, as ``q3 cluster --clusters``: k-means on the sphere, where nearness is the cosine.

    Parameters
    ----------
    n_clusters : int, optional
        Clusters to make; there are never more than rows.
    seed : int, optional
        What random draws begin with; the same seed gives the same clusters.
    max_iter : int, optional
        Rounds at most.
    init : list of int, optional
        Rows that are the first centers, `n_clusters` of them, instead of those that k-means++ draws.
    inputs, model, instruct, threads, show_progress_bar
        As for `duplicates`.
    """
    count = at_least(n_clusters, 1, "n_clusters")
    start = None if init is None else np.ascontiguousarray(init, np.int64)
    if start is not None and start.shape != (count,):
        raise ValueError(f"init has the shape {start.shape}, expected ({count},): a row for each cluster")
    rows = Rows(inputs, "inputs", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    options = sized(
        c.ClusterOptions, count=count, seed=at_least(seed, 0, "seed"), round_limit=at_least(max_iter, 1, "max_iter"),
        start=None if start is None else start.ctypes.data, threads=threads or 0,
    )
    labels, similarities = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    centers = np.empty((min(count, len(rows)), rows.values.shape[1]), np.float32)
    rounds = np.zeros(1, np.int64)
    analyze(
        "q3_cluster", rows.struct, options, labels.ctypes.data, similarities.ctypes.data, centers.ctypes.data,
        rounds.ctypes.data, description="Clustering", show_progress_bar=show_progress_bar,
    )
    return Clusters(labels, similarities, centers, int(rounds[0]))


def communities(
    inputs: Inputs, *, threshold: float = 0.75, min_community_size: int = 10, model: Embedder | None = None,
    instruct: str | None = None, threads: int | None = None, show_progress_bar: bool = False,
) -> list[list[int]]:
    """Clusters by density, whose number nobody has to know, by the definition of sentence-transformers' `community_detection`.

    Parameters
    ----------
    threshold : float, optional
        The least cosine of a community's center and its members.
    min_community_size : int, optional
        Rows of the smallest community, its center among them.
    inputs, model, instruct, threads, show_progress_bar
        As for `duplicates`.

    Returns
    -------
    list of list of int
        The rows of each community, its center in front; the largest community first. Rows in none are outliers.
    """
    least = at_least(min_community_size, 1, "min_community_size")
    rows = Rows(inputs, "inputs", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    options = sized(c.CommunityOptions, threshold=threshold, threads=threads or 0, min_size=least)
    members, ends = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    count = np.zeros(1, np.int64)
    analyze(
        "q3_find_communities", rows.struct, options, members.ctypes.data, ends.ctypes.data, count.ctypes.data,
        description="Comparing", show_progress_bar=show_progress_bar,
    )
    bounds = [0, *ends[: count[0]].tolist()]
    return [members[start:end].tolist() for start, end in zip(bounds, bounds[1:])]


def _threshold(threshold: float, threads: int | None) -> c.DuplicateOptions:
    return sized(c.DuplicateOptions, threshold=threshold, threads=threads or 0)  # type: ignore[return-value]
