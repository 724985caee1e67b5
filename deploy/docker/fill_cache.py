"""Compile what jobs compile, into the folder NUMBA_CACHE_DIR: part of the image's build.

numba asks when a source was changed, and layers keep whole seconds: so do the sources, from now on.
"""

# ruff: noqa: INP001

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import dask.array as da
import numpy as np
import pandas as pd

import dask_kmsmote


def keep_whole_seconds() -> None:
    """Cut the times of the package's sources."""
    for path in Path(dask_kmsmote.__file__).parent.rglob("*.py"):
        changed = int(path.stat().st_mtime)
        os.utime(path, (changed, changed))


def table(n: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Rows of numbers with a minority."""
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.2).astype(np.int64)
    return (10 * (rng.normal(size=(n, 10)) + y[:, np.newaxis])).astype(dtype), y


def mixed(n: int, dtype: type) -> tuple[pd.DataFrame, pd.Series]:
    """A frame of numbers, some of them missing, and categories."""
    X, y = table(n, dtype)
    frame = pd.DataFrame(X).rename(columns=str)
    frame["text"] = np.where(X[:, 0] > 0, "a", "b")
    frame["category"] = pd.Categorical(frame["text"])
    frame["flag"] = X[:, 1] > 0
    return frame, pd.Series(y, name="target")


def over_sample(X: object, y: object, **settings: object) -> None:
    """Over-sample in this process."""
    made = dask_kmsmote.KMeansSMOTE(random_state=0, **settings).fit_resample(X, y)
    da.compute(*made)


def resample(folder: Path) -> None:
    """Run jobs on a Parquet file, and on text with quotes."""
    X, y = mixed(2000, np.float64)
    rows = X.assign(target=y)
    rows.to_parquet(folder / "rows.parquet")
    rows.assign(text='quo"ted, ' + rows["text"]).to_csv(folder / "rows.csv", index=False)
    for name in ("rows.parquet", "rows.csv"):
        command = ["resample", folder / name, folder / f"{name}-new", "--target", "target"]
        subprocess.run(["dask-kmsmote", *command, "--workers", "1", "--quiet"], check=True)  # noqa: S603, S607


def main() -> None:
    """Fill the cache."""
    keep_whole_seconds()
    for dtype in (np.float64, np.float32, np.int64):
        over_sample(*table(2000, dtype))
        over_sample(*mixed(2000, dtype))
        # more rows than one block of KMeans has, and groups that are searched in parts
        X, y = (da.from_array(part, chunks=25_000) for part in table(250_000, dtype))
        over_sample(X.rechunk((25_000, -1)), y, exact_rows=2000, cluster_balance_threshold=0.0)
    with TemporaryDirectory() as folder:
        resample(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
