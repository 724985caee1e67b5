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
import os
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: seconds are those of one thread

import dask
import dask.array as da
import numpy as np
from recorder import Recorder
from scipy.optimize import nnls
from simulate import simulate
from standins import StandIns

from dask_kmsmote import KMeansSMOTE, pipeline
from data import mixture

N_FEATURES, PART_ROWS, CLUSTERS = 18, 125_000, 50
WORKERS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
COSTS = Path(__file__).with_name("costs.json")


class Costs:
    """Seconds of each kind of call, and where the rows are, from a capture."""

    def __init__(self, table, seconds):
        self.table, self.seconds = table, seconds

    @classmethod
    def read(cls):
        """The committed ones, or of a capture before."""
        return cls(**json.loads(COSTS.read_text()))

    def write(self):
        """Keep them for later runs."""
        seconds = ",\n".join(f"  {json.dumps(name)}: {own}" for name, own in self.seconds.items())
        COSTS.write_text(f'{{\n"table": {self.table},\n"seconds": {{\n{seconds}\n}}\n}}\n')

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
        # of many small tasks and a few large ones neither decides alone; the sum is kept
        weight = 1 / np.sqrt(np.maximum(seconds, 1e-4))
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


def dry_run(n, table, part_rows=PART_ROWS, **parameters):
    """What a scheduler would be given for n rows."""
    stand_ins = StandIns(table)
    recorder = Recorder(stand_ins)
    starts = range(0, n, part_rows)
    chunks = [stand_ins.chunk(at, min(at + part_rows, n), N_FEATURES) for at in starts]
    resample(recorder, *as_arrays(recorder, chunks), **parameters)
    return recorder


def capture():
    """Costs, from runs on data: as they are, and so that all that large groups need is called."""
    runs = [
        # rows, share of the minority (as it is: None), bytes of a block, exact_rows
        (300_000, None, 2**16, 1000),  # to warm up: compiled functions
        (4_000_000, None, pipeline.GROUP_BYTES, 16_384),
        (400_000, 0.45, 2**16, 1000),  # groups of up to 40 blocks
        (1_000_000, 0.45, 2**22, 4000),  # groups of up to 45,000 rows
    ]
    steps, table = [], None
    for number, (n, share, block_bytes, exact_rows) in enumerate(runs):
        print(f"capture {number} of {len(runs) - 1}: {n:,} rows", file=sys.stderr)
        recorder = Recorder(lambda function, args, options: function(*args, **options))
        with mock.patch.object(pipeline, "GROUP_BYTES", block_bytes):
            data = as_arrays(recorder, _chunks(n, share))
            sampler = resample(recorder, *data, exact_rows=exact_rows)
        if number:
            steps += [step for own in recorder.steps for step in own]
        if share is None:
            table = rows_of_plan(sampler)
    return Costs(table, fit(steps))


def _chunks(n, share):
    size = min(PART_ROWS, n // 24)  # of more than 16 pieces, groups are parted first
    for part in range(-(-n // size)):
        X, y = mixture(size, N_FEATURES, part=part)
        if share is not None:
            y = (np.random.default_rng(part).random(size) < share).astype(np.int8)
        yield X, y


def rows_of_plan(sampler):
    """Rows by cluster and class."""
    table = [[0, 0] for _ in range(CLUSTERS)]
    for group in sampler.plan_.groups:
        table[group.cluster_id] = [group.n_rows - group.n_class_rows, group.n_class_rows]
    return table


def priced(recorder, costs):
    """The recorded tasks with their seconds."""
    recorder.load.seconds = [costs.of(steps) for steps in recorder.steps]
    return recorder.load


def measure(n, costs):
    """A dry run of n rows, and the seconds on each number of workers."""
    recorder = dry_run(n, costs.table)
    if missing := costs.missing(recorder):
        print(f"not captured yet: {', '.join(sorted(missing))}", file=sys.stderr)
        costs = capture()
        costs.write()
        if missing := costs.missing(recorder):
            raise LookupError(f"No run of `capture` calls {', '.join(sorted(missing))}.")
    load = priced(recorder, costs)
    return recorder, {workers: simulate(load, workers) for workers in WORKERS}


def print_table(found):
    """What each size asks for, and the seconds on each number of workers."""
    print("\n| rows | client s | tasks | their seconds | moved GB |\n|---|---|---|---|---|")
    for n, recorder, outcomes in found:
        work, moved = sum(recorder.load.seconds), outcomes[256].moved
        print(f"| {n:,} | {recorder.client_seconds:.1f} | {recorder.n_tasks:,} | {work:,.0f} | "
              f"{moved / 1e9:.1f} |")  # fmt: skip
    print("\n| workers |", *[f"{n:,} rows: s | times faster |" for n, _, _ in found])
    print("|---|" + "---|---|" * len(found))
    for workers in WORKERS:
        seconds = [(own[1].seconds, own[workers].seconds) for _, _, own in found]
        print(f"| {workers:,} |", *[f"{now:,.1f} | {alone / now:.1f} |" for alone, now in seconds])


def print_plot(n, outcomes):
    """Bars of seconds."""
    longest = max(seconds for seconds, _ in outcomes.values())
    print(f"\n```\nworkers    seconds for {n:,} rows, simulated")
    for workers, (seconds, _) in outcomes.items():
        print(f"{workers:7,} {'#' * round(50 * seconds / longest):50} {seconds:9,.1f}")
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
        "tasks": recorder.n_tasks,
        "moved_gb": round(outcomes[256].moved / 1e9, 3),
        "simulated_s": {str(own): round(outcomes[own].seconds, 3) for own in (1, 64, 256)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, help="one size; prints a line of JSON last")
    parser.add_argument("--kinds", action="store_true", help="print what the tasks are")
    parser.add_argument("--capture", action="store_true", help="measure costs anew, and keep them")
    arguments = parser.parse_args()
    if arguments.capture or not COSTS.exists():
        capture().write()
    costs = Costs.read()
    dry_run(1_000_000, costs.table)  # to warm up: imports are not the client's seconds
    sizes = [int(arguments.rows)] if arguments.rows else [10**8, 10**9]
    found = [(n, *measure(n, costs)) for n in sizes]
    print_table(found)
    for n, recorder, outcomes in found:
        print_plot(n, outcomes)
        if arguments.kinds:
            print_kinds(recorder)
    if arguments.rows:
        print(json.dumps(summary(*found[0])))


if __name__ == "__main__":
    main()
