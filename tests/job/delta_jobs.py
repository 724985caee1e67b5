"""Jobs into Delta tables, in this process."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from deltalake import write_deltalake

from conftest import make_imbalanced
from dask_kmsmote.job.columns import Columns
from dask_kmsmote.job.run import Job, run
from dask_kmsmote.job.storage.location import Location

N = 600


def frame(seed=0):
    X, y = make_imbalanced(N, 3, 0.1, seed=seed)
    return pd.DataFrame(X, columns=list("abc")).assign(id=np.arange(N), y=y)


def ignore(_):
    pass


def job(source, destination, *, told=ignore, keep=("id",), **how):
    of_columns = {
        name: how.pop(name)
        for name in ("only_synthetic", "drop", "partition_by", "mark")
        if name in how
    }
    columns = Columns("y", keep=keep, **of_columns)
    places = Location(str(source)), Location(str(destination))
    parameters = {"random_state": 0, **how.pop("parameters", {})}
    return run(Job(*places, columns, parameters, **how), told)


@pytest.fixture
def source(tmp_path):
    frame().to_parquet(tmp_path / "source.parquet")
    return tmp_path / "source.parquet"


@pytest.fixture
def table(tmp_path):
    """A table of two versions; the newest has the rows of `frame`."""
    write_deltalake(tmp_path / "table", frame(1).head(10))
    write_deltalake(tmp_path / "table", frame(), mode="overwrite")
    return tmp_path / "table"
