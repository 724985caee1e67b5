"""One run of everything: the eager stages, the synthetic rows, and files written from them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
from distributed import Client

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.events import StageStarted, emit

COLUMNS = list("abcdef")


class Outcome(NamedTuple):
    """What must be the same whatever happens: the plan, and digests of rows and files."""

    plan: str
    rows: str
    files: str


def run(folder, callbacks=(), *, n=3000, persisted=False):
    """Resample, compute and write on the active scheduler; folder has `plan.json` and `out`.

    Groups of more than 100 rows are searched approximately, the others exactly. The callbacks are
    told when the two lazy stages start, as well.
    """
    X, y = make_imbalanced(n=n, n_features=len(COLUMNS), minority=0.1)
    on_dask = da.from_array(X, chunks=(n // 6, -1)), da.from_array(y, chunks=n // 6)
    if persisted:
        on_dask = dask.persist(*on_dask)
    sampler = KMeansSMOTE(
        random_state=5, kmeans_estimator=8, exact_rows=100, callbacks=list(callbacks)
    )
    made = sampler.fit_resample(*on_dask)
    plan = sampler.plan_.to_json()
    (folder / "plan.json").write_text(plan, encoding="utf-8")
    emit(callbacks, StageStarted("synthesis"))
    rows = _digest(np.ascontiguousarray(part).tobytes() for part in dask.compute(*made))
    emit(callbacks, StageStarted("write"))
    table = dd.from_dask_array(made[0], columns=COLUMNS)
    table.to_parquet(folder / "out", name_function="part-{:06d}.parquet".format, overwrite=True)
    files = sorted((folder / "out").iterdir())
    return Outcome(plan, rows, _digest(path.read_bytes() for path in files))


def run_as_client(address, folder, persisted):
    """`run` with a client of its own."""
    with Client(address):
        run(Path(folder), persisted=persisted)


def _digest(parts):
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()
