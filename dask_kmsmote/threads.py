"""Local threads that do not multiply: one BLAS and OpenMP thread for each thread of Dask.

Without a bound, 8 threads of Dask that each call BLAS on 8 cores make 64, which spin against each
other: imbalanced-learn itself takes 2.6 s on one thread, and up to 9 s on two beside other work.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any

import dask
import numpy as np
from dask.base import get_scheduler
from dask.system import CPU_COUNT

from .libraries import ONE_BLAS_THREAD, on_one_thread, one_openmp_thread
from .process import ProcessSetting


def count_threads(n_jobs: int | None) -> int:
    """Threads that `n_jobs` means: all cores for None; -1 all, -2 all but one, and so on."""
    if n_jobs is None or n_jobs == 0:
        return int(dask.config.get("num_workers", None) or CPU_COUNT)
    return n_jobs if n_jobs > 0 else max(1, CPU_COUNT + 1 + n_jobs)


def active_scheduler() -> Any:
    """What computes now; None means Dask's choice, which are threads."""
    return dask.get if _FEW.get() else get_scheduler()


def are_few() -> bool:
    """Whether this thread computes so few rows that it does so alone."""
    return _FEW.get()


@contextmanager
def in_this_process(n_jobs: int | None, *, few: bool = False) -> Iterator[None]:
    """Compute in this process, whatever cluster is active: for data that are here already.

    A synchronous scheduler stays in force.

    Parameters
    ----------
    n_jobs
        Threads.
    few
        So few rows that this thread computes them before others have begun: it does, but where
        threads were asked for.
    """
    active = get_scheduler()
    with ExitStack() as stack, np.errstate(**_NUMPY):
        stack.enter_context(_UNFUSED)
        if active is dask.get or (few and active is not dask.threaded.get):
            stack.enter_context(on_one_thread())
            stack.enter_context(_noted(few=few))
        else:
            stack.enter_context(ONE_BLAS_THREAD)
            stack.enter_context(_bounded(count_threads(n_jobs)))
            if active not in (None, dask.threaded.get):
                stack.enter_context(_LOCAL)
        yield


@contextmanager
def _noted(*, few: bool) -> Iterator[None]:
    token = _FEW.set(few)
    try:
        yield
    finally:
        _FEW.reset(token)


@contextmanager
def on_active_scheduler() -> Iterator[None]:
    """Compute where the user computes; where that is Dask's own threads, bound those in tasks."""
    threaded = get_scheduler() in (None, dask.threaded.get)
    with ExitStack() as stack, np.errstate(**_NUMPY):
        stack.enter_context(_UNFUSED)
        if threaded and _is_free(dask.config.get("pool", None)):
            stack.enter_context(ONE_BLAS_THREAD)
            stack.enter_context(_bounded(count_threads(None)))
        yield


@contextmanager
def on_own_threads() -> Iterator[None]:
    """Compute on threads of this process that have ended when the body has.

    After an interrupt, what others have begun goes on: it could write to what is cleared away.
    """
    pool = _pool(count_threads(None))
    with ONE_BLAS_THREAD, np.errstate(**_NUMPY), dask.config.set(scheduler="threads", pool=pool):
        try:
            yield
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def in_this_thread() -> Iterator[None]:
    """Compute in the calling thread alone: for one of many pieces of work."""
    with _ALONE, on_one_thread(), np.errstate(**_NUMPY):
        yield


def _is_free(pool: Any) -> bool:
    return pool is None or pool in _POOLS.values()


# of a thread, as others that compute at the same time may have many rows
_FEW = ContextVar("_FEW", default=False)
_STATE = Lock()
_POOLS: dict[int, ThreadPoolExecutor] = {}
_BOUNDED: dict[int, ProcessSetting] = {}
_LOCAL = ProcessSetting(partial(dask.config.set, scheduler="threads"))
_ALONE = ProcessSetting(partial(dask.config.set, scheduler="synchronous"))
# tasks of arrays that are fused anew for each computation keep their keys with another content,
# which a distributed scheduler warns of and may hang on (dask issue 9888)
_UNFUSED = ProcessSetting(partial(dask.config.set, {"optimization.fuse.active": False}))
# numpy's own: scikit-learn does not work where a caller has underflow raise
_NUMPY: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _bounded(n_threads: int) -> ProcessSetting:
    with _STATE:
        if n_threads not in _BOUNDED:
            # the pool lives on: other threads may find it in the configuration and use it
            pool = _POOLS[n_threads] = _pool(n_threads)
            _BOUNDED[n_threads] = ProcessSetting(partial(dask.config.set, pool=pool))
        return _BOUNDED[n_threads]


def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        n_threads, thread_name_prefix="kmsmote", initializer=one_openmp_thread
    )
