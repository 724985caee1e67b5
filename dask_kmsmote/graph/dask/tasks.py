"""Named tasks: a key reads ``kmsmote-<stage>-…-<token>``, so that a dashboard shows the stages.

They are put into graphs here and not by `dask.delayed`, which culls the graphs of all tasks in a
list argument each time: quadratic in the chunks, as measured. A graph of ours is one layer,
whatever it holds: 15,000 layers, one for each output block, take 91 s to materialize and optimize,
and one of as many tasks little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import dask
import dask.array as da
from dask._task_spec import DataNode, List, Task, TaskRef, convert_legacy_graph
from dask.callbacks import Callback
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.optimization import cull
from dask.utils import ensure_dict

from ...planning.cuts import FAN_IN, cut
from ...threads import active_scheduler, are_few
from .held import held, require_held, with_held


class Pending(Delayed):  # type: ignore[misc] # Dask has no types
    """A task that knows the tasks it needs; its graph is put together when asked for.

    A `Delayed` holds a table of all the tasks before it: in long chains, their square.
    """

    __slots__ = ("needed", "task")

    def __init__(self, key: Any, task: Task, needed: list[Delayed]) -> None:
        super().__init__(key, None)
        self.task = task
        self.needed = needed

    @property
    def dask(self) -> HighLevelGraph:
        """The graph of this task."""
        return HighLevelGraph({self.key: _flat_graph([self])}, {self.key: set()})


class Nested(NamedTuple):
    """A call within the task that takes it as an argument, and the tasks that it needs.

    A task costs a scheduler about a millisecond: what takes less has none of its own.
    """

    task: Task
    needed: list[Delayed]


Part = Delayed | Nested


def nested(function: Callable[..., Any], *args: Any) -> Nested:
    """One call of a module-level function, made by each task that it is an argument of."""
    return Nested(Task(None, function, *[_reference(arg) for arg in args]), _needed(args))


class Tasks:
    """Makes the tasks of one run; each stage numbers its own."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._made: dict[str, int] = {}

    def __call__(self, stage: str, function: Callable[..., Any], *args: Any) -> Delayed:
        """One call of a module-level function, as a task.

        An argument may be a task, a nested call or a block of an array, or a list with some in it;
        anything else is passed as it is.
        """
        number = self._made.get(stage, 0)
        self._made[stage] = number + 1
        key = (f"kmsmote-{stage}-{self.token}", number)
        task = Task(key, function, *[_reference(arg) for arg in args])
        return Pending(key, task, _needed(args))

    def tree(
        self, stage: str, function: Callable[[Sequence[Any]], Any], parts: list[Delayed]
    ) -> Delayed:
        """`function` over lists of parts, `FAN_IN` at a time, until one is left."""
        # once at least, so that a single part comes in the form of a merged one
        while True:
            parts = [
                self(stage, function, parts[start:stop]) for start, stop in cut(len(parts), FAN_IN)
            ]
            if len(parts) == 1:
                return parts[0]


def persist(*parts: Delayed) -> list[Delayed]:
    """The tasks, computed and kept in cluster memory."""
    if active_scheduler() in _LOCAL:
        return [
            Delayed(part.key, {part.key: DataNode(part.key, value)})
            for part, value in zip(parts, compute(*parts), strict=True)
        ]
    return held(dask.persist(*_in_one_layer(parts)))


def compute(*parts: Delayed) -> list[Any]:
    """The values of the tasks."""
    scheduler = active_scheduler()
    if scheduler not in _LOCAL:
        return list(dask.compute(*_in_one_layer(parts)))
    keys, graph = [part.key for part in parts], _flat_graph(parts)
    # a callback is told by a scheduler of Dask alone
    if are_few() and not Callback.active:
        return _in_turn(graph, keys)
    graph, _ = cull(graph, keys)
    require_held(graph)
    return list((scheduler or dask.threaded.get)(graph, keys))


