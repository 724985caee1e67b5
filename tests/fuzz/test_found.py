"""What the fuzzing found, each defect by a small case that showed it."""

from __future__ import annotations

import warnings

import click
import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.cli import values
from dask_kmsmote.errors import InputError, ParameterError, TooFewRowsError
from dask_kmsmote.planning.strategy import nearest_to_ratio, resolve_strategy

N = 60
SEED = {"random_state": 0, "kmeans_estimator": 1}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(N, 3)), (np.arange(N) % 5 == 0).astype(int)


def as_given(values):
    return values


def chunked(values):
    return da.from_array(values, chunks=(20, *values.shape[1:]), asarray=False)


def resampled(X, y, **params):
    return dask.compute(*KMeansSMOTE(**SEED | params).fit_resample(X, y))


EITHER = pytest.mark.parametrize("kind", [as_given, chunked])


@EITHER
@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_fewer_learning_rows_than_clusters(data, kind, compat):
    params = {"kmeans_estimator": 8, "learning_rows": 4, "compat": compat}
    with pytest.raises(ParameterError, match="learning_rows=8 or more"):
        resampled(*map(kind, data), **params)


@EITHER
def test_infinite_labels(data, kind):
    X, y = data
    with pytest.raises(InputError, match="12 labels are no whole numbers"):
        resampled(kind(X), kind(np.where(y, np.inf, 0.0)))


@EITHER
@pytest.mark.parametrize("worst", [np.inf, 0.5])
def test_labels_that_are_no_whole_numbers_in_objects(data, kind, worst):
    y = np.where(data[1], worst, 0.0).astype(object)
    with pytest.raises(InputError, match="12 labels are no whole numbers"):
        resampled(kind(data[0]), y.tolist() if kind is as_given else kind(y))


@EITHER
@pytest.mark.parametrize("dtype", ["f2", "g"])
def test_labels_that_pandas_has_no_index_of(data, kind, dtype):
    _, y = resampled(kind(data[0]), kind(data[1].astype(dtype)))
    assert y.dtype == dtype
    assert np.bincount(y.astype(int)).tolist() == [48, 48]


@EITHER
def test_dates_as_labels(data, kind):
    y = np.array(["2020-01-01", "2021-01-01"], "M8[D]")[data[1]]
    result = resampled(kind(data[0]), kind(y))[1]
    assert result.dtype == y.dtype
    assert (result == y[0]).sum() == (result == y[1]).sum() == 48


def test_counts_beyond_any_float(data):
    with pytest.raises(ParameterError, match="is one of its counts a slip"):
        resampled(*data, sampling_strategy={1: 10**400})
    with pytest.raises(ParameterError, match=r"in the range \(0, 1\]"):
        resolve_strategy(10**400, {0: 9, 1: 3}, None, nearest_to_ratio)


@pytest.mark.parametrize("value", [[], [1], {}, 1.0, True])
def test_whole_numbers_of_a_configuration_that_are_none(value):
    with pytest.raises(click.BadParameter, match="is no whole number"):
        values.Whole(1).convert(value, None, None)


@pytest.mark.parametrize("kind", [values.Strategy, values.Json])
def test_numbers_of_more_digits_than_python_reads(kind):
    try:
        found = kind().convert("9" * 5000, None, None)
    except click.BadParameter:
        return
    with pytest.raises(ParameterError, match="needs to be one of"):
        resolve_strategy(found, {0: 9, 1: 3}, None, nearest_to_ratio)


def test_tuples_as_labels(data):
    y = np.empty(N, object)
    y[:] = [(1, 2) if code else (3, 4) for code in data[1]]
    assert resampled(chunked(data[0]), chunked(y))[1][N:].tolist() == [(1, 2)] * 36


def test_one_vs_all_as_a_list(data):
    result = resampled(data[0], np.eye(2, dtype=int)[data[1]].tolist())[1]
    assert isinstance(result, list)
    assert np.sum(result, axis=0).tolist() == [48, 48]


