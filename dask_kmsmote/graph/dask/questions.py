"""What is asked of a distributed scheduler, and through it of its workers.

Questions travel by value, as a process there may lack this package: each is a function made in
another, imports what it uses, and answers in Python's own types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

LEAST = 0.5  # seconds that an answer may take, however little patience there is
_Question = Callable[..., Any]


class Look(NamedTuple):
    """What a scheduler sees.

    Attributes
    ----------
    n_done, n_tasks
        Tasks that are done, and all that it knows.
    moves
        Another one where something has moved since.
    still
        No worker does anything, and the client waits for something.
    lag
        Seconds that may pass until it hears what workers do.
    """

    n_done: int
    n_tasks: int
    moves: tuple[int, int]
    still: bool
    lag: float


class WorkerState(NamedTuple):
    """What a scheduler knows of a worker: bytes, seconds since it was heard, tasks given to it."""

    address: str
    status: str
    memory: int
    limit: int
    n_threads: int
    n_tasks: int
    silent: float


def ask(client: Any, seconds: float, question: _Question, *args: Any) -> Any:
    """What a question is answered.

    Raises
    ------
    OSError
        No answer comes in time, or the client is closed.
    """
    try:
        return client.run_on_scheduler(question, *args, callback_timeout=max(seconds, LEAST))
    except (AttributeError, RuntimeError) as error:
        if client.status == "running":
            raise
        # how a client tells that it was closed meanwhile
        raise OSError(f"The client is {client.status}.") from error


def ask_versions(client: Any, seconds: float, workers: Sequence[str]) -> dict[str, Any]:
    """What workers answer to Dask's own question for versions, those that do in time."""

    # one by one: a worker that is stopped must not keep back what others say
    async def broadcast(dask_scheduler: Any) -> dict[str, Any]:
        import asyncio

        message = {"op": "versions"}
        asked = [
            asyncio.ensure_future(
                dask_scheduler.broadcast(msg=message, workers=[address], on_error="ignore")
            )
            for address in workers
        ]
        done, late = await asyncio.wait(asked, timeout=seconds)
        for one in late:
            one.cancel()
        return {address: told for one in done for address, told in one.result().items()}

    found: dict[str, Any] = ask(client, 2 * seconds, broadcast) if workers else {}
    return found


def list_workers(client: Any, seconds: float) -> list[str]:
    """The addresses of all workers."""

    def addresses(dask_scheduler: Any) -> list[str]:
        return list(dask_scheduler.workers)

    found: list[str] = ask(client, seconds, addresses)
    return found


def look_at(client: Any, seconds: float, own: Any) -> Look:
    """What the scheduler sees; `own` is the key of the task that asks, or None."""

    def look(name: str, own: Any, dask_scheduler: Any) -> tuple[Any, ...]:
        from distributed.metrics import time
        from distributed.scheduler import heartbeat_interval

        workers = list(dask_scheduler.workers.values())
        lag = 2 * heartbeat_interval(len(workers))
        heard = [worker for worker in workers if time() - worker.last_seen <= lag]
        all_heard = len(heard) == len(workers)

        def executes(worker: Any) -> bool:
            # a task that has seceded waits for others, and so does the one that asks
            seceded = worker.long_running
            return any(task not in seceded and task.key != own for task in worker.executing)

        def is_sent_data(worker: Any) -> bool:
            return bool(worker.metrics.get("transfer", {}).get("incoming_count"))

        def waits() -> bool:
            client = dask_scheduler.clients.get(name)
            wanted = client.wants_what if client else ()
            return any(task.state not in {"memory", "erred"} for task in wanted)

        moving = any(map(executes, heard)) or (
            any(map(is_sent_data, workers)) if all_heard else bool(dask_scheduler.worker_ttl)
        )
        states = [group.states for group in dask_scheduler.task_groups.values()]
        counts = [prefix.state_counts for prefix in dask_scheduler.task_prefixes.values()]
        spilled = [worker.metrics.get("spilled_bytes", {}).get("disk", 0) for worker in workers]
        return (
            sum(one["memory"] + one["released"] + one["erred"] for one in states),
            sum(sum(one.values()) - one["forgotten"] for one in states),
            (sum(one["memory"] + one["erred"] for one in counts), sum(spilled)),
            not moving and (not all_heard or waits()),
            lag,
        )

    return Look(*ask(client, seconds, look, client.id, own))


def describe(client: Any, seconds: float) -> tuple[list[WorkerState], list[str]]:
    """The workers, and what tasks that no worker may do ask for."""

    def situation(dask_scheduler: Any) -> tuple[list[tuple[Any, ...]], list[str]]:
        from distributed.metrics import time

        workers = [
            (
                worker.address,
                worker.status.name,
                worker.metrics.get("memory", 0),
                worker.memory_limit or 0,
                worker.nthreads,
                len(worker.processing),
                time() - worker.last_seen,
            )
            for worker in dask_scheduler.workers.values()
        ]
        wishes = set()
        for task in dask_scheduler.unrunnable:
            resources = task.resource_restrictions or {}
            wishes |= {f"{name}={amount:g}" for name, amount in resources.items()}
            wishes |= set(task.worker_restrictions or ()) | set(task.host_restrictions or ())
        return workers, sorted(wishes)

    workers, wishes = ask(client, seconds, situation)
    return [WorkerState(*worker) for worker in workers], wishes


def imports(modules: Sequence[str], packages: Sequence[str] = ()) -> _Question:
    """The question what a process can't import of these modules, and the version of this package.

    It answers a dict of the error by package, and a version or None. Packages are looked for, and
    not imported: few processes need them.
    """

    def imported() -> tuple[dict[str, str], str | None]:
        import sys
        from importlib import import_module
        from importlib.util import find_spec

        def look_for(package: str) -> None:
            if find_spec(package) is None:
                raise ModuleNotFoundError(f"No module named {package!r}")

        failed, looks = {}, dict.fromkeys(packages, look_for)
        for module in (*packages, *modules):
            try:
                looks.get(module, import_module)(module)
            except Exception as error:  # noqa: BLE001 - whatever a package does as it is imported
                name = str(getattr(error, "name", None) or module).partition(".")[0]
                failed[name] = f"{type(error).__name__}: {error}"
        return failed, getattr(sys.modules.get("dask_kmsmote"), "__version__", None)

    return imported
