"""Every kind of input gives its own kind of output, and what is fitted says how."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import sparse
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KDTree, NearestNeighbors

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE, SamplingPlan

N, N_FEATURES, N_MINORITY = 300, 4, 60
NAMES = ["f0", "f1", "f2", "f3"]
CUTS = (0, 70, 70, 71, 200, 300)  # uneven, one chunk empty, one of a single row
CHUNKS = tuple(np.diff(CUTS).tolist())
REPORT_COLUMNS = [
    "class_label", "cluster_id", "n_rows", "n_class_rows", "class_share", "threshold", "kept",
    "reason", "mean_distance", "mean_distance_se", "exponent", "weight", "n_synthetic",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def data():
    return make_imbalanced(N, N_FEATURES, N_MINORITY / N, seed=3)


@pytest.fixture(scope="module")
def three_classes(data):
    X, y = data
    y = y.copy()
    y[np.flatnonzero(y == 0)[:100]] = 2
    return X, y  # 140 of 0, 60 of 1, 100 of 2


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
    sampler = make_sampler()
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


# labels


def labels_of(y, kind):
    words = pd.Series(np.array(["common", "rare"])[y], name="target")
    if kind in ("bool", "boolean", "bool[pyarrow]"):
        return pd.Series(y.astype(bool), name="target").astype(kind)
    if kind in ("int64", "Int64", "int64[pyarrow]", "int8", "float64"):
        return pd.Series(y, name="target").astype(kind)
    if kind == "ordered":
        return words.astype(pd.CategoricalDtype(["rare", "unused", "common"], ordered=True))
    if kind == "category of ints":
        return pd.Series(y, name="target").astype("category")
    return words.astype(kind)


LABEL_KINDS = [
    "int64", "int8", "float64", "bool", "str", "object", "string", "string[pyarrow]",
    "category", "ordered", "category of ints",
    "boolean", "bool[pyarrow]", "Int64", "int64[pyarrow]",
]  # fmt: skip


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("frame", ["pandas", "dask"])
def test_label_types_of_series(data, kind, frame):
    X, y = pd.DataFrame(data[0], columns=NAMES), labels_of(data[1], kind)
    given = (X, y) if frame == "pandas" else (as_frame(X), as_frame(y))
    if frame == "dask":
        # Dask's own conversion of objects to strings happens before us
        y = given[1].compute()
    sampler = make_sampler()
    _, y_res = sampler.fit_resample(*given)
    if frame == "dask":
        check_lazy_frame(y_res, dd.Series)
        assert y_res.dtype == given[1].dtype
    y_res = dask.compute(y_res)[0]
    check_frame(y_res, y, 480)
    assert sorted(y_res.value_counts()[lambda n: n > 0].tolist()) == [240, 240]
    assert sampler.sampling_strategy_ == {y[data[1] == 1].iloc[0]: 180}


@pytest.mark.parametrize("kind", ["int64", "bool", "str", "category", "Int64", "bool[pyarrow]"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_array_beside_a_series(data, kind, known):
    X, y = as_array(data[0]), labels_of(data[1], kind)
    X = X if known else forget_chunks(X)
    X_res, y_res = make_sampler().fit_resample(X, as_frame(y))
    assert isinstance(X_res, da.Array)
    assert X_res.shape == (480, N_FEATURES)
    assert dask.is_dask_collection(y_res)
    # one by one: Dask warns where arrays and frames are computed together
    assert same_bytes(X_res.compute()[:N], data[0])
    labels = np.asarray(y_res.compute()).tolist()
    assert labels[:N] == y.tolist()
    assert labels[N:] == [y[data[1] == 1].iloc[0]] * 180


def test_kind_of_labels_does_not_depend_on_the_partitions(data):
    X, y = as_array(data[0]), pd.Series(data[1])
    kinds = {
        type(make_sampler().fit_resample(X, as_frame(y, cuts))[1]) for cuts in (CUTS, (0, 100, N))
    }
    assert len(kinds) == 1


def test_unknown_categories_stay_a_category(data):
    y = as_frame(pd.Series(np.array(["common", "rare"])[data[1]], name="target").astype("category"))
    y = y.cat.as_unknown()
    _, y_res = make_sampler().fit_resample(as_frame(pd.DataFrame(data[0], columns=NAMES)), y)
    y_res = y_res.compute()
    assert isinstance(y_res.dtype, pd.CategoricalDtype)
    assert y_res.value_counts().to_dict() == {"common": 240, "rare": 240}
    assert y_res.iloc[:N].tolist() == y.compute().tolist()


@pytest.mark.parametrize("dtype", ["i8", "i1", "u1", "f8", "?", "U", "O"])
@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_label_types_of_arrays(data, dtype, kind):
    X, y = data
    y = np.array(["common", "rare"])[y] if dtype in "UO" else y
    y = y.astype(dtype)
    sampler = make_sampler()
    given = (X, y) if kind == "numpy" else (as_array(X), as_array(y))
    y_res = sampler.fit_resample(*given)[1]
    assert y_res.dtype == y.dtype
    (y_res,) = dask.compute(y_res)
    assert y_res.dtype == y.dtype
    assert y_res[:N].tolist() == y.tolist()
    assert y_res[N:].tolist() == [y[data[1] == 1][0]] * 180
    assert sampler.sampling_strategy_ == {y[data[1] == 1][0]: 180}


@pytest.mark.parametrize("kind", ["numpy", "array", "frame"])
@pytest.mark.parametrize("words", [False, True], ids=["ints", "strings"])
def test_many_classes(three_classes, kind, words):
    X, y = three_classes
    y = np.array(["a", "b", "c"])[y] if words else y
    given = {
        "numpy": (X, y),
        "array": (as_array(X), as_array(y)),
        "frame": (as_frame(pd.DataFrame(X, columns=NAMES)), as_frame(pd.Series(y))),
    }[kind]
    sampler = make_sampler()
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    X_res, y_res = np.asarray(X_res), np.asarray(y_res)
    a, b, c = np.unique(y)
    assert Counter(y_res.tolist()) == {a: 140, b: 140, c: 140}
    # by class, in label order
    assert y_res[N:].tolist() == [b] * 80 + [c] * 40
    assert list(sampler.sampling_strategy_.items()) == [(b, 80), (c, 40)]
    assert sampler.cluster_balance_threshold_ == pytest.approx({b: 0.2, c: 1 / 3})
    check_synthetic(sampler, X, y, X_res[N:], y_res[N:])


@pytest.mark.parametrize("kind", ["numpy", "array", "unknown array"])
@pytest.mark.parametrize("dtype", ["i8", "f8"])
def test_one_vs_all(three_classes, kind, dtype):
    X, y = three_classes
    Y = np.eye(3, dtype=dtype)[y]
    given = {
        "numpy": (X, Y),
        "array": (as_array(X), as_array(Y, 2)),
        "unknown array": (forget_chunks(as_array(X)), forget_chunks(as_array(Y, 3))),
    }[kind]
    X_res, Y_res = make_sampler().fit_resample(*given)
    assert Y_res.shape == (420, 3)
    assert isinstance(Y_res, np.ndarray if kind == "numpy" else da.Array)
    X_res, Y_res = dask.compute(X_res, Y_res)
    assert (Y_res[:N] == Y).all()
    assert Y_res.sum(axis=0).tolist() == [140, 140, 140]
    assert (Y_res.sum(axis=1) == 1).all()
    expected_X, expected_y = make_sampler().fit_resample(X, y)
    assert same_bytes(X_res, expected_X)
    assert Y_res.argmax(axis=1).tolist() == expected_y.tolist()


# in memory


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


# fitted attributes


@pytest.fixture(params=["numpy", "array", "frame"])
def given(request, data):
    X, y = data
    return {
        "numpy": (X, y),
        "array": (as_array(X, 2), as_array(y)),
        "frame": (as_frame(pd.DataFrame(X, columns=NAMES)), as_frame(pd.Series(y, name="t"))),
    }[request.param]


def is_frame(given):
    return isinstance(given[0], dd.DataFrame)


def test_fitted_attributes(given):
    sampler = KMeansSMOTE(random_state=0, k_neighbors=3)
    assert sampler.fit(*given) is sampler
    assert sampler.sampling_strategy_ == {1: 180}
    assert isinstance(sampler.kmeans_estimator_, DaskKMeans)
    assert sampler.kmeans_estimator_.n_clusters == 8
    assert np.shape(sampler.kmeans_estimator_.cluster_centers_) == (8, N_FEATURES)
    assert sampler.nn_k_.n_neighbors == 4
    assert isinstance(sampler.cluster_balance_threshold_, float)
    assert sampler.cluster_balance_threshold_ == pytest.approx(0.2)
    assert sampler.n_features_in_ == N_FEATURES
    if is_frame(given):
        assert sampler.feature_names_in_.tolist() == NAMES
        assert sampler.feature_names_in_.dtype == object
    else:
        assert not hasattr(sampler, "feature_names_in_")


def test_nothing_is_fitted_before_fit_and_parameters_stay(given):
    sampler = make_sampler(k_neighbors=3)
    before = sampler.get_params()
    for name in ("plan_", "report_", "provenance_", "nn_k_", "sampling_strategy_"):
        assert not hasattr(sampler, name)
    sampler.fit_resample(*given)
    assert sampler.get_params() == before


def test_fit_makes_the_plan_of_fit_resample(given):
    planned, resampled = make_sampler().fit(*given), make_sampler()
    resampled.fit_resample(*given)
    assert planned.plan_.to_dict() == resampled.plan_.to_dict()
    pd.testing.assert_frame_equal(
        planned.provenance_.compute(), resampled.provenance_.compute(), check_exact=True
    )


def test_a_second_fit_forgets_the_first(data, given):
    sampler = make_sampler().fit(*given)
    X, y = data
    sampler.fit(np.column_stack([X, X[:, 0]]), y)
    assert sampler.n_features_in_ == N_FEATURES + 1
    assert not hasattr(sampler, "feature_names_in_")
    assert sampler.plan_.n_features == N_FEATURES + 1


def test_report(data, given):
    X, y = data
    sampler = KMeansSMOTE(random_state=0).fit(*given)
    report = sampler.report_
    assert isinstance(report, pd.DataFrame)
    assert list(report.columns) == [*REPORT_COLUMNS, "neighbor_recall"]
    assert report["cluster_id"].tolist() == list(range(8))
    assert set(report["class_label"]) == {1}
    centers = np.asarray(sampler.kmeans_estimator_.cluster_centers_)
    cluster = ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    assert report["n_rows"].tolist() == np.bincount(cluster, minlength=8).tolist()
    assert report["n_class_rows"].tolist() == np.bincount(cluster[y == 1], minlength=8).tolist()
    filled = report[report["n_rows"] > 0]
    assert filled["class_share"].to_numpy() == pytest.approx(
        (filled["n_class_rows"] / filled["n_rows"]).to_numpy()
    )
    assert report["threshold"].to_numpy() == pytest.approx(np.full(8, 0.2))
    kept = report[report["kept"]]
    assert 0 < len(kept) < 8
    assert (kept["reason"] == "").all()
    assert (kept["class_share"] >= 0.2).all()
    assert (kept["n_class_rows"] >= 3).all()
    dropped = report[~report["kept"]]
    assert set(dropped["reason"]) <= {"below threshold", "too few rows", "empty"}
    assert (dropped["class_share"][dropped["reason"] == "below threshold"] < 0.2).all()
    assert (dropped[["weight", "n_synthetic"]] == 0).all(axis=None)
    assert kept["weight"].sum() == pytest.approx(1)
    assert report["n_synthetic"].sum() == 180
    assert (np.abs(kept["n_synthetic"] - 180 * kept["weight"]) < 1).all()
    assert (kept["mean_distance_se"] == 0).all()
    for row in kept.itertuples():
        mine = X[(cluster == row.cluster_id) & (y == 1)]
        distance = np.sqrt(((mine[:, None] - mine) ** 2).sum(axis=2))
        m = len(mine)
        assert row.mean_distance == pytest.approx(distance.sum() / (m * (m - 1)), rel=1e-9)


def test_why_clusters_are_dropped():
    # a class that is alone in one place, thin in another and scarce in a third
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(4) * 100, [30, 40, 30, 5], axis=0)
    X = centers + rng.normal(0, 1, (105, 4))
    y = np.zeros(105, int)
    y[:20], y[30:33], y[100:102] = 1, 1, 1
    start = np.vstack([np.eye(4) * 100, np.full((1, 4), 1e6)])
    frozen = FrozenEstimator(KMeans(5, init=start, n_init=1, max_iter=1).fit(np.vstack([X, start])))
    frozen.estimator.cluster_centers_ = start
    sampler = make_sampler(kmeans_estimator=frozen).fit(X, y)
    assert sampler.report_["reason"].tolist() == [
        "", "below threshold", "below threshold", "too few rows", "empty"
    ]  # fmt: skip
    assert sampler.report_["n_synthetic"].tolist() == [55, 0, 0, 0, 0]


@pytest.mark.parametrize("n_clusters", [1, 8])
@pytest.mark.parametrize("labels", ["ints", "strings", "bools"])
def test_plan_is_frozen_and_survives_json(data, labels, n_clusters):
    X, y = data
    y = {"ints": y, "strings": np.array(["common", "rare"])[y], "bools": y.astype(bool)}[labels]
    plan = make_sampler(kmeans_estimator=n_clusters).fit(as_array(X), as_array(y)).plan_
    assert isinstance(plan, SamplingPlan)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seed = 1
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        plan.other = 1
    content = plan.to_dict()
    assert isinstance(content, dict)
    # strict JSON: NaN and infinity have no place in it
    text = plan.to_json()
    assert json.loads(text, parse_constant=pytest.fail) == content
    again = SamplingPlan.from_json(text)
    assert again == plan
    assert again.to_json() == text
    assert str(again) == str(plan)


def test_plan_reads_well(data):
    X, y = data
    text = str(make_sampler().fit(X, np.array(["common", "rare"])[y]).plan_)
    assert "rare" in text
    assert "180" in text
    assert "300" in text
    assert "np." not in text
    assert "{" not in text
    assert max(map(len, text.splitlines())) <= 160


def test_provenance_is_lazy_and_in_output_order(data, given):
    X, y = data
    sampler = make_sampler()
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    provenance = sampler.provenance_
    assert dask.is_dask_collection(provenance)
    assert provenance.known_divisions
    assert provenance.compute().index.is_unique
    check_synthetic(sampler, X, y, np.asarray(X_res)[N:], np.asarray(y_res)[N:])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_neighbors_are_of_the_same_cluster_and_near(data, k):
    X, y = data
    sampler = make_sampler(k_neighbors=k).fit(as_array(X), as_array(y))
    centers = np.asarray(sampler.kmeans_estimator_.cluster_centers_)
    cluster = ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    parents = sampler.provenance_.compute()
    ranks = set()
    for base, neighbor in zip(parents["base_row"], parents["neighbor_row"], strict=True):
        group = np.flatnonzero((cluster == cluster[base]) & (y == y[base]))
        distance = np.linalg.norm(X[group] - X[base], axis=1)
        ranks.add(int(group[distance.argsort()].tolist().index(neighbor)))
    assert ranks == set(range(1, k + 1))


def test_nothing_to_generate(given):
    sampler = make_sampler(sampling_strategy={0: 240})
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    assert len(X_res) == len(y_res) == N
    assert sampler.sampling_strategy_ == {0: 0}
    assert len(sampler.provenance_.compute()) == 0
    assert len(sampler.report_) == 0


# parameters


SEEDS = {
    "int": lambda: 7,
    "numpy int": lambda: np.int64(7),
    "RandomState": lambda: np.random.RandomState(7),
    "Generator": lambda: np.random.default_rng(7),
}


@pytest.mark.parametrize("kind", SEEDS)
def test_seeds_of_every_kind_repeat(given, kind):
    rows = [
        np.asarray(
            dask.compute(make_sampler(random_state=SEEDS[kind]()).fit_resample(*given))[0][0]
        )
        for _ in range(2)
    ]
    assert same_bytes(*rows)
    other = make_sampler(random_state=8).fit_resample(*given)
    assert not same_bytes(rows[0], np.asarray(dask.compute(other)[0][0]))


def test_int_and_numpy_int_seed_alike(data):
    results = [make_sampler(random_state=seed).fit_resample(*data)[0] for seed in (7, np.int64(7))]
    assert same_bytes(*results)


def test_without_a_seed_each_run_differs_but_its_result_does_not(data, given):
    first, second = (make_sampler(random_state=None).fit_resample(*given)[0] for _ in range(2))
    values = [np.asarray(dask.compute(rows)[0]) for rows in (first, first, second)]
    assert same_bytes(values[0], values[1])
    assert not same_bytes(values[0], values[2])


@pytest.mark.parametrize(
    ("strategy", "final"),
    [
        (0.5, [240, 120, None]),
        (np.float64(0.7), [240, 168, None]),
        ("auto", [140, 140, 140]),
        ("not majority", [140, 140, 140]),
        ("not minority", [140, 60, 140]),
        ("minority", [140, 140, 100]),
        ("all", [140, 140, 140]),
        ({1: 75}, [140, 75, 100]),
        ({2: 111, 1: 63, 0: 150}, [150, 63, 111]),
        (lambda y: {2: 102}, [140, 60, 102]),
    ],
    ids=["float", "numpy float", "auto", "not majority", "not minority", "minority", "all", "dict",
         "dict of all", "callable"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_strategies(data, three_classes, strategy, final, kind):
    X, y = data if final[2] is None else three_classes
    final = {label: n for label, n in enumerate(final) if n is not None}
    sampler = make_sampler(sampling_strategy=strategy)
    given = (X, y) if kind == "numpy" else (as_array(X), as_array(y))
    _, y_res = dask.compute(*sampler.fit_resample(*given))
    assert Counter(y_res.tolist()) == final
    # the number to generate, ordered by label
    generated = {label: n - int((y == label).sum()) for label, n in final.items()}
    fitted = sampler.sampling_strategy_
    assert list(fitted) == sorted(fitted)
    assert all(fitted[label] == generated[label] for label in fitted)
    assert {label for label, n in generated.items() if n} <= set(fitted)


def test_callable_sees_the_labels(data):
    seen = []
    make_sampler(sampling_strategy=lambda y: seen.append(Counter(y.tolist())) or {1: 61}).fit(*data)
    assert seen == [{0: 240, 1: 60}]


class OwnSearch:
    """The least that an approximate search offers."""

    def __init__(self, n_neighbors=3):
        self.n_neighbors = n_neighbors

    def fit(self, X, y=None):
        self.tree_ = KDTree(X)
        return self

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):  # noqa: FBT002 - as scikit-learn has it
        distance, place = self.tree_.query(X, k=n_neighbors or self.n_neighbors)
        return (distance, place) if return_distance else place


@pytest.mark.parametrize(
    "search",
    [NearestNeighbors(n_neighbors=3), NearestNeighbors(n_neighbors=3, metric="l1"), OwnSearch(3)],
    ids=["sklearn", "sklearn l1", "own"],
)
def test_neighbor_objects(data, given, search):
    X, y = data
    before = dict(vars(search))
    sampler = make_sampler(k_neighbors=search)
    X_res, y_res = (np.asarray(part) for part in dask.compute(*sampler.fit_resample(*given)))
    check_synthetic(sampler, X, y, X_res[N:], y_res[N:])
    assert vars(search) == before
    assert sampler.nn_k_ is not search
    assert type(sampler.nn_k_) is type(search)
    assert sampler.nn_k_.n_neighbors == 3
    # n_neighbors includes the row itself
    assert sampler.plan_.k_neighbors == 2


def test_neighbor_object_is_the_same_as_its_number(data, given):
    expected, _ = make_sampler(k_neighbors=3).fit_resample(*data)
    sampler = make_sampler(k_neighbors=NearestNeighbors(n_neighbors=4))
    rows = np.asarray(dask.compute(sampler.fit_resample(*given)[0])[0])
    np.testing.assert_allclose(rows, expected)


CLUSTERERS = {
    "KMeans": KMeans(3, n_init=1, random_state=5),
    "MiniBatchKMeans": MiniBatchKMeans(3, n_init=1, random_state=5),
    "dask-ml KMeans": DaskKMeans(3, random_state=5),
    "dask-ml KMeans with init": DaskKMeans(3, init=np.random.default_rng(0).normal(0, 5, (3, 4))),
    "GaussianMixture": GaussianMixture(3, random_state=5),
}


@pytest.mark.parametrize("name", CLUSTERERS)
def test_clusterer_objects(data, given, name):
    X, y = data
    clusterer = CLUSTERERS[name]
    before = set(vars(clusterer))
    sampler = make_sampler(kmeans_estimator=clusterer, cluster_balance_threshold=0.01)
    X_res, y_res = (np.asarray(part) for part in dask.compute(*sampler.fit_resample(*given)))
    assert set(vars(clusterer)) == before
    assert sampler.kmeans_estimator_ is not clusterer
    assert type(sampler.kmeans_estimator_) is type(clusterer)
    assert np.bincount(y_res).tolist() == [240, 240]
    check_synthetic(sampler, X, y, X_res[N:], y_res[N:])
    assert sampler.report_["cluster_id"].tolist() == [0, 1, 2]
    assert sampler.report_["n_rows"].sum() == N
    expected, _ = make_sampler(
        kmeans_estimator=clusterer, cluster_balance_threshold=0.01
    ).fit_resample(X, y)
    assert same_bytes(X_res, expected)


def test_clusterer_object_keeps_its_own_seed(given):
    tables = [
        make_sampler(kmeans_estimator=MiniBatchKMeans(8, n_init=1, random_state=5), random_state=n)
        .fit(*given)
        .report_["n_rows"]
        .tolist()
        for n in (0, 1)
    ]
    assert tables[0] == tables[1]


def test_gathered_fit_is_the_fit_on_all_rows(data, given):
    X, _ = data
    expected = KMeans(4, n_init=1, random_state=5).fit(X).cluster_centers_
    sampler = make_sampler(kmeans_estimator=KMeans(4, n_init=1, random_state=5)).fit(*given)
    np.testing.assert_allclose(sampler.kmeans_estimator_.cluster_centers_, expected)


@pytest.mark.parametrize(
    "model", [KMeans(3, n_init=1, random_state=5), GaussianMixture(3, random_state=5)]
)
def test_frozen_estimator_is_used_as_it_is(data, given, model):
    X, y = data
    frozen = FrozenEstimator(model.fit(X[:150]))
    sampler = make_sampler(kmeans_estimator=frozen, cluster_balance_threshold=0.01)
    X_res, y_res = (np.asarray(part) for part in dask.compute(*sampler.fit_resample(*given)))
    check_synthetic(sampler, X, y, X_res[N:], y_res[N:])
    cluster = model.predict(X)
    assert sampler.report_["n_rows"].tolist() == np.bincount(cluster, minlength=3).tolist()
    parents = sampler.provenance_.compute()
    assert (cluster[parents["base_row"]] == cluster[parents["neighbor_row"]]).all()


def test_learning_rows_bound_the_single_fit_whatever_the_chunks(data):
    X, y = data
    centers = [
        make_sampler(kmeans_estimator=KMeans(3, n_init=1, random_state=5), learning_rows=100)
        .fit(*pair)
        .kmeans_estimator_
        for pair in (
            (X, y),
            (as_array(X), as_array(y)),
            (da.from_array(X, chunks=(33, 1)), da.from_array(y, chunks=33)),
        )
    ]
    assert {len(fitted.labels_) for fitted in centers} == {100}
    assert same_bytes(centers[0].cluster_centers_, centers[1].cluster_centers_)
    assert same_bytes(centers[0].cluster_centers_, centers[2].cluster_centers_)
    # a sample, not the first rows
    first = KMeans(3, n_init=1, random_state=5).fit(X[:100])
    assert not np.allclose(first.cluster_centers_, centers[0].cluster_centers_)


@pytest.mark.parametrize("clusterer", [3, DaskKMeans(3, random_state=1)])
def test_learning_rows_bound_global_kmeans_whatever_the_chunks(data, clusterer):
    X, y = data
    fitted = [
        make_sampler(kmeans_estimator=clusterer, learning_rows=100).fit(*pair)
        for pair in (
            (X, y),
            (as_array(X), as_array(y)),
            (da.from_array(X, chunks=(33, 1)), da.from_array(y, chunks=33)),
        )
    ]
    centers = [sampler.kmeans_estimator_.cluster_centers_ for sampler in fitted]
    assert same_bytes(centers[0], centers[1])
    assert same_bytes(centers[0], centers[2])
    assert {sampler.plan_.clustering.n_learning_rows for sampler in fitted} == {100}
    # learned from a sample: not the means of all rows
    labels = fitted[0].kmeans_estimator_.predict(X)
    means = np.array([X[labels == cluster].mean(axis=0) for cluster in range(3)])
    assert not np.allclose(centers[0], means, rtol=1e-6)
    everything = make_sampler(kmeans_estimator=clusterer, learning_rows=len(X)).fit(X, y)
    assert everything.plan_.clustering.n_learning_rows == len(X)


@pytest.mark.parametrize("exponent", ["auto", "n_features", 0, 2.5])
def test_exponents(data, given, exponent):
    sampler = make_sampler(density_exponent=exponent, cluster_balance_threshold=0.01).fit(*given)
    kept = sampler.report_[sampler.report_["kept"]]
    number = {"auto": np.log(4) / np.log(1.6), "n_features": 4}.get(exponent, exponent)
    number = number**1.8 * 0.16 if exponent == "auto" else number
    assert kept["exponent"].to_numpy() == pytest.approx(np.full(len(kept), number))
    sparsity = kept["mean_distance"] ** number / kept["n_class_rows"]
    assert kept["weight"].to_numpy() == pytest.approx((sparsity / sparsity.sum()).to_numpy())


def test_threshold_given(given):
    sampler = make_sampler(cluster_balance_threshold=0.05).fit(*given)
    assert sampler.cluster_balance_threshold_ == 0.05
    assert set(sampler.report_["threshold"]) == {0.05}
