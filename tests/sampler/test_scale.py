"""Distances in standard deviations: whatever the units of X, and never in the rows."""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import sparse
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.graph.density import measure as density
from dask_kmsmote.graph.density import search as approximate
from dask_kmsmote.kernels.neighbors import forest
from kinds import as_array, as_frame

pytestmark = pytest.mark.usefixtures("one_thread")
# powers of two change no digit: whatever follows is the same to the last bit
UNITS = np.array([2.0**-20, 1.0, 2.0**30, 2.0**5])
CENTERS = np.random.default_rng(5).normal(0, 5, (3, 4))
CLUSTERERS = {
    "number": 3,
    "dask-ml": DaskKMeans(3, random_state=1),
    "KMeans": KMeans(3, n_init=1, random_state=1),
    "MiniBatchKMeans": MiniBatchKMeans(3, n_init=1, random_state=1),
    "GaussianMixture": GaussianMixture(3, random_state=1),
}
SEARCHES = {"k": 3, "object": NearestNeighbors(n_neighbors=4)}


def sampled(X, y, **params):
    sampler = KMeansSMOTE(**{"random_state": 0, "cluster_balance_threshold": 0.01} | params)
    X_res, y_res = dask.compute(*sampler.fit_resample(X, y))
    return sampler, X_res, y_res


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", CLUSTERERS)
def test_units_do_not_matter(data, name, search):
    X, y = data
    params = {"kmeans_estimator": CLUSTERERS[name], "k_neighbors": SEARCHES[search]}
    one, X_one, _ = sampled(X, y, **params)
    other, X_other, _ = sampled(X * UNITS, y, **params)
    np.testing.assert_array_equal(other.scale_, one.scale_ * UNITS)
    np.testing.assert_array_equal(X_other, X_one * UNITS)
    pd.testing.assert_frame_equal(other.report_, one.report_)


@pytest.mark.parametrize("start", ["dask-ml", "KMeans"])
def test_centers_to_start_from_are_in_the_units_of_x(data, start):
    X, y = data
    make = {"dask-ml": DaskKMeans, "KMeans": lambda *a, **k: KMeans(*a, n_init=1, **k)}[start]
    _, X_one, _ = sampled(X, y, kmeans_estimator=make(3, init=CENTERS))
    given = make(3, init=CENTERS * UNITS)
    _, X_other, _ = sampled(X * UNITS, y, kmeans_estimator=given)
    np.testing.assert_array_equal(X_other, X_one * UNITS)
    np.testing.assert_array_equal(given.init, CENTERS * UNITS)


def kinds_of(X, y):
    frame = pd.DataFrame(X).add_prefix("f")
    return {
        "pandas": (frame, y),
        "csr": (sparse.csr_matrix(X), y),
        "array": (as_array(X, 2), as_array(y)),
        "frame": (as_frame(frame), as_frame(pd.Series(y))),
    }


@pytest.mark.parametrize("kind", ["pandas", "csr", "array", "frame"])
def test_every_kind_is_measured_alike(data, kind):
    X, y = data
    X = X * UNITS
    expected = sampled(X, y)[0]
    found = sampled(*kinds_of(X, y)[kind])[0]
    np.testing.assert_allclose(found.scale_, expected.scale_, rtol=1e-12)
    pd.testing.assert_frame_equal(found.provenance_.compute(), expected.provenance_.compute())


@pytest.mark.parametrize("size", ["one range", "ranges", "large"])
def test_scaling_is_what_one_would_do_by_hand(monkeypatch, size):
    large = size == "large"
    if size == "ranges":
        monkeypatch.setattr(density, "QUERY_ROWS", 90)
    if large:
        monkeypatch.setattr(pipeline, "GROUP_BYTES", 400 * 6 * 8)
        monkeypatch.setattr(forest, "LEAF_ROWS", 100)
        monkeypatch.setattr(approximate, "LEAF_ROWS", 1)
    X, y = make_imbalanced(4000, 6, 0.4, seed=1)
    X = X * 2.0 ** np.array([-9, 0, 0, 3, 12, 5])
    exact_rows = 200 if large else 16_384
    own, X_own, _ = sampled(X, y, kmeans_estimator=3, exact_rows=exact_rows)
    hand = sampled(X / own.scale_, y, kmeans_estimator=3, exact_rows=exact_rows, scale=None)[0]
    np.testing.assert_allclose(own.scale_, X.std(axis=0), rtol=1e-9)
    columns = ["n_rows", "n_class_rows", "kept", "n_synthetic"]
    pd.testing.assert_frame_equal(own.report_[columns], hand.report_[columns])
    np.testing.assert_allclose(own.report_.mean_distance, hand.report_.mean_distance, rtol=1e-9)
    one, other = own.provenance_.compute(), hand.provenance_.compute()
    assert (one == other).all(axis=1).mean() > 0.999  # but for distances that are equal
    # the rows are of the segments in X's own units
    base, neighbor = X[one.base_row], X[one.neighbor_row]
    expected = base + one.gap.to_numpy()[:, np.newaxis] * (neighbor - base)
    np.testing.assert_allclose(X_own[4000:], expected, rtol=1e-12)


def test_a_wide_feature_does_not_decide_alone(data):
    X, y = data
    noise = np.random.default_rng(0).normal(0, 1e6, (len(X), 1))
    wide = np.hstack([X, noise])
    within = {}
    for scale in ("standard", None):
        sampler = sampled(wide, y, kmeans_estimator=5, scale=scale)[0]
        labels = np.asarray(sampler.kmeans_estimator_.predict(wide / sampler.scale_))
        within[scale] = [noise[labels == cluster].std() for cluster in range(5)]
    assert max(within[None]) < 0.5 * noise.std() < min(within["standard"])


def test_a_frozen_clusterer_and_compat_see_x(data):
    X, y = data
    X = X * UNITS
    frozen = FrozenEstimator(KMeans(3, n_init=1, random_state=0).fit(X))
    sampler, X_res, y_res = sampled(X, y, kmeans_estimator=frozen)
    rows = np.bincount(frozen.predict(X), minlength=3)
    assert sampler.report_.n_rows.tolist() == rows.tolist()
    assert sampler.validate(X_res, y_res).passed.dropna().all()
    same, _, _ = sampled(X, y, compat="imbalanced-learn")
    assert same.scale_.tolist() == [1] * 4
    assert same.plan_.scale is None


def test_few_learning_rows_do_not_make_the_scales(data):
    X, y = data
    scales = [sampled(X, y, learning_rows=n)[0].scale_ for n in (40, 300)]
    np.testing.assert_array_equal(*scales)


def test_the_fitted_clusterer_predicts_scaled_rows(data):
    X, y = data
    sampler, _, _ = sampled(X * UNITS, y, kmeans_estimator=4)
    labels = sampler.kmeans_estimator_.predict(X * UNITS / sampler.scale_)
    assert sampler.report_.n_rows.tolist() == np.bincount(np.asarray(labels), minlength=4).tolist()
