"""Translations and hard negatives: pairs that models are trained on."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Sequence

import numpy as np

from . import _library as c
from ._calls import PackedTexts
from ._groups import _PAIR
from ._rows import Inputs, Rows, analyze, at_least, choice, same_space, sized

if TYPE_CHECKING:
    from ._embedder import Embedder
    from ._reranker import Reranker

__all__ = ["MinedNegatives", "mine_bitext", "mine_negatives", "score_bitext"]

Margin = Literal["ratio", "distance", "absolute"]
Retrieval = Literal["max", "forward", "backward", "intersect"]

# In the order of q3.h.
_MARGINS = ("ratio", "distance", "absolute")
_RETRIEVALS = ("max", "forward", "backward", "intersect")
_MAX_SCORE, _MIN_SCORE, _ABSOLUTE_MARGIN, _RELATIVE_MARGIN = 1, 2, 4, 8


def mine_bitext(
    left: Inputs, right: Inputs, *, threshold: float | None = None, margin: Margin = "ratio",
    retrieval: Retrieval = "max", neighbors: int = 4, model: Embedder | None = None, instruct: str | None = None,
    threads: int | None = None, show_progress_bar: bool = False,
) -> list[tuple[float, int, int]]:
    """Sentences of two languages that are translations of each other, by margin scores with LASER's names and defaults.

    Only a model that was trained in both languages finds any; q3-mini was not.

    Parameters
    ----------
    left, right : list of str, or array of shape [rows, dimensions]
        Sentences of the two languages, or their vectors.
    threshold : float, optional
        The least score of a pair; 1.06 is a start for ratios.
    margin : {"ratio", "distance", "absolute"}, optional
        How a cosine is set against those of the neighbours of both sentences.
    retrieval : {"max", "forward", "backward", "intersect"}, optional
        The best of both directions with each sentence once; for each left sentence its best right one; the other way; or
        what is best both ways.
    neighbors : int, optional
        Neighbours that a pair is set against.
    model, instruct, threads, show_progress_bar
        As for `duplicates`.

    Returns
    -------
    list of (float, int, int)
        Score, row of the left and row of the right side, best first.
    """
    rows, other, options = _both(
        left, right, threshold, margin, retrieval, neighbors, model, instruct, threads, show_progress_bar
    )
    pairs, count = np.empty(len(rows) + len(other), _PAIR), np.zeros(1, np.int64)
    analyze(
        "q3_mine_bitext", rows.struct, other.struct, options, pairs.ctypes.data, len(pairs), count.ctypes.data,
        description="Comparing", show_progress_bar=show_progress_bar,
    )
    found = pairs[: count[0]]
    return list(zip(found["score"].tolist(), found["first"].tolist(), found["second"].tolist()))


def score_bitext(
    left: Inputs, right: Inputs, *, margin: Margin = "ratio", neighbors: int = 4, model: Embedder | None = None,
    instruct: str | None = None, threads: int | None = None, show_progress_bar: bool = False,
) -> np.ndarray:
    """The margin scores of pairs that are given: row 0 with row 0, 1 with 1 and so on.

    Parameters are those of `mine_bitext`.

    Returns
    -------
    numpy.ndarray
        float32 of shape [rows].
    """
    rows, other, options = _both(
        left, right, None, margin, "max", neighbors, model, instruct, threads, show_progress_bar
    )
    scores = np.empty(len(rows), np.float32)
    analyze(
        "q3_score_bitext", rows.struct, other.struct, options, scores.ctypes.data, description="Comparing",
        show_progress_bar=show_progress_bar,
    )
    return scores


def _both(
    left: Inputs, right: Inputs, threshold: float | None, margin: str, retrieval: str, neighbors: int,
    model: Embedder | None, instruct: str | None, threads: int | None, show_progress_bar: bool,
) -> tuple[Rows, Rows, ctypes.Structure]:
    options = sized(
        c.BitextOptions, margin=choice(margin, _MARGINS, "margin"),
        retrieval=choice(retrieval, _RETRIEVALS, "retrieval"), neighbors=at_least(neighbors, 1, "neighbors"),
        has_threshold=int(threshold is not None), threshold=threshold or 0, threads=threads or 0,
    )
    rows = Rows(left, "left", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    other = Rows(right, "right", model=model, instruct=instruct, show_progress_bar=show_progress_bar)
    same_space(rows, other, "right")
    return rows, other, options


@dataclass(frozen=True)
class MinedNegatives:
    """What `mine_negatives` found."""

    #: int64 of shape [queries, num_negatives]: passages, the hardest first, then -1 where there are no more.
    rows: np.ndarray
    #: float32 of the same shape: cosines, or the reranker's scores; NaN for -1.
    scores: np.ndarray
    #: The score of each query's positives.
    positive_scores: list[np.ndarray]


def mine_negatives(
    queries: Inputs, passages: Inputs, positives: Sequence[int | Sequence[int]], *, num_negatives: int = 3,
    range_min: int = 0, range_max: int | None = None, max_score: float | None = None, min_score: float | None = None,
    absolute_margin: float | None = None, relative_margin: float | None = None,
    sampling_strategy: Literal["top", "random"] = "top", seed: int = 0, model: Embedder | None = None,
    reranker: Reranker | None = None, instruct: str | None = None, threads: int | None = None,
    show_progress_bar: bool = False,
) -> MinedNegatives:
    """Passages that are near to a query and do not answer it, with the parameters of sentence-transformers' `mine_hard_negatives`.

    Parameters
    ----------
    queries, passages : list of str, or array of shape [rows, dimensions]
        Texts or their vectors. Texts of queries are embedded with the prompt for queries.
    positives : list of int or of list of int
        For each query the rows of the passages that answer it.
    num_negatives : int, optional
        Negatives of each query.
    range_min, range_max : int, optional
        Best candidates to skip, and to look at; without `range_max` as many as are needed.
    max_score, min_score : float, optional
        The largest and the least score of a negative.
    absolute_margin, relative_margin : float, optional
        How far below the least score of its positives a negative is, and the same as a part of that score.
    sampling_strategy : {"top", "random"}, optional
        The hardest, or drawn from the candidates with `seed`.
    reranker : Reranker, optional
        Its scores take the place of cosines, which drops passages that do answer the query; needs texts.
    instruct : str, optional
        The queries' task, in a sentence; without it web search.
    model, threads, show_progress_bar
        As for `duplicates`.
    """
    count = at_least(num_negatives, 1, "num_negatives")
    limits = {
        _MAX_SCORE: max_score, _MIN_SCORE: min_score, _ABSOLUTE_MARGIN: absolute_margin,
        _RELATIVE_MARGIN: relative_margin,
    }  # fmt: skip
    texts = {"show_progress_bar": show_progress_bar}
    query_rows = _queries(queries, model, instruct, **texts)
    passage_rows = Rows(passages, "passages", model=model, **texts)
    same_space(query_rows, passage_rows, "passages")
    answers = [[one] if hasattr(one, "__index__") else list(one) for one in positives]  # type: ignore[list-item, arg-type]
    if len(answers) != len(query_rows):
        raise ValueError(f"positives of {len(answers)} queries, expected those of {len(query_rows)}")
    offsets = np.zeros(len(answers) + 1, np.int64)
    np.cumsum([len(one) for one in answers], out=offsets[1:])
    flat = np.array([row for one in answers for row in one], np.int64)
    options = sized(
        c.NegativeOptions, count=count, range_min=at_least(range_min, 0, "range_min"),
        range_max=0 if range_max is None else at_least(range_max, 1, "range_max"),
        limits=sum(bit for bit, value in limits.items() if value is not None), max_score=max_score or 0,
        min_score=min_score or 0, absolute_margin=absolute_margin or 0, relative_margin=relative_margin or 0,
        is_random=choice(sampling_strategy, ("top", "random"), "sampling_strategy"), seed=at_least(seed, 0, "seed"),
        threads=threads or 0,
    )
    kept = _reading(options, reranker, query_rows, passage_rows, instruct)
    rows, scores = np.empty((len(answers), count), np.int64), np.empty((len(answers), count), np.float32)
    positive_scores = np.empty(len(flat), np.float32)
    analyze(
        "q3_mine_negatives", query_rows.struct, passage_rows.struct, flat.ctypes.data, offsets.ctypes.data, options,
        rows.ctypes.data, scores.ctypes.data, positive_scores.ctypes.data,
        description="Comparing" if reranker is None else "Reranking", show_progress_bar=show_progress_bar,
    )
    del kept
    return MinedNegatives(rows, scores, np.split(positive_scores, offsets[1:-1]) if answers else [])


def _queries(queries: Inputs, model: Embedder | None, instruct: str | None, show_progress_bar: bool) -> Rows:
    """Texts of queries get the prompt for queries, where the model has one."""
    from ._rows import _DEFAULT_TASK, _numbers, built_in

    if _numbers(queries, "queries") is not None:
        return Rows(queries, "queries")
    model = model if model is not None else built_in()
    task = instruct if instruct is not None else _DEFAULT_TASK if model.takes_instructions else None
    return Rows(queries, "queries", model=model, instruct=task, show_progress_bar=show_progress_bar)


def _reading(
    options: ctypes.Structure, reranker: Reranker | None, queries: Rows, passages: Rows, instruct: str | None
) -> list[object]:
    """Lets a reranker read the texts; what the options point to is returned, to be kept during the call."""
    if reranker is None:
        return []
    if queries.texts is None or passages.texts is None:
        raise ValueError("a reranker reads texts; give those of queries and passages, not vectors")
    packed = PackedTexts(queries.texts, "queries"), PackedTexts(passages.texts, "passages")
    scoring = reranker._options(instruct)
    options.reranker = reranker._handle.value
    options.query_texts, options.passage_texts = (ctypes.pointer(one.struct) for one in packed)
    options.score_options = ctypes.pointer(scoring)
    return [*packed, scoring]
