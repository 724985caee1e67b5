"""Functions compiled by numba, which release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# numpy's errors: a division by zero is infinite, and no branch that keeps a loop scalar
_HOW: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


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
