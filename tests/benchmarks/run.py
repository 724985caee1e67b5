"""Measure, and print a table: each figure a ratio to a reference run beside it.

python tests/benchmarks/run.py             # what fits in memory: S1-S4, S8, S9
python tests/benchmarks/run.py S6 S7       # on a LocalCluster, minutes each
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
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from data import mixture
from imblearn.over_sampling import KMeansSMOTE as Reference
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from dask_kmsmote import KMeansSMOTE

REPEATS = 3
MODULES = "dask_kmsmote", "dask.array"


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    what: str
    ours: str
    reference: str
    ratio: float
    target: float


def median_seconds(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median wall time, after one run to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


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


def small_set(scale: float) -> list[Figure]:
    """Default settings on a set where overhead is all there is."""
    X, y = mixture(max(200, int(1000 * scale)), 10)
    seconds = median_seconds(lambda: KMeansSMOTE(random_state=0).fit_resample(X, y), 9)
    return [Figure("S4", "numpy 1,000 x 10, defaults / 0.3 s", f"{seconds:.3f} s", "0.3 s",
                   seconds / 0.3, 1.0)]  # fmt: skip


def graph_size(n_chunks: int) -> Figure:
    """Tasks of the eager stages after KMeans, on chunks of ten rows."""
    from sklearn.frozen import FrozenEstimator

    X, y = mixture(10 * n_chunks, 4)
    clusterer = FrozenEstimator(KMeans(8, n_init=1, random_state=0).fit(X[:1000]))
    on_dask = da.from_array(X, chunks=(10, 4)), da.from_array(y, chunks=10)
    counts: list[int] = []

    def counting(graph: Any, keys: Any, **options: Any) -> Any:
        graph = graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph
        counts.append(len(graph))
        return dask.get(graph, keys, **options)

    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=clusterer)
    with dask.config.set(scheduler=counting):
        sampler.fit(*on_dask)
    n_tasks, kept = sum(counts[2:]), sum(group.kept for group in sampler.plan_.groups)
    allowed = 6 * n_chunks + 20 * kept
    return Figure("S8", f"{n_chunks:,} chunks: tasks after KMeans / (6 a chunk + 20 a group)",
                  f"{n_tasks:,}", f"{allowed:,}", n_tasks / allowed, 1.0)  # fmt: skip


def import_anew(module: str) -> None:
    """Import a module in a process of its own."""
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def import_time() -> list[Figure]:
    """Seconds to import, in processes of their own."""
    ours, reference = (median_seconds(lambda m=m: import_anew(m)) for m in MODULES)
    return [Figure("S9", "import dask_kmsmote / import dask.array", f"{ours:.2f} s",
                   f"{reference:.2f} s", ours / reference, 1.5)]  # fmt: skip


def chunked_mixture(n: int, n_features: int, chunk: int) -> tuple[da.Array, da.Array]:
    """The mixture as Dask arrays that are made anew at each read."""
    parts = [dask.delayed(mixture, nout=2)(chunk, n_features, part=p) for p in range(n // chunk)]
    X = [da.from_delayed(x, (chunk, n_features), float) for x, _ in parts]
    y = [da.from_delayed(labels, (chunk,), np.int8) for _, labels in parts]
    return da.concatenate(X), da.concatenate(y)


def on_cluster(n: int, workers: int) -> float:
    """Seconds of all stages on a LocalCluster; the result is summed, block by block."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        X, y = dask.persist(*chunked_mixture(n, 18, 125_000))

        def job() -> None:
            sampler = KMeansSMOTE(random_state=0, kmeans_estimator=50)
            X_resampled, y_resampled = sampler.fit_resample(X, y)
            dask.compute(X_resampled.sum(), y_resampled.sum())

        return median_seconds(job)


def rows_up(scale: float) -> list[Figure]:
    """Eight times the rows."""
    small, large = (on_cluster(int(n * scale), 2) for n in (2_000_000, 16_000_000))
    return [Figure("S6", "16M rows / 2M rows, 50 clusters, 2 workers", f"{large:.1f} s",
                   f"{small:.1f} s", large / small, 9.0)]  # fmt: skip


def workers_up(scale: float) -> list[Figure]:
    """Twice the workers; the ratio is that of the times."""
    one, two = (on_cluster(int(4_000_000 * scale), workers) for workers in (1, 2))
    return [Figure("S7", "4M rows: 2 workers / 1 worker", f"{two:.1f} s", f"{one:.1f} s",
                   two / one, 1 / 1.7)]  # fmt: skip


def measure(name: str, scale: float) -> list[Figure]:
    """The figures of one name."""
    if name in ("S1", "S2", "S3"):
        n, n_features, k, target = {
            "S1": (1_000_000, 18, 50, 1 / 3),
            "S2": (1_000_000, 18, 8, 1 / 8),
            "S3": (200_000, 100, 20, 1 / 2),
        }[name]
        return against_imbalanced_learn(name, int(n * scale), n_features, k, target)
    if name == "S8":
        return [graph_size(max(50, int(n * scale))) for n in (100, 1_000, 10_000)]
    return {
        "S4": lambda: small_set(scale),
        "S6": lambda: rows_up(scale),
        "S7": lambda: workers_up(scale),
        "S9": import_time,
    }[name]()


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["S1", "S2", "S3", "S4", "S8", "S9"])
    parser.add_argument("--scale", type=float, default=1.0, help="of the rows")
    arguments = parser.parse_args()
    print("| | what | ours | reference | ratio | target |\n|---|---|---|---|---|---|")
    for name in arguments.names:
        for f in measure(name, arguments.scale):
            print(f"| {f.name} | {f.what} | {f.ours} | {f.reference} | {f.ratio:.3f} | "
                  f"<= {f.target:.3f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
