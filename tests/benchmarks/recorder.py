"""A client in place of Dask's, that notes all that a scheduler would be given.

What it is asked to compute is computed here, task by task in Dask's order, by a function of its
maker's: on data, or on stand-ins for them. What it is asked to persist, it holds, and hands out as
futures. So the package and Dask go the ways that they go on a cluster.
"""

from __future__ import annotations

import math
import time
from collections import Counter

from dask._expr import HLGExpr, LLGExpr
from dask._task_spec import Task, TaskRef
from dask.base import collections_to_expr
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph
from dask.order import order
from dask.utils import key_split
from distributed.protocol import serialize, to_serialize
from distributed.scheduler import _cull, _materialize_graph
from simulate import Call, Load
from standins import bytes_of, name_of, rows_of

from dask_kmsmote.kernels.neighbors.recall import PROBE_ROWS

# what seconds grow with, where it is not the rows that go in and come out
WORK = {
    "measure_pairs": lambda left, right, a, b, *_: (a.stop - a.start) * (b.stop - b.start),
    "probe_block": lambda sample, block, *_: min(PROBE_ROWS, len(sample)) * rows_of(block),
    "grow_in_cell": lambda parts, k, trees, *_: _sorting(rows_of(parts)) * trees,
    "sample_pairs": lambda m, n, *_: n,
    "measure_own_pairs": lambda block, m, n, *_: n,
    "measure_picked_pairs": lambda parts, pairs, _: pairs.shape[1],
    "draw_block": lambda density, stream, *_: stream.n_rows,
    "make_from_block": lambda block, density, stream, *_: stream.n_rows,
}


def _sorting(n):
    return n * math.log2(max(2, n))


class Future(TaskRef):
    """A key that the stand-in for a cluster holds."""

    def cancelled(self):
        return False


class Recorder:
    """A client that computes in this process, task by task, and notes what a scheduler would see.

    Parameters
    ----------
    call
        Called with a task's function and its arguments.
    """

    def __init__(self, call):
        self.call, self.load = call, Load()
        self.names, self.steps = [], []  # of each task: its key's name, and the calls in it
        self.values, self.numbers = {}, {}  # of what is held: its value, and its task's number
        self.client_seconds, self.left_at = 0.0, None

    def give(self, name, values):
        """Hold data as keys of a one-column array, and give back futures of them."""
        keys = [(name, number, *[0] * (value.ndim - 1)) for number, value in enumerate(values)]
        for key, value in zip(keys, values, strict=True):
            self._note(key, [], [], value)
            self.values[key] = value
        self.load.n_given = len(self.names)
        return {key: Future(key) for key in keys}

    @property
    def n_tasks(self):
        """Tasks that a scheduler would take in."""
        return len(self.names) - self.load.n_given

    def start(self):
        """Begin to count the client's seconds."""
        self.left_at = time.process_time()

    def stop(self):
        """Count those since the last call, too."""
        self.client_seconds += time.process_time() - self.left_at

    def get(self, graph, keys, **_):
        """As a `distributed.Client`."""
        if isinstance(graph, dict):
            graph = LLGExpr(graph)
        elif isinstance(graph, HighLevelGraph):
            graph = HLGExpr(graph)
        found = self._compute(graph, set(flatten([keys])), waits=True)
        self.start()
        return _packed(keys, found)

    def persist(self, collections, **_):
        """As a `distributed.Client`."""
        expr = collections_to_expr(collections).optimize()
        keys = expr.__dask_keys__()
        self.values |= self._compute(expr, set(flatten(keys)), waits=False)
        self.start()
        rebuilds = [collection.__dask_postpersist__() for collection in collections]
        return [
            rebuild({key: Future(key) for key in flatten(own)}, *args)
            for (rebuild, args), own in zip(rebuilds, keys, strict=True)
        ]

    def _compute(self, expr, keys, *, waits):
        serialize(to_serialize(expr))
        graph, _ = _materialize_graph(expr, validate=False)
        if isinstance(expr, LLGExpr):
            graph = _cull(graph, keys)
        delay = time.process_time() - self.left_at
        self.client_seconds += delay
        found = self._run(graph, keys)
        wanted = tuple(self.numbers[key] for key in keys) if waits else ()
        self.load.calls.append(Call(delay, len(self.names), wanted))
        return found

    def _run(self, graph, keys):
        places, found = order(graph), {}
        users = Counter(need for node in graph.values() for need in node.dependencies)
        for key in sorted(graph, key=places.__getitem__):
            node, steps = graph[key], []
            values = {k: found[k] if k in found else self.values[k] for k in node.dependencies}
            found[key] = self._call(node, values, steps)
            self._note(key, steps, node.dependencies, found[key])
            for need in node.dependencies:
                users[need] -= 1
                if not users[need] and need not in keys:
                    found.pop(need, None)
        return {key: found[key] if key in found else self.values[key] for key in keys}

    def _note(self, key, steps, needs, value):
        self.load.needs.append(tuple(self.numbers[need] for need in needs))
        self.load.nbytes.append(bytes_of(value))
        self.names.append(key_split(key))
        self.steps.append(steps)
        self.numbers[key] = len(self.steps) - 1

    def _call(self, node, values, steps):
        """The value of a task; each call of a function in it is a step."""
        if isinstance(node, Task) and node.has_subgraph():
            inner, wanted, names, *needs = node.args
            given = Task(None, lambda *given: given, *needs)(values)
            own = dict(zip(names, given, strict=True))
            for key in sorted(inner, key=order(inner).__getitem__):
                own[key] = self._call(inner[key], own, steps)
            return own[wanted]
        values = {key: values[key] for key in node.dependencies}
        if not isinstance(node, Task):
            return node(values)

        def step(*args, **options):
            start = time.thread_time()
            result = self.call(node.func, args, options)
            seconds = time.thread_time() - start
            steps.append((name_of(node.func), *features(node.func, args, result), seconds))
            return result

        return Task(node.key, step, *node.args, **node.kwargs)(values)


def _packed(keys, found):
    return [_packed(key, found) for key in keys] if isinstance(keys, list) else found[keys]


def features(function, args, result):
    """Numbers that the seconds of a call grow with."""
    work = WORK.get(name_of(function))
    return (0, work(*args)) if work else (sum(map(rows_of, args)), rows_of(result))
