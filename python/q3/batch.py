"""Files of requests in OpenAI's batch format, as `vllm run-batch` takes them: embeddings, rerank and score."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from ._embedder import Embedder
from ._reranker import Reranker
from .errors import Q3Error, TextError

#: Requests that are computed together; a killed run loses at most so many.
_WINDOW = 64


class _BadRequest(Exception):
    """What is wrong with one request; it becomes the answer."""

    def __init__(self, message: str, custom_id: Any = None) -> None:
        super().__init__(message)
        self.custom_id = custom_id


@dataclass(frozen=True)
class BatchReport:
    """What a call of `run_batch` did."""

    request_count: int
    #: Requests that were answered by an earlier call that was interrupted.
    resumed_count: int
    failed_count: int


def run_batch(
    input: str | os.PathLike[str], output: str | os.PathLike[str], *, model: str | os.PathLike[str] | None = None,
    reranker: str | os.PathLike[str] | None = None, threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> BatchReport:
    """Answer a file of requests, one for each line, in their order.

    The answers appear when all are there. A call that was interrupted is gone on with by the next one, from
    ``OUTPUT.part`` beside the output.

    Parameters
    ----------
    input : path
        Lines such as ``{"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"input": ["a text"]}}``. The urls
        are ``/v1/embeddings``, ``/v1/rerank``, ``/rerank``, ``/v1/score`` and ``/score``.
    output : path
        Gets a line with the status and body of each answer.
    model, reranker : path or name, optional
        The models; whatever the requests name is taken for these. ``model`` is the built-in one without it.
    """
    input, output = os.fspath(input), os.fspath(output)
    if os.path.exists(output) and os.path.samefile(input, output):
        raise ValueError(f"{output} is the input")
    part = output + ".part"
    models = _Models(model, reranker, threads)
    resumed = _resume(input, part)
    done, failed = 0, 0
    with open(part, "ab") as answers:
        for window in _windows(input, resumed):
            for answer in _answered(window, models):
                failed += answer["response"]["status_code"] != 200
                answers.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                done += 1
            answers.flush()
            os.fsync(answers.fileno())
            if progress is not None:
                progress(resumed + done)
    os.replace(part, output)
    return BatchReport(resumed + done, resumed, failed)


def _lines(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        for line in file:
            if line.strip():
                yield line


def _request_id(line: bytes) -> str:
    """The same for the same request, so that a resumed file equals an undisturbed one."""
    return "batch_req_" + hashlib.sha256(line.strip()).hexdigest()[:24]


def _resume(input: str, part: str) -> int:
    """Cuts off what was not written whole, and gives the number of answers that belong to the first requests."""
    if not os.path.exists(part):
        return 0
    count, end = 0, 0
    requests = _lines(input)
    with open(part, "rb") as file:
        for line in file:
            request = next(requests, None)
            try:
                known = json.loads(line)["id"]
            except (ValueError, KeyError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            if request is None or known != _request_id(request):
                raise ValueError(f"{part} holds answers to other requests than {input}; remove it, or choose another output")
            count, end = count + 1, end + len(line)
    os.truncate(part, end)
    return count


def _windows(input: str, skip: int) -> Iterator[list[bytes]]:
    window: list[bytes] = []
    for index, line in enumerate(_lines(input)):
        if index < skip:
            continue
        window.append(line)
        if len(window) == _WINDOW:
            yield window
            window = []
    if window:
        yield window


class _Models:
    """The models of a run, opened when a request needs them."""

    def __init__(self, model: Any, reranker: Any, threads: int | None) -> None:
        self._names = (model, reranker)
        self._threads = threads
        self._embedder: Embedder | None = None
        self._reranker: Reranker | None = None

    @property
    def embedder(self) -> Embedder:
        if self._embedder is None:
            self._embedder = Embedder(self._names[0], threads=self._threads, long_texts="raise")
        return self._embedder

    @property
    def reranker(self) -> Reranker:
        if self._reranker is None:
            if self._names[1] is None:
                raise _BadRequest("this run has no reranker; give reranker= (--reranker)")
            self._reranker = Reranker(self._names[1], threads=self._threads, long_texts="raise")
        return self._reranker


def _answered(window: list[bytes], models: _Models) -> Iterator[dict[str, Any]]:
    """The answers to some requests; all embeddings of one prompt and size are computed together."""
    requests = [_parsed(line) for line in window]
    vectors = _all_vectors(requests, models)
    for index, (line, request) in enumerate(zip(window, requests)):
        status, body = 200, None
        try:
            if isinstance(request, _BadRequest):
                raise request
            if request["kind"] == "embeddings":
                result = vectors[index]
                if isinstance(result, Exception):
                    raise result
                body = _embeddings(request["body"], result, models.embedder)
            else:
                body = _scores(request, models.reranker)
        except (_BadRequest, TextError, ValueError, TypeError) as error:
            status = 400
            body = {"error": {"message": str(error), "type": "invalid_request_error", "code": 400}}
        yield {
            "id": _request_id(line),
            "custom_id": request.custom_id if isinstance(request, _BadRequest) else request["custom_id"],
            "response": {"status_code": status, "request_id": _request_id(line), "body": body},
            "error": None,
        }


_URLS = {
    "/v1/embeddings": "embeddings", "/embeddings": "embeddings", "/v1/rerank": "rerank", "/v2/rerank": "rerank",
    "/rerank": "rerank", "/v1/score": "score", "/score": "score",
}


def _parsed(line: bytes) -> Any:
    """A request with its kind, or what is wrong with it."""
    try:
        request = json.loads(line)
    except ValueError as error:
        return _BadRequest(f"the line is not JSON: {error}")
    if not isinstance(request, dict) or not isinstance(request.get("body"), dict):
        return _BadRequest('the line is not an object with a "body"', _custom_id(request))
    kind = _URLS.get(request.get("url"))
    if request.get("method", "POST") != "POST" or kind is None:
        return _BadRequest(
            f'"{request.get("method", "POST")} {request.get("url")}" is not among POST {", ".join(_URLS)}', _custom_id(request)
        )
    return {"custom_id": request.get("custom_id"), "kind": kind, "body": request["body"]}


def _custom_id(request: Any) -> Any:
    return request.get("custom_id") if isinstance(request, dict) else None


def _texts(value: Any, name: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise _BadRequest(f'"{name}" is not a text or a list of texts')
    return texts


def _all_vectors(requests: list[Any], models: _Models) -> dict[int, Any]:
    """The vectors of each embeddings request, or its error."""
    found: dict[int, Any] = {}
    groups: dict[int | None, list[tuple[int, list[str]]]] = {}
    for index, request in enumerate(requests):
        if isinstance(request, _BadRequest) or request["kind"] != "embeddings":
            continue
        body = request["body"]
        try:
            texts = _texts(body.get("input"), "input")
            if body.get("encoding_format", "float") not in ("float", "base64"):
                raise _BadRequest('"encoding_format" is not "float" or "base64"')
            dimensions = models.embedder._checked_dimensions(body.get("dimensions"))
            groups.setdefault(dimensions, []).append((index, texts))
        except (_BadRequest, ValueError, TypeError) as error:
            found[index] = error
    for dimensions, members in groups.items():
        texts = [text for _, some in members for text in some]
        try:
            vectors = models.embedder.encode(texts, truncate_dim=dimensions)
        except Q3Error:
            vectors = None  # one of the requests is at fault: each by itself
        start = 0
        for index, some in members:
            if vectors is not None:
                found[index] = vectors[start : start + len(some)]
                start += len(some)
                continue
            try:
                found[index] = models.embedder.encode(some, truncate_dim=dimensions)
            except TextError as error:
                found[index] = error
    return found


def _embeddings(body: dict[str, Any], vectors: Any, embedder: Embedder) -> dict[str, Any]:
    is_base64 = body.get("encoding_format") == "base64"
    tokens = sum(len(ids) + 1 for ids in embedder.tokenizer.encode(_texts(body["input"], "input")))
    data = [
        {
            "object": "embedding", "index": index,
            "embedding": base64.b64encode(vector.tobytes()).decode() if is_base64 else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list", "data": data, "model": body.get("model") or embedder.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _scores(request: dict[str, Any], reranker: Reranker) -> dict[str, Any]:
    body = request["body"]
    model = body.get("model") or reranker.name
    prompt = body.get("instruction")
    if request["kind"] == "score":
        firsts, seconds = _texts(body.get("text_1"), "text_1"), _texts(body.get("text_2"), "text_2")
        if len(firsts) == 1:
            firsts = firsts * len(seconds)
        if len(firsts) != len(seconds):
            raise _BadRequest(f'"text_1" has {len(firsts)} texts for {len(seconds)} of "text_2"')
        scores = reranker.predict(list(zip(firsts, seconds)), prompt=prompt)
        data = [{"object": "score", "index": index, "score": float(score)} for index, score in enumerate(scores)]
        return {"object": "list", "data": data, "model": model}
    query = body.get("query")
    if not isinstance(query, str):
        raise _BadRequest('"query" is not a text')
    documents = body.get("documents")
    if isinstance(documents, list):
        documents = [item.get("text") if isinstance(item, dict) else item for item in documents]
    documents = _texts(documents, "documents")
    top_n = body.get("top_n")
    if top_n is not None and (isinstance(top_n, bool) or not isinstance(top_n, int) or top_n < 1):
        raise _BadRequest('"top_n" is not a number from 1 up')
    ranked = reranker.rank(query, documents, top_k=top_n, prompt=prompt)
    results = [
        {
            "index": entry["corpus_id"], "document": {"text": documents[entry["corpus_id"]]},
            "relevance_score": float(entry["score"]),
        }
        for entry in ranked
    ]
    return {"id": _request_id(json.dumps(body, sort_keys=True).encode()), "model": model, "results": results}
