"""Objects of the user's own that give rubbish are errors that name the parameter, never a crash."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import InvalidParameterError

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import ParameterError

N = 120


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=["numpy", "array"])
def given(request):
    X, y = make_imbalanced(N, 4, 0.25, seed=3)
    if request.param == "numpy":
        return X, y
    return da.from_array(X, chunks=(40, 4)), da.from_array(y, chunks=40)


def resample(given, **params):
    sampler = KMeansSMOTE(**{"random_state": 0, "kmeans_estimator": 2} | params)
    return dask.compute(*sampler.fit_resample(*given))


class Search(BaseEstimator):
    """Gives the first three rows, changed in some way."""

    def __init__(self, change=None, n_neighbors=3):
        self.change = change
        self.n_neighbors = n_neighbors

    def fit(self, X, y=None):
        return self

    def kneighbors(self, X, n_neighbors=None, return_distance=True):  # noqa: FBT002 - as scikit-learn has it
        return self.change(np.tile(np.arange(3), (len(X), 1)))


NEIGHBORS = {
    "beyond the rows": lambda found: found + 10**6,
    "missing": lambda found: np.where(found == 2, -1, found),
    "too few rows": lambda found: found[:-1],
    "too few columns": lambda found: found[:, :1],
    "too many columns": lambda found: np.tile(found, 2),
    "one column": lambda found: found[:, 0],
    "floats": lambda found: found + 0.5,
    "NaN": lambda found: found * np.nan,
    "nothing": lambda found: None,
    "distances too": lambda found: (found, found),
}


@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
@pytest.mark.parametrize("name", NEIGHBORS)
def test_neighbors(given, name, compat):
    search = Search(NEIGHBORS[name])
    with pytest.raises(ParameterError, match=r"k_neighbors=Search.* gave neighbours"):
        resample(given, k_neighbors=search, compat=compat, cluster_balance_threshold=0.0)


def test_neighbors_of_unsigned_integers_are_fine(given):
    X, _ = resample(given, k_neighbors=Search(lambda found: found.astype("u8")))
    assert len(X) == 180


class Clusterer(BaseEstimator):
    """Two clusters, their labels changed in some way."""

    n_clusters = 2

    def __init__(self, change=None):
        self.change = change

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return self.change((X[:, 0] > 0).astype(int))


LABELS = {
    "short": lambda found: found[:-1],
    "long": lambda found: np.append(found, 0),
    "floats": lambda found: found + 0.0,
    "NaN": lambda found: found * np.nan,
    "two-dimensional": lambda found: found[:, None] == [0, 1],
    "scalar": lambda found: 0,
    "nothing": lambda found: None,
    "words": lambda found: found.astype(str),
    "objects": lambda found: found.astype(object),
    "too large": lambda found: found + 2,
}


@pytest.mark.parametrize("name", LABELS)
def test_clusters(given, name):
    with pytest.raises(ParameterError, match="kmeans_estimator labelled"):
        resample(given, kmeans_estimator=Clusterer(LABELS[name]))


def test_clusters_of_unsigned_integers_are_fine(given):
    X, _ = resample(given, kmeans_estimator=Clusterer(lambda found: found.astype("u8")))
    assert len(X) == 180


class Uncloned:
    n_clusters = 2

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.zeros(len(X), int)


@pytest.mark.parametrize("estimator", [Uncloned(), KMeans], ids=["no parameters", "a class"])
def test_clusterers_that_have_no_clone(given, estimator):
    with pytest.raises(ParameterError, match=r"kmeans_estimator=.* can't be cloned"):
        resample(given, kmeans_estimator=estimator)


SPOILS = {
    "other columns": lambda centers: centers[:, :2],
    "NaN": lambda centers: centers * np.nan,
}


@pytest.mark.parametrize("name", SPOILS)
def test_frozen_centers_of_other_features(given, name):
    model = KMeans(2, n_init=1).fit(np.random.default_rng(0).normal(size=(30, 4)))
    model.cluster_centers_ = SPOILS[name](model.cluster_centers_)
    with pytest.raises(ParameterError, match=r"cluster_centers_ .* for X of 4 features"):
        resample(given, kmeans_estimator=FrozenEstimator(model))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_centers_to_start_from_that_are_not_finite(given, value):
    with pytest.raises(ParameterError, match="init with NaN or infinity"):
        resample(given, kmeans_estimator=DaskKMeans(2, init=np.full((2, 4), value)))


@pytest.mark.parametrize("kind", [KMeans, DaskKMeans])
@pytest.mark.parametrize("n", [0, -2])
def test_no_clusters(given, kind, n):
    with pytest.raises(ParameterError, match=f"has n_clusters={n}"):
        resample(given, kmeans_estimator=kind(n))


@pytest.mark.parametrize("kind", [KMeans, DaskKMeans])
@pytest.mark.parametrize(
    ("name", "value"),
    [("max_iter", "10"), ("tol", None), ("tol", -1), ("init", "best"), ("random_state", "0")],
)
def test_parameters_of_clusterers(given, kind, name, value):
    events = []
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of .*KMeans must be"):
        resample(given, kmeans_estimator=kind(2, **{name: value}), callbacks=[events.append])
    assert not events  # before any work


@pytest.mark.parametrize(("name", "value"), [("metric", "far"), ("p", -1), ("algorithm", "guess")])
def test_parameters_of_searches(given, name, value):
    events, search = [], NearestNeighbors(n_neighbors=3, **{name: value})
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of NearestNeighbors"):
        resample(given, k_neighbors=search, callbacks=[events.append])
    assert not events


class Silent(KMeans):
    """Its fit returns nothing."""

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, y, sample_weight)


class SilentSearch(NearestNeighbors):
    """Its fit returns nothing."""

    def fit(self, X, y=None):
        super().fit(X, y)


def test_fits_that_return_nothing(given):
    found = resample(
        given,
        kmeans_estimator=Silent(2, random_state=0),
        k_neighbors=SilentSearch(n_neighbors=3),
    )
    loud = resample(
        given,
        kmeans_estimator=KMeans(2, random_state=0),
        k_neighbors=NearestNeighbors(n_neighbors=3),
    )
    for part, expected in zip(found, loud, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_callbacks_that_are_none(given):
    with pytest.raises(ParameterError, match="callbacks has 3, which can't be called"):
        resample(given, callbacks=[print, 3])


@pytest.mark.parametrize("name", ["density_exponent", "cluster_balance_threshold"])
@pytest.mark.parametrize("value", [10**400, np.inf, np.nan])
def test_numbers_that_no_float_holds(given, name, value):
    with pytest.raises((InvalidParameterError, ParameterError), match=name):
        resample(given, **{name: value})


@pytest.mark.parametrize("name", ["density_exponent", "cluster_balance_threshold"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, np.int8])
def test_numbers_of_any_type(given, name, kind):
    assert len(resample(given, **{name: kind(0)})[0]) == 180
