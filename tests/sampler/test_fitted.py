"""What is fitted says how the rows were made."""

from __future__ import annotations

import dataclasses
import json

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import InvalidParameterError

from dask_kmsmote import KMeansSMOTE, SamplingPlan
from dask_kmsmote.errors import InputError
from kinds import (
    N_FEATURES,
    NAMES,
    REPORT_COLUMNS,
    N,
    as_array,
    check_synthetic,
    make_sampler,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def is_frame(given):
    return isinstance(given[0], dd.DataFrame)


def test_fitted_attributes(given):
    sampler = KMeansSMOTE(random_state=0, k_neighbors=3)
    assert sampler.fit(*given) is sampler
    assert sampler.sampling_strategy_ == {1: 180}
    assert isinstance(sampler.kmeans_estimator_, DaskKMeans)
    assert sampler.kmeans_estimator_.n_clusters == 8
    assert np.shape(sampler.kmeans_estimator_.cluster_centers_) == (8, N_FEATURES)
    assert sampler.nn_k_.n_neighbors == 4
    assert isinstance(sampler.cluster_balance_threshold_, float)
    assert sampler.cluster_balance_threshold_ == pytest.approx(0.2)
    assert sampler.n_features_in_ == N_FEATURES
    if is_frame(given):
        assert sampler.feature_names_in_.tolist() == NAMES
        assert sampler.feature_names_in_.dtype == object
    else:
        assert not hasattr(sampler, "feature_names_in_")


def test_nothing_is_fitted_before_fit_and_parameters_stay(given):
    sampler = make_sampler(k_neighbors=3)
    before = sampler.get_params()
    for name in ("plan_", "report_", "provenance_", "nn_k_", "sampling_strategy_"):
        assert not hasattr(sampler, name)
    sampler.fit_resample(*given)
    assert sampler.get_params() == before


def test_fit_makes_the_plan_of_fit_resample(given):
    planned, resampled = make_sampler().fit(*given), make_sampler()
    resampled.fit_resample(*given)
    assert planned.plan_.to_dict() == resampled.plan_.to_dict()
    pd.testing.assert_frame_equal(
        planned.provenance_.compute(), resampled.provenance_.compute(), check_exact=True
    )


def test_a_second_fit_forgets_the_first(data, given):
    sampler = make_sampler().fit(*given)
    X, y = data
    sampler.fit(np.column_stack([X, X[:, 0]]), y)
    assert sampler.n_features_in_ == N_FEATURES + 1
    assert not hasattr(sampler, "feature_names_in_")
    assert sampler.plan_.n_features == N_FEATURES + 1


def test_report(data, given):
    X, y = data
    sampler = KMeansSMOTE(random_state=0).fit(*given)
    report = sampler.report_
    assert isinstance(report, pd.DataFrame)
    assert list(report.columns) == [*REPORT_COLUMNS, "neighbor_recall", "new_rows_per_row"]
    assert report["cluster_id"].tolist() == list(range(8))
    assert set(report["class_label"]) == {1}
    centers = np.asarray(sampler.kmeans_estimator_.cluster_centers_)
    measured = X / sampler.scale_
    cluster = ((measured[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    assert report["n_rows"].tolist() == np.bincount(cluster, minlength=8).tolist()
    assert report["n_class_rows"].tolist() == np.bincount(cluster[y == 1], minlength=8).tolist()
    filled = report[report["n_rows"] > 0]
    assert filled["class_share"].to_numpy() == pytest.approx(
        (filled["n_class_rows"] / filled["n_rows"]).to_numpy()
    )
    assert report["threshold"].to_numpy() == pytest.approx(np.full(8, 0.2))
    kept = report[report["kept"]]
    assert 0 < len(kept) < 8
    assert (kept["reason"] == np.where(kept["n_class_rows"] < 3, "fewer neighbours", "")).all()
    assert (kept["class_share"] >= 0.2).all()
    assert (kept["n_class_rows"] >= 2).all()
    dropped = report[~report["kept"]]
    assert set(dropped["reason"]) <= {"below threshold", "too few rows", "empty"}
    assert (dropped["class_share"][dropped["reason"] == "below threshold"] < 0.2).all()
    assert (dropped[["weight", "n_synthetic"]] == 0).all(axis=None)
    assert kept["weight"].sum() == pytest.approx(1)
    assert report["n_synthetic"].sum() == 180
    ratio = kept["n_synthetic"] / kept["n_class_rows"]
    assert (kept["new_rows_per_row"] == ratio).all()
    assert ratio.max() <= 2 * 180 / kept["n_class_rows"].sum()
    assert (kept["mean_distance_se"] == 0).all()
    for row in kept.itertuples():
        mine = measured[(cluster == row.cluster_id) & (y == 1)]
        distance = np.sqrt(((mine[:, None] - mine) ** 2).sum(axis=2))
        m = len(mine)
        assert row.mean_distance == pytest.approx(distance.sum() / (m * (m - 1)), rel=1e-9)


def test_why_clusters_are_dropped():
    # a class that is alone in one place, thin in another and scarce in a third
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(4) * 100, [30, 40, 30, 5], axis=0)
    X = centers + rng.normal(0, 1, (105, 4))
    y = np.zeros(105, int)
    y[:16], y[30:33], y[100] = 1, 1, 1
    start = np.vstack([np.eye(4) * 100, np.full((1, 4), 1e6)])
    frozen = FrozenEstimator(KMeans(5, init=start, n_init=1, max_iter=1).fit(np.vstack([X, start])))
    frozen.estimator.cluster_centers_ = start
    sampler = make_sampler(kmeans_estimator=frozen).fit(X, y)
    assert sampler.report_["reason"].tolist() == [
        "", "below threshold", "below threshold", "too few rows", "empty"
    ]  # fmt: skip
    assert sampler.report_["n_synthetic"].tolist() == [65, 0, 0, 0, 0]


@pytest.mark.parametrize("n_clusters", [1, 8])
@pytest.mark.parametrize("labels", ["ints", "strings", "bools"])
def test_plan_is_frozen_and_strict_json(data, labels, n_clusters):
    X, y = data
    y = {"ints": y, "strings": np.array(["common", "rare"])[y], "bools": y.astype(bool)}[labels]
    plan = make_sampler(kmeans_estimator=n_clusters).fit(as_array(X), as_array(y)).plan_
    assert isinstance(plan, SamplingPlan)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seed = 1
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        plan.other = 1
    content = plan.to_dict()
    assert isinstance(content, dict)
    # strict JSON: NaN and infinity have no place in it
    text = plan.to_json()
    assert json.loads(text, parse_constant=pytest.fail) == content
    again = make_sampler(kmeans_estimator=n_clusters).fit(as_array(X), as_array(y)).plan_
    assert again == plan
    assert again.to_json() == text
    assert str(again) == str(plan)


def test_plan_reads_well(data):
    X, y = data
    text = str(make_sampler().fit(X, np.array(["common", "rare"])[y]).plan_)
    assert "rare" in text
    assert "180" in text
    assert "300" in text
    assert "np." not in text
    assert "{" not in text
    assert max(map(len, text.splitlines())) <= 160


def test_provenance_is_lazy_and_in_output_order(data, given):
    X, y = data
    sampler = make_sampler()
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    provenance = sampler.provenance_
    assert dask.is_dask_collection(provenance)
    assert provenance.known_divisions
    assert provenance.compute().index.is_unique
    check_synthetic(sampler, X, y, np.asarray(X_res)[N:], np.asarray(y_res)[N:])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_neighbors_are_of_the_same_cluster_and_near(data, k):
    X, y = data
    sampler = make_sampler(k_neighbors=k).fit(as_array(X), as_array(y))
    centers = np.asarray(sampler.kmeans_estimator_.cluster_centers_)
    X = X / sampler.scale_
    cluster = ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    parents = sampler.provenance_.compute()
    ranks = set()
    for base, neighbor in zip(parents["base_row"], parents["neighbor_row"], strict=True):
        group = np.flatnonzero((cluster == cluster[base]) & (y == y[base]))
        distance = np.linalg.norm(X[group] - X[base], axis=1)
        ranks.add(int(group[distance.argsort()].tolist().index(neighbor)))
    assert ranks == set(range(1, k + 1))


def test_nothing_to_generate(given):
    sampler = make_sampler(sampling_strategy={0: 240})
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    assert len(X_res) == len(y_res) == N
    assert sampler.sampling_strategy_ == {0: 0}
    assert len(sampler.provenance_.compute()) == 0
    assert len(sampler.report_) == 0


LAYOUTS = ("append", "interleave")


@pytest.mark.parametrize(("before", "after"), [LAYOUTS, LAYOUTS[::-1]])
def test_a_layout_that_is_set_afterwards(given, before, after):
    sampler = make_sampler(layout=before)
    result = sampler.fit_resample(*given)
    table, parents = sampler.validate(*result), sampler.provenance_.compute()
    sampler.set_params(layout=after)
    pd.testing.assert_frame_equal(sampler.validate(*result), table)
    pd.testing.assert_frame_equal(sampler.provenance_.compute(), parents)
    assert table.passed.dropna().all()


def test_validating_a_result_that_lacks_features(given):
    sampler = make_sampler(kmeans_estimator=1)
    X_res, y_res = sampler.fit_resample(*given)
    few = X_res[NAMES[:2]] if is_frame(given) else X_res[:, :2]
    with pytest.raises(InputError, match=f"has 2 features, and X had {N_FEATURES}"):
        sampler.validate(few, y_res)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_sample", 0), ("n_sample", 1.5), ("n_sample", None), ("random_state", "x")],
)
def test_parameters_of_validate(data, name, value):
    sampler = make_sampler()
    result = sampler.fit_resample(*data)
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of validate"):
        sampler.validate(*result, **{name: value})
