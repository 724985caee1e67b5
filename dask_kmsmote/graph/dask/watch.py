"""Watching a stage: its name as a span of the cluster, how far it has come, and that it moves.

On Dask's local schedulers finished tasks are counted as they finish, for callbacks; a distributed
scheduler is asked from time to time, see `stuck`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import Any

from dask.callbacks import Callback as TaskCallback

from ... import events
from ...events import Callback, StageProgressed, emit
from ...threads import active_scheduler
from .stuck import INTERVAL, watching


@contextmanager
def stage(name: str, callbacks: Sequence[Callback], *, frames: bool = False) -> Iterator[None]:
    """Emit the events of a stage, give its tasks a span ``kmsmote-<name>``, and see that it moves.

    Dask frames ignore spans, and warn of them: none where the body makes such.

    Raises
    ------
    ClusterError
        The cluster can't do the work, or does nothing for too long.
    """
    span = nullcontext() if frames else _span(active_client(), name)
    # progress ends first: at an event after the last of its stage, a bar would open again
    with events.stage(name, callbacks), span, _progress(name, callbacks):
        yield


@contextmanager
def watched(name: str, report: Callable[[int, int], None] | None = None) -> Iterator[None]:
    """See that what is computed in the body moves, where a cluster computes it.

    Parameters
    ----------
    name
        What it is, for messages.
    report
        Told from time to time how many tasks are done, and how many there are.

    Raises
    ------
    ClusterError
        The cluster can't do the work, or does nothing for too long.
    """
    client = active_client()
    with nullcontext() if client is None else watching(client, name, report):
        yield


def active_client() -> Any:
    """The distributed client that would compute now; None where a local scheduler would."""
    # where a client is active, the scheduler is its bound method `get`
    client = getattr(active_scheduler(), "__self__", None)
    return client if hasattr(client, "run_on_scheduler") else None


def _span(client: Any, name: str) -> AbstractContextManager[Any]:
    if client is None:
        return nullcontext()
    from distributed import span

    named: AbstractContextManager[Any] = span(f"kmsmote-{name}")
    return named


def _progress(name: str, callbacks: Sequence[Callback]) -> AbstractContextManager[Any]:
    if not callbacks:
        return watched(name)

    def emit_progress(n_done: int, n_tasks: int) -> None:
        emit(callbacks, StageProgressed(name, n_done, n_tasks))

    return _Counting(emit_progress) if active_client() is None else watched(name, emit_progress)


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
