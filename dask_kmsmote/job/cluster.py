"""The cluster that a job runs on: a remote one, or a local one for as long as the job lasts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ClusterError, ParameterError
from .tls import TlsFiles, mend


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
    wait
        Seconds to wait for the first worker of a remote scheduler.
    tls
        Files to reach a remote scheduler with.
    """

    scheduler: str | None = None
    scheduler_file: str | None = None
    workers: int | None = None
    threads_per_worker: int = 1
    memory_limit: str = "auto"
    verbose: bool = False
    wait: float = 120.0
    tls: TlsFiles = field(default_factory=TlsFiles)


@contextmanager
def connect(choice: ClusterChoice) -> Iterator[Any]:
    """A client of the chosen scheduler, or of a local cluster of processes.

    Raises
    ------
    ClusterError
        Nothing answers at the address, or not to this client; or no local cluster can be started.
    ParameterError
        TLS files are given for a local cluster.
    """
    address = choice.scheduler
    if not (address or choice.scheduler_file or choice.workers):
        address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address and choice.scheduler_file:
        address = _read_address(choice.scheduler_file)
    if choice.tls.are_given and not address:
        raise ParameterError(
            "--tls-ca, --tls-cert and --tls-key are for the scheduler of a cluster that runs: name "
            "it with --scheduler or --scheduler-file."
        )
    made = _remote(choice.tls.address(address), choice) if address else _local(choice)
    with _told(choice.verbose), made as client:
        yield client


def _read_address(scheduler_file: str) -> str:
    try:
        address: str = json.loads(Path(scheduler_file).read_text(encoding="utf-8"))["address"]
        address.encode()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ClusterError(
            f"The file {scheduler_file!r} does not tell the address of a Dask scheduler "
            f"({type(error).__name__}: {error}): check the path, and that the scheduler has "
            "started."
        ) from error
    return address


@contextmanager
def _remote(address: str, choice: ClusterChoice) -> Iterator[Any]:
    import dask
    from dask.utils import parse_timedelta
    from distributed import Client
    from distributed.client import FutureCancelledError

    timeout = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    security = choice.tls.security(address)
    try:
        asyncio.run(_greet(address, timeout, security))
        client = Client(address, timeout=timeout, security=security)
    except (OSError, ValueError) as error:
        raise ClusterError(f"No Dask scheduler answers at {address}: {mend(address)}") from error
    with client:
        _await_workers(client, address, choice.wait)
        try:
            yield client
        except FutureCancelledError as error:
            raise ClusterError(
                f"The scheduler at {address} was lost, or gave up a task: {error}"
            ) from error


async def _greet(address: str, timeout: float, security: Any) -> None:
    # a client waits for ever for a port that accepts and then says nothing
    from distributed.comm import connect

    how = security.get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=timeout, **how), timeout)
    await comm.close()


def _await_workers(client: Any, address: str, seconds: float) -> None:
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        raise ClusterError(
            f"The scheduler at {address} has had no worker for {seconds:g} s: start some, or wait "
            "longer with --wait-for-workers."
        ) from error


@contextmanager
def _told(verbose: bool) -> Iterator[None]:
    """Silence what the cluster logs, unless somebody looks for it.

    The event loop tells of tasks that end after an interrupt, when nobody waits for them.
    """
    loggers = [logging.getLogger(name) for name in ("distributed", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level if verbose else logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _local(choice: ClusterChoice) -> Iterator[Any]:
    import dask
    from distributed import Client

    # workers that stop report that they lost their scheduler: noise, unless somebody looks for it
    level = logging.WARNING if choice.verbose else logging.CRITICAL
    with (
        dask.config.set({"distributed.logging.distributed": logging.getLevelName(level).lower()}),
        _started(choice, level) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _started(choice: ClusterChoice, level: int) -> Any:
    from dask.system import CPU_COUNT
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=choice.workers or CPU_COUNT,
            threads_per_worker=choice.threads_per_worker,
            memory_limit=choice.memory_limit,
            dashboard_address="127.0.0.1:0",
            silence_logs=level,
        )
    except (RuntimeError, OSError) as error:
        raise ClusterError(
            f"No local cluster can be started here ({error}). Look whether the folders of "
            "temporary files (TMPDIR, DASK_TEMPORARY_DIRECTORY) and /dev/shm can be written, and "
            "how many files and processes are allowed (ulimit -n, ulimit -u); --verbose shows "
            "Dask's log. Or use a cluster that runs: --scheduler ADDRESS."
        ) from error
