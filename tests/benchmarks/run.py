"""Measure, and print a table: each figure a ratio to a reference run beside it.

python tests/benchmarks/run.py                # what fits in memory: S1-S4, S8-S13
python tests/benchmarks/run.py S5 S6 S7 S14 S15   # on a LocalCluster, many minutes
python tests/benchmarks/run.py --scale 0.01 S1 S4   # a smoke test
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import on_cluster
import tables
from dask._task_spec import Task
from imblearn.over_sampling import KMeansSMOTE as Reference
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from table import REPEATS, Figure, median_seconds
from threadpoolctl import threadpool_limits

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.events import StageFinished
from data import mixture

MODULES = "dask_kmsmote", "dask.array"


def peak_bytes(function: Callable[[], Any]) -> int:
    """Most bytes that numpy and Python held at once above those at the start."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def parameters(start: Any, clusterer: Any) -> dict[str, Any]:
    """The same start, passes, threshold and exponent for both."""
    return {
        "kmeans_estimator": clusterer(len(start), init=start, max_iter=2, tol=0),
        "cluster_balance_threshold": 0.05,
        "density_exponent": 2,
        "random_state": 0,
    }


def against_imbalanced_learn(
    name: str, n: int, n_features: int, k: int, target: float
) -> list[Figure]:
    """Seconds, and memory above data and result, against the better of its thread settings."""
    from dask_ml.cluster import KMeans as DaskKMeans

    X, y = mixture(n, n_features)
    start = X[np.random.default_rng(1).choice(n, k, replace=False)]
    chunk = -(-n // 8)
    on_dask = da.from_array(X, chunks=(chunk, n_features)), da.from_array(y, chunks=chunk)

    def ours() -> Any:
        sampler = KMeansSMOTE(**parameters(start, DaskKMeans))
        return dask.persist(*sampler.fit_resample(*on_dask))

    def theirs() -> Any:
        clusterer = parameters(start, lambda k, **given: KMeans(k, n_init=1, **given))
        return Reference(**clusterer).fit_resample(X, y)

    def theirs_on_one_thread() -> Any:
        with threadpool_limits(1):
            return theirs()

    seconds = median_seconds(ours)
    reference = min(median_seconds(theirs), median_seconds(theirs_on_one_thread))
    # ours refers to the given rows, imbalanced-learn's result is a copy of them
    made = sum(part.nbytes for part in ours()) - X.nbytes - y.nbytes
    memory = peak_bytes(ours) - made
    reference_memory = peak_bytes(theirs) - made - X.nbytes - y.nbytes
    what = f"{n:,} x {n_features}, {k} clusters / imbalanced-learn"
    return [
        Figure(name, f"{what}: time", f"{seconds:.2f} s", f"{reference:.2f} s",
               seconds / reference, target),
        Figure(name, f"{what}: memory above data and result", f"{memory / 2**20:.0f} MiB",
               f"{reference_memory / 2**20:.0f} MiB", memory / reference_memory, 1 / 8),
    ]  # fmt: skip


def with_own_starts(scale: float) -> list[Figure]:
    """Seconds with the start of KMeans, each by its own default for as many clusters."""
    X, y = mixture(int(1_000_000 * scale), 18)
    chunk = -(-len(X) // 8)
    on_dask = da.from_array(X, chunks=(chunk, 18)), da.from_array(y, chunks=chunk)
    given = {"kmeans_estimator": 50, "cluster_balance_threshold": 0.05, "density_exponent": 2}

    def ours() -> Any:
        return dask.persist(*KMeansSMOTE(**given, random_state=0).fit_resample(*on_dask))

    def theirs() -> Any:
        return Reference(**given, random_state=0).fit_resample(X, y)

    seconds, reference = median_seconds(ours), median_seconds(theirs)
    with threadpool_limits(1):
        reference = min(reference, median_seconds(theirs))
    what = f"{len(X):,} x 18, 50 clusters, own starts: time / its"
    return [
        Figure("S1", what, f"{seconds:.2f} s", f"{reference:.2f} s", seconds / reference, 1 / 3)
    ]


SIZES = {"S1": (1_000_000, 18, 50), "S2": (1_000_000, 18, 8), "S3": (200_000, 100, 20)}


def scaled_distances(n: int, n_features: int, k: int) -> list[Figure]:
    """Seconds and memory with distances in standard deviations, against those in units of X.

    The features have the standard deviation 1 already, so that both do the same work.
    """
    from dask_ml.cluster import KMeans as DaskKMeans

    X, y = mixture(n, n_features)
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    start = X[np.random.default_rng(1).choice(n, k, replace=False)]
    chunk = -(-n // 8)
    on_dask = da.from_array(X, chunks=(chunk, n_features)), da.from_array(y, chunks=chunk)

    def resample(scale: str | None) -> Any:
        sampler = KMeansSMOTE(**parameters(start, DaskKMeans), scale=scale)
        return dask.persist(*sampler.fit_resample(*on_dask))

    times: dict[str | None, list[float]] = {"standard": [], None: []}
    # in turns, so that both see the same machine
    for turn in range(1 + 3 * REPEATS):
        for scale, own in times.items():
            begin = time.perf_counter()
            resample(scale)
            if turn:
                own.append(time.perf_counter() - begin)
    on, off = (statistics.median(own) for own in times.values())
    peaks = [peak_bytes(lambda scale=scale: resample(scale)) for scale in times]
    what = f"{n:,} x {n_features}, {k} clusters, scaled / units of X"
    return [
        Figure("S11", f"{what}: time", f"{on:.2f} s", f"{off:.2f} s", on / off, 1.05),
        Figure("S11", f"{what}: memory above data", f"{peaks[0] / 2**20:.0f} MiB",
               f"{peaks[1] / 2**20:.0f} MiB", peaks[0] / peaks[1], 1.05),
    ]  # fmt: skip


def small_set(scale: float) -> list[Figure]:
    """Default settings on a set where overhead is all there is."""
    X, y = mixture(max(200, int(1000 * scale)), 10)
    seconds = median_seconds(lambda: KMeansSMOTE(random_state=0).fit_resample(X, y), 9)
    return [Figure("S4", "numpy 1,000 x 10, defaults / 0.3 s", f"{seconds:.3f} s", "0.3 s",
                   seconds / 0.3, 1.0)]  # fmt: skip


def graph_size(n_chunks: int) -> list[Figure]:
    """Tasks of the eager stages, KMeans among them, on held chunks of ten rows."""
    X, y = mixture(10 * n_chunks, 4)
    held = dask.persist(da.from_array(X, chunks=(10, 4)), da.from_array(y, chunks=10))
    counts: list[int] = []
    computing: list[float] = []

    def counting(graph: Any, keys: Any, **options: Any) -> Any:
        graph = graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph
        counts.append(sum(isinstance(node, Task) for node in dict(graph).values()))
        start = time.perf_counter()
        result = dask.get(graph, keys, **options)
        computing.append(time.perf_counter() - start)
        return result

    sampler = KMeansSMOTE(random_state=0)
    with dask.config.set(scheduler=counting):
        start = time.perf_counter()
        sampler.fit(*held)
        seconds = time.perf_counter() - start - sum(computing)
    n_tasks, kept = sum(counts), sum(group.kept for group in sampler.plan_.groups)
    allowed = 6 * n_chunks + 20 * kept
    return [
        Figure("S8", f"{n_chunks:,} chunks: tasks, KMeans' in / (6 a chunk + 20 a group)",
               f"{n_tasks:,}", f"{allowed:,}", n_tasks / allowed, 1.0),
        Figure("S8", f"{n_chunks:,} chunks: all but computing / 5 s", f"{seconds:.1f} s", "5 s",
               seconds / 5, 1.0),
    ]  # fmt: skip


def import_anew(module: str) -> None:
    """Import a module in a process of its own."""
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def import_time() -> list[Figure]:
    """Seconds to import, in processes of their own."""
    ours, reference = (median_seconds(lambda m=m: import_anew(m)) for m in MODULES)
    return [Figure("S9", "import dask_kmsmote / import dask.array", f"{ours:.2f} s",
                   f"{reference:.2f} s", ours / reference, 1.5)]  # fmt: skip


def group_seconds(m: int, exact_rows: int | None) -> float:
    """Seconds of the density stage for one group of one Gaussian."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(m, 18)), rng.normal(9, 1, (m + 1000, 18))])
    y = np.repeat([1, 0], [m, m + 1000])
    clusterer = FrozenEstimator(KMeans(2, n_init=1, init=X[[0, -1]], max_iter=1).fit(X[[0, -1]]))
    seconds = []

    def tell(event: Any) -> None:
        if isinstance(event, StageFinished) and event.stage == "density":
            seconds.append(event.seconds)

    for _ in range(REPEATS):
        sampler = KMeansSMOTE(
            random_state=0, kmeans_estimator=clusterer, exact_rows=exact_rows, callbacks=[tell]
        )
        sampler.fit(X, y)
    return statistics.median(seconds)


def large_group(scale: float) -> list[Figure]:
    """Ten times the rows by the approximate path, against all pairs of a hundred times as many."""
    m = int(500_000 * scale)
    group_seconds(m // 10, None)
    exact, approximate = group_seconds(m // 10, None) * 100, group_seconds(m, m // 20)
    return [Figure("S10", f"group of {m:,} x 18 / all pairs, from those of {m // 10:,} x 100",
                   f"{approximate:.1f} s", f"{exact:.0f} s", approximate / exact, 0.1)]  # fmt: skip


def measure(name: str, scale: float) -> list[Figure]:
    """The figures of one name."""
    if name in SIZES:
        n, n_features, k = SIZES[name]
        target = {"S1": 0.15, "S2": 0.08, "S3": 0.35}[name]
        figures = against_imbalanced_learn(name, int(n * scale), n_features, k, target)
        return [*figures, *with_own_starts(scale)] if name == "S1" else figures
    if name == "S11":
        sizes = [(int(n * scale), *rest) for n, *rest in SIZES.values()]
        return [figure for size in sizes for figure in scaled_distances(*size)]
    if name == "S8":
        sizes = [max(50, int(n * scale)) for n in (100, 1_000, 10_000)]
        return [figure for n in sizes for figure in graph_size(n)]
    return {
        "S4": lambda: small_set(scale),
        "S5": lambda: on_cluster.parquet_job("S5", scale, "1GiB", 1.6),
        "S15": lambda: on_cluster.parquet_job("S15", scale, "512MiB", 2.5),
        "S6": lambda: on_cluster.rows_up(scale),
        "S7": lambda: on_cluster.workers_up(scale),
        "S9": import_time,
        "S10": lambda: large_group(scale),
        "S12": lambda: tables.mixed_against_numbers(scale),
        "S13": lambda: tables.against_smotenc(scale),
        "S14": lambda: on_cluster.table_job(scale),
    }[name]()


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        default=["S1", "S2", "S3", "S4", "S8", "S9", "S10", "S11", "S12", "S13"],
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the rows")
    arguments = parser.parse_args()
    print("| | what | ours | reference | ratio | target |\n|---|---|---|---|---|---|")
    for name in arguments.names:
        for f in measure(name, arguments.scale):
            print(f"| {f.name} | {f.what} | {f.ours} | {f.reference} | {f.ratio:.3f} | "
                  f"<= {f.target:.3f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
