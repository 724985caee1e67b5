"""The cluster that a job runs on: a remote one, or a local one for as long as the job lasts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import ClusterError


@dataclass(frozen=True)
class ClusterChoice:
    """Where a job runs.

    Attributes
    ----------
    scheduler, scheduler_file
        Address of a Dask scheduler, or the file that it wrote. Without either, that in
        DASK_SCHEDULER_ADDRESS; without that, a local cluster.
    workers, threads_per_worker, memory_limit
        Of the local cluster; None workers means one for each core.
    verbose
        Show what the cluster logs.
    """

    scheduler: str | None = None
    scheduler_file: str | None = None
    workers: int | None = None
    threads_per_worker: int = 1
    memory_limit: str = "auto"
    verbose: bool = False


@contextmanager
def connect(choice: ClusterChoice) -> Iterator[Any]:
    """A client of the chosen scheduler, or of a local cluster of processes.

    Raises
    ------
    ClusterError
        Nothing answers at the address.
    """
    address = choice.scheduler
    if not (address or choice.scheduler_file or choice.workers):
        address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address or choice.scheduler_file:
        with _remote(address, choice.scheduler_file) as client:
            yield client
        return
    with _local(choice) as client:
        yield client


@contextmanager
def _remote(address: str | None, scheduler_file: str | None) -> Iterator[Any]:
    from distributed import Client

    where = {"address": address} if address else {"scheduler_file": scheduler_file}
    try:
        client = Client(**where)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {address or scheduler_file}: check the address, and "
            "that it runs."
        ) from error
    with client:
        yield client


@contextmanager
def _local(choice: ClusterChoice) -> Iterator[Any]:
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    # workers that stop report that they lost their scheduler: noise, unless somebody looks for it
    level = logging.WARNING if choice.verbose else logging.CRITICAL
    with (
        dask.config.set({"distributed.logging.distributed": logging.getLevelName(level).lower()}),
        LocalCluster(
            n_workers=choice.workers or CPU_COUNT,
            threads_per_worker=choice.threads_per_worker,
            memory_limit=choice.memory_limit,
            dashboard_address="127.0.0.1:0",
            silence_logs=level,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
