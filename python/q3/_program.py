"""The command `q3`: the program in this package takes the place of Python."""

from __future__ import annotations

import os
import sys

from .errors import LibraryError


def program_path() -> str:
    """Where the program is: ``Q3_PROGRAM``, else inside this package."""
    return os.environ.get("Q3_PROGRAM") or _own_path()


def _own_path() -> str:
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "q3")


def main() -> None:
    path = program_path()
    # The variable may name this very script, which would start itself forever.
    if os.path.exists(path) and os.path.exists(sys.argv[0]) and os.path.samefile(path, sys.argv[0]):
        path = _own_path()
    try:
        os.execv(path, ["q3", *sys.argv[1:]])
    except OSError as error:
        raise LibraryError(f"cannot run {path}: {error}; install the wheel q3-embedding") from error
