"""Reranker: how well documents answer a query, with the names of sentence-transformers' CrossEncoder."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Literal, Mapping, Sequence

import numpy as np

from . import _library as c
from ._calls import RESULT, PackedTexts, Ticket, as_list, cancellable, run
from ._models import Model, ModelPrecision, check_batch_size, check_device, check_loading, check_long_texts
from .errors import UnsupportedError

#: In the order of q3.h.
_STYLES = ("model", "card", "eval")


class Reranker(Model):
    """A Qwen3-Reranker model.

    Parameters
    ----------
    model_name_or_path : str or path
        A GGUF file, or a name of ``q3 list``.
    prompts, default_prompt_name : optional
        Instructions by name, and which of them counts where none is given.
    activation_fn : callable, optional
        What makes scores of margins, the logits of yes against no; without it the sigmoid, which makes probabilities.
    style : {"model", "card", "eval"}, optional
        The prompt that the file carries, else the card's; that of the model card; or that of the published evaluation.
    threads, precision, long_texts, copy_file, prefix_cache_bytes
        As for `Embedder`; only documents are ever cut.

    Examples
    --------
    >>> reranker = q3.Reranker("qwen3-reranker-0.6b-q8_0")
    >>> reranker.rank("capital of China", ["Bread and salt.", "Beijing."])
    [{'corpus_id': 1, 'score': 0.99...}, {'corpus_id': 0, 'score': 0.00...}]
    """

    _kind = c.RERANKER

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        *,
        modules: Any = None,
        device: Any = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        cache_folder: str | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        local_files_only: bool = False,
        token: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        processor_kwargs: Mapping[str, Any] | None = None,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        config_kwargs: Mapping[str, Any] | None = None,
        model_card_data: Any = None,
        backend: str | None = None,
        num_labels: int | None = None,
        max_length: int | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        threads: int | None = None,
        precision: ModelPrecision = "auto",
        style: Literal["model", "card", "eval"] = "model",
        long_texts: Literal["warn", "truncate", "raise"] = "warn",
        copy_file: bool = False,
        prefix_cache_bytes: int = 0,
    ) -> None:
        check_loading(
            modules=modules, device=device, revision=revision, model_kwargs=model_kwargs, config_kwargs=config_kwargs,
            backend=backend,
        )
        if num_labels not in (None, 1):
            raise UnsupportedError(f"num_labels={num_labels} cannot be used: a Qwen3 reranker gives one score")
        if style not in _STYLES:
            raise ValueError(f'style is {style!r}, expected one of {", ".join(_STYLES)}')
        check_long_texts(long_texts)
        super().__init__(
            model_name_or_path, threads=threads, precision=precision, copy_file=copy_file,
            prefix_cache_bytes=prefix_cache_bytes,
        )
        if max_length is not None and max_length != self.max_length:
            raise UnsupportedError(
                f"max_length={max_length} cannot be used: the model takes {self.max_length} tokens, and documents are not cut "
                "before that"
            )
        self._take(prompts or {}, default_prompt_name, long_texts)
        self.activation_fn = activation_fn
        self.style = style

    @property
    def max_length(self) -> int:
        """Most tokens of a whole prompt."""
        return self._info.token_limit

    @property
    def num_labels(self) -> int:
        """Always 1."""
        return 1

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    def predict(
        self,
        inputs: Sequence[tuple[str, str]] | tuple[str, str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        pool: Any = None,
        chunk_size: int | None = None,
        *,
        ticket: Ticket | None = None,
    ) -> Any:
        """Scores of pairs of a query and a document, in their order.

        Parameters
        ----------
        inputs : list of pairs of str, or one pair
            Query and document.
        prompt_name, prompt : str, optional
            The instruction: what counts as relevant, in a sentence. Without one the model card's.
        activation_fn : callable, optional
            What makes scores of margins, as in the constructor.

        Returns
        -------
        numpy.ndarray
            float32 of shape [pairs], or one number for one pair.
        """
        check_device(device)
        check_batch_size(batch_size)
        if apply_softmax:
            raise UnsupportedError("apply_softmax=True cannot be used: there is one score, not one per label")
        is_single = len(inputs) == 2 and all(isinstance(part, str) for part in inputs)
        pairs = [inputs] if is_single else list(inputs)
        for index, pair in enumerate(pairs):
            if isinstance(pair, (str, bytes)) or not hasattr(pair, "__len__") or len(pair) != 2:
                raise TypeError(f"inputs[{index}] is not a pair of a query and a document")
        scores, _ = self._scores(
            [pair[0] for pair in pairs], [pair[1] for pair in pairs], self._chosen_prompt(prompt_name, prompt),
            activation_fn, bool(show_progress_bar), ticket,
        )
        if convert_to_tensor:
            import torch

            tensor = torch.from_numpy(scores)
            return tensor[0] if is_single else tensor
        if is_single:
            return scores[0]
        return scores if convert_to_numpy else list(scores)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        device: Any = None,
        pool: Any = None,
        chunk_size: int | None = None,
        *,
        ticket: Ticket | None = None,
    ) -> list[dict[str, Any]]:
        """Documents with their scores, best first; equal ones keep their order.

        Returns
        -------
        list of dict
            "corpus_id", the position in `documents`; "score"; and "text" with ``return_documents=True``.
        """
        check_device(device)
        check_batch_size(batch_size)
        if not isinstance(query, str):
            raise TypeError(f"query is of type {type(query).__name__}, expected a str")
        texts = as_list(documents, "documents")
        scores, margins = self._scores(
            [query], texts, self._chosen_prompt(prompt_name, prompt), activation_fn, bool(show_progress_bar), ticket
        )
        # By the margin: probabilities saturate, and would then leave documents in the order they came in.
        order = np.argsort(-margins, kind="stable")[: None if top_k is None else top_k]
        ranked = [{"corpus_id": int(index), "score": scores[index]} for index in order]
        if return_documents:
            for entry in ranked:
                entry["text"] = texts[entry["corpus_id"]]
        return ranked

    async def arank(self, query: str, documents: Sequence[str], **arguments: Any) -> list[dict[str, Any]]:
        """As `rank`, without blocking the event loop. Cancelling the task cancels the computation."""
        return await cancellable(lambda ticket: self.rank(query, documents, ticket=ticket, **arguments))

    def margins(self, query: str | Sequence[str], documents: Sequence[str], *, prompt: str | None = None) -> np.ndarray:
        """The logits of yes against no, which do not saturate; one query for all documents, or one for each."""
        queries = [query] if isinstance(query, str) else as_list(query, "query")
        return self._scores(queries, as_list(documents, "documents"), self._chosen_prompt(None, prompt), None, False, None)[1]

    def _options(self, instruction: str | None) -> c.ScoreOptions:
        text = None if instruction is None else PackedTexts([instruction], "prompt").block
        return c.ScoreOptions(
            size=ctypes.sizeof(c.ScoreOptions), style=_STYLES.index(self.style),
            truncates=int(self.long_texts != "raise"), instruction=text, instruction_length=len(text or b""),
        )

    def _scores(
        self, queries: Sequence[str], documents: Sequence[str], instruction: str | None,
        activation_fn: Callable[[Any], Any] | None, show_progress: bool, ticket: Ticket | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        model = self._handle.value
        packed_queries, packed = PackedTexts(queries, "queries"), PackedTexts(documents, "documents")
        scores, margins = np.empty(len(packed), np.float32), np.empty(len(packed), np.float32)
        if not len(packed):
            return scores, margins
        options = self._options(instruction)
        results = np.zeros(len(packed), RESULT)
        error = run(
            lambda ticket, error: c.library().q3_score(
                model, packed_queries.struct, packed.struct, options, scores.ctypes.data, margins.ctypes.data,
                results.ctypes.data, ticket, error,
            ),
            description="Scoring", show_progress=show_progress, ticket=ticket,
        )
        failed = np.flatnonzero(results["status"])
        if len(failed):
            raise error.exception(int(results["status"][failed[0]]))
        if self.long_texts == "warn":
            self._warn(results, f"documents do not fit into {self.max_length} tokens with their query")
        activation_fn = activation_fn or self.activation_fn
        if activation_fn is not None:
            scores = _activated(activation_fn, margins)
        return scores, margins


def _activated(activation_fn: Callable[[Any], Any], margins: np.ndarray) -> np.ndarray:
    """Scores by a function of arrays, or by a module of torch, which wants tensors."""
    if any(kind.__module__.partition(".")[0] == "torch" for kind in type(activation_fn).__mro__):
        import torch

        return activation_fn(torch.from_numpy(margins)).detach().numpy()
    return np.asarray(activation_fn(margins), np.float32)


CrossEncoder = Reranker
