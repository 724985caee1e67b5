"""Why a cluster does nothing, in words, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dask.utils import format_bytes

from .questions import WorkerState, describe

TIMEOUT = "kmsmote.worker-timeout"  # in Dask's configuration
_SMALLER = 32  # partitions in the memory of a worker
_SILENT = 60.0  # seconds


def no_answer(address: str, seconds: float) -> str:
    """The scheduler does not answer."""
    return (
        f"The scheduler at {address} has not answered for {seconds:g} s: look whether its process "
        f"runs and its host can be reached, and start it again; {_or_wait(seconds)}"
    )


def no_worker(address: str, seconds: float) -> str:
    """There is no worker."""
    return (
        f"The scheduler at {address} has had no worker for {seconds:g} s: start some; where there "
        "were some, look into their logs for why they left, such as too little memory, or a "
        f"package that is missing there; {_or_wait(seconds)}"
    )


def why_still(client: Any, name: str, seconds: float) -> str:
    """Why nothing has moved in a stage for so many seconds."""
    address = client.scheduler.address
    try:
        workers, wishes = describe(client, seconds)
    except OSError:
        return no_answer(address, seconds)
    if not workers:
        return no_worker(address, seconds)
    return (
        f"No task of {name} was done or executed for {seconds:g} s on the cluster at {address}: "
        f"{explain(workers, wishes)}; {_or_wait(seconds)}"
    )


def explain(workers: Sequence[WorkerState], wishes: Sequence[str]) -> str:
    """What keeps workers from working, and what mends it."""
    paused = [worker for worker in workers if worker.status == "paused"]
    silent = [worker for worker in workers if worker.silent > _SILENT]
    found = []
    if paused:
        found.append(_paused(paused, len(workers)))
    if silent:
        found.append(
            f"{_counted(len(silent), len(workers))} silent "
            f"({_listed([f'{worker.address} for {worker.silent:.0f} s' for worker in silent])}). "
            "Look whether their processes run, and start them again"
        )
    if wishes and not found:
        found.append(
            f"tasks wait for a worker that has {_listed(wishes)}, and none has. Start one that "
            "has, or leave out the annotation that asks for it"
        )
    if not found:
        states = [
            f"{worker.address} is {worker.status}, has {worker.n_threads} threads and was given "
            f"{worker.n_tasks} tasks"
            for worker in workers
        ]
        found.append(f"{_listed(states)}. Look into their logs, and start them again")
    return "; ".join(found)


def _paused(paused: Sequence[WorkerState], n: int) -> str:
    held = [
        f"{worker.address} with {format_bytes(worker.memory)} of {format_bytes(worker.limit)}"
        for worker in paused
    ]
    # a worker without a limit is paused by hand
    limit = max(worker.limit for worker in paused)
    mend = (
        f'Give a worker more memory (memory_limit="{_mebibytes(2 * limit)}") or fewer threads, or '
        f"read smaller partitions, where row groups are as small "
        f'(blocksize="{_mebibytes(limit // _SMALLER)}" of read_parquet)'
    )
    waits = "" if len(paused) == n else ", and keep tasks that Dask gives to no other"
    return f"{_counted(len(paused), n)} paused, their memory in use ({_listed(held)}){waits}. " + (
        mend if limit else "Start them again"
    )


def _counted(some: int, n: int) -> str:
    return f"{some} of {n} workers {'is' if some == 1 else 'are'}"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts)


def _mebibytes(n: int) -> str:
    return f"{max(n >> 20, 1)}MiB"


def _or_wait(seconds: float) -> str:
    return f'or wait longer, dask.config.set({{"{TIMEOUT}": {2 * seconds:g}}}).'
