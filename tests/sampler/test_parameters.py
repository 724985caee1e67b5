"""What each parameter does."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import numpy as np
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KDTree, NearestNeighbors

from dask_kmsmote import KMeansSMOTE
from kinds import (
    N,
    as_array,
    check_synthetic,
    make_sampler,
    same_bytes,
)

pytestmark = pytest.mark.usefixtures("one_thread")


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


@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_without_a_seed_numpys_global_state_decides(data, compat):
    def resampled(seed):
        np.random.seed(seed)  # noqa: NPY002 - what users do
        sampler = KMeansSMOTE(kmeans_estimator=2, compat=compat, cluster_balance_threshold=0.0)
        return [sampler.fit_resample(*data)[0] for _ in range(2)]

    state = np.random.get_state()  # noqa: NPY002
    try:
        first, again, other = resampled(3), resampled(3), resampled(4)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert same_bytes(first[0], again[0])
    assert same_bytes(first[1], again[1])
    assert not same_bytes(first[0], first[1])
    assert not same_bytes(first[0], other[0])


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


class FixedSearch(OwnSearch):
    """One whose number can't be set."""

    n_neighbors = property(lambda self: 3)

    def __init__(self):
        pass


@pytest.mark.parametrize(
    "search",
    [NearestNeighbors(n_neighbors=3), NearestNeighbors(n_neighbors=3, metric="l1"), OwnSearch(3),
     FixedSearch()],
    ids=["sklearn", "sklearn l1", "own", "fixed"],
)  # fmt: skip
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
    sampler = make_sampler(kmeans_estimator=KMeans(4, n_init=1, random_state=5)).fit(*given)
    expected = KMeans(4, n_init=1, random_state=5).fit(X / sampler.scale_).cluster_centers_
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
    scale = make_sampler().fit(X, y).scale_
    first = KMeans(3, n_init=1, random_state=5).fit(X[:100] / scale)
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
    X = X / fitted[0].scale_
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
    weight = kept["mean_distance"] ** number * kept["n_class_rows"]
    assert kept["weight"].to_numpy() == pytest.approx((weight / weight.sum()).to_numpy())


def test_threshold_given(given):
    sampler = make_sampler(cluster_balance_threshold=0.05).fit(*given)
    assert sampler.cluster_balance_threshold_ == 0.05
    assert set(sampler.report_["threshold"]) == {0.05}
