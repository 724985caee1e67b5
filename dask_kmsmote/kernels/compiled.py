"""Functions compiled by numba, which release the interpreter lock."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numba

# numpy's errors: a division by zero is infinite, and no branch that keeps a loop scalar
_HOW: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def _bring_compiled() -> None:
    """Copy what an image holds compiled to where numba, which must write there, keeps its own."""
    held, kept = os.environ.get("KMSMOTE_COMPILED"), os.environ.get("NUMBA_CACHE_DIR")
    if not held or not kept or Path(kept).exists():
        return
    # whole or not at all: other processes start at the same time, or find no room
    own = Path(f"{kept}-{uuid4().hex}")
    try:
        shutil.copytree(held, own)
        own.rename(kept)
    except OSError:
        shutil.rmtree(own, ignore_errors=True)


_bring_compiled()


def compiled(function: Callable[..., Any]) -> Any:
    """The function compiled when it is first called, and kept on disk where there is a place.

    On a read-only file system without ``NUMBA_CACHE_DIR`` there is none: then each process compiles
    anew.
    """
    try:
        return numba.njit(cache=True, **_HOW)(function)
    # numba looks for the place when it decorates, so an import would fail and not a call
    except RuntimeError:
        return numba.njit(**_HOW)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """A part of compiled functions, which is compiled within each of them and not by itself."""
    return numba.njit(inline="always", **_HOW)(function)
