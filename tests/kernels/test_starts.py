"""Where KMeans starts, and passes over one block, against scikit-learn and dask-ml."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.cluster import KMeans, kmeans_plusplus

from conftest import make_imbalanced
from dask_kmsmote.kernels.clusters.learning import (
    count_distinct,
    count_runs,
    find_start,
    refine_best,
)
from dask_kmsmote.kernels.clusters.starts import columns_of, come_to_rest, spread_out
from dask_kmsmote.libraries import on_one_thread


def inertia(rows, centers):
    return ((rows[:, np.newaxis] - centers) ** 2).sum(axis=2).min(axis=1).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["clouds", "uniform", "skewed"])
def test_starts_are_as_good_as_those_of_scikit_learn(kind, dtype):
    rng = np.random.default_rng(0)
    rows = {"clouds": make_imbalanced()[0], "uniform": rng.uniform(size=(500, 4)),
            "skewed": rng.lognormal(size=(500, 3))}[kind].astype(dtype)  # fmt: skip
    own = [
        inertia(rows, spread_out(columns_of(rows), 6, np.random.RandomState(seed)))
        for seed in range(200)
    ]
    with on_one_thread():
        found = [kmeans_plusplus(rows, 6, random_state=seed)[0] for seed in range(200)]
    theirs = [inertia(rows, centers) for centers in found]
    assert stats.ks_2samp(own, theirs).pvalue > 1e-3


@pytest.mark.parametrize("rows", [
    np.arange(4.0)[:, np.newaxis], np.repeat(np.eye(4), 5, axis=0), np.eye(4) * 1e150,
    np.eye(4) * 1e-160,
])  # fmt: skip
def test_each_distinct_row_is_a_start(rows):
    for seed in range(20):
        found = spread_out(columns_of(rows), 4, np.random.RandomState(seed))
        assert len(found) == 4
        if rows.max() > 1e-100:  # whose squares are no zeros
            assert len(np.unique(found, axis=0)) == 4


@pytest.mark.parametrize("n_runs", [1, 4, 12])
def test_more_clusters_than_distinct_rows(n_runs):
    rows = np.repeat([[0.0, 1.0], [5.0, 5.0], [9.0, 1.0]], 7, axis=0)
    n_distinct = count_distinct(rows, 5)
    assert n_distinct == 3
    start = find_start(rows, n_distinct, 5, n_runs, 0)
    centers = refine_best([start], rows, None)
    assert centers.shape == (5, 2)
    np.testing.assert_allclose(np.unique(centers, axis=0), np.unique(rows, axis=0))


@pytest.mark.parametrize("kind", ["clouds", "uniform"])
def test_the_inertia_is_near_that_of_eight_runs_of_scikit_learn(kind):
    rng = np.random.default_rng(1)
    rows = make_imbalanced()[0] if kind == "clouds" else rng.uniform(size=(800, 4))
    own = [
        inertia(
            rows, refine_best([find_start(rows, 6, 6, count_runs(len(rows)), seed)], rows, None)
        )
        for seed in range(10)
    ]
    with on_one_thread():
        theirs = [KMeans(6, n_init=8, random_state=seed).fit(rows).inertia_ for seed in range(10)]
    assert np.mean(own) <= 1.006 * np.mean(theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [5, 255, 256, 257, 2000])
def test_passes_are_those_of_scikit_learn(n, dtype):
    rows = np.random.default_rng(n).normal(size=(n, 3)).astype(dtype)
    centers = rows[:4].astype(float)
    found, total = come_to_rest(columns_of(rows), centers, 7, 0.0)
    with on_one_thread():
        theirs = KMeans(4, init=centers, n_init=1, max_iter=7, tol=0).fit(rows.astype(float))
    np.testing.assert_allclose(found, theirs.cluster_centers_, rtol=1e-9)
    assert total == pytest.approx(theirs.inertia_, rel=1e-9)
    # one that no row is nearest to stays
    far = np.vstack([centers, [[1e3, 0.0, 0.0]]])
    assert come_to_rest(columns_of(rows), far, 7, 0.0)[0][-1].tolist() == [1e3, 0.0, 0.0]
