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
def in_this_process(n_jobs: int | None) -> Iterator[None]:
    """Compute in this process, whatever cluster is active: for data that are here already.

    A synchronous scheduler stays in force.
    """
    if get_scheduler() is dask.get:
        with _settings({}):
            yield
        return
    with _pool(count_threads(n_jobs)) as pool, _settings({"scheduler": "threads", "pool": pool}):
        yield


@contextmanager
def on_active_scheduler() -> Iterator[None]:
    """Compute where the user computes; where that is Dask's own threads, bound those in tasks."""
    threaded = get_scheduler() in (None, dask.threaded.get)
    if not threaded or dask.config.get("pool", None) is not None:
        with _settings({}):
            yield
        return
    with _pool(count_threads(None)) as pool, _settings({"pool": pool}):
        yield


@contextmanager
def _settings(settings: dict[str, object]) -> Iterator[None]:
    # tasks of arrays that are fused anew for each computation keep their keys with another
    # content, which a distributed scheduler warns of and may hang on (dask issue 9888)
    with _CONFIG, dask.config.set({**settings, "optimization.fuse.active": False}):
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
