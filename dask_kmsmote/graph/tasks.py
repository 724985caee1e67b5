"""Named tasks: a key reads ``kmsmote-<stage>-<token>``, so that a dashboard shows the stages.

They are put into graphs here and not by `dask.delayed`, which culls the graphs of all tasks in a
list argument each time: quadratic in the chunks, as measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dask._task_spec import List, Task, TaskRef
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from ..planning.layout import FAN_IN, cut


class Tasks:
    """Makes the tasks of one run; each stage numbers its own."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._made: dict[str, int] = {}

    def __call__(self, stage: str, function: Callable[..., Any], *args: Any) -> Delayed:
        """One call of a module-level function, as a task.

        An argument may be a task, or a list with tasks in it; anything else is passed as it is.
        """
        number = self._made.get(stage, 0)
        self._made[stage] = number + 1
        key = (f"kmsmote-{stage}-{self.token}", number)
        needed = [
            part
            for arg in args
            for part in (arg if isinstance(arg, list) else [arg])
            if isinstance(part, Delayed)
        ]
        task = Task(key, function, *[_reference(arg) for arg in args])
        return Delayed(key, HighLevelGraph.from_collections(key, {key: task}, needed))

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


def in_one_layer(*parts: Delayed) -> list[Delayed]:
    """The same tasks over one plain graph: Dask culls a layer at a time, by the keys of all."""
    graph = HighLevelGraph.merge(*[part.dask for part in parts]).to_dict()
    return [Delayed(part.key, graph) for part in parts]


def _reference(arg: Any) -> Any:
    if isinstance(arg, Delayed):
        return TaskRef(arg.key)
    if isinstance(arg, list) and any(isinstance(part, Delayed) for part in arg):
        return List(*[_reference(part) for part in arg])
    return arg
