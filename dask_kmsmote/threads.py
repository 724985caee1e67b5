"""Local threads that do not multiply: one BLAS and OpenMP thread for each thread of Dask."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import RLock

import dask
from dask.base import get_scheduler
from dask.system import CPU_COUNT
from threadpoolctl import threadpool_limits

# dask.config is one for the process: two overlapping changes would restore each other's values
_CONFIG = RLock()


def count_threads(n_jobs: int | None) -> int:
    """Threads that `n_jobs` means: all cores for None; -1 all, -2 all but one, and so on."""
    if n_jobs is None or n_jobs == 0:
        return int(dask.config.get("num_workers", CPU_COUNT))
    return n_jobs if n_jobs > 0 else max(1, CPU_COUNT + 1 + n_jobs)


@contextmanager
def local_threads(n_jobs: int | None) -> Iterator[None]:
    """Compute in this process, whatever cluster is active: for data that are here already.

    A synchronous scheduler stays in force.
    """
    if get_scheduler() is dask.get:
        yield
        return
    with (
        _CONFIG,
        _pool(count_threads(n_jobs)) as pool,
        dask.config.set(scheduler="threads", pool=pool),
    ):
        yield


@contextmanager
def bounded_threads() -> Iterator[None]:
    """Bound the threads inside tasks where Dask's own threads are the active scheduler."""
    threaded = get_scheduler() in (None, dask.threaded.get)
    if not threaded or dask.config.get("pool", None) is not None:
        yield
        return
    with _CONFIG, _pool(count_threads(None)) as pool, dask.config.set(pool=pool):
        yield


@contextmanager
def _pool(n_threads: int) -> Iterator[ThreadPoolExecutor]:
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(
            n_threads, thread_name_prefix="kmsmote", initializer=_one_openmp_thread
        ) as pool,
    ):
        yield pool


def _one_openmp_thread() -> None:
    threadpool_limits(1, user_api="openmp")
