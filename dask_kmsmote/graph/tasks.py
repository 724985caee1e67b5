"""Named tasks: a key reads ``kmsmote-<stage>-<token>``, so that a dashboard shows the stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dask import delayed
from dask.delayed import Delayed

from ..planning.layout import FAN_IN, cut


class Tasks:
    """Makes the tasks of one run; each stage numbers its own."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._made: dict[str, int] = {}

    def __call__(self, stage: str, function: Callable[..., Any], *args: Any) -> Delayed:
        """One call of a module-level function, as a task."""
        number = self._made.get(stage, 0)
        self._made[stage] = number + 1
        key = (f"kmsmote-{stage}-{self.token}", number)
        return delayed(function, pure=False, traverse=False)(*args, dask_key_name=key)

    def tree(
        self, stage: str, function: Callable[[Sequence[Any]], Any], parts: list[Delayed]
    ) -> Delayed:
        """`function` over lists of parts, `FAN_IN` at a time, until one is left."""
        while True:
            parts = [
                self(stage, function, parts[start:stop]) for start, stop in cut(len(parts), FAN_IN)
            ]
            if len(parts) == 1:
                return parts[0]
