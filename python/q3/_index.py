"""Indexes: documents that are embedded once and searched in milliseconds.

The program in this package searches, as `q3 mcp` does for agents: one process for each open index, which holds the model and
ends with it. So an index needs no second implementation, and SQLite none of this process's.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._program import program_path
from .errors import BadIndexError, BadRequestError, ClosedError, LibraryError

__all__ = ["Index", "IndexDocument", "IndexHit", "IndexReport"]


@dataclass(frozen=True)
class IndexHit:
    """A passage that answers a search."""

    #: What sorted the list: nearness and words together in a hybrid search, the cosine, or BM25.
    score: float
    #: The cosine of the passage and the query; None for a search of words.
    similarity: float | None
    #: The reranker's probability; None for what it did not read.
    relevance: float | None
    path: str
    #: The record's id, for a file of records.
    id: str | None
    title: str
    #: Title and headings above the passage.
    context: str
    text: str
    #: First and last line in the file.
    lines: tuple[int, int]
    #: Start and end in the file.
    bytes: tuple[int, int]
    snippet: str
    #: Where words of the query stand in the snippet.
    marks: tuple[tuple[int, int], ...]
    #: Of its document, for :meth:`Index.get`.
    document: int
    chunk: int

    @classmethod
    def _of(cls, hit: dict[str, Any]) -> IndexHit:
        return cls(
            hit["score"], hit.get("similarity"), hit.get("relevance"), hit["path"], hit.get("id"), hit["title"],
            hit["context"], hit["text"], tuple(hit["lines"]), tuple(hit["bytes"]), hit["snippet"],
            tuple(tuple(mark) for mark in hit["marks"]), hit["document"], hit["chunk"],
        )  # fmt: skip


@dataclass(frozen=True)
class IndexDocument:
    """A document as an index has it."""

    path: str
    id: str | None
    title: str
    kind: str
    language: str | None
    text: str


@dataclass(frozen=True)
class IndexReport:
    """What adding or updating did."""

    added: int
    changed: int
    renamed: int
    removed: int
    unchanged: int
    embedded_chunks: int
    reused_chunks: int
    tokens: int
    #: What was left out: path and reason.
    skipped: list[tuple[str, str]] = field(default_factory=list)


class Index:
    """An index to search.

    >>> notes = q3.Index.create("notes.q3i")
    >>> notes.add("/home/me/notes", globs=["*.md"])
    >>> for hit in notes.search("how do we rotate keys", limit=3):
    ...     print(hit.score, hit.path, hit.lines[0], hit.snippet)

    Parameters
    ----------
    path : str or path
        The folder of the index.
    model : str, optional
        Its embedding model: a GGUF file or a name. By default the one that the index recorded.
    reranker : str, optional
        A model that may read the best hits once more; see `rerank` of :meth:`search`.
    threads : int, optional
        Threads that compute. By default one for each core.

    Any number of threads may search; they take turns. After a fork each process has a reader of its own.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, model: str | None = None, reranker: str | None = None,
        threads: int | None = None,
    ):  # fmt: skip
        self.path = os.fspath(path)
        self._model, self._reranker, self._threads = model, reranker, threads
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._number = 0
        self._is_closed = False
        self.status()

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], *, model: str | None = None, dimensions: int | None = None,
        chunk_tokens: int | None = None, reranker: str | None = None, threads: int | None = None,
    ) -> Index:  # fmt: skip
        """Makes an empty index; there must be nothing at `path`."""
        options = [("--model", model), ("--dimensions", dimensions), ("--chunk-tokens", chunk_tokens)]
        _run(["index", "create", os.fspath(path), *_options(options)])
        return cls(path, model=model, reranker=reranker, threads=threads)

    def search(
        self, query: str, *, limit: int = 10, where: str | Sequence[str] = (), mode: str = "hybrid",
        group: bool = False, min_similarity: float | None = None, instruction: str | None = None,
        rerank: bool = False, candidates: int | None = None, rerank_budget: float | None = None,
    ) -> list[IndexHit]:  # fmt: skip
        """The passages that answer a query, best first.

        `where` are filters such as ``"path:docs/**"`` or ``"lang=en"``, which must all hold; `mode` is ``"hybrid"``,
        ``"vectors"`` or ``"words"``; `group` gives of each document its best passage. With `rerank` the best `candidates` are
        read by the reranker, as many as fit into `rerank_budget` seconds. Raises :class:`BadRequestError` for values that
        cannot be.
        """
        if not isinstance(query, str):
            raise BadRequestError(f"a query is a str, not {type(query).__name__}")
        arguments = {
            "query": query, "limit": limit, "where": [where] if isinstance(where, str) else list(where), "mode": mode,
            "group": group, "min_similarity": min_similarity, "instruction": instruction, "rerank": rerank,
            "candidates": candidates, "rerank_budget": rerank_budget,
        }  # fmt: skip
        return [IndexHit._of(hit) for hit in self._call("search", arguments)["hits"]]

    def get(self, document: int) -> IndexDocument:
        """The whole text of a hit's document, as the index has it."""
        texts: list[str] = []
        chunk = 0
        while True:
            found = self._call("get", {"document": document, "from_chunk": chunk})
            texts += [part["text"] for part in found["chunks"]]
            if "next_chunk" not in found:
                break
            chunk = found["next_chunk"]
        return IndexDocument(
            found["path"], found.get("id"), found["title"], found["kind"], found.get("language"), "\n\n".join(texts)
        )

    def status(self) -> dict[str, Any]:
        """What the index holds: its model, fingerprint, sources, and numbers of documents and chunks."""
        return self._call("status", {})

    def add(
        self, *paths: str | os.PathLike[str], globs: Iterable[str] = (), context: str = ""
    ) -> IndexReport:
        """Adds folders and files, and embeds what is new in them."""
        options = [("--glob", pattern) for pattern in globs] + [("--context", context or None)]
        return self._write("add", *map(os.fspath, paths), options=options)

    def update(self) -> IndexReport:
        """Takes up what changed in everything that was added; embeds only what is new."""
        return self._write("update")

    def close(self) -> None:
        """Ends the reader; the index stays as it is."""
        with self._lock:
            self._is_closed = True
            self._end()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self._end()

    def __repr__(self) -> str:
        return f"q3.Index({self.path!r})"

    def _write(
        self, command: str, *paths: str, options: Sequence[tuple[str, object]] = ()
    ) -> IndexReport:
        if self._is_closed:
            raise ClosedError(f"{self.path} was closed")
        options = [*options, ("--model", self._model), ("--threads", self._threads)]
        said = json.loads(_run(["index", command, self.path, *paths, *_options(options), "--json"]))
        said["skipped"] = [(item["path"], item["reason"]) for item in said["skipped"]]
        return IndexReport(**said)

    def _call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a tool of the reader answers."""
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            params = json.dumps({"name": tool, "arguments": given}, ensure_ascii=False, allow_nan=False)
            params.encode()
        except (TypeError, ValueError) as error:  # half a surrogate pair is a ValueError, too
            raise BadRequestError(f"this cannot be asked: {error}") from error
        with self._lock:
            if self._is_closed:
                raise ClosedError(f"{self.path} was closed")
            process = self._reader()
            self._number += 1
            request = f'{{"jsonrpc":"2.0","id":{self._number},"method":"tools/call","params":{params}}}\n'
            answer = None
            try:
                process.stdin.write(request)
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                pass  # it is gone, and says why below
            except BaseException:
                # Interrupted between question and answer: a later question must not get this answer.
                self._end()
                raise
            if not answer:
                raise BadIndexError(self._farewell())
        said = json.loads(answer)
        if "error" in said:
            raise BadRequestError(said["error"]["message"])
        if said["result"]["isError"]:
            raise BadRequestError(said["result"]["content"][0]["text"])
        return said["result"]["structuredContent"]

    def _reader(self) -> subprocess.Popen[str]:
        if self._process is not None and self._owner == os.getpid():
            return self._process
        options = [("--model", self._model), ("--reranker", self._reranker), ("--threads", self._threads)]
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = _start(
            # By a name of its own, since a path may hold what looks like one.
            ["mcp", "--index", f"index={self.path}", *_options(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._owner = os.getpid()
        return self._process

    def _farewell(self) -> str:
        """Why the reader ended."""
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        status = process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip()
        self._errors.close()
        return _message(said) or f"the reader of {self.path} ended with status {status}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._errors.close()


def _options(options: Iterable[tuple[str, object]]) -> list[str]:
    # One word each, so that a value may begin with a dash.
    return [f"{name}={value}" for name, value in options if value is not None]


def _start(arguments: list[str], **pipes: Any) -> subprocess.Popen[str]:
    path = program_path()
    try:
        return subprocess.Popen([path, *arguments], text=True, encoding="utf-8", **pipes)
    except OSError as error:
        raise LibraryError(f"cannot run {path}: {error}; install the wheel q3-embedding") from error


def _run(arguments: list[str]) -> str:
    """What the program prints. Raises BadIndexError with its message where it fails."""
    process = _start(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, said = process.communicate()
    except BaseException:
        process.terminate()
        process.communicate()
        raise
    if process.returncode:
        raise BadIndexError(_message(said.strip()) or f"q3 {arguments[0]} ended with status {process.returncode}")
    return output


def _message(said: str) -> str:
    """The last line of what the program says, without its name."""
    lines = said.splitlines()
    return lines[-1].removeprefix("q3: ").removeprefix("error: ") if lines else ""
