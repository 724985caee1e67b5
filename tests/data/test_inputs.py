"""Dask arrays and frames of every kind give their own kind."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator

from kinds import (
    N_FEATURES,
    NAMES,
    N,
    as_array,
    as_frame,
    check_frame,
    check_lazy_frame,
    check_synthetic,
    forget_chunks,
    make_sampler,
    same_bytes,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# Dask arrays


@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "i1", "i2", "i4", "i8", "u1"], ids=lambda name: np.dtype(name).name
)
@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_number_types(data, dtype, kind):
    X, y = data
    low, high = (1, 254) if dtype == "u1" else (-127, 127)
    if np.dtype(dtype).kind in "iu":
        X = np.round(low + (high - low) * (X - X.min()) / np.ptp(X))
    X = X.astype(dtype)
    sampler = make_sampler()
    given = (X, y) if kind == "numpy" else (as_array(X, 3), as_array(y))
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    assert same_bytes(X_res[:N], X)
    assert same_bytes(y_res[:N], y)
    assert X_res.dtype == X.dtype
    assert np.bincount(y_res).tolist() == [240, 240]
    check_synthetic(sampler, X, y, X_res[N:], y_res[N:])


@pytest.mark.parametrize("column_chunk", [1, 3, 4])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_dask_arrays_stay_lazy_and_know_their_chunks(data, known, column_chunk):
    X, y = data
    lazy_X, lazy_y = as_array(X, column_chunk), as_array(y)
    if not known:
        lazy_X, lazy_y = forget_chunks(lazy_X), forget_chunks(lazy_y)
        assert np.isnan(lazy_X.shape[0])
    X_res, y_res = make_sampler().fit_resample(lazy_X, lazy_y)
    assert isinstance(X_res, da.Array)
    assert isinstance(y_res, da.Array)
    assert X_res.shape == (480, N_FEATURES)
    assert y_res.shape == (480,)
    assert X_res.chunks[0] == y_res.chunks[0]
    assert X_res.dtype == X.dtype
    computed, labels = dask.compute(X_res, y_res)
    assert same_bytes(computed[:N], X)
    assert same_bytes(labels[:N], y)
    assert np.bincount(labels).tolist() == [240, 240]
    for place in range(X_res.numblocks[0]):
        assert X_res.blocks[place].compute().shape[0] == X_res.chunks[0][place]


def test_known_rows_with_unknown_labels_and_the_reverse(data):
    X, y = (as_array(values) for values in data)
    for lazy_X, lazy_y in ((X, forget_chunks(y)), (forget_chunks(X), y)):
        X_res, y_res = make_sampler().fit_resample(lazy_X, lazy_y)
        assert X_res.shape == (480, N_FEATURES)
        assert y_res.shape == (480,)
        assert same_bytes(X_res.compute()[:N], data[0])


def test_known_arrays_chunked_differently(data):
    X = da.from_array(data[0], chunks=(110, 2))
    y = da.from_array(data[1], chunks=47)
    X_res, y_res = make_sampler().fit_resample(X, y)
    expected_X, expected_y = make_sampler().fit_resample(*data)
    assert same_bytes(X_res.compute(), expected_X)
    assert same_bytes(y_res.compute(), expected_y)


def test_input_is_read_a_bounded_number_of_times_and_synthesis_waits(data):
    X, y = data
    reads = Counter()

    def read(block, block_info=None):
        reads[block_info[0]["chunk-location"]] += 1
        return block

    lazy_X = as_array(X).map_blocks(read, meta=np.empty((0, 0)))
    frozen = FrozenEstimator(KMeans(3, n_init=1, random_state=0).fit(X))
    sampler = make_sampler(kmeans_estimator=frozen)
    X_res, _ = sampler.fit_resample(lazy_X, as_array(y))
    n_chunks = len(reads)
    # no KMeans pass: the census and the survey are all
    assert 0 < max(reads.values()) <= 2
    before = reads.total()
    X_res[N:].compute()
    sampler.provenance_.compute()
    assert reads.total() == before
    X_res.compute()
    assert reads.total() == before + n_chunks


# Dask frames


FRAME_TYPES = {
    "float64": ["float64"] * 4,
    "mixed": ["float64", "int32", "float32", "int8"],
    "nullable": ["Float64", "Int64", "boolean", "Float32"],
    "pyarrow": ["double[pyarrow]", "int64[pyarrow]", "float[pyarrow]", "int8[pyarrow]"],
    "all": ["float64", "Int64", "double[pyarrow]", "bool"],
    "pyarrow booleans": ["float64", "boolean", "double[pyarrow]", "bool[pyarrow]"],
    "unsigned": ["uint8", "UInt16", "uint32[pyarrow]", "int16"],
}


def typed_frame(X, dtypes):
    columns = {}
    for name, floats, dtype in zip(NAMES, X.T, dtypes, strict=True):
        values = floats
        if "bool" in dtype:
            values = floats > 0
        elif "int" in dtype.lower():
            signed = np.abs(floats) if "u" in dtype.lower() else floats
            values = np.clip(np.round(signed * 5), -127, 127).astype(np.int64)
        columns[name] = pd.Series(values).astype(dtype)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("dtypes", FRAME_TYPES.values(), ids=list(FRAME_TYPES))
@pytest.mark.parametrize("kind", ["pandas", "dask"])
def test_feature_types_of_frames(data, dtypes, kind):
    X, y = typed_frame(data[0], dtypes), pd.Series(data[1], name="target")
    sampler = make_sampler().set_params(categorical_features=[])  # booleans are numbers, too
    X_res, y_res = (
        sampler.fit_resample(as_frame(X), as_frame(y))
        if kind == "dask"
        else sampler.fit_resample(X, y)
    )
    if kind == "dask":
        check_lazy_frame(X_res, dd.DataFrame)
        check_lazy_frame(y_res, dd.Series)
        assert X_res.dtypes.tolist() == X.dtypes.tolist()
        assert X_res.divisions == y_res.divisions
    X_res, y_res = dask.compute(X_res, y_res)
    check_frame(X_res, X, 480)
    check_frame(y_res, y, 480)
    assert y_res.value_counts().to_dict() == {0: 240, 1: 240}
    parents = sampler.provenance_.compute()
    for name in NAMES:
        column = X[name].to_numpy(float)
        base, neighbor = column[parents["base_row"]], column[parents["neighbor_row"]]
        expected = base + parents["gap"].to_numpy() * (neighbor - base)
        whole = "float" not in str(X[name].dtype).lower() and "double" not in str(X[name].dtype)
        slack = 0.5 + 1e-6 if whole else 1e-5
        np.testing.assert_allclose(X_res[name].to_numpy(float)[N:], expected, atol=slack)


@pytest.mark.parametrize("kind", ["pandas", "dask"])
@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]"])
def test_large_integers_beside_floats_stay_untouched(data, dtype, kind):
    # beyond 2**53 a detour through float64 would change them
    X = pd.DataFrame(data[0], columns=NAMES)
    X["f1"] = pd.Series(2**60 + 2 * np.arange(N) + 1).astype(dtype)
    y = pd.Series(data[1])
    given = (as_frame(X), as_frame(y)) if kind == "dask" else (X, y)
    X_res, _ = dask.compute(*make_sampler().fit_resample(*given))
    assert X_res["f1"].iloc[:N].tolist() == X["f1"].tolist()


INDEXES = {
    "strings": pd.Index([f"r{n:04}" for n in range(N)], name="row"),
    "dates": pd.date_range("2020-01-01", periods=N, freq="h", name="hour"),
    "duplicates": pd.Index(np.arange(N) // 7),
    "unsorted": pd.Index(np.random.default_rng(0).permutation(N)),
}


@pytest.mark.parametrize(
    ("name", "known"),
    # an unsorted index has no divisions; None is pandas
    [(name, k) for name in INDEXES for k in (True, False, None) if not (k and name == "unsorted")],
)
def test_any_index_becomes_positions(data, name, known):
    X = pd.DataFrame(data[0], columns=NAMES, index=INDEXES[name])
    y = pd.Series(data[1], name="target", index=INDEXES[name])
    given = X, y
    if known is not None:
        cuts = (0, 70, 140, 140, 210, 300) if not known else (0, 70, 140, 210, 300)
        starts = [*INDEXES[name][list(cuts[:-1])].tolist(), INDEXES[name][-1]]
        given = tuple(as_frame(part, cuts, starts if known else None) for part in (X, y))
        assert given[0].known_divisions is known
    X_res, y_res = make_sampler().fit_resample(*given)
    if known is not None:
        check_lazy_frame(X_res, dd.DataFrame)
        check_lazy_frame(y_res, dd.Series)
        # the divisions are true
        assert X_res.loc[410:419].compute().index.tolist() == list(range(410, 420))
    X_res, y_res = dask.compute(X_res, y_res)
    check_frame(X_res, X, 480)
    check_frame(y_res, y, 480)


@pytest.mark.parametrize(
    "names",
    [["b", "a", "c 1", "ü"], [7, 3, 5, 1], [("a", 1), ("a", 2), ("b", 1), ("b", 2)]],
    ids=["strings", "ints", "tuples"],
)
@pytest.mark.parametrize("kind", ["pandas", "dask"])
def test_column_names_and_their_order(data, names, kind):
    X = pd.DataFrame(data[0], columns=pd.Index(names, tupleize_cols=False))
    y = pd.Series(data[1])
    given = (as_frame(X), as_frame(y)) if kind == "dask" else (X, y)
    sampler = make_sampler()
    X_res, y_res = sampler.fit_resample(*given)
    assert list(X_res.columns) == names
    assert y_res.name is None
    assert list(X_res.compute().columns if kind == "dask" else X_res.columns) == names
    if isinstance(names[0], str):
        assert sampler.feature_names_in_.tolist() == names
    else:
        assert not hasattr(sampler, "feature_names_in_")
