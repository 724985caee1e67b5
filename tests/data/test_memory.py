"""Data in memory come back as their own kind, and stay as they were."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import sparse
from sklearn.cluster import KMeans

from kinds import (
    CHUNKS,
    N_FEATURES,
    NAMES,
    N,
    as_array,
    as_frame,
    check_synthetic,
    forget_chunks,
    make_sampler,
    same_bytes,
)

pytestmark = pytest.mark.usefixtures("one_thread")


SPARSE_KINDS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]


@pytest.mark.parametrize("kind", SPARSE_KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_sparse_in_memory(data, kind, dtype):
    dense, y = data[0].astype(dtype), data[1]
    dense[np.abs(dense) < 2] = 0
    sampler = make_sampler()
    X_res, y_res = sampler.fit_resample(kind(dense), y)
    assert type(X_res) is kind
    assert X_res.dtype == dense.dtype
    assert X_res.shape == (480, N_FEATURES)
    assert same_bytes(X_res.toarray()[:N], dense)
    check_synthetic(sampler, dense, y, X_res.toarray()[N:], y_res[N:])


@pytest.mark.parametrize("kind", SPARSE_KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_dask_arrays_of_sparse_blocks(data, kind, known):
    dense, y = data[0].copy(), data[1]
    dense[np.abs(dense) < 2] = 0
    X = as_array(dense).map_blocks(kind, meta=kind((0, 0)))
    lazy_y = as_array(y)
    if not known:
        X, lazy_y = X.copy(), forget_chunks(lazy_y)
        X._chunks = ((np.nan,) * len(CHUNKS), X.chunks[1])
    sampler = make_sampler()
    X_res, y_res = sampler.fit_resample(X, lazy_y)
    assert isinstance(X_res, da.Array)
    assert X_res.shape == (480, N_FEATURES)
    blocks = [X_res.blocks[place].compute() for place in range(X_res.numblocks[0])]
    assert {type(block) for block in blocks} == {kind}
    assert [block.shape[0] for block in blocks] == list(X_res.chunks[0])
    rows = np.concatenate([block.toarray() for block in blocks])
    assert same_bytes(rows[:N], dense)
    assert sparse.issparse(X_res.compute())
    check_synthetic(sampler, dense, y, rows[N:], y_res.compute()[N:])


def test_lists(data):
    X, y = data[0].tolist(), np.array(["common", "rare"])[data[1]].tolist()
    X_res, y_res = make_sampler().fit_resample(X, y)
    assert isinstance(X_res, list)
    assert isinstance(y_res, list)
    assert X_res[:N] == X
    assert y_res[:N] == y
    assert Counter(y_res) == {"common": 240, "rare": 240}
    assert {len(row) for row in X_res} == {N_FEATURES}


@pytest.mark.parametrize("X_kind", ["numpy", "pandas"])
@pytest.mark.parametrize("y_kind", ["numpy", "pandas", "list"])
def test_mixed_kinds_in_memory(data, X_kind, y_kind):
    X = data[0] if X_kind == "numpy" else pd.DataFrame(data[0], columns=NAMES)
    y = {"numpy": data[1], "pandas": pd.Series(data[1], name="t"), "list": data[1].tolist()}[y_kind]
    X_res, y_res = make_sampler().fit_resample(X, y)
    assert type(X_res) is type(X)
    assert type(y_res) is type(y)
    assert len(X_res) == len(y_res) == 480


def test_input_in_memory_is_not_written_to(data):
    X, y = data[0].copy(), data[1].copy()
    X.setflags(write=False)
    y.setflags(write=False)
    X_res, _ = make_sampler().fit_resample(X, y)
    assert same_bytes(X, data[0])
    assert not np.shares_memory(X_res, X)


def test_arrays_in_fortran_order(data):
    X, y = np.asfortranarray(data[0]), data[1]
    expected, _ = make_sampler().fit_resample(*data)
    assert same_bytes(make_sampler().fit_resample(X, y)[0], expected)
    assert same_bytes(make_sampler().fit_resample(as_array(X), as_array(y))[0].compute(), expected)


@pytest.mark.parametrize(
    "estimator",
    [None, 5, KMeans(3, n_init=1, random_state=1), DaskKMeans(3, random_state=1)],
    ids=["default", "int", "sklearn", "dask-ml"],
)
def test_same_rows_whatever_the_kind(data, estimator):
    X, y = data
    frame = pd.DataFrame(X, columns=NAMES)
    inputs = [
        (X, y),
        (as_array(X, 2), as_array(y)),
        (forget_chunks(as_array(X)), forget_chunks(as_array(y))),
        (da.from_array(X, chunks=(37, 1)), dd.from_pandas(pd.Series(y), 4)),
        (frame, pd.Series(y)),
        (as_frame(frame), as_frame(pd.Series(y))),
    ]
    results = []
    for given in inputs:
        sampler = make_sampler(kmeans_estimator=estimator)
        rows, labels = dask.compute(*sampler.fit_resample(*given))
        results.append((np.asarray(rows), np.asarray(labels), sampler.provenance_.compute()))
    for rows, labels, parents in results[1:]:
        assert same_bytes(rows, results[0][0])
        assert same_bytes(labels, results[0][1])
        pd.testing.assert_frame_equal(parents, results[0][2], check_exact=True)
