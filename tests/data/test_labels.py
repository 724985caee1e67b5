"""Labels of every kind come back as their own kind."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError
from kinds import (
    CUTS,
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


CATEGORIES = {"category of ints": int, "category of bools": bool, "category of floats": float}


def labels_of(y, kind):
    words = pd.Series(np.array(["common", "rare"])[y], name="target")
    if kind in ("bool", "boolean", "bool[pyarrow]"):
        return pd.Series(y.astype(bool), name="target").astype(kind)
    if kind in ("int64", "Int64", "int64[pyarrow]", "int8", "float64"):
        return pd.Series(y, name="target").astype(kind)
    if kind == "ordered":
        return words.astype(pd.CategoricalDtype(["rare", "unused", "common"], ordered=True))
    if kind in CATEGORIES:
        return pd.Series(y.astype(CATEGORIES[kind]), name="target").astype("category")
    return words.astype(kind)


LABEL_KINDS = [
    "int64", "int8", "float64", "bool", "str", "object", "string", "string[pyarrow]",
    "category", "ordered", "category of ints", "category of bools", "category of floats",
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


@pytest.mark.parametrize("kind", ["pandas", "dask"])
def test_categories_of_dates(data, kind):
    y = pd.Series(np.array(["2020-01-01", "2021-01-01"], "M8[ns]")[data[1]]).astype("category")
    given = pd.DataFrame(data[0], columns=NAMES), y
    given = given if kind == "pandas" else tuple(as_frame(part) for part in given)
    (y_res,) = dask.compute(make_sampler().fit_resample(*given)[1])
    assert y_res.dtype == y.dtype
    assert y_res.iloc[:N].tolist() == y.tolist()
    assert y_res.value_counts().tolist() == [240, 240]


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("alone", [False, True], ids=["both in each", "one alone"])
def test_dictionaries_of_arrow(data, tmp_path, layout, alone):
    # a dictionary of its own in each partition, of which Dask knows nothing
    labels = np.array(["common", "rare"])[data[1]]
    labels[80:160] = "common" if alone else labels[80:160]
    table = pa.table([*data[0].T, labels], names=[*NAMES, "target"])
    schema = table.schema.set(
        N_FEATURES, pa.field("target", pa.dictionary(pa.int32(), pa.string()))
    )
    with pq.ParquetWriter(tmp_path / "table.parquet", schema) as writer:
        for start in range(0, N, 80):
            writer.write_table(table.slice(start, 80).cast(schema))
    frame = dd.read_parquet(tmp_path / "table.parquet", split_row_groups=True)
    sampler = make_sampler(layout=layout)
    X_res, y_res = sampler.fit_resample(frame[NAMES], frame["target"])
    assert isinstance(y_res.dtype, pd.CategoricalDtype)
    X_res, y_res = dask.compute(X_res, y_res)
    assert isinstance(y_res.dtype, pd.CategoricalDtype)
    n = max(np.unique(labels, return_counts=True)[1])
    assert y_res.value_counts().to_dict() == {"common": n, "rare": n}
    if layout == "append":
        assert y_res.iloc[:N].tolist() == labels.tolist()
        assert same_bytes(X_res.to_numpy()[:N], data[0])


ALIKE = {  # labels that Python takes for one and other types
    "bools in every other chunk": lambda block, odd: block.astype(bool) if odd else block,
    "objects": lambda block, odd: block.astype(object),
    "bools among objects": lambda block, odd: block.astype(bool).astype(object) if odd else block,
    "floats in every other chunk": lambda block, odd: block.astype(float) if odd else block,
}


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("size", [1, 7, 100, N])
def test_labels_that_are_one_in_other_types(data, name, size):
    X, y = data
    parts = [
        da.from_delayed(dask.delayed(ALIKE[name])(y[low : low + size], low // size % 2), (n,), "i8")
        for low in range(0, N, size)
        if (n := min(size, N - low))
    ]
    given = as_array(X).rechunk({0: size}), da.concatenate(parts)
    X_res, y_res = dask.compute(*make_sampler().fit_resample(*given))
    X_ref, y_ref = make_sampler().fit_resample(X, y)
    assert same_bytes(X_res, X_ref)
    assert y_res.tolist() == y_ref.tolist()


@pytest.mark.parametrize("size", [1, 7, 100, N])
def test_large_labels_that_no_float_tells_apart(data, size):
    X = data[0]
    y = np.array([float(2**53), 2**53 + 1], dtype=object)[data[1]]
    given = as_array(X).rechunk({0: size}), da.from_array(y, chunks=size)
    X_res, y_res = dask.compute(*make_sampler().fit_resample(*given))
    assert same_bytes(X_res, make_sampler().fit_resample(*data)[0])
    assert Counter(y_res.tolist()) == {float(2**53): 240, 2**53 + 1: 240}


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


@pytest.mark.parametrize("dtype", ["Int64", "Int8", "boolean", "int64[pyarrow]", "UInt16"])
def test_arrays_of_labels_that_may_be_missing(dtype):
    X, y = make_imbalanced(90, 3, 0.25, seed=1)
    labels = pd.array(y, dtype="Int64").astype(dtype)
    sampler = KMeansSMOTE(kmeans_estimator=2, random_state=0, cluster_balance_threshold=0.0)
    _, found = sampler.fit_resample(X, labels)
    assert found.dtype.kind == ("b" if dtype == "boolean" else "u" if dtype == "UInt16" else "i")
    assert found[:90].tolist() == labels.tolist()


def test_labels_that_are_lists_of_arrow():
    X, y = make_imbalanced(90, 3, 0.25, seed=1)
    labels = pd.Series([[int(n)] for n in y], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    with pytest.raises(InputError, match="can't be told apart"):
        KMeansSMOTE(kmeans_estimator=2).fit(X, labels)
