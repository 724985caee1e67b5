"""Candidates: those that are always there, a grid's settings, and grids that are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import trial_data
from imblearn.over_sampling import SMOTE
from scipy import stats
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from trial_data import Recorder, rows_of, search_quickly

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import ParameterError
from dask_kmsmote.selection.candidates import candidates_of, default_grid

COUNTS = {0: 60, 1: 240}


class Renamed(KMeansSMOTE):
    """A user's own."""


def of(grid, base=None, counts=COUNTS, **params):
    given = {"takes_weights": True, "n_iter": 5, "seed": 0} | params
    return candidates_of(base or KMeansSMOTE(), grid, counts, **given)


def tried(grid, **params):
    return [own.params for own in of(grid, **params) if own.kind == "KMeansSMOTE"]


@pytest.mark.parametrize(
    ("estimator", "takes"),
    [
        (LogisticRegression(), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), True),
        (GaussianNB(), False),
    ],
)
def test_class_weights_are_tried_where_the_classifier_takes_them(estimator, takes):
    X, y = rows_of()
    names = [own.name for own in search_quickly(X, y, estimator).candidates]
    always = ["none", *["class weights"] * takes, "random", "SMOTE"]
    assert names == [*always, "KMeansSMOTE(kmeans_estimator=3)"]


def test_random_and_SMOTE_have_each_strategy_of_the_grid():
    strategies = [0.5, "auto", {0: 100}]
    found = of({"kmeans_estimator": [3], "sampling_strategy": strategies})
    for kind in ("random", "SMOTE"):
        own = [each.params.get("sampling_strategy", "auto") for each in found if each.kind == kind]
        assert len(own) == 3
        assert all(strategy in own for strategy in strategies)


def strategy_of_user(y):
    return {0: 100}


@pytest.mark.parametrize(
    "strategy",
    [0.5, {0: 100}, strategy_of_user, lambda y: {0: 100}, np.float64(0.5)],
    ids=["ratio", "dict", "function", "lambda", "numpy"],
)
@pytest.mark.parametrize("where", ["base", "grid"])
def test_strategies_of_every_kind(strategy, where):
    X, y = rows_of()
    base = KMeansSMOTE(sampling_strategy=strategy if where == "base" else "auto")
    grid = {"kmeans_estimator": [3, 4]}
    grid |= {"sampling_strategy": [strategy]} if where == "grid" else {}
    result = search_quickly(X, y, GaussianNB(), sampler=base, grid=grid)
    assert not result.faults
    names = [own.name for own in result.candidates]
    assert len(set(names)) == len(names) == (7 if where == "grid" else 5)
    assert result.facts.n_clusterings == 2 * 3
    table = result.table().set_index("candidate")
    smotes = [own for own in result.candidates if own.kind == "SMOTE"]
    for own in result.candidates[-2:]:
        (same,) = [each.name for each in smotes if each.params.get("sampling_strategy") == strategy]
        gain = table.loc[own.name, "mean"] - table.loc[same, "mean"]
        assert table.loc[own.name, "over_SMOTE"] == pytest.approx(gain)


def test_distributions_are_drawn_by_the_seed():
    grid = {"kmeans_estimator": stats.randint(2, 50), "density_exponent": stats.uniform(0, 3)}
    first, again, other = (tried(grid, seed=seed, n_iter=6) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 6
    for own in first:
        assert type(own["kmeans_estimator"]) is int
        assert type(own["density_exponent"]) is float


@pytest.mark.parametrize(
    "values", [[2, 3], (2, 3), range(2, 4), np.array([2, 3]), [2, 2, 3]], ids=repr
)
def test_values_of_a_grid_stand_in_any_sequence(values):
    found = tried({"kmeans_estimator": values})
    assert found == [{"kmeans_estimator": 2}, {"kmeans_estimator": 3}]


@pytest.mark.parametrize(
    ("values", "clusterings"),
    [
        ([KMeans(3, n_init=1), KMeans(4, n_init=1)], 2),
        ([MiniBatchKMeans(3, n_init=1), KMeans(3, n_init=1), 3, None], 4),
        ([KMeans(3, n_init=1), KMeans(3, n_init=1)], 1),
    ],
)
def test_clusterers_are_values_too(values, clusterings):
    X, y = rows_of()
    grid = {"kmeans_estimator": values, "cluster_balance_threshold": ["auto", 0.0]}
    result = search_quickly(X, y, GaussianNB(), grid=grid)
    assert not result.faults
    assert result.facts.n_clusterings == 2 * (clusterings + 1)
    names = [own.name for own in result.candidates]
    assert len(set(names)) == len(names) == 3 + 2 * clusterings


def test_names_that_read_alike_are_told_apart():
    long = [MiniBatchKMeans(3, n_init=1, max_iter=100 + n, batch_size=2000) for n in range(2)]
    names = [own.name for own in of({"kmeans_estimator": long})]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("base", [KMeansSMOTE(compat="imbalanced-learn"), Renamed()])
def test_the_default_grid_fits_any_sampler(base):
    X, y = rows_of()
    result = search_quickly(X, y, GaussianNB(), sampler=base, grid=None)
    assert len({own.message for own in result.faults if "sampling_strategy" in own.message}) == 0
    assert sum(own.kind == "KMeansSMOTE" for own in result.candidates) > 3
    # classes are bound by name: a subclass makes its rows itself
    assert isinstance(base, KMeansSMOTE)


@pytest.mark.parametrize(
    ("counts", "clusters"),
    [({0: 20, 1: 90}, [8]), ({0: 128, 1: 900}, [8, 32]), ({0: 512, 1: 900}, [8, 32, 128])],
)
def test_the_default_grid_has_as_many_clusters_as_the_minority_allows(counts, clusters):
    assert default_grid(KMeansSMOTE(), counts)["kmeans_estimator"] == clusters


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.4, 0.9])
def test_ratios_of_the_default_grid_are_more_than_the_data_have(share):
    n = max(int(share * 200), 1)
    counts = {0: n, 1: 200}
    ratios = [
        own for own in default_grid(KMeansSMOTE(), counts)["sampling_strategy"] if own != "auto"
    ]
    assert all(ratio > n / 200 for ratio in ratios)
    assert "sampling_strategy" in default_grid(KMeansSMOTE(), {0: 10, 1: 20, 2: 30})


