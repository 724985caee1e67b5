"""S12, S13: tables of numbers and categories, against numbers alone and against SMOTENC."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTENC
from table import REPEATS, Figure

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import PlanWarning
from data import mixture, payments

CATEGORIES = 10, 20, 2, 2
CATEGORICAL = ["kind", "place", "is_online", "has_chip"]


def features(n: int, kind: str) -> tuple[Any, Any]:
    """Ten numbers, or six of them and four categories, as many of each: quantiles of the others."""
    X, y = mixture(n, 10)
    if kind == "numbers":
        return X, y
    frame = pd.DataFrame(X[:, :6], columns=list("abcdef"))
    for number, size in enumerate(CATEGORIES, start=6):
        values = [f"v{value}" for value in range(size)]
        bounds = np.quantile(X[:, number], np.arange(1, size) / size)
        codes = np.searchsorted(bounds, X[:, number])
        frame[f"of {size} {len(frame.columns)}"] = (
            pd.Categorical.from_codes(codes, values)
            if kind == "categories"
            else pd.Series(np.array(values)[codes])
        )
    return frame, y


warnings.simplefilter("ignore", PlanWarning)


def in_turns(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each, after one run to warm up, in turns on the same machine."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(1 + repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def peak_of(work: str, *arguments: str) -> int:
    """Bytes that a process of its own grows by at most, but for its data and its result."""
    done = subprocess.run(
        [sys.executable, __file__, work, *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1])


def bytes_of(*parts: Any) -> int:
    """Bytes that arrays and frames hold."""
    return sum(
        int(part.memory_usage(deep=True).sum()) if isinstance(part, pd.DataFrame) else part.nbytes
        for part in parts
    )


def mixed_against_numbers(scale: float) -> list[Figure]:
    """Time and memory of six numbers and four categories, against ten numbers."""
    n = int(1_000_000 * scale)
    data = {kind: features(n, kind) for kind in ("numbers", "categories", "text")}
    works = {
        kind: lambda own=own: KMeansSMOTE(random_state=0).fit_resample(*own)
        for kind, own in data.items()
    }
    seconds = in_turns(works, REPEATS)
    peaks = {kind: peak_of("ours", kind, str(n)) for kind in data}
    figures = []
    for kind in ("categories", "text"):
        what = f"{n:,} rows, 6 numbers + 4 of {kind} / 10 numbers"
        ratios = seconds[kind] / seconds["numbers"], peaks[kind] / peaks["numbers"]
        figures += [
            Figure("S12", f"{what}: time", f"{seconds[kind]:.2f} s", f"{seconds['numbers']:.2f} s",
                   ratios[0], 1.5),
            Figure("S12", f"{what}: memory above data and result", mib(peaks[kind]),
                   mib(peaks["numbers"]), ratios[1], 1.5),
        ]  # fmt: skip
    return figures


def mib(n: int) -> str:
    """Bytes as text."""
    return f"{n / 2**20:.0f} MiB"


def table_for_smotenc(n: int) -> tuple[Any, Any]:
    """Payments without ids and dates; what is missing is 0, as SMOTENC takes nothing missing."""
    frame = payments(n).drop(columns=["id", "at"])
    y = frame.pop("is_fraud").to_numpy()
    return frame.fillna({"account_days": 0, "distance": 0}), y


def one_cluster() -> Any:
    """One cluster and SMOTENC's neighbours, so that both do the same work."""
    return KMeansSMOTE(
        random_state=0, kmeans_estimator=1, k_neighbors=5, cluster_balance_threshold=0.0, scale=None
    )


def against_smotenc(scale: float) -> list[Figure]:
    """Time and memory of payments in one cluster, against imbalanced-learn's SMOTENC."""
    n = int(200_000 * scale)
    X, y = table_for_smotenc(n)
    works = {
        "ours": lambda: one_cluster().fit_resample(X, y),
        "theirs": lambda: SMOTENC(CATEGORICAL, random_state=0).fit_resample(X, y),
    }
    seconds = in_turns(works, REPEATS)
    ours, theirs = (peak_of(work, "payments", str(n)) for work in ("one cluster", "smotenc"))
    what = f"{n:,} payments, one cluster, k=5 / SMOTENC"
    return [
        Figure("S13", f"{what}: time", f"{seconds['ours']:.2f} s", f"{seconds['theirs']:.2f} s",
               seconds["ours"] / seconds["theirs"], 1 / 5),
        Figure("S13", f"{what}: memory above data and result", mib(ours), mib(theirs),
               ours / theirs, 1 / 10),
    ]  # fmt: skip


def print_peak(work: str, kind: str, n: int) -> None:
    """What a process of its own prints: after a run on few rows, which imports and compiles."""
    make = table_for_smotenc if kind == "payments" else lambda n: features(n, kind)
    sampler: Callable[[], Any] = {
        "ours": lambda: KMeansSMOTE(random_state=0),
        "one cluster": one_cluster,
        "smotenc": lambda: SMOTENC(CATEGORICAL, random_state=0),
    }[work]
    sampler().fit_resample(*make(20_000))
    X, y = make(n)
    # the most that the process has held is of this run: reset, where the kernel can
    Path("/proc/self/clear_refs").write_text("5")
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    result = sampler().fit_resample(X, y)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    print(max(1, peak - before - bytes_of(*result)))


if __name__ == "__main__":
    print_peak(sys.argv[1], sys.argv[2], int(sys.argv[3]))
