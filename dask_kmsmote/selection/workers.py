"""Where pieces of work are done: on the workers of the active cluster, or on threads here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar
from uuid import uuid4

import dask

from ..graph.dask.watch import active_client, watched
from ..threads import active_scheduler, count_threads

T = TypeVar("T")


def done(
    work: Callable[[Any, Any], T], shared: Any, pieces: Sequence[Any], n_jobs: int | None
) -> Iterator[T]:
    """What each piece gives, as they are done, in any order.

    Parameters
    ----------
    work
        Called with what is shared and a piece.
    shared
        Sent to each worker once.
    pieces
        Of work.
    n_jobs
        Threads, where no cluster is active; None: all cores.

    Raises
    ------
    ClusterError
        The cluster can't do the work, or does nothing for too long.
    """
    client = active_client()
    if client is not None:
        return _on_cluster(client, work, shared, pieces)
    n_threads = 1 if active_scheduler() is dask.get else count_threads(n_jobs)
    return _on_threads(work, shared, pieces, n_threads)


def _on_threads(
    work: Callable[[Any, Any], T], shared: Any, pieces: Sequence[Any], n_threads: int
) -> Iterator[T]:
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="kmsmote-search")
    # the filters of warnings are of the process: threads that mute some at once, as classifiers
    # do, may put back those of each other
    with warnings.catch_warnings():
        try:
            futures = [pool.submit(work, shared, piece) for piece in pieces]
            for future in as_completed(futures):
                yield future.result()
        finally:
            # of one that is interrupted, what has begun is waited for: a thread can't be stopped
            pool.shutdown(cancel_futures=True)


def _on_cluster(
    client: Any, work: Callable[[Any, Any], T], shared: Any, pieces: Sequence[Any]
) -> Iterator[T]:
    from distributed import as_completed as as_completed_there

    token = uuid4().hex
    with watched("search"):
        # one copy there; workers take it from one another
        held = client.scatter(shared, hash=False)
        futures = [
            client.submit(work, held, piece, key=f"kmsmote-search-{token}-{number}", pure=False)
            for number, piece in enumerate(pieces)
        ]
        try:
            for future in as_completed_there(futures):
                yield future.result()
                future.release()
        finally:
            client.cancel([own for own in futures if not own.done()])
