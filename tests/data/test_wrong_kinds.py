"""X and y of kinds that are none, and chunks that are not what their array says, are named."""

from __future__ import annotations

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError

N, SIZE = 120, 30


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data():
    return make_imbalanced(N, 4, 0.25, seed=3)


def resample(X, y):
    return dask.compute(*KMeansSMOTE(random_state=0, kmeans_estimator=2).fit_resample(X, y))


def chunked(values, change=lambda block: block):
    """An array of chunks that are changed, while their array says that they are as before."""
    parts = [dask.delayed(change)(values[low : low + SIZE]) for low in range(0, N, SIZE)]
    shape = (SIZE, *values.shape[1:])
    return da.concatenate([da.from_delayed(part, shape, values.dtype) for part in parts])


@pytest.mark.parametrize("kind", ["memory", "dask"])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("index", [-5, 200, 10**6])
def test_sparse_indices_that_lie_outside(data, kind, form, index):
    X = form(data[0])
    X.indices[70] = index
    y = data[1]
    if kind == "dask":
        parts = [da.from_delayed(dask.delayed(X), X.shape, meta=form((0, 4)))]
        X, y = da.concatenate(parts), da.from_array(y, chunks=N)
    with pytest.raises(InputError, match=r"X is a sparse cs. matrix whose parts contradict"):
        resample(X, y)


CHUNKS_OF_X = {
    "objects": lambda block: block.astype(object),
    "words": lambda block: block.astype(str),
    "complex": lambda block: block + 0j,
    "dates": lambda block: block.astype("M8[s]"),
    "fewer columns": lambda block: block[:, :3],
    "more columns": lambda block: np.tile(block, 2),
    "one-dimensional": lambda block: block[:, 0],
    "list": lambda block: block.tolist(),
    "nothing": lambda block: None,
    "pandas": pd.DataFrame,
    "coo": sparse.coo_matrix,
    "bsr": sparse.bsr_matrix,
    "structured": lambda block: np.zeros(len(block), [("a", "f8")]),
}


@pytest.mark.parametrize("name", CHUNKS_OF_X)
def test_chunks_of_x(data, name):
    X, y = data
    with pytest.raises(InputError, match=r"A chunk of X is a .*, with 4 columns"):
        resample(chunked(X, CHUNKS_OF_X[name]), chunked(y))


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda block: block.astype("f4"), sparse.csr_matrix]
)
def test_chunks_of_x_of_another_number_type_or_format_are_fine(data, change):
    X, _ = resample(chunked(data[0], change), chunked(data[1]))
    assert X.shape == (180, 4)


CHUNKS_OF_Y = {
    "nothing": lambda block: None,
    "scalar": lambda block: np.int64(3),
    "sparse": lambda block: sparse.csr_matrix(block[:, None]),
    "structured": lambda block: np.zeros(len(block), [("a", "f8")]),
    "dict": lambda block: dict(enumerate(block)),
}


@pytest.mark.parametrize("name", CHUNKS_OF_Y)
def test_chunks_of_y(data, name):
    X, y = data
    with pytest.raises(InputError, match="y, or a chunk of it, is a"):
        resample(chunked(X), chunked(y, CHUNKS_OF_Y[name]))


def test_chunks_without_rows_whose_array_says_otherwise(data):
    X, y = data
    with pytest.raises(InputError, match="chunk 0 has 0 rows and 30 labels"):
        resample(chunked(X, lambda block: block[:0]), chunked(y))


NO_ARRAYS = {
    "bag": lambda: db.from_sequence(range(N), npartitions=4),
    "delayed": lambda: dask.delayed(np.zeros(N)),
    "a number": lambda: da.ones(3).sum(),
    "index": lambda: dd.from_pandas(pd.Series(range(N)), npartitions=4).index,
}


@pytest.mark.parametrize("name", NO_ARRAYS)
def test_dask_collections_that_are_no_arrays(data, name):
    X, y = chunked(data[0]), chunked(data[1])
    frame = dd.from_pandas(pd.DataFrame(data[0], columns=list("abcd")), npartitions=4)
    for rows, labels in (
        (NO_ARRAYS[name](), y),
        (X, NO_ARRAYS[name]()),
        (frame, NO_ARRAYS[name]()),
    ):
        with pytest.raises(InputError):
            resample(rows, labels)


class Foreign:
    """As an array of a GPU: numpy can't have it."""

    shape, ndim = (N,), 1

    def __len__(self):
        return N

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed: use .get()")


@pytest.mark.parametrize("X", [None, 5, (row for row in [[1.0]]), np.array(3.0), Foreign()])
def test_values_that_are_no_arrays(data, X):
    with pytest.raises(InputError):
        resample(X, data[1])


def test_labels_that_are_no_array(data):
    with pytest.raises(InputError, match=r"use \.get\(\)"):
        resample(data[0], Foreign())


@pytest.mark.parametrize("lazy", [False, True])
def test_labels_that_no_dictionary_holds(data, lazy):
    X, y = data
    labels = np.empty(2, object)
    labels[:] = [[1], [2]]
    with pytest.raises(InputError, match=r"y has labels of the types \['list'\]"):
        resample(chunked(X), chunked(labels[y])) if lazy else resample(X, labels[y])


@pytest.mark.parametrize("lazy", [False, True])
def test_words_that_are_no_unicode(data, lazy):
    X, y = data
    labels = np.array(["\ud800", "b"], dtype=object)[y]
    given = (chunked(X), chunked(labels)) if lazy else (X, labels)
    if pd.__version__ < "3":  # which has no strings of its own
        assert resample(*given)[1].tolist().count("\ud800") == 90
        return
    with pytest.raises(InputError, match="y has a label that pandas has no string of"):
        resample(*given)


def test_tuples_of_different_lengths(data):
    X, y = data
    labels = np.empty(2, object)
    labels[:] = [(), (1,)]
    _, y_new = resample(chunked(X), chunked(labels[y]))
    assert y_new.tolist().count((1,)) == y_new.tolist().count(()) == 90


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", [">i4", ">f8", ">u2"])
def test_labels_of_the_other_byte_order(data, lazy, dtype):
    X, y = data[0], data[1].astype(dtype)
    _, y_new = resample(chunked(X), chunked(y)) if lazy else resample(X, y)
    assert np.bincount(y_new.astype(int)).tolist() == [90, 90]


@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_partitions_that_are_not_what_their_frame_says(data, layout):
    y = pd.Series(data[1], name="target")
    parts = [dask.delayed(y[:60]), dask.delayed(y[60:].astype(bool))]
    labels = dd.from_delayed(parts, meta=y[:0], verify_meta=False)
    frame = pd.DataFrame(data[0]).add_prefix("x")
    X = dd.from_delayed([dask.delayed(frame[:60]), dask.delayed(frame[60:])], meta=frame[:0])
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, layout=layout)
    with pytest.raises(InputError, match=r"Partition 1 of y .*'bool, not int64'.* astype"):
        dask.compute(*sampler.fit_resample(X, labels))
