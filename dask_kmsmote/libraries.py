"""One thread of the libraries below: of BLAS for the whole process, of OpenMP for each thread.

To find them, all libraries that the process has loaded are looked through, which takes a
millisecond or more: once, and again where others may have been loaded since.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from typing import Any

from threadpoolctl import ThreadpoolController

from .process import ProcessSetting


@lru_cache(maxsize=1)
def _loaded(n_modules: int) -> ThreadpoolController:  # noqa: ARG001 - of so many it is cached
    return ThreadpoolController()


def one_thread_of(library: str) -> AbstractContextManager[Any]:
    """One thread of "blas" or "openmp" in the body, or from now on where none is entered."""
    # a controller of both would give back the number of the other, too, which others may have set
    own = _loaded(len(sys.modules)).select(user_api=library)
    limited: AbstractContextManager[Any] = own.limit(limits=1, user_api=library)
    return limited


# it has one number for all threads, so that runs and tasks which overlap share the change
ONE_BLAS_THREAD = ProcessSetting(partial(one_thread_of, "blas"))


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Neither BLAS nor OpenMP start others in the body."""
    with ONE_BLAS_THREAD, one_thread_of("openmp"):
        yield
