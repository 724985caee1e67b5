"""What would a thousand workers do: real graphs without data, on a simulated cluster.

python tests/benchmarks/scaling.py                 # 1e8 and 1e9 rows: a table and a plot
python tests/benchmarks/scaling.py --rows 1e8      # one size; its last line is JSON
python tests/benchmarks/scaling.py --rows 1e8 --kinds   # and what the tasks are
python tests/benchmarks/scaling.py --capture       # measure what a task costs anew: 2 minutes

18 features of float64 in partitions of 125,000 rows, 50 clusters, a minority of 1 in 17. The real
client builds its real graphs, from the census to sums of the lazy result; what it computes comes
from stand-ins, see `standins`. So these figures are counted, for graphs of any size:

- `client_s`: CPU seconds of this process outside of stand-ins: the package's own, and Dask's to
  build, optimise, serialise and materialise the graphs. A cluster's scheduler materialises and
  optimises them, and no worker does anything meanwhile; its order and states of tasks are left out,
  as they are in its 1 ms for each task.
- `tasks`: all that the scheduler is given, after Dask's optimisation.

The simulation (`simulate`) says how long they take, with the seconds of each kind of task from a
capture: the same graphs of fewer rows, computed in this process, where the CPU seconds of every
call are measured and fitted to the rows that go in and come out. `costs.json` holds one; another
is made where a task is of no known kind. `moved_gb` is what 256 workers send each other.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: seconds are those of one thread

import dask
import dask.array as da
import numpy as np
from dask._expr import HLGExpr, LLGExpr
from dask._task_spec import Task, TaskRef
from dask.base import collections_to_expr
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph
from dask.order import order
from dask.utils import key_split
from distributed.protocol import serialize, to_serialize
from distributed.scheduler import _cull, _materialize_graph
from scipy.optimize import nnls
from simulate import Call, Load, simulate
from standins import StandIns, bytes_of, name_of, rows_of

from dask_kmsmote import KMeansSMOTE, pipeline
from data import mixture

N_FEATURES, PART_ROWS, CLUSTERS = 18, 125_000, 50
WORKERS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
COSTS = Path(__file__).with_name("costs.json")
# what seconds grow with, where it is not the rows that go in and come out
WORK = {
    "measure_pairs": lambda left, right, a, b, *_: (a.stop - a.start) * (b.stop - b.start),
    "grow_in_cell": lambda parts, edges, k, trees, *_: _sorting(rows_of(parts)) * trees,
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

    def persist(self, collections, optimize_graph=True, **_):
        """As a `distributed.Client`."""
        expr = collections_to_expr(collections, optimize_graph).optimize()
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


class Costs:
    """Seconds of each kind of call, and where the rows are, from a capture."""

    def __init__(self, shares, seconds):
        self.shares, self.seconds = shares, seconds

    def of(self, steps):
        """Seconds of a task."""
        return sum(
            float(np.dot(self.seconds[name], (1, going_in, out)))
            for name, going_in, out, _ in steps
        )

    def missing(self, recorder):
        """Kinds that were not captured."""
        return {step[0] for steps in recorder.steps for step in steps} - set(self.seconds)


def fit(steps):
    """Seconds of each kind: a constant, and so many for each row in and out."""
    by_name = defaultdict(list)
    for name, *numbers in steps:
        by_name[name].append(numbers)
    found = {}
    for name, numbers in sorted(by_name.items()):
        *ways, seconds = np.array(numbers, dtype=float).T
        table = np.column_stack([np.ones_like(seconds), *ways])
        scale = np.maximum(table.max(axis=0), 1e-9)
        # relative errors count, of small tasks as of large ones; the sum is kept
        weight = 1 / np.maximum(seconds, 1e-4)
        slopes, _ = nnls(table / scale * weight[:, np.newaxis], seconds * weight)
        fitted = (table / scale) @ slopes
        slopes *= seconds.sum() / max(fitted.sum(), 1e-12) if fitted.sum() else 1.0
        found[name] = [float(f"{slope:.4g}") for slope in slopes / scale]
    return found


def as_arrays(recorder, chunks):
    """X and y of chunks that a recorder holds."""
    X, y = zip(*chunks, strict=True)
    lengths = tuple(len(part) for part in X)
    graphs = recorder.give("x", X), recorder.give("y", y)
    return (
        da.Array(graphs[0], "x", (lengths, X[0].shape[1:]), dtype=float, meta=np.empty((0, 0))),
        da.Array(graphs[1], "y", (lengths,), dtype=y[0].dtype, meta=np.empty(0, y[0].dtype)),
    )


def resample(recorder, X, y, **parameters):
    """All stages, and sums of the lazy result; gives back the sampler."""
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=CLUSTERS, **parameters)
    with dask.config.set(scheduler=recorder.get), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recorder.start()
        X_resampled, y_resampled = sampler.fit_resample(X, y)
        dask.compute(X_resampled.sum(), y_resampled.sum())
        recorder.stop()
    return sampler


def dry_run(n, shares, part_rows=PART_ROWS, **parameters):
    """What a scheduler would be given for n rows."""
    stand_ins = StandIns(shares)
    recorder = Recorder(stand_ins)
    starts = range(0, n, part_rows)
    chunks = [stand_ins.chunk(at, min(at + part_rows, n), N_FEATURES) for at in starts]
    resample(recorder, *as_arrays(recorder, chunks), **parameters)
    return recorder


def capture():
    """Costs, from runs on data: as they are, and so that all that large groups need is called."""
    runs = [
        # rows, share of the minority (as it is: None), bytes of a block, exact_rows
        (100_000, None, 2**16, 1000),  # to warm up: compiled functions
        (4_000_000, None, pipeline.GROUP_BYTES, 16_384),
        (400_000, 0.45, 2**16, 1000),  # groups of up to 40 blocks
        (1_000_000, 0.45, 2**22, 4000),  # groups of up to 45,000 rows
    ]
    steps, shares = [], None
    for number, (n, share, block_bytes, exact_rows) in enumerate(runs):
        print(f"capture {number} of {len(runs) - 1}: {n:,} rows", file=sys.stderr)
        recorder = Recorder(lambda function, args, options: function(*args, **options))
        with mock.patch.object(pipeline, "GROUP_BYTES", block_bytes):
            data = as_arrays(recorder, _chunks(n, share))
            sampler = resample(recorder, *data, exact_rows=exact_rows)
        if number:
            steps += [step for own in recorder.steps for step in own]
        if share is None:
            shares = _shares(sampler)
    return Costs(shares, fit(steps))


def _chunks(n, share):
    size = min(PART_ROWS, n // 8)
    for part in range(n // size):
        X, y = mixture(size, N_FEATURES, part=part)
        if share is not None:
            y = (np.random.default_rng(part).random(size) < share).astype(np.int8)
        yield X, y


def _shares(sampler):
    """Of all rows, by cluster and class."""
    table = np.zeros((CLUSTERS, 2))
    for group in sampler.plan_.groups:
        table[group.cluster_id] = [group.n_rows - group.n_class_rows, group.n_class_rows]
    return (table / table.sum()).round(7).tolist()


def load_costs(*, anew=False):
    """The committed ones, or new ones."""
    if anew or not COSTS.exists():
        costs = capture()
        COSTS.write_text(json.dumps(vars(costs), indent=1) + "\n")
    return Costs(**json.loads(COSTS.read_text()))


def priced(recorder, costs):
    """The recorded tasks with their seconds."""
    recorder.load.seconds = [costs.of(steps) for steps in recorder.steps]
    return recorder.load


def measure(n, costs):
    """A dry run of n rows, and the seconds on each number of workers."""
    recorder = dry_run(n, costs.shares)
    if missing := costs.missing(recorder):
        print(f"not captured yet: {', '.join(sorted(missing))}", file=sys.stderr)
        costs = load_costs(anew=True)
        if missing := costs.missing(recorder):
            raise LookupError(f"No run of `capture` calls {', '.join(sorted(missing))}.")
    load = priced(recorder, costs)
    return recorder, {workers: simulate(load, workers) for workers in WORKERS}


def print_size(n, recorder, outcomes):
    """A table, and a plot, of one size."""
    load = recorder.load
    n_tasks, work = len(load.needs) - load.n_given, sum(load.seconds)
    print(f"\n{n:,} rows: {n_tasks:,} tasks of {work:,.0f} s; client {recorder.client_seconds:.1f} s")
    print("\n| workers | seconds | times faster | moved GB |\n|---|---|---|---|")
    alone = outcomes[WORKERS[0]].seconds
    for workers, (seconds, moved) in outcomes.items():
        print(f"| {workers:,} | {seconds:,.1f} | {alone / seconds:.1f} | {moved / 1e9:.1f} |")
    print("\n```\nworkers    seconds, simulated")
    for workers, (seconds, _) in outcomes.items():
        bar = "#" * round(50 * math.log10(max(seconds, 1)) / math.log10(max(alone, 10)))
        print(f"{workers:7,} {bar:50} {seconds:9,.1f}")
    print("```", flush=True)


def print_kinds(recorder):
    """What the tasks are, those of most first."""
    load, found = recorder.load, defaultdict(lambda: [0, 0.0, 0])
    rows = zip(recorder.names, recorder.steps, load.seconds, load.nbytes, strict=True)
    for number, (name, steps, seconds, nbytes) in enumerate(rows):
        if number >= load.n_given:
            called = "+".join(dict.fromkeys(step[0] for step in steps)) or "(alias or data)"
            kind = found[f"{name}: {called}"]
            for place, amount in enumerate((1, seconds, nbytes)):
                kind[place] += amount
    print("\n| task | tasks | seconds | GB |\n|---|---|---|---|")
    for kind, (n, seconds, nbytes) in sorted(found.items(), key=lambda item: -item[1][0]):
        print(f"| {kind} | {n:,} | {seconds:,.2f} | {nbytes / 1e9:.2f} |")


def summary(n, recorder, outcomes):
    """The line of JSON."""
    return {
        "rows": n,
        "client_s": round(recorder.client_seconds, 3),
        "tasks": len(recorder.load.needs) - recorder.load.n_given,
        "moved_gb": round(outcomes[256].moved / 1e9, 3),
        "simulated_s": {str(own): round(outcomes[own].seconds, 3) for own in (1, 64, 256)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, help="one size; prints a line of JSON last")
    parser.add_argument("--kinds", action="store_true", help="print what the tasks are")
    parser.add_argument("--capture", action="store_true", help="measure costs anew, and keep them")
    arguments = parser.parse_args()
    costs = load_costs(anew=arguments.capture)
    for n in [int(arguments.rows)] if arguments.rows else [10**8, 10**9]:
        recorder, outcomes = measure(n, costs)
        print_size(n, recorder, outcomes)
        if arguments.kinds:
            print_kinds(recorder)
    if arguments.rows:
        print(json.dumps(summary(n, recorder, outcomes)))


if __name__ == "__main__":
    main()
