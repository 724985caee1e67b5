"""The cluster that a job runs on: a remote one, or a local one for as long as the job lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ClusterError


@contextmanager
def connect(
    scheduler: str | None, workers: int | None, threads_per_worker: int, memory_limit: str
) -> Iterator[Any]:
    """A client of the scheduler at an address; without one, of a local cluster of processes.

    Raises
    ------
    ClusterError
        Nothing answers at the address.
    """
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler)
        except OSError as error:
            raise ClusterError(
                f"No Dask scheduler answers at {scheduler}: check the address, and that it runs."
            ) from error
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers or CPU_COUNT,
            threads_per_worker=threads_per_worker,
            memory_limit=memory_limit,
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