def _in_turn(graph: dict[Any, Any], keys: Sequence[Any]) -> list[Any]:
    # of few rows the tasks take less time than to order them, and to keep account of them
    nodes, waiting = convert_legacy_graph(graph), list(keys)
    values: dict[Any, Any] = {}
    while waiting:
        missing = [key for key in nodes[waiting[-1]].dependencies if key not in values]
        if not missing:
            key = waiting.pop()
            values[key] = values[key] if key in values else nodes[key](values)
        waiting += missing
    return [values[key] for key in keys]


_LOCAL = None, dask.get, dask.threaded.get


def blocks_of(array: da.Array) -> list[TaskRef]:
    """The blocks of an array of one column of them, as arguments of tasks.

    What is made of them names the array, see `as_array`: its own layers stay as they are, so that
    they can still be optimized.
    """
    rest = (0,) * (array.ndim - 1)
    return [TaskRef((array.name, number, *rest)) for number in range(array.numblocks[0])]


def as_array(
    parts: Sequence[Delayed],
    chunks: tuple[tuple[int, ...], ...],
    meta: Any,
    over: Sequence[da.Array] = (),
) -> da.Array:
    """An array of one column of blocks, each a task, in one layer.

    Parameters
    ----------
    parts, chunks, meta
        A task for each block, the chunks, and an empty block.
    over
        Arrays whose blocks the tasks were given.
    """
    (first, number), rest = parts[0].key, (0,) * (len(chunks) - 1)
    name = f"{first}-{number}-array"
    graph = _flat_graph(parts)
    # the key of a block is the array's name and its place, and no task needs one of the parts
    for block, part in enumerate(parts):
        key = name, block, *rest
        graph[key] = graph.pop(part.key).substitute({}, key=key)
    layers = HighLevelGraph.from_collections(name, graph, over)
    return da.Array(with_held(layers), name, chunks, meta=meta)


class _Layer(dict[Any, Any]):
    """Tasks that are known by their keys: their arguments may be as large as the data."""

    def __dask_tokenize__(self) -> Any:
        return list(self)


def as_frame(parts: Sequence[Delayed], meta: Any, divisions: tuple[Any, ...]) -> Any:
    """A frame or series of partitions, each a task, in one layer.

    Unlike Dask's own, whose partitions are compared with `meta`, it takes them as they are.
    """
    from dask.dataframe.dask_expr import from_graph

    keys = [part.key for part in parts]
    return from_graph(_Layer(_flat_graph(parts)), meta, divisions, keys, "kmsmote-result")


def _in_one_layer(parts: Sequence[Delayed]) -> list[Delayed]:
    # Dask culls a layer at a time, by the keys of all
    name, tasks = "kmsmote-tasks", _flat_graph(parts)
    require_held(tasks)
    graph = HighLevelGraph({name: tasks}, {name: set()})
    return [Delayed(part.key, graph, layer=name) for part in parts]


def _flat_graph(parts: Sequence[Delayed]) -> dict[Any, Any]:
    graph: dict[Any, Any] = {}
    waiting, merged = list(parts), set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Pending):
            if part.key not in graph:
                graph[part.key] = part.task
                waiting.extend(part.needed)
        # the chunks of an array share one graph: merged once, not once for each of them
        elif id(part.dask) not in merged:
            merged.add(id(part.dask))
            graph.update(ensure_dict(part.dask))
    return graph


def _needed(args: Sequence[Any]) -> list[Delayed]:
    """The tasks that some arguments refer to."""
    needed: list[Delayed] = []
    for arg in args:
        if isinstance(arg, Delayed):
            needed.append(arg)
        elif isinstance(arg, Nested):
            needed += arg.needed
        elif isinstance(arg, list):
            needed += _needed(arg)
    return needed


def _reference(arg: Any) -> Any:
    if isinstance(arg, Delayed):
        return TaskRef(arg.key)
    if isinstance(arg, Nested):
        return arg.task
    if isinstance(arg, list) and any(isinstance(own, Part | TaskRef | list) for own in arg):
        return List(*[_reference(part) for part in arg])
    return arg


def same(value: Any) -> Any:
    """The value: one object in the graph, that many tasks share."""
    return value