@EITHER
@pytest.mark.parametrize(("hidden", "n"), [("X", 3), ("y", 1)])
def test_masked_values_are_missing(data, kind, hidden, n):
    X, y = (np.ma.masked_array(part, np.zeros(part.shape, bool)) for part in data)
    {"X": X, "y": y}[hidden].mask[7] = True
    with pytest.raises(InputError, match=f"{hidden} is a masked array with {n} masked values"):
        resampled(kind(X), kind(y))


@EITHER
@pytest.mark.parametrize("dtype", ["f4", "i8"])
def test_masked_arrays_without_masked_values(data, kind, dtype):
    plain = (data[0] * 100).astype(dtype)
    X = np.ma.masked_array(plain, np.zeros(plain.shape, bool))
    got, _ = resampled(kind(X), kind(data[1]))
    assert np.asarray(got).tobytes() == resampled(plain, data[1])[0].tobytes()


def test_labels_beside_an_array_from_aliases_of_delayed_parts(data):
    y = pd.Series(data[1])
    parts = [dask.delayed(y.iloc[start : start + 20]) for start in (0, 20, 40)]
    series = dd.from_delayed(parts, meta=y.iloc[:0], verify_meta=False)
    assert np.bincount(resampled(chunked(data[0]), series)[1]).tolist() == [48, 48]


@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_frames_that_come_back_make_arrays_and_go_in_again(data, layout):
    X = dd.from_pandas(pd.DataFrame(data[0], columns=list("abc")), npartitions=3)
    y = dd.from_pandas(pd.Series(data[1]), npartitions=3)
    first = KMeansSMOTE(**SEED, sampling_strategy={1: 30}, layout=layout).fit_resample(X, y)
    in_frames = first[0].compute().to_numpy()
    matrix = first[0].to_dask_array(lengths=True)
    assert (matrix.compute() == in_frames).all()
    X_new, y_new = resampled(matrix, first[1])
    assert (X_new[: len(in_frames)] == in_frames).all()
    assert np.bincount(y_new).tolist() == [48, 48]


def test_as_many_classes_as_rows_is_our_error_without_a_warning(data):
    with pytest.raises(TooFewRowsError):
        resampled(data[0], np.arange(N), sampling_strategy={0: 9})


def test_no_warning_of_sparse_columns(data):
    X = pd.DataFrame(data[0]).rename(columns=str)
    X["2"] = pd.arrays.SparseArray(np.where(X["2"] > 0, X["2"], 0.0), fill_value=0.0)
    assert list(resampled(X, data[1])[0].dtypes) == list(X.dtypes)


def test_no_warning_of_rows_that_differ_by_less_than_rounding(data):
    X = np.repeat(np.arange(20.0), 3)[:, np.newaxis] % 5
    X[:3] = 1e149
    resampled(chunked(X), chunked(data[1]), kmeans_estimator=6, cluster_balance_threshold=0)


def test_no_warning_of_distances_beyond_float32(data):
    X = data[0].astype("f4")
    X[::7] = np.finfo("f4").max
    with pytest.raises(InputError, match="overflow"):
        resampled(X, data[1], compat="imbalanced-learn")


@pytest.mark.parametrize("holder", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_no_warning_of_differences_that_wrap_around(data, holder):
    X = np.arange(3 * N, dtype="u8").reshape(N, 3)
    X[::3] += np.uint64(2**63)
    params = {"compat": "imbalanced-learn", "cluster_balance_threshold": 0}
    assert resampled(holder(X), data[1], **params)[0].dtype == "u8"


def test_columns_of_several_levels(data):
    X = pd.DataFrame(data[0], columns=pd.MultiIndex.from_product([["a"], [1, 2, 3]]))
    assert resampled(X, data[1])[0].columns.equals(X.columns)


@pytest.mark.parametrize("name", [None, np.nan])
def test_columns_without_a_name(data, name):
    X = pd.DataFrame(data[0], columns=[name, "b", "c"])
    y = pd.Series(data[1])
    with pytest.raises(InputError, match="a column without a name"):
        resampled(X, y)
    with pytest.raises(InputError, match="a column without a name"):
        resampled(dd.from_pandas(X, npartitions=2), dd.from_pandas(y, npartitions=2))


def test_no_filter_of_warnings_is_left_behind(data):
    before = list(warnings.filters)
    resampled(*data)
    resampled(*map(chunked, data))
    assert warnings.filters == before
