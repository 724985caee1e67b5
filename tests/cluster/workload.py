"""One run of everything: the eager stages, the synthetic rows, and files written from them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.events import StageStarted, emit


class Outcome(NamedTuple):
    """What must be the same whatever happens: the plan, and digests of rows and files."""

    plan: str
    rows: str
    files: str


def run(folder, callbacks=(), *, n=3000, persisted=False):
    """Resample, compute and write on the active scheduler; folder has `plan.json` and `out`.

    The table has numbers, a category, text, booleans, missing values and a column that rides along.
    Groups of more than 100 rows are searched approximately, the others exactly. The callbacks are
    told when the two lazy stages start, as well.
    """
    X, y = table(n)
    on_dask = [dd.from_pandas(part, chunksize=n // 6) for part in (X, y)]
    if persisted:
        on_dask = dask.persist(*on_dask)
    sampler = KMeansSMOTE(
        random_state=5,
        kmeans_estimator=8,
        exact_rows=100,
        missing="keep",
        passthrough=["id"],
        callbacks=list(callbacks),
    )
    made = sampler.fit_resample(*on_dask)
    plan = sampler.plan_.to_json()
    (folder / "plan.json").write_text(plan, encoding="utf-8")
    emit(callbacks, StageStarted("synthesis"))
    rows = _digest(part.to_csv().encode() for part in dask.compute(*made))
    emit(callbacks, StageStarted("write"))
    made[0].to_parquet(folder / "out", name_function="part-{:06d}.parquet".format, overwrite=True)
    files = sorted((folder / "out").iterdir())
    return Outcome(plan, rows, _digest(path.read_bytes() for path in files))


def table(n):
    """X and y in pandas."""
    X, y = make_imbalanced(n=n, n_features=4, minority=0.1)
    frame = pd.DataFrame(X, columns=list("abcd"))
    rng = np.random.default_rng(0)
    frame[rng.random(frame.shape) < 0.05] = np.nan
    names = np.array(["red", "green", "blue", None], dtype=object)
    colors = [pd.Series(names[rng.integers(0, 3 + missing, n)]) for missing in (0, 1)]
    return frame.assign(
        id=[f"row {number}" for number in range(n)],
        color=colors[0].astype("category"),
        other=colors[1].astype("string"),
        flag=rng.random(n) < 0.5,
    ), pd.Series(y, name="target")


def run_as_client(address, folder, persisted):
    """`run` with a client of its own."""
    with Client(address):
        run(Path(folder), persisted=persisted)


def _digest(parts):
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()
