"""Defects that were found by trying to break the sampler, each with what showed it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_info, threadpool_limits

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError, ParameterError
from dask_kmsmote.kernels.making.partitions import series_of
from dask_kmsmote.kernels.rows.labels import code, encode

SEED = {"random_state": 0}


@pytest.fixture
def data():
    X = np.random.default_rng(0).normal(size=(400, 3))
    return X, (np.arange(400) % 10 == 0).astype(int)


def chunked(X, y, n=200):
    return da.from_array(X, chunks=(n, -1)), da.from_array(y, chunks=n)


@pytest.mark.parametrize("on_dask", [False, True])
def test_one_vs_all_with_an_empty_column(data, on_dask):
    X, y = data
    indicators = np.eye(3, dtype=int)[y * 2]
    if on_dask:
        X = da.from_array(X, chunks=(100, -1))
        indicators = da.from_array(indicators, chunks=(100, -1))
    result = KMeansSMOTE(**SEED).fit_resample(X, indicators)[1]
    assert np.asarray(result).sum(axis=0).tolist() == [360, 0, 360]


def test_one_vs_all_row_without_a_class(data):
    indicators = np.eye(3, dtype=int)[data[1]]
    indicators[:5] = 0
    with pytest.raises(InputError, match="5 rows"):
        KMeansSMOTE(**SEED).fit_resample(data[0], indicators)


@pytest.mark.parametrize("on_dask", [False, True])
@pytest.mark.parametrize(("dtype", "end"), [("i8", "max"), ("i8", "min"), ("u8", "max")])
def test_extreme_integers_beside_floats(data, on_dask, dtype, end):
    X, y = pd.DataFrame(data[0], columns=list("abc")), pd.Series(data[1])
    X["a"] = np.array(getattr(np.iinfo(dtype), end), dtype=dtype)
    if on_dask:
        X, y = dd.from_pandas(X, npartitions=2), dd.from_pandas(y, npartitions=2)
    (result,) = dask.compute(KMeansSMOTE(**SEED).fit_resample(X, y)[0]["a"])
    assert result.dtype == dtype
    assert result.nunique() == 1


def test_labels_longer_than_the_declared_width(data):
    X, y = chunked(*data)
    labels = y.map_blocks(lambda block: np.array(["no", "maybe"])[block], dtype="<U2")
    result = KMeansSMOTE(**SEED).fit_resample(X, labels)[1].compute()
    assert sorted(set(result.tolist())) == ["maybe", "no"]


def test_unknown_categories(data):
    X = dd.from_pandas(pd.DataFrame(data[0], columns=list("abc")), npartitions=2)
    labels = pd.Series(np.array(["no", "yes"])[data[1]])
    y = dd.from_pandas(labels, npartitions=2).astype("category")
    result = KMeansSMOTE(**SEED).fit_resample(X, y)[1].compute()
    assert result.dtype == "category"
    assert result.value_counts().to_dict() == {"no": 360, "yes": 360}


def test_frozen_clusterer_is_left_as_it_was(data):
    frozen = FrozenEstimator(KMeans(2, n_init=1, random_state=0).fit(data[0]))
    before = dict(vars(frozen))
    KMeansSMOTE(kmeans_estimator=frozen, **SEED).fit(*data)
    assert vars(frozen) == before


def test_series_with_other_partitions_than_the_array(data):
    X = da.from_array(data[0], chunks=((150, 250), (3,)))
    y = dd.from_pandas(pd.Series(data[1]), npartitions=2)
    result = KMeansSMOTE(**SEED).fit_resample(X, y)[1]
    assert np.bincount(result.compute()).tolist() == [360, 360]


class TooManyLabels(KMeans):
    def predict(self, X):
        return super().predict(X) + 3


def test_labels_beyond_the_number_of_clusters(data):
    clusterer = TooManyLabels(2, n_init=1, random_state=0)
    with pytest.raises(ParameterError, match="says that it makes 2"):
        KMeansSMOTE(kmeans_estimator=clusterer, **SEED).fit(*data)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_distances_that_overflow(data):
    with pytest.raises((InputError, ParameterError), match=r"overflow|rescale"):
        KMeansSMOTE(kmeans_estimator=1, **SEED).fit(data[0] * 1e200, data[1])


def run_all(*functions):
    failed = []

    def guarded(function):
        try:
            function()
        except Exception as error:  # noqa: BLE001 - the test is to see it
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


@pytest.mark.parametrize("on_dask", [False, True])
def test_other_threads_go_on_computing(on_dask):
    X, y = make_imbalanced(2000, 4, 0.1, 0)
    X, y = chunked(X, y, 500) if on_dask else (X, y)
    before = settings()

    def resample():
        for _ in range(5):
            KMeansSMOTE(**SEED).fit(X, y)

    def compute():
        for _ in range(40):
            assert da.ones((100, 100), chunks=20).sum().compute() == 10_000

    assert run_all(resample, resample, compute) == []
    assert settings() == before


@pytest.mark.parametrize("on_dask", [False, True])
def test_blas_threads_are_given_back(on_dask):
    X, y = make_imbalanced(2000, 4, 0.1, 0)
    X, y = chunked(X, y, 500) if on_dask else (X, y)
    with threadpool_limits(2, user_api="blas"):
        KMeansSMOTE(**SEED).fit(X, y)
        assert set(blas_threads()) == {2}


def settings():
    return [dask.config.get(key, None) for key in ("scheduler", "pool", "optimization.fuse.active")]


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_threads_that_share_classes_find_all_labels():
    """An index of pandas 2.2 that threads share may find no label (pandas issue 21150)."""
    labels = np.arange(100_000)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            classes = tuple(labels.tolist())
            meta = pd.Series(pd.Categorical([], categories=labels))
            for codes in pool.map(lambda _, known=classes: encode(code(labels), known), range(4)):
                assert (codes == labels).all()
            for made in pool.map(lambda _, like=meta: series_of(1, 99_999, 0, like), range(4)):
                assert made.tolist() == [99_999]
                assert len(made.cat.categories) == len(labels)
