"""Data of every kind that the sampler takes, and what its results must be."""

from __future__ import annotations

from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from scipy import sparse

from dask_kmsmote import KMeansSMOTE

N, N_FEATURES, N_MINORITY = 300, 4, 60
NAMES = ["f0", "f1", "f2", "f3"]
CUTS = (0, 70, 70, 71, 200, 300)  # uneven, one chunk empty, one of a single row
CHUNKS = tuple(np.diff(CUTS).tolist())
REPORT_COLUMNS = [
    "class_label", "cluster_id", "n_rows", "n_class_rows", "class_share", "threshold", "kept",
    "reason", "mean_distance", "mean_distance_se", "exponent", "weight", "n_synthetic",
]  # fmt: skip


def make_sampler(**params):
    return KMeansSMOTE(**{"random_state": 0, "kmeans_estimator": 3} | params)


def as_array(values, column_chunk=None):
    columns = () if np.ndim(values) == 1 else (column_chunk or values.shape[1],)
    return da.from_array(values, chunks=(CHUNKS, *columns))


def forget_chunks(array):
    return array[da.ones(array.shape[0], chunks=array.chunks[0], dtype=bool)]


def as_frame(content, cuts=CUTS, divisions=None):
    """A Dask frame or series of the given rows in their order, whatever the index."""
    parts = [dask.delayed(content.iloc[a:b]) for a, b in pairwise(cuts)]
    return dd.from_delayed(parts, meta=content.iloc[:0], divisions=divisions)


def to_numpy(values):
    values = values.toarray() if sparse.issparse(values) else values
    return np.asarray(values)


def same_bytes(left, right):
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()


def check_synthetic(sampler, X, y, X_new, y_new):
    """Each synthetic row is base + gap * (neighbour - base), rounded for integer columns."""
    parents = sampler.provenance_.compute()
    assert list(parents.columns) == ["base_row", "neighbor_row", "gap"]
    assert len(parents) == len(X_new) > 0
    assert parents["gap"].between(0, 1).all()
    base, neighbor = parents["base_row"].to_numpy(), parents["neighbor_row"].to_numpy()
    assert (base != neighbor).all()
    y, X = np.asarray(y), np.asarray(X)
    assert (y[base] == np.asarray(y_new)).all()
    assert (y[neighbor] == np.asarray(y_new)).all()
    start, stop = X[base].astype(float), X[neighbor].astype(float)
    expected = start + parents["gap"].to_numpy()[:, None] * (stop - start)
    if X.dtype.kind in "iu":
        # a product that lands on .5 may round either way
        np.testing.assert_allclose(X_new, expected, rtol=0, atol=0.5 + 1e-9)
    else:
        np.testing.assert_allclose(X_new, expected, rtol=1e-5 if X.dtype == "f4" else 1e-12)


def check_frame(result, original, n_rows):
    """A computed frame or series of n_rows: original rows first, their dtypes and names."""
    assert len(result) == n_rows
    assert result.index.tolist() == list(range(n_rows))
    head, expected = result.iloc[: len(original)], original.reset_index(drop=True)
    if isinstance(original, pd.DataFrame):
        pd.testing.assert_frame_equal(head, expected, check_exact=True)
    else:
        pd.testing.assert_series_equal(head, expected, check_exact=True)


def check_lazy_frame(collection, kind):
    assert isinstance(collection, kind)
    assert collection.known_divisions
    assert collection.divisions[0] == 0
