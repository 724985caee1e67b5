"""Functions compiled by numba, which release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """The function compiled when it is first called, and kept on disk where there is a place.

    On a read-only file system without ``NUMBA_CACHE_DIR`` there is none: then each process compiles
    anew.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    # numba looks for the place when it decorates, so an import would fail and not a call
    except RuntimeError:
        return numba.njit(nogil=True)(function)
