"""Watching a stage: its name as a span of the cluster, and how far it has come, for callbacks.

On Dask's local schedulers finished tasks are counted as they finish; a distributed scheduler is
asked from time to time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import Any

from dask.base import get_scheduler
from dask.callbacks import Callback as TaskCallback

from ... import events
from ...events import Callback, StageProgressed, emit

INTERVAL = 0.5  # seconds between two looks


@contextmanager
def stage(name: str, callbacks: Sequence[Callback], *, frames: bool = False) -> Iterator[None]:
    """Emit the events of a stage, and give its tasks a span ``kmsmote-<name>``.

    Dask frames ignore spans, and warn of them: none where the body makes such.
    """
    client = active_client()
    span = nullcontext() if frames else _span(client, name)
    # progress ends first: at an event after the last of its stage, a bar would open again
    with events.stage(name, callbacks), span, _progress(client, name, callbacks):
        yield


def active_client() -> Any:
    """The distributed client that would compute now; None where a local scheduler would."""
    # where a client is active, the scheduler is its bound method `get`
    client = getattr(get_scheduler(), "__self__", None)
    return client if hasattr(client, "run_on_scheduler") else None


def _span(client: Any, name: str) -> AbstractContextManager[Any]:
    if client is None:
        return nullcontext()
    from distributed import span

    named: AbstractContextManager[Any] = span(f"kmsmote-{name}")
    return named


def _progress(client: Any, name: str, callbacks: Sequence[Callback]) -> AbstractContextManager[Any]:
    if not callbacks:
        return nullcontext()

    def emit_progress(n_done: int, n_tasks: int) -> None:
        emit(callbacks, StageProgressed(name, n_done, n_tasks))

    return _Counting(emit_progress) if client is None else _asking(client, emit_progress)


class _Counting(TaskCallback):  # type: ignore[misc] # Dask has no types
    """Counts the tasks of local schedulers."""

    def __init__(self, report: Callable[[int, int], None]) -> None:
        super().__init__()
        self.report, self.n_done, self.n_tasks, self.last = report, 0, 0, perf_counter()

    def _start_state(self, dsk: Any, state: Any) -> None:  # noqa: ARG002 - Dask's signature
        # added up, as a stage computes more than once
        self.n_tasks += len(state["waiting"]) + len(state["ready"])

    def _posttask(self, *_: Any) -> None:
        self.n_done += 1
        if perf_counter() - self.last >= INTERVAL:
            self.last = perf_counter()
            self.report(self.n_done, self.n_tasks)


@contextmanager
def _asking(client: Any, report: Callable[[int, int], None]) -> Iterator[None]:
    before = _count_tasks(client)
    over = threading.Event()

    def ask() -> None:
        while before is not None and not over.wait(INTERVAL):
            now = _count_tasks(client)
            if now is None or over.is_set():
                return
            # a scheduler forgets tasks, so there may be fewer than before
            n_tasks = max(now[1] - before[1], 0)
            report(min(max(now[0] - before[0], 0), n_tasks), n_tasks)

    asking = threading.Thread(target=ask, name="kmsmote-progress", daemon=True)
    asking.start()
    try:
        yield
    finally:
        over.set()
        # a scheduler that has stopped answering must not stop the run from ending
        asking.join(timeout=2 * INTERVAL)


def _count_tasks(client: Any) -> tuple[int, int] | None:
    """Tasks that a cluster has done, and all that it knows; None where it does not answer."""

    # not at the top of a module: it travels by value, as a scheduler may lack this package
    def count(dask_scheduler: Any) -> tuple[int, int]:
        states = [task.state for task in list(dask_scheduler.tasks.values())]
        return sum(state in {"memory", "released", "erred"} for state in states), len(states)

    try:
        n_done, n_tasks = client.run_on_scheduler(count)
    except Exception:  # noqa: BLE001 - a progress bar is not worth a failed run
        return None
    return n_done, n_tasks
