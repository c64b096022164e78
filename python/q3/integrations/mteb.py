"""MTEB: models that its tasks run."""

from __future__ import annotations

from typing import Any

import numpy as np
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta
from mteb.types import PromptType

from .._embedder import Embedder


class Q3Encoder(AbsEncoder):
    """An embedding model for ``mteb.evaluate``.

    Parameters
    ----------
    model : str, path or Embedder, optional
        A model that is open, or what `Embedder` takes, with the other arguments.
    """

    def __init__(self, model: Any = None, **arguments: Any) -> None:
        self.model = model if isinstance(model, Embedder) else Embedder(model, long_texts="truncate", **arguments)
        name = (self.model.name or "q3-mini").replace("/", "-")
        self.mteb_model_meta = ModelMeta.create_empty({"name": f"q3/{name}", "revision": self.model.fingerprint})

    def encode(
        self, inputs: Any, *, task_metadata: Any, hf_split: str, hf_subset: str, prompt_type: Any = None, **kwargs: Any
    ) -> np.ndarray:
        """The vectors of batches of texts; queries get the task's instruction if the model takes any."""
        texts = [text for batch in inputs for text in batch["text"]]
        prompt = ""
        if self.model.takes_instructions and prompt_type != PromptType.document:
            instruction = self.get_instruction(task_metadata, prompt_type)
            prompt = f"Instruct: {instruction}\nQuery:"
        return self.model.encode(texts, prompt=prompt)
