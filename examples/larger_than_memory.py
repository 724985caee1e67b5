"""Data several times larger than the memory of the cluster: made, resampled, written, checked.

    python examples/larger_than_memory.py FOLDER [GIGABYTES] [MEMORY_LIMIT]

One worker process with two threads and 768 MiB, 2.4 GB of rows by default. Every step streams: the
rows are made in chunks and written, read four times in chunks, and written again with the synthetic
rows among them. Only the rows of the minority stay in the worker's memory.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from time import perf_counter

import dask
import dask.array as da
import numpy as np
import zarr
from dask.utils import format_bytes, parse_bytes
from distributed import Client, LocalCluster

from dask_kmsmote import KMeansSMOTE

N_FEATURES, CHUNK_ROWS = 96, 40_000
# what is freed goes back to the system at once, so that the limit is about what is in use
ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": "0"}


def some_rows(chunk: np.ndarray) -> np.ndarray:
    """Rows in ten clouds; the last column is 1 for about 1 % of them, all in three clouds."""
    rng = np.random.default_rng([2026, int(chunk[0, 0])])
    clouds = np.random.default_rng(0).normal(0, 3, (10, N_FEATURES)).astype(np.float32)
    cloud = rng.integers(0, 10, CHUNK_ROWS)
    rows = np.empty((CHUNK_ROWS, N_FEATURES + 1), dtype=np.float32)
    rows[:, :-1] = clouds[cloud] + rng.standard_normal((CHUNK_ROWS, N_FEATURES), dtype=np.float32)
    rows[:, -1] = (cloud < 3) & (rng.random(CHUNK_ROWS) < 0.03)
    return rows


def write(folder: Path, rows: da.Array, labels: da.Array) -> None:
    """Two Zarr arrays, not packed: random numbers would be no smaller."""
    arrays = {"rows": rows, "labels": labels}
    targets = [
        zarr.create_array(
            folder / name, shape=x.shape, chunks=x.chunksize, dtype=x.dtype, compressors=None
        )
        for name, x in arrays.items()
    ]
    da.store(list(arrays.values()), targets, lock=False)


def make_rows(n_bytes: int) -> tuple[da.Array, da.Array]:
    """Lazy rows and labels, of so many bytes."""
    n_chunks = -(-n_bytes // (CHUNK_ROWS * (N_FEATURES + 1) * 4))
    seeds = da.arange(n_chunks, chunks=1)[:, None]
    chunks = ((CHUNK_ROWS,) * n_chunks, (N_FEATURES + 1,))
    rows = seeds.map_blocks(some_rows, dtype=np.float32, chunks=chunks)
    return rows[:, :-1], rows[:, -1].astype(np.int8)


def peak_memory() -> int:
    """Most bytes that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(folder: Path, n_bytes: int, memory_limit: int) -> None:
    """Make, resample, write, check; print what each step took."""
    start = perf_counter()

    def tell(text: str) -> None:
        print(f"{perf_counter() - start:5.1f} s  {text}", flush=True)

    dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT})
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=2, memory_limit=memory_limit, dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        workers = list(client.scheduler_info()["workers"])
        write(folder / "source", *make_rows(n_bytes))
        X, y = (da.from_zarr(folder / "source" / name) for name in ("rows", "labels"))
        tell(f"made {len(X):,} rows, {format_bytes(X.nbytes)}, for {format_bytes(memory_limit)}")

        sampler = KMeansSMOTE(random_state=0, kmeans_estimator=10, sampling_strategy=0.1)
        X_resampled, y_resampled = sampler.fit_resample(X, y)
        tell("planned")
        print(sampler.plan_)

        regular = [array.rechunk({0: CHUNK_ROWS}) for array in (X_resampled, y_resampled)]
        write(folder / "resampled", *regular)
        counts = da.bincount(da.from_zarr(folder / "resampled" / "labels")).compute()
        tell(f"written {format_bytes(X_resampled.nbytes)}; classes {counts.tolist()}")
        (peak,) = client.run(peak_memory).values()
        restarts = sum(worker not in client.scheduler_info()["workers"] for worker in workers)
        tell(f"peak of the worker's memory {format_bytes(peak)}; restarts {restarts}")


if __name__ == "__main__":
    size = float(sys.argv[2]) if len(sys.argv) > 2 else 2.4
    limit = parse_bytes(sys.argv[3] if len(sys.argv) > 3 else "768MiB")
    main(Path(sys.argv[1]), int(size * 1e9), limit)
