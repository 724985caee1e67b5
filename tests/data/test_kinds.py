"""X and y of kinds that are not read are called what they are, with a line that mends them."""

from __future__ import annotations

import re

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sparse as pydata_sparse
from scipy import sparse

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError
from statements import run, statements_of

pytestmark = pytest.mark.usefixtures("one_thread")
N = 200
X = np.random.default_rng(0).normal(size=(N, 3))
Y = (np.arange(N) % 5 == 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abc"))
SERIES = pd.Series(Y, name="t")
BY_LABEL = pd.Series(0, index=Y)


def lazy(content, n=3):
    return dd.from_pandas(content, npartitions=n)


def lazy_array(values, size=67):
    return da.from_array(values, chunks=(size, *np.shape(values)[1:]))


def forget(array):
    return array[da.ones(len(array), chunks=array.chunks[0], dtype=bool)]


class Stream:
    """As frames of libraries that are not known here."""

    def __arrow_c_stream__(self, *args):
        return pa.table(FRAME).__arrow_c_stream__(*args)


def resample(X, y):
    found = KMeansSMOTE(random_state=0, kmeans_estimator=2).fit_resample(X, y)
    # one by one: Dask warns where arrays and frames are computed together
    return [dask.compute(part)[0] for part in found]


def n_rows(result):
    return result.shape[0] if hasattr(result, "shape") else len(result)


def mended(X, y, *words, most=2):
    """Resampled rows and labels, after no more lines than `most`; the first message has words."""
    for _ in range(most):
        with pytest.raises(InputError) as caught:
            resample(X, y)
        message = str(caught.value)
        for word in words:
            assert word in message, message
        words = ()
        lines = statements_of(message)
        assert lines, message
        X, y = run(lines[0], X, y)
        try:
            found = resample(X, y)
        except InputError:
            continue
        assert [n_rows(part) for part in found] == [320, 320]
        return found
    raise AssertionError(message)


ROWS = {  # how it is called, and what stands beside it
    "Dask Series": (lambda: lazy(FRAME["a"]), lambda: lazy(SERIES)),
    "Dask Series, unnamed": (lambda: lazy(pd.Series(X[:, 0])), lambda: lazy_array(Y)),
    "Dask Index": (lambda: lazy(FRAME.set_index("a")).index, lambda: lazy(SERIES)),
    "Dask Bag": (lambda: db.from_sequence(X.tolist(), npartitions=3), lambda: lazy(SERIES)),
    "Dask Delayed": (lambda: dask.delayed(FRAME), lambda: lazy(SERIES)),
    "pandas Series": (lambda: FRAME["a"], lambda: SERIES),
    "pandas Index": (lambda: pd.Index(X[:, 0]), lambda: SERIES),
    "polars Series": (lambda: pl.Series("a", X[:, 0]), lambda: Y),
    "polars LazyFrame": (lambda: pl.DataFrame(FRAME).lazy(), lambda: Y),
    "pyarrow Table": (lambda: pa.table(FRAME), lambda: SERIES),
    "pyarrow RecordBatch": (lambda: pa.RecordBatch.from_pandas(FRAME), Y.tolist),
    "pyarrow DoubleArray": (lambda: pa.array(X[:, 0]), lambda: Y),
    "duckdb DuckDBPyRelation": (lambda: duckdb.sql("select * from FRAME"), lambda: SERIES),
    "Stream": (Stream, lambda: SERIES),
    "dict": (lambda: FRAME.to_dict("list"), lambda: SERIES),
    "generator": (lambda: (row for row in X), lambda: Y),
    "zip": (lambda: zip(*X.T, strict=True), lambda: Y),
    "numpy recarray": (lambda: FRAME.to_records(index=False), lambda: Y),
    "Dask Array": (
        lambda: da.from_array(FRAME.to_records(index=False).view(np.ndarray), chunks=67),
        lambda: lazy_array(Y),
    ),
    "dim 1": (lambda: lazy_array(X[:, 0]), lambda: lazy_array(Y)),
    "dim 1, shape (nan,)": (lambda: forget(lazy_array(X[:, 0])), lambda: lazy_array(Y)),
    "dim 3": (lambda: lazy_array(X[:, :, None]), lambda: lazy_array(Y)),
    "dim 3, shape (nan, 3, 1)": (lambda: forget(lazy_array(X[:, :, None])), lambda: lazy_array(Y)),
    "dim 3, shape (200, 3, 1)": (lambda: X[:, :, None], lambda: Y),
    "sparse COO": (lambda: pydata_sparse.COO.from_numpy(X), lambda: Y),
    "sparse GCXS": (lambda: pydata_sparse.GCXS.from_numpy(X, fill_value=1.0), lambda: Y),
    "list": (lambda: [FRAME[:90], FRAME[90:]], lambda: SERIES),
    "list, of arrays": (lambda: [X[:90], X[90:]], lambda: SERIES),
    "list, of rows": (lambda: list(lazy_array(X)), lambda: lazy_array(Y)),
    "list, of frames of Dask": (lambda: [lazy(FRAME)], lambda: lazy(SERIES)),
    "tuple": (lambda: (lazy_array(X[:140]), lazy_array(X[140:])), lambda: lazy_array(Y)),
    "3 rows and 200 columns": (lambda: X.T, lambda: Y),
    "3 rows and 200 columns, lazy": (lambda: lazy_array(X).T, lambda: lazy_array(Y)),
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows(kind):
    rows, labels = (make() for make in ROWS[kind])
    mended(rows, labels, kind.partition(",")[0])


LABELS = {
    "Dask DataFrame": (lambda: lazy(FRAME), lambda: lazy(SERIES.to_frame())),
    "Dask DataFrame, of two columns": (
        lambda: lazy_array(X),
        lambda: lazy(pd.DataFrame({"t": Y, "u": Y})),
    ),
    "Dask Index": (
        lambda: lazy(FRAME),
        lambda: dd.from_pandas(BY_LABEL, npartitions=3, sort=False).index,
    ),
    "Dask Bag": (lambda: lazy(FRAME), lambda: db.from_sequence(Y.tolist(), npartitions=3)),
    "Dask Delayed": (lambda: lazy_array(X), lambda: dask.delayed(SERIES)),
    "Dask Array": (lambda: lazy(FRAME), lambda: lazy_array(Y[:, None])),
    "Dask Array, sparse": (
        lambda: lazy_array(X),
        lambda: lazy_array(Y[:, None]).map_blocks(sparse.csr_matrix),
    ),
    "Dask Array, of another package": (
        lambda: lazy_array(X),
        lambda: lazy_array(Y).map_blocks(pydata_sparse.COO.from_numpy),
    ),
    "pandas DataFrame": (lambda: lazy_array(X), SERIES.to_frame),
    "pandas DataFrame, of two columns": (lambda: X, lambda: pd.DataFrame({"t": Y, 1: Y})),
    "pandas DataFrame, sparse": (
        lambda: X,
        lambda: pd.DataFrame({"t": pd.arrays.SparseArray(Y)}),
    ),
    "pandas SparseArray": (lambda: X, lambda: pd.arrays.SparseArray(Y)),
    "polars DataFrame": (lambda: FRAME, lambda: pl.DataFrame({"t": Y})),
    "polars LazyFrame": (lambda: FRAME, lambda: pl.LazyFrame({"t": Y})),
    "pyarrow ChunkedArray": (lambda: X, lambda: pa.chunked_array([Y])),
    "pyarrow Int64Array": (lambda: FRAME, lambda: pa.array(Y)),
    "pyarrow Table": (lambda: FRAME, lambda: pa.table({"t": Y})),
    "dict": (lambda: X, lambda: dict(enumerate(Y))),
    "map": (lambda: X, lambda: map(int, Y)),
    "scipy csr_matrix": (lambda: X, lambda: sparse.csr_matrix(Y[:, None])),
    "scipy csr_array": (lambda: lazy_array(X), lambda: sparse.csr_array(Y[None, :])),
    "scipy coo_array": (lambda: X, lambda: sparse.coo_array(Y)),
    "scipy csc_matrix": (lambda: FRAME, lambda: sparse.csc_matrix(np.eye(2, dtype=int)[Y])),
    "sparse COO": (lambda: X, lambda: pydata_sparse.COO.from_numpy(Y)),
    "str": (lambda: FRAME.assign(t=Y), lambda: "t"),
    "str, beside Dask": (lambda: lazy(FRAME.assign(t=Y)), lambda: "t"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELS)
def test_labels(kind):
    rows, labels = (make() for make in LABELS[kind])
    mended(rows, labels, kind.partition(",")[0], "y is")


NO_LINE = {
    "X is a Dask Scalar": (lazy(FRAME)["a"].sum, lambda: lazy(SERIES)),
    "X is a str": (lambda: "flights.parquet", lambda: Y),
    "X is None": (lambda: None, lambda: lazy(SERIES)),
    "X is a function": (lambda: lazy, lambda: Y),
    "y is an int": (lambda: lazy_array(X), lambda: 3),
    "y is a Dask Scalar": (lambda: lazy(FRAME), lazy(FRAME)["a"].sum),
    "y is a Dask Array": (lambda: lazy_array(X), lambda: lazy_array(X).sum()),
    "y is a set": (lambda: X, lambda: set(Y.tolist())),
    "y is a str": (lambda: X, lambda: "t"),
    "the target y is None": (lambda: lazy(FRAME), lambda: None),
}


@pytest.mark.parametrize("words", NO_LINE)
def test_what_no_line_mends_is_called_by_its_name(words):
    rows, labels = (make() for make in NO_LINE[words])
    with pytest.raises(InputError, match=re.escape(words)):
        resample(rows, labels)


@pytest.mark.parametrize("kind", ["numpy", "pandas", "array", "frame"])
def test_y_before_x(kind):
    as_kind = {"numpy": (X, Y), "pandas": (FRAME, SERIES), "array": (lazy_array(X), lazy_array(Y))}
    rows, labels = as_kind.get(kind, (lazy(FRAME), lazy(SERIES)))
    mended(labels, rows, "X has one dimension and y has two", most=1)


IN_MEMORY = {
    "pandas Series": lambda: SERIES,
    "numpy ndarray": lambda: Y,
    "list": Y.tolist,
    "polars Series": lambda: pl.Series(Y),
    "pandas Series, of another index": lambda: SERIES.set_axis(np.arange(N)[::-1], axis=0),
}


@pytest.mark.parametrize("kind", IN_MEMORY)
@pytest.mark.parametrize("beside", ["frame", "unknown array"])
def test_labels_in_memory_beside_rows_of_unknown_lengths(kind, beside):
    # of partitions that are not as long as `from_pandas` would cut y
    parts = [FRAME[:20], FRAME[20:20], FRAME[20:170], FRAME[170:]]
    frame = dd.from_map(lambda place: parts[place], range(4), meta=FRAME[:0])
    rows = frame if beside == "frame" else frame.to_dask_array()
    with pytest.raises(InputError, match="does not know the lengths") as caught:
        resample(rows, IN_MEMORY[kind]())
    assert f"y is a {kind.partition(',')[0]} " in str(caught.value)
    lines = statements_of(str(caught.value))
    assert len(lines) == 2
    expected, _ = resample(X, Y)
    for line in lines:
        found, _ = resample(*run(line, rows, IN_MEMORY[kind]()))
        np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("kind", ["numpy ndarray", "pandas DataFrame", "list", "scipy csr_matrix"])
def test_rows_in_memory_beside_labels_of_dask(kind):
    rows = {"pandas DataFrame": FRAME, "list": X.tolist(), "scipy csr_matrix": sparse.csr_matrix(X)}
    mended(rows.get(kind, X), lazy(SERIES), f"X is a {kind}", "y a Dask Series", most=1)
    mended(rows.get(kind, X), lazy_array(Y), f"X is a {kind}", "y a Dask Array", most=1)


@pytest.mark.parametrize("labels", [Y, Y[:, None], Y[:, None].tolist(), pl.Series(Y)])
def test_labels_in_memory_beside_an_array(labels):
    X_res, y_res = resample(lazy_array(X), labels)
    assert X_res.shape == (320, 3)
    assert np.bincount(y_res).tolist() == [160, 160]
    assert y_res.shape == (320,)


def test_labels_of_another_length_in_memory():
    with pytest.raises(InputError, match=r"200 rows, and y is a pandas Series of shape \(100,\)"):
        resample(lazy_array(X), SERIES[:100])


@pytest.mark.parametrize("inspect", ["validate", "scatter"])
def test_results_are_called_so_too(inspect):
    from dask_kmsmote import plots

    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2)
    X_res, y_res = sampler.fit_resample(FRAME, SERIES)
    call = sampler.validate if inspect == "validate" else lambda *a: plots.scatter(*a, sampler)
    with pytest.raises(InputError, match="X is a pyarrow Table"):
        call(pa.table(X_res), y_res)
