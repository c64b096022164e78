"""Embedder: texts in, vectors out, with the names of sentence-transformers."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Literal, Mapping, Sequence

import numpy as np

from . import _library as c
from . import _similarity
from ._adapter import Adapter
from ._arrow_embedding import ArrowEmbedding, Precision
from ._calls import RESULT, PackedTexts, Ticket, as_list, cancellable, run
from ._models import ModelPrecision, check_batch_size, check_device, check_loading, check_long_texts
from .errors import UnsupportedError


class Embedder(ArrowEmbedding):
    """A Qwen3-Embedding model.

    A text has the same bits whatever else is in the call, whatever the batch size and the number of threads, and the same as
    ``q3 embed`` gives. All cores are used by one call; any number of threads may call at once.

    Parameters
    ----------
    model_name_or_path : str or path, optional
        A GGUF file, or a name of ``q3 list``. Without it the built-in q3-mini is used, which is small and English.
    prompts : dict of str to str, optional
        What is put before texts, by name. Without it ``"query"`` is the model card's instruction and ``"document"`` is
        empty; both are empty for models that take no instructions.
    default_prompt_name : str, optional
        The prompt of `encode` where none is given.
    similarity_fn_name : {"cosine", "dot", "euclidean", "manhattan"}, optional
        What `similarity` computes.
    truncate_dim : int, optional
        Values to keep of each vector, which then has unit length again; the models are trained for 32 and up.
    threads : int, optional
        Threads that compute; one per core without it.
    precision : {"auto", "fast", "fine", "exact"}, optional
        How far activations are rounded: "fast" to 8 bits, "fine" to 14, "exact" not at all (float32); "auto" to what
        the type of the file deserves.
    long_texts : {"warn", "truncate", "raise"}, optional
        What happens to texts with more tokens than the model takes: cut with one warning, cut in silence, or
        `TextTooLongError`.
    copy_file : bool, optional
        Read the file into memory instead of mapping it, for folders where others may write to it.
    prefix_cache_bytes : int, optional
        Memory for prefixes that come back in later calls, such as long instructions.
    adapter : path, optional
        A file of ``q3 tune adapter`` for this model. It changes the vectors of queries: of `encode_query`, and of every call
        whose prompt is neither empty nor that of documents. One that was made to change documents too changes all.

    Other parameters are those of sentence-transformers: what changes nothing here is accepted, and what cannot be honoured
    raises `UnsupportedError`.

    Raises
    ------
    ModelNotFoundError, BadModelError, WrongModelError, ResourceError, ForkedError

    Examples
    --------
    >>> import q3
    >>> model = q3.Embedder()
    >>> vectors = model.encode(["The capital of China is Beijing.", "Gravity pulls bodies together."])
    >>> vectors.shape
    (2, 256)
    """

    _kind = c.EMBEDDER

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str] | None = None,
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
        use_auth_token: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        processor_kwargs: Mapping[str, Any] | None = None,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        config_kwargs: Mapping[str, Any] | None = None,
        model_card_data: Any = None,
        backend: str | None = None,
        similarity_fn_name: str | None = None,
        truncate_dim: int | None = None,
        threads: int | None = None,
        precision: ModelPrecision = "auto",
        long_texts: Literal["warn", "truncate", "raise"] = "warn",
        copy_file: bool = False,
        prefix_cache_bytes: int = 0,
        adapter: str | os.PathLike[str] | None = None,
    ) -> None:
        self._adapter_path = None if adapter is None else os.fspath(adapter)
        check_loading(
            modules=modules, device=device, revision=revision, model_kwargs=model_kwargs, config_kwargs=config_kwargs,
            backend=backend,
        )
        check_long_texts(long_texts)
        super().__init__(
            model_name_or_path, threads=threads, precision=precision, copy_file=copy_file,
            prefix_cache_bytes=prefix_cache_bytes,
        )
        if prompts is None:
            prompts = {"query": self._handle.text(c.TEXT_QUERY_PROMPT), "document": ""}
        self._take(prompts, default_prompt_name, long_texts)
        self.similarity_fn_name = similarity_fn_name or "cosine"
        self.truncate_dim = truncate_dim

    def _open(self) -> None:
        super()._open()
        self._adapter = None if self._adapter_path is None else Adapter(self._adapter_path, self._handle)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_adapter")
        return state

    # Facts

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that name the space of document vectors, with those of an adapter that changes them."""
        return super().fingerprint if self._adapter is None else self._adapter.text(c.ADAPTER_FINGERPRINT)

    @property
    def dimensions(self) -> int:
        """Values of a full vector."""
        return self._info.dimensions

    def get_embedding_dimension(self) -> int:
        """Values of the vectors that `encode` gives."""
        return self.truncate_dim or self._info.dimensions

    get_sentence_embedding_dimension = get_embedding_dimension

    @property
    def max_seq_length(self) -> int:
        """Most tokens of a text, with the closing ``<|endoftext|>``. Cannot be changed."""
        return self._info.token_limit

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        if value is not None and value != self._info.token_limit:
            raise UnsupportedError(
                f"max_seq_length cannot be set to {value}: the model takes {self._info.token_limit} tokens, and texts are not cut "
                "before that; cut them beforehand, for instance by their Tokenizer.offsets"
            )

    def get_max_seq_length(self) -> int:
        """As `max_seq_length`."""
        return self.max_seq_length

    @property
    def takes_instructions(self) -> bool:
        """Whether the model was trained with instructions before queries."""
        return bool(self._info.takes_instructions)

    @property
    def truncate_dim(self) -> int | None:
        """Values to keep of each vector; None keeps all."""
        return self._truncate_dim

    @truncate_dim.setter
    def truncate_dim(self, value: int | None) -> None:
        self._truncate_dim = self._checked_dimensions(value)

    def _checked_dimensions(self, value: int | None) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"truncate_dim is {value!r}, expected a number or None")
        if not 1 <= value.__index__() <= self.dimensions:
            raise ValueError(f"truncate_dim is {value}, but this model gives 1 to {self.dimensions} dimensions")
        return value.__index__()

    # Vectors

    def encode(
        self,
        inputs: str | Sequence[str] = None,  # type: ignore[assignment]
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding"] | None = "sentence_embedding",
        precision: Precision = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pool: Any = None,
        chunk_size: int | None = None,
        *,
        sentences: str | Sequence[str] | None = None,
        ranges: np.ndarray | None = None,
        parse_special_tokens: bool = False,
        long_texts: Literal["warn", "truncate", "raise"] | None = None,
        ticket: Ticket | None = None,
    ) -> Any:
        """The vectors of texts.

        Parameters
        ----------
        inputs : str or list of str
            One text gives one vector, a list a matrix with a row for each.
        prompt_name, prompt : str, optional
            What is put before the texts: one of `prompts` by name, or the text itself.
        show_progress_bar : bool, optional
            Show how far the call is, on stderr.
        precision : str, optional
            "float32", "float16", "int8", "uint8", "binary" or "ubinary".
        convert_to_numpy, convert_to_tensor : bool, optional
            A torch tensor instead of an array, or a list of arrays.
        truncate_dim : int, optional
            Values to keep of each vector, which then has unit length again.
        ranges : array, optional
            Smallest and largest value of each dimension, [2, dimensions], for "int8" and "uint8". Without it they are taken
            from the texts of the call, so that only vectors of one call are comparable.
        parse_special_tokens : bool, optional
            Read ``<|im_end|>`` and the like in texts as control tokens; not for text from elsewhere.
        long_texts : str, optional
            As in the constructor, for this call.
        batch_size, normalize_embeddings, pool, chunk_size
            Accepted and without effect: batches do not change a bit, vectors always have unit length, and one call uses
            all cores.

        Returns
        -------
        numpy.ndarray
            float32 of shape [texts, dimensions], or [dimensions] for one text. Shape (0, dimensions) for no texts.

        Raises
        ------
        TypeError
            For what is not text, with its position.
        TextError, TextTooLongError
            For a text that has no vector, with its position in `index`.
        UnsupportedError
            For ``output_value="token_embeddings"`` and for other devices.
        """
        if inputs is None:
            inputs = sentences  # the name of earlier versions
        if inputs is None:
            raise TypeError("encode() needs the texts")
        if output_value != "sentence_embedding":
            raise UnsupportedError(f"output_value={output_value!r} cannot be used: q3 keeps no states of single tokens")
        check_device(device)
        check_batch_size(batch_size)
        is_single = isinstance(inputs, str)
        texts = [inputs] if is_single else as_list(inputs, "inputs")
        if precision not in c.TYPES:
            raise ValueError(f"precision is {precision!r}, expected one of {list(c.TYPES)}")
        dimensions = self._checked_dimensions(truncate_dim) or self.get_embedding_dimension()
        vectors = self._vectors(
            texts, self._chosen_prompt(prompt_name, prompt) or "", dimensions, adapter=self._chosen_adapter(prompt_name, prompt),
            show_progress=bool(show_progress_bar), parses_special_tokens=parse_special_tokens,
            long_texts=long_texts or self.long_texts, ticket=ticket,
        )
        if precision != "float32":
            vectors = _similarity.quantized(vectors, precision, ranges)
        if convert_to_tensor:
            import torch

            tensor = torch.from_numpy(vectors)
            return tensor[0] if is_single else tensor
        if is_single:
            return vectors[0]
        return vectors if convert_to_numpy else list(vectors)

    def encode_query(self, inputs: str | Sequence[str], prompt_name: str | None = None, prompt: str | None = None,
                     **arguments: Any) -> Any:
        """The vectors of queries: `encode` with the prompt "query" where none is given."""
        if prompt_name is None and prompt is None and "query" in self.prompts:
            prompt_name = "query"
        return self.encode(inputs, prompt_name, prompt, **arguments)

    def encode_document(self, inputs: str | Sequence[str], prompt_name: str | None = None, prompt: str | None = None,
                        **arguments: Any) -> Any:
        """The vectors of documents: `encode` with the prompt "document" where none is given."""
        if prompt_name is None and prompt is None:
            candidates = [name for name in ("document", "passage", "corpus") if name in self.prompts]
            if candidates:
                prompt_name = candidates[0]
        return self.encode(inputs, prompt_name, prompt, **arguments)

    async def aencode(self, inputs: str | Sequence[str], **arguments: Any) -> Any:
        """As `encode`, without blocking the event loop. Cancelling the task cancels the computation."""
        return await cancellable(lambda ticket: self.encode(inputs, ticket=ticket, **arguments))

    def _chosen_adapter(self, prompt_name: str | None, prompt: str | None) -> Adapter | None:
        """The adapter, where it changes texts with this prompt."""
        if self._adapter is None or self._adapter.changes_documents:
            return self._adapter
        name = None if prompt is not None else prompt_name if prompt_name is not None else self.default_prompt_name
        # Models without instructions have an empty prompt for queries, which is told by its name.
        is_query = name == "query" or bool(self._chosen_prompt(prompt_name, prompt))
        return self._adapter if is_query and name not in ("document", "passage", "corpus") else None

    def _options(
        self, prompt: str, dimensions: int, type: str, truncates: bool, special: bool, adapter: Adapter | None = None
    ) -> c.EmbedOptions:
        prefix = PackedTexts([prompt], "prompt").block
        return c.EmbedOptions(
            size=ctypes.sizeof(c.EmbedOptions), dimensions=dimensions, type=c.TYPES[type], truncates=int(truncates),
            parses_special_tokens=int(special), prefix=prefix, prefix_length=len(prefix),
            adapter=None if adapter is None else adapter.value,
        )

    def _vectors(
        self, texts: Sequence[str], prompt: str, dimensions: int, *, adapter: Adapter | None = None,
        show_progress: bool = False,
        parses_special_tokens: bool = False, long_texts: str = "warn", ticket: Ticket | None = None,
    ) -> np.ndarray:
        model = self._handle.value
        packed = PackedTexts(texts, "inputs")
        vectors = np.empty((len(packed), dimensions), np.float32)
        if not len(packed):
            return vectors
        options = self._options(prompt, dimensions, "float32", long_texts != "raise", parses_special_tokens, adapter)
        results = np.zeros(len(packed), RESULT)
        # Results are asked for only to see what was cut; the first text without a vector still ends the call.
        error = run(
            lambda ticket, error: c.library().q3_embed(
                model, packed.struct, options, vectors.ctypes.data, vectors.nbytes, results.ctypes.data, ticket, error
            ),
            description="Embedding", show_progress=show_progress, ticket=ticket,
        )
        failed = np.flatnonzero(results["status"])
        if len(failed):
            raise error.exception(int(results["status"][failed[0]]))
        if long_texts == "warn":
            self._warn(results, f"texts have more than {self.max_seq_length} tokens")
        return vectors


SentenceTransformer = Embedder
