"""Local threads that do not multiply: one BLAS and OpenMP thread for each thread of Dask."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import dask
import numpy as np
from dask.base import get_scheduler
from dask.system import CPU_COUNT
from threadpoolctl import threadpool_limits


def count_threads(n_jobs: int | None) -> int:
    """Threads that `n_jobs` means: all cores for None; -1 all, -2 all but one, and so on."""
    if n_jobs is None or n_jobs == 0:
        return int(dask.config.get("num_workers", None) or CPU_COUNT)
    return n_jobs if n_jobs > 0 else max(1, CPU_COUNT + 1 + n_jobs)


@contextmanager
def in_this_process(n_jobs: int | None) -> Iterator[None]:
    """Compute in this process, whatever cluster is active: for data that are here already.

    A synchronous scheduler stays in force.
    """
    active = get_scheduler()
    with ExitStack() as stack, np.errstate(**_NUMPY):
        stack.enter_context(_UNFUSED)
        if active is not dask.get:
            stack.enter_context(_bounded(count_threads(n_jobs)))
        if active not in (None, dask.get, dask.threaded.get):
            stack.enter_context(_LOCAL)
        yield


@contextmanager
def on_active_scheduler() -> Iterator[None]:
    """Compute where the user computes; where that is Dask's own threads, bound those in tasks."""
    threaded = get_scheduler() in (None, dask.threaded.get)
    with ExitStack() as stack, np.errstate(**_NUMPY):
        stack.enter_context(_UNFUSED)
        if threaded and _is_free(dask.config.get("pool", None)):
            stack.enter_context(_bounded(count_threads(None)))
        yield


def _is_free(pool: Any) -> bool:
    return pool is None or any(shared.settings["pool"] is pool for shared in _BOUNDED.values())


class Shared:
    """A change of the process that overlapping runs make once: the last one out takes it back.

    `dask.config`, BLAS and the filters of warnings have one state for all threads, so two
    overlapping changes would restore each other's values; a lock held for a whole run could stop a
    run inside a task.

    Parameters
    ----------
    n_threads
        Bound BLAS to one thread in each of so many.
    muted
        Warnings whose messages begin like this are not shown.
    settings
        Of Dask.
    """

    def __init__(
        self, n_threads: int | None = None, muted: str | None = None, **settings: Any
    ) -> None:
        self._n_threads = n_threads
        self._muted = muted
        self.settings = {key.replace("__", "."): value for key, value in settings.items()}
        self._users = 0
        self._undo = ExitStack()

    def __enter__(self) -> None:
        with _STATE:
            self._users += 1
            if self._users == 1:
                if self._n_threads is not None:
                    self._undo.enter_context(threadpool_limits(1, user_api="blas"))
                if self._muted is not None:
                    self._undo.enter_context(warnings.catch_warnings())
                    warnings.filterwarnings("ignore", self._muted)
                self._undo.enter_context(dask.config.set(self.settings))

    def __exit__(self, *_: object) -> None:
        with _STATE:
            self._users -= 1
            if self._users == 0:
                self._undo.close()


_STATE = Lock()
_BOUNDED: dict[int, Shared] = {}
_LOCAL = Shared(scheduler="threads")
# tasks of arrays that are fused anew for each computation keep their keys with another content,
# which a distributed scheduler warns of and may hang on (dask issue 9888)
_UNFUSED = Shared(optimization__fuse__active=False)
# numpy's own: scikit-learn does not work where a caller has underflow raise
_NUMPY: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _bounded(n_threads: int) -> Shared:
    with _STATE:
        if n_threads not in _BOUNDED:
            # the pool lives on: other threads may find it in the configuration and use it
            pool = ThreadPoolExecutor(
                n_threads, thread_name_prefix="kmsmote", initializer=_one_openmp_thread
            )
            _BOUNDED[n_threads] = Shared(n_threads, pool=pool)
        return _BOUNDED[n_threads]


def _one_openmp_thread() -> None:
    threadpool_limits(1, user_api="openmp")
