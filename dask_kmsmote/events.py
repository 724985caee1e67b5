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
class StageFinished:
    """An eager stage is done after `seconds`."""

    stage: str
    seconds: float


Event = StageStarted | StageFinished
Callback = Callable[[Event], None]


@contextmanager
def stage(name: str, callbacks: Sequence[Callback]) -> Iterator[None]:
    """Tell the callbacks when the body starts and when it is done; not if it fails."""
    for callback in callbacks:
        callback(StageStarted(name))
    start = perf_counter()
    yield
    for callback in callbacks:
        callback(StageFinished(name, perf_counter() - start))
