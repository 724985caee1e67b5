"""S5, S6, S7, S14, S15: on a LocalCluster of worker processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import psutil
from table import Figure, median_seconds

from dask_kmsmote import KMeansSMOTE
from data import mixture, payments

PART_ROWS = 125_000
N_FEATURES = 18
WORKERS = ["--workers", "2", "--verbose"]
COPY = """
import sys
import dask.dataframe as dd
from distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None
    ) as cluster, Client(cluster):
        dd.read_parquet(sys.argv[1]).to_parquet(sys.argv[2], write_index=False)
"""


def chunked_mixture(n: int, seed: int = 0) -> tuple[da.Array, da.Array]:
    """The mixture as Dask arrays that are made anew at each read."""
    names = range(-(-n // PART_ROWS))
    rows = min(n, PART_ROWS)
    parts = [dask.delayed(mixture, nout=2)(rows, N_FEATURES, seed, part) for part in names]
    X = [da.from_delayed(x, (rows, N_FEATURES), float) for x, _ in parts]
    y = [da.from_delayed(labels, (rows,), np.int8) for _, labels in parts]
    return da.concatenate(X), da.concatenate(y)


def seconds_on_cluster(n: int, workers: int) -> float:
    """Seconds of all stages, data in cluster memory; the result is summed block by block."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.run(sys.path.append, str(Path(__file__).parent))
        X, y = dask.persist(*chunked_mixture(n))

        def job() -> None:
            sampler = KMeansSMOTE(random_state=0, kmeans_estimator=50)
            X_resampled, y_resampled = sampler.fit_resample(X, y)
            dask.compute(X_resampled.sum(), y_resampled.sum())

        return median_seconds(job)


def rows_up(scale: float) -> list[Figure]:
    """Eight times the rows."""
    small, large = (seconds_on_cluster(int(n * scale), 2) for n in (2_000_000, 16_000_000))
    return [Figure("S6", "16M rows / 2M rows, 50 clusters, 2 workers", f"{large:.1f} s",
                   f"{small:.1f} s", large / small, 9.0)]  # fmt: skip


def workers_up(scale: float) -> list[Figure]:
    """Twice the workers; the ratio is that of the times."""
    one, two = (seconds_on_cluster(int(4_000_000 * scale), workers) for workers in (1, 2))
    return [Figure("S7", "4M rows, 50 clusters: 2 workers / 1 worker", f"{two:.1f} s",
                   f"{one:.1f} s", two / one, 0.62)]  # fmt: skip


def parquet_job(name: str, scale: float, memory: str, target: float) -> list[Figure]:
    """Numbers alone, and how much of them the client holds."""
    n_parts = max(2, int(160 * scale))
    what = f"{n_parts * PART_ROWS:,} x {N_FEATURES} Parquet, 2 workers x {memory}"
    options = ["--target", "target", "--clusters", "50", "--memory-limit", memory]
    return against_copy(name, what, lambda folder: write_mixture(folder, n_parts), options, target)


def table_job(scale: float) -> list[Figure]:
    """Payments by month, as they are: ids and dates are kept, and what is missing."""
    n_parts = max(2, int(30 * scale))
    what = f"{n_parts * 100_000:,} payments in folders by month, 2 workers x 1 GiB"
    options = ["--target", "is_fraud", "--keep", "id,at", "--missing", "keep"]
    options += ["--memory-limit", "1GiB"]
    return against_copy("S14", what, lambda folder: write_payments(folder, n_parts), options, 2.5)


def against_copy(
    name: str, what: str, write: Callable[[Path], None], options: list[str], target: float
) -> list[Figure]:
    """The command line against a plain Dask copy of what it wrote, in turn, three times each."""
    with tempfile.TemporaryDirectory() as folder:
        source, out, copy = (Path(folder) / name for name in ("source", "out", "copy"))
        write(source)
        program = Path(sys.executable).parent / "dask-kmsmote"
        arguments = [source, out, *options, "--seed", "0"]
        ours, theirs, growth, restarts = [], [], 0, 0
        for _ in range(3):
            subprocess.run(["rm", "-rf", out, copy], check=True)
            seconds, grown, told = watched([program, "resample", *arguments, *WORKERS])
            ours.append(seconds)
            growth, restarts = max(growth, grown), restarts + told.count("Restarting worker")
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", COPY, out, copy], check=True)
            theirs.append(time.perf_counter() - start)
    seconds, reference = statistics.median(ours), statistics.median(theirs)
    return [
        Figure(name, f"{what}: command line / plain Dask copy of its output", f"{seconds:.0f} s",
               f"{reference:.0f} s", seconds / reference, target),
        Figure(name, "client's memory grown / 300 MB", f"{growth / 1e6:.0f} MB", "300 MB",
               growth / 3e8, 1.0),
        Figure(name, "workers restarted", str(restarts), "0", float(restarts), 0.0),
    ]  # fmt: skip


def write_payments(folder: Path, n_parts: int) -> None:
    """Parquet files of payments, in folders by month."""
    for part in range(n_parts):
        frame = payments(100_000, part)
        month = folder / f"month=2026-{1 + part * 6 // n_parts:02d}"
        month.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(month / f"part-{part:04d}.parquet", index=False)


def write_mixture(folder: Path, n_parts: int) -> None:
    """Parquet files of the mixture, one for each part."""
    folder.mkdir()
    names = [f"f{number:02d}" for number in range(N_FEATURES)]
    for part in range(n_parts):
        X, y = mixture(PART_ROWS, N_FEATURES, part=part)
        frame = pd.DataFrame(X, columns=names).assign(target=y)
        frame.to_parquet(folder / f"part-{part:04d}.parquet", index=False)


def watched(command: list[Any]) -> tuple[float, int, str]:
    """Run a command: its seconds, the bytes its own process grew after its first line, stderr."""
    start = time.perf_counter()
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    process, sizes, told = psutil.Process(job.pid), [], [job.stderr.read(1)]
    reader = threading.Thread(target=lambda: told.append(job.stderr.read()))
    reader.start()
    while job.poll() is None:
        sizes.append(process.memory_info().rss)
        time.sleep(0.1)
    reader.join()
    text = "".join(told)
    if job.returncode:
        raise RuntimeError(text)
    print(text, file=sys.stderr)
    return time.perf_counter() - start, max(sizes) - sizes[0], text
