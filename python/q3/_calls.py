"""One call of the library: texts packed, Ctrl-C heeded, progress shown."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
import threading
from ctypes import c_int64
from typing import Any, Callable, Iterable, Sequence

import numpy as np

from . import _library as c
from .errors import TextError

#: What became of each text, as q3_result in q3.h.
RESULT = np.dtype([("status", "<i4"), ("token_count", "<i4"), ("is_truncated", "<i4"), ("reserved", "<i4")])

#: How often a waiting main thread looks for Ctrl-C and moves the progress bar.
_POLL_SECONDS = 0.1


class PackedTexts:
    """Texts as one block of UTF-8 with offsets."""

    def __init__(self, texts: Sequence[str], what: str = "texts") -> None:
        encoded = []
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"{what}[{index}] is {_described(text)}, expected a str")
            try:
                encoded.append(text.encode())
            except UnicodeEncodeError as error:
                raise TextError(
                    f"{what}[{index}] has a lone surrogate at {error.start}, which is not text; "
                    "decode it with errors='replace'",
                    index,
                ) from None
        self.block = b"".join(encoded)
        self.offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=self.offsets[1:])
        address = ctypes.cast(ctypes.c_char_p(self.block), ctypes.c_void_p).value
        self.struct = c.Texts(address, self.offsets.ctypes.data, len(encoded))

    def __len__(self) -> int:
        return len(self.offsets) - 1


def _described(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    if isinstance(value, (bytes, bytearray)):
        return f"{name}, which must be decoded first"
    if isinstance(value, float) and value != value:
        return "NaN, as pandas marks missing texts"
    return f"of type {name}"


def as_list(texts: Iterable[str], what: str = "texts") -> list[str]:
    """Texts as a list; a single str or a mapping is a mistake that would be taken letter by letter."""
    if isinstance(texts, (str, bytes, bytearray, dict)):
        raise TypeError(f"{what} is {_described(texts)}, expected a list of str")
    if isinstance(texts, np.ndarray):
        if texts.ndim != 1:
            raise TypeError(f"{what} is an array of shape {texts.shape}, expected one dimension")
        return texts.tolist()
    try:
        return list(texts)
    except TypeError:
        raise TypeError(f"{what} is {_described(texts)}, expected a list of str") from None


class Ticket:
    """Watches and cancels one call."""

    def __init__(self) -> None:
        self._value = c.library().q3_ticket_create()

    @property
    def value(self) -> int | None:
        return self._value

    def cancel(self) -> None:
        if self._value is not None:
            c.library().q3_ticket_cancel(self._value)

    def progress(self) -> tuple[int, int]:
        completed, total = c_int64(), c_int64()
        c.library().q3_ticket_progress(self._value, completed, total)
        return completed.value, total.value

    def close(self) -> None:
        value, self._value = self._value, None
        if value is not None:
            c.library().q3_ticket_close(value)


def run(
    call: Callable[[int | None, c.Error], int], *, description: str = "", show_progress: bool = False,
    ticket: Ticket | None = None,
) -> c.Error:
    """Makes a call with a ticket and raises its error.

    In the main thread the call runs on another one, so that Ctrl-C is seen: it cancels the call, which ends within a layer of
    the model, and KeyboardInterrupt is raised.
    """
    own = None
    if ticket is None:
        ticket = own = Ticket()
    error = c.Error()
    try:
        if threading.current_thread() is threading.main_thread():
            status = _run_watched(lambda: call(ticket.value, error), ticket, description, show_progress)
        else:
            status = call(ticket.value, error)
    finally:
        if own is not None:
            own.close()
    if status != c.OK:
        raise error.exception(status)
    return error


def _run_watched(call: Callable[[], int], ticket: Ticket, description: str, show_progress: bool) -> int:
    outcome: list[Any] = []
    finished = threading.Lock()
    finished.acquire()

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            outcome.append(error)
        finally:
            finished.release()

    bar = _Bar(description) if show_progress else None
    threading.Thread(target=work, name="q3", daemon=True).start()
    try:
        while not finished.acquire(timeout=_POLL_SECONDS):
            if bar is not None:
                bar.show(*ticket.progress())
        if bar is not None:
            bar.show(*ticket.progress())
    except BaseException:
        ticket.cancel()
        finished.acquire()  # the caller's memory must stay until the call is over
        raise
    finally:
        if bar is not None:
            bar.close()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


async def cancellable(call: Any) -> Any:
    """Runs a call on another thread; its ticket is cancelled with the task."""
    ticket = Ticket()
    work = asyncio.get_running_loop().run_in_executor(None, call, ticket)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        ticket.cancel()
        with contextlib.suppress(Exception):
            await work
        raise
    finally:
        ticket.close()


class _Bar:
    """A progress bar: tqdm's where it is installed, else one line on stderr."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._shown = -1
        self._bar = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        self._bar = tqdm(total=100, desc=description, unit="%", bar_format="{l_bar}{bar}| [{elapsed}<{remaining}]")

    def show(self, completed: int, total: int) -> None:
        percent = 100 * completed // total if total else 100
        if percent <= self._shown:
            return
        if self._bar is not None:
            self._bar.update(percent - max(self._shown, 0))
        else:
            sys.stderr.write(f"\r{self._description} {percent} %")
            sys.stderr.flush()
        self._shown = percent

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._shown >= 0:
            sys.stderr.write("\n")
