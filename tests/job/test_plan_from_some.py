"""Plans from some rows, beside those of all: how often bounds hold, and what does not matter."""

from __future__ import annotations

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from conftest import chunked
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.graph import census
from dask_kmsmote.job.estimate import plan_from_some
from dask_kmsmote.kernels.clusters import learning
from kinds import as_frame

pytestmark = pytest.mark.usefixtures("one_thread", "few_to_start")
NUMBERS = "n_rows", "n_class_rows", "class_share", "mean_distance", "n_synthetic"


@pytest.fixture
def few_to_start(monkeypatch):
    """Clusters start from 400 rows, so that few are a sample: it is 200,000 otherwise."""
    monkeypatch.setattr(census, "SPREAD_ROWS", 200)
    monkeypatch.setattr(learning, "_START_ROWS", 40)
    monkeypatch.setattr(learning, "_START_ROWS_PER_CLUSTER", 50)
    monkeypatch.setattr(learning, "_REFINING_FACTOR", 2)


def touching(n):
    """Two classes in one cloud, which clusters cut into parts that touch."""
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.1).astype(int)
    X = rng.normal(size=(n, 3))
    X[y == 1, 0] += 0.7
    return X, y


def clouds(n):
    """Three classes, the least of 5 %, in twelve clouds."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, n, p=[0.85, 0.1, 0.05])
    centers, shares = rng.normal(0, 2.5, (12, 5)), rng.dirichlet(np.ones(12), 3)
    cloud = np.array([rng.choice(12, p=shares[label]) for label in y])
    return centers[cloud] + rng.normal(size=(n, 5)), y


@pytest.mark.parametrize(("make", "k"), [(touching, 4), (clouds, 6)])
def test_bounds_hold_as_often_as_they_say(make, k):
    X, y = make(20_000)
    held = {name: [] for name in NUMBERS}
    for seed in range(15):
        sampler = KMeansSMOTE(random_state=seed, kmeans_estimator=k)
        found = plan_from_some(sampler, *chunked(X, y, 5000), 1000)
        exact = sampler.fit(X, y).plan_
        assert (found.plan.class_counts, found.plan.amounts) == (exact.class_counts, exact.amounts)
        assert 900 < found.n_sampled <= 1000
        for bounds, group in zip(found.bounds, exact.groups, strict=True):
            assert 0 < bounds.kept < 1 or bounds.kept == group.kept
            for name in NUMBERS:
                if group.kept or name not in ("mean_distance", "n_synthetic"):
                    low, high = getattr(bounds, name)
                    held[name].append(low <= getattr(group, name) <= high)
    for name, flags in held.items():
        assert 0.77 < np.mean(flags) < 0.99, name
    assert 0.8 < np.mean([np.mean(flags) for flags in held.values()]) < 0.97


def test_of_many_categories_clusters_are_those_of_the_run():
    # as common as one another: some rows tell others the most common 31
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=12_000), "of": rng.integers(0, 200, 12_000)})
    frame["of"] = "c" + frame["of"].astype(str)
    y = pd.Series((rng.random(12_000) < 0.1).astype(int), name="label")
    table = as_frame(frame.assign(label=y), [0, 5_000, 12_000])
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=4)
    found = plan_from_some(sampler, table[["size", "of"]], table["label"], 4_000)
    exact = sampler.fit(frame, y).plan_
    off = [
        abs(own.n_rows / group.n_rows - 1)
        for own, group in zip(found.plan.groups, exact.groups, strict=True)
    ]
    assert max(off) < 0.1


@pytest.mark.parametrize("sizes", [20_000, 6_000, 333])
def test_a_plan_is_the_same_for_any_chunks(sizes):
    X, y = touching(20_000)
    sampler = KMeansSMOTE(random_state=1, kmeans_estimator=4)
    expected = plan_from_some(sampler, *chunked(X, y, 5_000), 1000)
    assert plan_from_some(sampler, *chunked(X, y, sizes), 1000).to_json() == expected.to_json()


@pytest.mark.parametrize("by", ["label", "a"])
def test_of_a_sorted_table_the_sample_is_no_other(by):
    X, y = touching(20_000)
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y).sort_values(by)
    table = as_frame(frame.reset_index(drop=True), [0, 100, 12_000, 20_000])
    sampler = KMeansSMOTE(random_state=1, kmeans_estimator=4)
    found = plan_from_some(sampler, table[list("abc")], table["label"], 2000)
    exact = sampler.fit(frame[list("abc")], frame["label"]).plan_
    off = [
        abs(own.class_share / group.class_share - 1)
        for own, group in zip(found.plan.groups, exact.groups, strict=True)
    ]
    assert max(off) < 0.5


@pytest.mark.parametrize("n_rows", [20_000, 10**6])
def test_of_no_more_rows_the_plan_is_that_of_a_run(n_rows):
    X, y = touching(20_000)
    sampler = KMeansSMOTE(random_state=1, kmeans_estimator=4)
    found = plan_from_some(sampler, *chunked(X, y), n_rows)
    assert found.is_exact
    assert found.plan == sampler.fit(*chunked(X, y)).plan_
    assert found.to_text() == found.plan.to_text()
    assert found.warnings == found.plan.warnings


def test_clusters_that_all_rows_are_learned_from_are_those_of_a_run():
    X, y = touching(3_000)
    sampler = KMeansSMOTE(compat="imbalanced-learn", random_state=1, cluster_balance_threshold=0.0)
    assert plan_from_some(sampler, *chunked(X, y), 500).plan == sampler.fit(X, y).plan_


def test_a_class_of_few_rows_is_sampled_whole_where_it_may_be():
    X, y = touching(20_000)
    y[[3, 19_000]] = 2
    sampler = KMeansSMOTE(random_state=1, kmeans_estimator=1, sampling_strategy={1: 5_000, 2: 100})
    found = plan_from_some(sampler, *chunked(X, y), 2_000)
    exact = sampler.fit(X, y).plan_
    own, expected = found.plan.groups[-1], exact.groups[-1]
    assert (own.n_class_rows, own.n_synthetic) == (2, 98) == (2, expected.n_synthetic)
    # one distance, of two rows that are all there are
    assert own.mean_distance == pytest.approx(expected.mean_distance)
    assert own.mean_distance_se == 0


def test_categories_and_missing_values_are_estimated_too():
    X, y = touching(20_000)
    frame = pd.DataFrame(X, columns=list("abc")).assign(
        kind=np.where(X[:, 1] > 0, "up", "down"), label=y
    )
    frame.loc[::10, "c"] = np.nan
    table = dd.from_pandas(frame, npartitions=5)
    sampler = KMeansSMOTE(random_state=1, kmeans_estimator=4, missing="keep")
    found = plan_from_some(sampler, table.drop(columns="label"), table["label"], 2000)
    exact = sampler.fit(frame.drop(columns="label"), frame["label"]).plan_
    assert found.plan.features.n_categories == exact.features.n_categories
    assert found.plan.features.n_missing == pytest.approx(2000, rel=0.25)
    assert "Estimated from 1,9" in found.to_text()
