"""Data that break other samplers: duplicates, extreme scales, far from the origin."""

from __future__ import annotations

import numpy as np
import pytest

from dask_kmsmote import KMeansSMOTE
from invariants import (
    Case,
    check_invariant_2,
    in_arrays,
    run,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def duplicates_only(rng):
    return np.full((200, 3), 7.25)


def duplicates_by_class(rng):
    X = np.zeros((200, 3))
    X[:30] = 5.0
    return X


def a_cluster_of_identical_rows(rng):
    X = rng.normal(0, 1, (200, 3))
    X[:15] = [50.0, 50.0, 50.0]
    return X


def extreme_scales(rng):
    return rng.normal(0, 1, (200, 3)) * [1e9, 1e-9, 1.0]


def large_scale(rng):
    return rng.normal(0, 1, (200, 3)) * 1e9


def small_scale(rng):
    return rng.normal(0, 1, (200, 3)) * 1e-9


def far_from_the_origin(rng):
    return rng.normal(0, 1, (200, 3)) * 1e-3 + 1e9


@pytest.mark.parametrize(
    "make",
    [
        duplicates_only,
        duplicates_by_class,
        a_cluster_of_identical_rows,
        extreme_scales,
        large_scale,
        small_scale,
        far_from_the_origin,
    ],
)
@pytest.mark.parametrize("exponent", ["auto", "n_features", 0, 70, -2])
@pytest.mark.parametrize("n_clusters", [None, 2])
def test_degenerate_data(make, exponent, n_clusters):
    X = make(np.random.default_rng(0))
    y = np.repeat([1, 0], [30, 170])
    params = {
        "random_state": 0,
        "density_exponent": exponent,
        "kmeans_estimator": n_clusters,
        "k_neighbors": 2,
    }
    sampler = KMeansSMOTE(**params)
    X_res, y_res = sampler.fit_resample(X, y)
    assert np.bincount(y_res).tolist() == [170, 170]
    assert np.isfinite(X_res).all()
    check_invariant_2(X, y, X_res, y_res, sampler, 2)
    case = Case(X, y, params)
    expected = run(X, y, params)
    assert run(*in_arrays(case, (1, 0, 99, 100)), params) == expected


def test_a_cluster_of_identical_rows_gives_identical_rows():
    X = a_cluster_of_identical_rows(np.random.default_rng(0))
    y = np.repeat([1, 0], [30, 170])
    sampler = KMeansSMOTE(random_state=0, density_exponent=0)
    X_res, _ = sampler.fit_resample(X, y)
    pure = sampler.report_[sampler.report_.kept & (sampler.report_.mean_distance == 0)]
    assert len(pure) == 1
    assert (X_res[200:] == 50.0).all(axis=1).sum() == pure.n_synthetic.iloc[0] > 0


def test_compat_with_duplicates_only():
    X, y = duplicates_only(None), np.repeat([1, 0], [30, 170])
    sampler = KMeansSMOTE(random_state=0, compat="imbalanced-learn", kmeans_estimator=1)
    X_res, y_res = sampler.fit_resample(X, y)
    assert (X_res == 7.25).all()
    assert np.bincount(y_res).tolist() == [170, 170]


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e140])
@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_errors_of_numpy_that_the_caller_raises(data, scale, compat):
    X, y = data
    params = {"kmeans_estimator": 2, "cluster_balance_threshold": 0.1, "compat": compat}
    sampler = KMeansSMOTE(random_state=0, **params)
    expected = sampler.fit_resample(X * scale, y)
    with np.errstate(all="raise"):
        found = sampler.fit_resample(X * scale, y)
    for part, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, same)
