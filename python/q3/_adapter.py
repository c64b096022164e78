"""A change to a model's vectors that `q3 tune adapter` learned."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_void_p

from . import _library as c


class Adapter:
    """An open adapter of an open model: closed with the object."""

    def __init__(self, path: str | os.PathLike[str], model: c.Handle) -> None:
        self._value: int | None = None
        handle, error = c_void_p(), c.Error()
        status = c.library().q3_open_adapter(model.value, os.fsencode(path), handle, error)
        if status != c.OK:
            raise error.exception(status)
        self._value, self._process = handle.value, os.getpid()
        facts = c.AdapterFacts(size=ctypes.sizeof(c.AdapterFacts))
        status = c.library().q3_adapter_info(self._value, facts, error)
        if status != c.OK:
            raise error.exception(status)
        self.dimensions: int = facts.dimensions
        self.changes_documents = bool(facts.changes_documents)

    @property
    def value(self) -> int | None:
        """The pointer for C."""
        return self._value

    def text(self, which: int) -> str:
        return c._text(lambda *room: c.library().q3_adapter_text(self._value, which, *room)).decode()

    def __del__(self) -> None:
        try:
            value, self._value = self._value, None
            if value is not None and os.getpid() == self._process:
                c.library().q3_close_adapter(value)
        except Exception:  # the interpreter is ending, and with it the library
            pass
