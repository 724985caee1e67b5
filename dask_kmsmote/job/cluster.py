"""The cluster that a job runs on: a remote one, or a local one for as long as the job lasts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_bytes

from ..errors import ClusterError
from ..graph.dask.reasons import TIMEOUT

# what Dask calls the files of a client, in the environment; see `distributed.comm.tls`
_TLS = {
    "tls_ca_file": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
    "tls_client_cert": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT",
    "tls_client_key": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
}
_LITTLE = 768 * 2**20  # bytes of a worker, of which 250 MB are imports
_FILES = f"{', '.join(list(_TLS.values())[:2])} and {_TLS['tls_client_key']}"


@dataclass(frozen=True)
class ClusterSettings:
    """Where a job runs.

    Attributes
    ----------
    scheduler, scheduler_file
        Address of a Dask scheduler, or the file that it wrote. Without either, and without workers,
        that in DASK_SCHEDULER_ADDRESS; without that, a local cluster.
    workers, threads_per_worker, memory_limit
        Of the local cluster; None means one worker for each core, one thread, and an even share.
    verbose
        Show what the cluster logs.
    wait
        Seconds that it may be without a worker that works.
    """

    scheduler: str | None = None
    scheduler_file: str | None = None
    workers: int | None = None
    threads_per_worker: int | None = None
    memory_limit: str | None = None
    verbose: bool = False
    wait: float = 120.0

    @property
    def address(self) -> str | None:
        """Address of a scheduler that is named, but for that in a file."""
        # --workers asks for a local cluster also where a profile exports the address of another
        if self.scheduler or self.scheduler_file or self.workers:
            return self.scheduler
        return os.environ.get("DASK_SCHEDULER_ADDRESS")

    @property
    def is_asked(self) -> bool:
        """Whether anything says that there is to be a cluster."""
        of_local = self.workers or self.threads_per_worker or self.memory_limit
        return bool(self.address or self.scheduler_file or of_local)


@contextmanager
def connect(settings: ClusterSettings) -> Iterator[Any]:
    """A client of the scheduler that is named, or of a local cluster of processes.

    Raises
    ------
    ClusterError
        Nothing answers at the address, or not to this client; or no local cluster can be started.
    """
    address = settings.address
    if not address and settings.scheduler_file:
        address = _read_address(settings.scheduler_file)
    made = _remote(address) if address else _local(settings)
    with _logged(settings.verbose), dask.config.set({TIMEOUT: settings.wait}), made as client:
        yield client


def _read_address(scheduler_file: str) -> str:
    # not `Client(scheduler_file=...)`, which waits for ever for a file that is not there
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
def _remote(address: str) -> Iterator[Any]:
    from dask.utils import parse_timedelta
    from distributed import Client

    timeout = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    security = _security(address)
    try:
        asyncio.run(_greet(address, timeout, security))
        client = Client(address, timeout=timeout, security=security)
    except (OSError, ValueError) as error:
        # a ValueError is an address without a port, or of a scheme that Dask does not know
        raise ClusterError(f"No Dask scheduler answers at {address}: {_hint(address)}") from error
    with client:
        yield client


def _security(address: str) -> Any:
    """What Dask's configuration says of TLS.

    Raises
    ------
    ClusterError
        The address needs TLS, and the files are missing, no PEM, or do not fit together; or it has
        none, and the configuration wants it.
    """
    from distributed.comm import parse_address
    from distributed.security import Security

    security, (scheme, _) = Security(), parse_address(address)
    encrypted = scheme == "tls"
    if security.require_encryption and not encrypted:
        raise ClusterError(
            f"The scheduler at {address} is to be reached without TLS, and Dask's configuration "
            "refuses that (distributed.comm.require-encryption): name one at tls://..."
        )
    # before they are used: ssl says that a file is missing, but not which
    if not encrypted:
        return security
    for name, variable in _TLS.items():
        # the text of a certificate may stand in place of its path
        path = str(getattr(security, name) or "")
        if path and "\n" not in path and not Path(path).is_file():
            raise ClusterError(f"{variable} names no file, {path!r}: check its path.")
    try:
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        what = getattr(error, "reason", None) or error
        raise ClusterError(
            f"The TLS files can't be used ({what}): check that {_FILES} are PEM files, and that "
            "the key is the certificate's."
        ) from error
    # Dask has a TypeError for this when it connects, which would read as a defect of ours
    if context is None:
        raise ClusterError(
            f"The scheduler at {address} wants TLS: set {_FILES}, or the same in Dask's "
            "configuration, distributed.comm.tls."
        )
    return security


def _hint(address: str) -> str:
    if address.startswith("tls://"):
        return (
            "check the address, that it runs, that the authority of its certificate is in "
            f"{_TLS['tls_ca_file']}, and that {_TLS['tls_client_cert']} is one that it accepts."
        )
    return f"check the address, that it runs, and whether it wants TLS: tls://..., with {_FILES}."


async def _greet(address: str, timeout: float, security: Any) -> None:
    # a client waits for ever for a port that accepts and then says nothing
    from distributed.comm import connect

    how = security.get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=timeout, **how), timeout)
    await comm.close()


@contextmanager
def _logged(verbose: bool) -> Iterator[None]:
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
def _local(settings: ClusterSettings) -> Iterator[Any]:
    from distributed import Client

    # workers that stop report that they lost their scheduler: noise, unless somebody looks for it
    level = logging.WARNING if settings.verbose else logging.CRITICAL
    with (
        dask.config.set({"distributed.logging.distributed": logging.getLevelName(level).lower()}),
        _started(settings, level) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _environment(memory_limit: str | None) -> dict[str, str]:
    """What workers run in: of little memory, they spare it in place of time.

    Arrow's own allocator holds some 50 MB that are free, and writes twice as fast.
    """
    given = memory_limit or ""
    is_little = bool(re.match(r"[\d.]+", given)) and 1 < parse_bytes(given) < _LITTLE
    return {"ARROW_DEFAULT_MEMORY_POOL": "system"} if is_little else {}


def _started(settings: ClusterSettings, level: int) -> Any:
    from dask.system import CPU_COUNT
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=settings.workers or CPU_COUNT,
            threads_per_worker=settings.threads_per_worker or 1,
            memory_limit=settings.memory_limit or "auto",
            env=_environment(settings.memory_limit),
            # None takes port 8787, too, and warns where another has it; ":0" listens to everybody
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
