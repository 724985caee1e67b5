"""Tables of numbers and categories at any size: many blocks, approximate searches, schedulers."""

from __future__ import annotations

import pickle

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from benchmarks.data import payments
from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.errors import ManyCategoriesWarning, ParameterError

N = 4000
OF_TABLE = {"random_state": 3, "missing": "keep", "passthrough": ["id", "at"]}


@pytest.fixture(scope="module")
def table():
    frame = payments(N)
    y = pd.Series((np.arange(N) % 8 == 0).astype(int), name="target")
    return frame.drop(columns="is_fraud"), y


def on_dask(table, n):
    return [dd.from_pandas(part, npartitions=n) for part in table]


def rows_of(result):
    return [part.to_csv(index=False) for part in dask.compute(*result)]


def resample(given, **params):
    sampler = KMeansSMOTE(**OF_TABLE | params)
    return sampler, sampler.fit_resample(*given)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_same_rows_on_any_scheduler(table, scheduler):
    expected = rows_of(resample(table)[1])
    with dask.config.set(scheduler=scheduler, num_workers=2):
        assert rows_of(resample(on_dask(table, 5))[1]) == expected


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("exact_rows", [None, 20])
def test_groups_and_outputs_of_many_blocks(table, monkeypatch, layout, exact_rows):
    # of 80 rows and 20 rows of 10 features
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 80 * 80)
    monkeypatch.setattr(pipeline, "OUTPUT_BYTES", 20 * 80)
    params = {"kmeans_estimator": 2, "layout": layout, "exact_rows": exact_rows, "k_neighbors": 3}
    sampler, result = resample(on_dask(table, 3), **params, cluster_balance_threshold=0.0)
    assert rows_of(resample(on_dask(table, 7), **params, cluster_balance_threshold=0.0)[1]) == (
        rows_of(result)
    )
    kept = [group for group in sampler.plan_.groups if group.kept]
    assert max(group.n_class_rows for group in kept) > 160
    if exact_rows is not None:
        assert min(group.neighbor_recall for group in kept) > 0.9
    found = sampler.validate(*result)
    assert found["passed"].dropna().all()
    assert {"neighbours' vote", "share distance"} <= set(found["check"])


def test_what_is_wrong_with_a_vote_is_found(table):
    sampler, (X_res, y_res) = resample(table)
    X_res.loc[N:, "place"] = X_res["place"].iloc[0]
    found = sampler.validate(X_res, y_res).set_index("check")
    assert not found.loc["neighbours' vote", "passed"]
    assert found.loc["between parents", "passed"]


def test_a_result_on_dask_is_judged_in_memory(table):
    sampler, result = resample(on_dask(table, 4))
    found = sampler.validate(*dask.compute(*result))
    assert found["passed"].dropna().all()


def test_a_fitted_sampler_travels(table):
    sampler, result = resample(table)
    copy = pickle.loads(pickle.dumps(sampler))  # noqa: S301 - its own
    assert copy.validate(*result)["passed"].dropna().all()
    assert clone(sampler).get_params()["passthrough"] == ["id", "at"]
    assert rows_of(clone(sampler).fit_resample(*table)) == rows_of(result)


def test_synthetic_rows_alone(table):
    _, (X_res, y_res) = resample(on_dask(table, 4))
    X_new, y_new = KMeansSMOTE(**OF_TABLE).fit_synthesize(*on_dask(table, 2))
    expected, labels = X_res.compute().iloc[N:], y_res.compute().iloc[N:]
    assert rows_of([X_new, y_new]) == rows_of([expected, labels])


@pytest.mark.parametrize(
    "clusterer", [KMeans(3, n_init=1, random_state=0), MiniBatchKMeans(3, random_state=0)]
)
@pytest.mark.parametrize("search", [2, NearestNeighbors(n_neighbors=3)])
def test_clusterers_and_searches_see_coordinates(table, clusterer, search):
    sampler, result = resample(table, kmeans_estimator=clusterer, k_neighbors=search)
    # six numbers, and indicators of 10, 20, 2 and 2 categories
    assert sampler.kmeans_estimator_.cluster_centers_.shape == (3, 6 + 34)
    assert sampler.validate(*result)["passed"].dropna().all()


def test_clusterers_that_know_numbers_alone(table):
    numbers = np.zeros((3, 10))
    fitted = KMeans(3, n_init=1).fit(np.random.default_rng(0).normal(size=(20, 10)))
    for clusterer in (FrozenEstimator(fitted), KMeans(3, init=numbers, n_init=1)):
        with pytest.raises(ParameterError, match="4 features of categories"):
            resample(table, kmeans_estimator=clusterer)


def test_many_categories(table):
    rng = np.random.default_rng(0)
    n = 120_000
    names = [f"name {number:06}" for number in range(100_000)]
    X = pd.DataFrame({
        "x": rng.normal(size=n),
        "z": rng.normal(size=n),
        "name": pd.Series(np.array(names)[rng.integers(0, len(names), n)], dtype="string"),
    })  # fmt: skip
    y = pd.Series((rng.random(n) < 0.1).astype(int))
    with pytest.warns(ManyCategoriesWarning, match=r"name \(\d+,\d+ in 120,000 rows\)"):
        sampler, result = resample(on_dask((X, y), 4), passthrough=())
    # bounded: no more indicators than 32, however many categories
    assert sampler.kmeans_estimator_.cluster_centers_.shape == (8, 2 + 32)
    assert sampler.validate(*result, n_sample=100)["passed"].dropna().all()


def test_the_weight_decides_how_far_categories_are_apart(table):
    X, y = table
    shares = []
    for weight in (0.0, 1.0, 50.0):
        sampler, _ = resample((X, y), categorical_weight=weight, k_neighbors=1)
        parents = sampler.provenance_.compute()
        kinds = X["kind"].astype(str).to_numpy()
        same = kinds[parents["base_row"]] == kinds[parents["neighbor_row"]]
        shares.append(same.mean())
        assert sampler.categorical_weight_ == weight
    assert shares[0] + 0.2 < shares[1] < shares[2]


def test_the_plan_tells_of_the_features(table):
    sampler, _ = resample(table)
    text = " ".join(str(sampler.plan_).split())
    kinds = "6 numeric, 4 categorical with 34 categories, any two at a distance of 1"
    assert f"10 features ({kinds})" in text
    missing = int(table[0][["account_days", "distance"]].isna().sum().sum())
    assert f"{missing} values missing" in text
    assert sampler.scale_.shape == (10,)
    assert (sampler.scale_[6:] == 1).all()
    assert sampler.feature_names_in_.tolist() == list(table[0].columns)
