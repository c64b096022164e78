"""What sentence-transformers has besides vectors: similarities, devices, pools, tokens; mixed into `Embedder`."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from . import _similarity
from ._calls import as_list
from ._models import Model, check_device


class SentenceTransformerNames(Model):
    """Methods of sentence-transformers that follow from vectors and tokens. Not to be made itself."""

    truncate_dim: int | None

    @contextlib.contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Keep another number of values within a ``with`` block."""
        before = self.truncate_dim
        self.truncate_dim = truncate_dim
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    def to(self, device: Any) -> SentenceTransformerNames:
        """Stay on the CPU; raises for any other device."""
        check_device(device)
        return self

    def cpu(self) -> SentenceTransformerNames:
        """Stay on the CPU."""
        return self

    def eval(self) -> SentenceTransformerNames:
        """Do nothing: nothing here is trained."""
        return self

    # Similarity

    @property
    def similarity_fn_name(self) -> str:
        """What `similarity` computes."""
        return self._similarity_fn_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        name = getattr(name, "value", name)  # sentence-transformers has an enum of the same names
        if name not in _similarity.FUNCTIONS:
            raise ValueError(f"similarity_fn_name is {name!r}, expected one of {list(_similarity.FUNCTIONS)}")
        self._similarity_fn_name = name

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """How alike each vector of one set is to each of another, [first, second]; tensors in give a tensor."""
        return _similarity.similarity(self._similarity_fn_name, embeddings1, embeddings2, pairwise=False)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """How alike the vectors of each pair are, [pairs]; tensors in give a tensor."""
        return _similarity.similarity(self._similarity_fn_name, embeddings1, embeddings2, pairwise=True)

    # Tokens, and what a pool of processes is for elsewhere

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the model."""
        from ._tokenizer import Tokenizer

        return Tokenizer(self)

    def tokenize(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The ids that the model reads: "input_ids" and "attention_mask", padded on the left."""
        end = self._info.end_of_text_id
        lists = [ids + [end] for ids in self.tokenizer.encode(as_list(texts))]
        width = max(map(len, lists), default=0)
        ids, mask = np.full((len(lists), width), end, np.int64), np.zeros((len(lists), width), np.int64)
        for row, tokens in enumerate(lists):
            ids[row, width - len(tokens):] = tokens
            mask[row, width - len(tokens):] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def start_multi_process_pool(self, target_devices: Sequence[str] | None = None) -> dict[str, Any]:
        """Do nothing and give a pool that `encode` takes: one call uses all cores, with one model in memory."""
        check_device(target_devices)
        return {"input": None, "output": None, "processes": []}

    @staticmethod
    def stop_multi_process_pool(pool: Mapping[str, Any]) -> None:
        """Do nothing."""