def refused(**params):
    """The message, of a search that trains nothing."""
    trial_data.noted.clear()
    X, y = rows_of()
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - or scikit-learn's, a subclass
        search_quickly(X, y, Recorder(), **params)
    assert not trial_data.noted
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("kmeans_estimators", "kmeans_estimator"),
        ("max_ration", "max_ratio"),
        ("threshold", None),
        ("random_state", None),
        ("layout", None),
        (3, None),
        # of what is in a parameter: objects are values
        ("kmeans_estimator__n_clusters", "kmeans_estimator"),
    ],
)
def test_a_parameter_that_the_sampler_does_not_have(name, near):
    base = KMeansSMOTE(kmeans_estimator=KMeans(3, n_init=1))
    message = refused(grid={name: [3]}, sampler=base)
    assert repr(name) in message
    if near:
        assert f"did you mean {near!r}?" in message
    else:
        assert "cluster_balance_threshold" in message


@pytest.mark.parametrize(
    "grid",
    [
        {"kmeans_estimator": [3, "x"]},
        {"kmeans_estimator": [0]},
        {"cluster_balance_threshold": ["automatic"]},
        {"sampling_strategy": ["minorty"]},
        {"sampling_strategy": [[0]]},
        {"max_ratio": [0.5]},
        {"scale": ["robust"]},
        {"k_neighbors": [2, 0]},
        {"density_exponent": [np.inf]},
        {"kmeans_estimator": [KMeans]},
        [{"kmeans_estimator": [3]}, {"count_exponent": [None]}],
    ],
    ids=str,
)
def test_a_value_that_a_parameter_can_not_have_is_told_before_any_trial(grid):
    name = next(iter(grid if isinstance(grid, dict) else grid[-1]))
    assert name in refused(grid=grid)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kmeans_estimator", 8), ("scale", "standard"), ("scale", None), ("density_exponent", 0.5),
        ("sampling_strategy", {0: 100}),
    ],
)  # fmt: skip
def test_values_that_are_no_list_are_mended_by_the_line(name, values):
    message = refused(grid={name: values})
    assert name in message
    (line,) = re.findall(r"grid=(\{.*\})\.$", message)
    assert search_quickly(*rows_of(), GaussianNB(), grid=eval(line)).n_folds == 2  # noqa: S307 - the line is what is tested


@pytest.mark.parametrize("values", [[], (), np.array([]), range(0)], ids=repr)
def test_a_parameter_without_values_is_left_out(values):
    message = refused(grid={"kmeans_estimator": [3], "scale": values})
    assert "scale" in message
    assert "leave it out" in message


@pytest.mark.parametrize(
    "values", [(n for n in (2, 3)), {2, 3}, {2: 0}.keys(), np.array([[2], [3]]), map(int, "23")]
)
def test_values_that_have_no_order_or_one_pass_are_refused(values):
    message = refused(grid={"kmeans_estimator": values})
    assert "kmeans_estimator" in message
    assert "list" in message


@pytest.mark.parametrize("grid", ["auto", 3, [3], ["a"], [("kmeans_estimator", [3])]], ids=repr)
def test_grids_of_another_kind(grid):
    message = refused(grid=grid)
    assert "must be a dict of lists" in message
    (line,) = re.findall(r"e\.g\. grid=(\{.*?\})", message)
    assert of(eval(line))  # noqa: S307 - the line is what is tested


@pytest.mark.parametrize(
    ("sampler", "line"),
    [
        (KMeansSMOTE, "sampler=KMeansSMOTE()"),
        (SMOTE(), None),
        ("SMOTE", None),
        (Renamed, "Renamed()"),
    ],
    ids=str,
)
def test_samplers_that_are_none(sampler, line):
    message = refused(sampler=sampler)
    assert "sampler=" in message
    assert (line or "KMeansSMOTE") in message


def test_a_parameter_of_the_sampler_itself_is_told_before_any_trial():
    assert "missing" in refused(sampler=KMeansSMOTE(missing="kept"))
    with pytest.raises(ParameterError, match="count_exponent"):
        search_quickly(*rows_of(), sampler=KMeansSMOTE(compat="imbalanced-learn"),
                       grid={"count_exponent": [-1]})  # fmt: skip
