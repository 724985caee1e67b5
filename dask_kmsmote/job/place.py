"""Where a job computes: on threads of this process where its table is small, or on a cluster.

A cluster of processes takes seconds to start, and a small table less to resample. What bounds
threads is memory, as nothing spills there: a table is small where the job holds it easily,

    HELD * (bytes of the columns, as they lie in memory) <= SHARE * (bytes that are free)

It is read once then, and kept, where a cluster reads it at each stage. The result counts for
nothing: a file of it is written as it is made, and is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dask.utils import format_bytes

from ..events import Callback, Noted
from ..graph.dask.tasks import as_frame, persist, same
from ..graph.dask.watch import stage
from ..threads import on_own_threads
from .cluster import ClusterSettings, connect

HELD = 5  # times the table that a job holds: itself, its rows as numbers, and what is written
SHARE = 0.5  # of the memory that is free, as others want some, too


@contextmanager
def computing(
    settings: ClusterSettings, n_bytes: int, callback: Callback
) -> Iterator[Callable[[Any], Any]]:
    """Compute in the body where a job does, and tell where and why.

    Gives what is to be done with the frame of a table before it is used.

    Parameters
    ----------
    settings
        What is asked for: a cluster, or nothing.
    n_bytes
        Of the table, as it lies in memory.
    callback
        Told of the place.

    Raises
    ------
    ClusterError
        As `connect`.
    """
    free = free_bytes()
    size = f"the table takes about {format_bytes(n_bytes)} of {format_bytes(free)} that are free"
    if not settings.is_asked and fits(n_bytes, free):
        callback(Noted(f"Runs in threads of this process, as {size}"))
        with on_own_threads():
            yield partial(_read_once, callback)
    else:
        why = "as asked" if settings.is_asked else f"as {size}"
        callback(Noted(f"Runs on a cluster, {why}"))
        with connect(settings):
            yield same


def _read_once(callback: Callback, frame: Any) -> Any:
    """A Dask frame, with its partitions in memory."""
    from ..data.collections import partitions_of

    with stage("read", [callback]):
        return as_frame(persist(*partitions_of(frame)), frame._meta, frame.divisions)


def fits(n_bytes: int, free: int) -> bool:
    """Whether a job on a table of so many bytes runs in one process that has so many free."""
    return HELD * n_bytes <= SHARE * free


def free_bytes() -> int:
    """Bytes that this process may take: those that are free, and no more than its limit."""
    import psutil
    from distributed.system import MEMORY_LIMIT

    return min(int(psutil.virtual_memory().available), int(MEMORY_LIMIT))
