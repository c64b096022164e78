"""The command `q3`: the program in this package takes the place of Python."""

from __future__ import annotations

import os
import sys

from .errors import LibraryError


def program_path() -> str:
    """Where the program is: ``Q3_PROGRAM``, else inside this package."""
    return os.environ.get("Q3_PROGRAM") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "q3")


def main() -> None:
    path = program_path()
    try:
        os.execv(path, ["q3", *sys.argv[1:]])
    except OSError as error:
        raise LibraryError(f"cannot run {path}: {error}; install the wheel q3-embedding") from error
