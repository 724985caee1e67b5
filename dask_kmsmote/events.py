"""What a run tells while it works: frozen events, passed to the callbacks of a sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

STAGES = ("census", "clustering", "survey", "density")


@dataclass(frozen=True, slots=True)
class StageStarted:
    """An eager stage, one of `STAGES`, begins."""

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
    """An eager stage is done after `seconds`."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StageFailed:
    """An eager stage ended with an exception after `seconds`."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to look at before rows are made: one of the plan's warnings."""

    message: str


Event = StageStarted | StageProgressed | StageFinished | StageFailed | Warned
Callback = Callable[[Event], None]


def tell(callbacks: Sequence[Callback], event: Event) -> None:
    """Pass an event to every callback."""
    for callback in callbacks:
        callback(event)


@contextmanager
def stage(name: str, callbacks: Sequence[Callback]) -> Iterator[None]:
    """Tell the callbacks when the body starts, and when it is done or fails."""
    tell(callbacks, StageStarted(name))
    start = perf_counter()
    try:
        yield
    except BaseException:
        tell(callbacks, StageFailed(name, perf_counter() - start))
        raise
    tell(callbacks, StageFinished(name, perf_counter() - start))
