"""What a run tells while it works: frozen events, passed to the callbacks of a sampler.

The stages have one order, here, in the README's picture, in the pipeline and in the names of tasks
on a dashboard (``kmsmote-<stage>-…``). Those that compute are told of as they start, progress and
end: census, clustering, survey, gather, density. `choose` and `allocate` are arithmetic on small
tables, and `synthesis` is lazy: its tasks run when the result is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

STAGES = (
    "census", "clustering", "survey", "choose", "gather", "density", "allocate", "synthesis",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage that computes, one of `STAGES`, begins; a job adds "types" and "write".

    A search is one stage, "search".
    """

    stage: str


@dataclass(frozen=True, slots=True)
class StageProgressed:
    """So many of the tasks that are known by now are done; told from time to time.

    It may come from a thread of its own. The share of a stage can fall when it adds tasks.
    """

    stage: str
    n_done: int
    n_tasks: int


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage that computes is done after `seconds`."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A stage that computes ended with an exception after `seconds`."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to look at before rows are made: one of the plan's warnings."""

    message: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that follows from what was asked, and may not be expected: columns left out."""

    message: str


Event = StageStarted | StageProgressed | StageFinished | StageFailed | Warned | Noted
Callback = Callable[[Event], None]


def emit(callbacks: Sequence[Callback], event: Event) -> None:
    """Pass an event to every callback."""
    for callback in callbacks:
        callback(event)


@contextmanager
def stage(name: str, callbacks: Sequence[Callback]) -> Iterator[None]:
    """Emit an event when the body starts, and when it is done or fails."""
    emit(callbacks, StageStarted(name))
    start = perf_counter()
    try:
        yield
    # KeyboardInterrupt as well: an open bar must be closed
    except BaseException:
        emit(callbacks, StageFailed(name, perf_counter() - start))
        raise
    # outside of the try: a callback that raises here is no failure of the stage
    emit(callbacks, StageFinished(name, perf_counter() - start))
