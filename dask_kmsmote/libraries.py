"""One thread of the libraries below: of BLAS for the whole process, of OpenMP for each thread.

To find them, all libraries that the process has loaded are looked through, which takes a
millisecond or more: once, and again where others may have been loaded since.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController

from .process import ProcessSetting


@lru_cache(maxsize=1)
def _loaded(n_modules: int) -> ThreadpoolController:  # noqa: ARG001 - of so many it is cached
    return ThreadpoolController()


def _controllers(library: str) -> ThreadpoolController:
    # one of both would give back the number of the other, too, which others may have set
    return _loaded(len(sys.modules)).select(user_api=library)


def one_openmp_thread() -> AbstractContextManager[Any]:
    """One thread of OpenMP in the body, or from now on where it is not entered."""
    limited: AbstractContextManager[Any] = _controllers("openmp").limit(limits=1)
    return limited


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    own = _controllers("blas").lib_controllers
    before = [library.num_threads for library in own]
    for library in own:
        _set(library, 1)
    try:
        yield
    finally:
        for library, number in zip(own, before, strict=True):
            _set(library, number)


def _set(library: Any, number: int) -> None:
    # threadpoolctl 3.8 has one thread alone set it, until that is done: but the last one out of a
    # setting may be another thread than the first one in
    release = getattr(library, "clear_controlling_thread", lambda **_: None)
    release(force=True)
    library.set_num_threads(number)
    release(force=True)


# BLAS has one number for all threads, so that runs and tasks which overlap share the change
ONE_BLAS_THREAD = ProcessSetting(_one_blas_thread)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Neither BLAS nor OpenMP start others in the body."""
    with ONE_BLAS_THREAD, one_openmp_thread():
        yield
