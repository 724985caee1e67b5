"""Results: errors, what is best, and estimates, of values that the tests make themselves."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.naive_bayes import GaussianNB
from trial_data import rows_of, search_quickly

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import ParameterError
from dask_kmsmote.selection.candidates import Candidate
from dask_kmsmote.selection.result import Facts, Fault, SearchResult
from dask_kmsmote.selection.scoring import SCORES

CANDIDATES = (
    Candidate("none", "none", {}),
    Candidate("random", "random", {"sampling_strategy": "auto"}),
    Candidate("SMOTE", "SMOTE", {"kmeans_estimator": 1, "k_neighbors": 5}),
    Candidate("KMeansSMOTE(8)", "KMeansSMOTE", {"kmeans_estimator": 8}),
)
APART = ~np.eye(4, dtype=bool)


def result_of(values, metrics=("AUPRC",), moved=None, apart=APART, overlap=0.25, faults=()):
    """A result with values by candidate, fold and score; those of one score may lack the last."""
    values = np.asarray(values, dtype=float).reshape(len(values), -1, len(metrics))
    n_folds = values.shape[1]
    if moved is None:
        moved = np.full((n_folds, len(metrics)), np.nan)
    return SearchResult(
        candidates=CANDIDATES[: len(values)],
        scores=tuple(SCORES[name] for name in metrics),
        values=values,
        moved=np.asarray(moved, dtype=float).reshape(n_folds, len(metrics)),
        apart=apart[:n_folds, :n_folds],
        overlap=overlap,
        faults=tuple(faults),
        facts=Facts(100, 100, n_folds, 4, 1.0, 0),
    )


def error_of(differences, overlap):
    """Nadeau and Bengio's: of J differences, with n2 test rows for n1 of training."""
    n = len(differences)
    mean = sum(differences) / n
    spread = sum((own - mean) ** 2 for own in differences) / (n - 1)
    return math.sqrt((1 / n + overlap) * spread)


folds = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)
tables = st.lists(folds, min_size=4, max_size=4)


@given(values=tables, overlap=st.floats(0.01, 1))
@settings(max_examples=50, deadline=None)
def test_errors_are_corrected_for_the_overlap_of_training_parts(values, overlap):
    table = result_of(values, overlap=overlap).table().set_index("candidate")
    none, _, smote, _ = values
    for own, candidate in zip(values, CANDIDATES, strict=True):
        line = table.loc[candidate.name]
        assert line["mean"] == pytest.approx(np.mean(own))
        assert line["standard_error"] == pytest.approx(error_of(own, overlap), abs=1e-9)
        for other, name in ((none, "none"), (smote, "SMOTE")):
            gains = [a - b for a, b in zip(own, other, strict=True)]
            assert line[f"over_{name}"] == pytest.approx(np.mean(gains), abs=1e-9)
            expected = pytest.approx(error_of(gains, overlap), abs=1e-9)
            assert line[f"over_{name}_error"] == expected


def test_the_overlap_is_test_rows_for_each_row_of_training():
    X, y = rows_of()
    assert search_quickly(X, y, GaussianNB(), cv=3, grid=[]).overlap == pytest.approx(1 / 2)
    cv = StratifiedShuffleSplit(3, test_size=0.25, random_state=0)
    assert search_quickly(X, y, GaussianNB(), cv=cv, grid=[]).overlap == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", ["AUPRC", "log loss", "F1"])
@given(values=tables)
@settings(max_examples=60, deadline=None)
def test_the_best_beats_none_by_more_than_an_error_or_is_none(metric, values):
    result = result_of(values, (metric,))
    sign = -1 if metric == "log loss" else 1
    gains = [[sign * (a - b) for a, b in zip(own, values[0], strict=True)] for own in values]
    beating = [np.mean(own) > error_of(own, 0.25) for own in gains]
    # those within rounding of the bound are no matter
    assume(all(abs(np.mean(own) - error_of(own, 0.25)) > 1e-9 for own in gains[1:]))
    best = result.best()
    if not any(beating):
        assert best == "none"
    if best != "none":
        number = result.number_of(best)
        assert beating[number]
        means = [sign * np.mean(own) for own in values]
        others = [mean for mean, beats in zip(means, beating, strict=True) if beats]
        assert means[number] == pytest.approx(max(others))
        found = result.estimate()
        assert found.gain.value > found.gain.error


@given(values=tables)
@settings(max_examples=50, deadline=None)
def test_a_fold_is_judged_by_what_folds_apart_from_it_chose(values):
    # two repeats of two folds: the other of the repeat alone
    apart = np.zeros((4, 4), dtype=bool)
    for fold in range(4):
        apart[fold, fold ^ 1] = True
    found = result_of(values, apart=apart).estimate()
    judged = []
    for fold in range(4):
        others = [own[fold ^ 1] for own in values]
        judged.append(values[others.index(max(others))][fold])
    assert found.score.value == pytest.approx(np.mean(judged))
    assert found.score.error == pytest.approx(error_of(judged, 0.25), abs=1e-9)
    gains = [own - none for own, none in zip(judged, values[0], strict=True)]
    assert found.gain.value == pytest.approx(np.mean(gains), abs=1e-9)
    assert found.gain.error == pytest.approx(error_of(gains, 0.25), abs=1e-9)
    assert sum(found.chosen.values()) == 4


CLEAR = [[0.5, 0.51, 0.49, 0.5], [0.6, 0.61, 0.59, 0.6], [0.7, 0.71, 0.69, 0.7], [0.9] * 4]


def test_a_clear_winner_is_best_and_of_losses_the_least():
    assert result_of(CLEAR).best() == "KMeansSMOTE(8)"
    lost = result_of(CLEAR, ("log loss",))
    assert lost.best() == "none"
    turned = result_of([[1 - v for v in own] for own in CLEAR], ("Brier",))
    assert turned.best() == "KMeansSMOTE(8)"
    assert turned.table()["candidate"].tolist()[0] == "KMeansSMOTE(8)"
    found = turned.estimate()
    assert found.score.value == pytest.approx(0.1)
    assert found.gain.value == pytest.approx(0.4)


@pytest.mark.parametrize("metric", ["F1", "G-mean"])
def test_a_decision_must_beat_the_best_threshold_too(metric):
    assert result_of(CLEAR, (metric,)).best() == "KMeansSMOTE(8)"
    same = result_of(CLEAR, (metric,), moved=[0.91, 0.9, 0.92, 0.9])
    assert same.best() == "none"
    assert "Another threshold" in same.advice[0]
    assert result_of(CLEAR, (metric,), moved=[0.8] * 4).best() == "KMeansSMOTE(8)"
    # a threshold that is worse for the other folds is no rival
    assert result_of(CLEAR, (metric,), moved=[0.1] * 4).best() == "KMeansSMOTE(8)"


@pytest.mark.parametrize("failed", [[0], [1, 2], [0, 1, 2, 3]])
@pytest.mark.parametrize("number", [0, 3])
def test_a_candidate_that_failed_has_no_mean_and_is_never_best(number, failed):
    values = np.array(CLEAR)
    values[number, failed] = np.nan
    name = CANDIDATES[number].name
    faults = [Fault(name, fold, "ValueError: no") for fold in failed]
    result = result_of(values, faults=faults)
    line = result.table().set_index("candidate").loc[name]
    assert math.isnan(line["mean"])
    assert line["n_failed"] == len(failed)
    assert result.best() == ("none" if number == 0 else "SMOTE")
    assert f"{name} failed on {len(failed)} of 4 folds" in str(result)
    found = result.estimate()
    assert found is None if number == 0 else name not in found.chosen
    assert "nan" not in str(result).lower()
    assert json.loads(result.to_json())["faults"][0]["candidate"] == name


@pytest.mark.parametrize("cv", [ShuffleSplit(4, test_size=0.6, random_state=0)])
def test_folds_that_share_test_rows_choose_nothing_for_one_another(cv):
    X, y = rows_of()
    result = search_quickly(X, y, GaussianNB(), cv=cv)
    assert result.estimate() is None
    assert np.isnan(result.moved).all()
    assert json.loads(result.to_json())["metrics"]["AUPRC"]["estimate"] is None
    together = result_of(CLEAR, apart=np.zeros((4, 4), dtype=bool))
    assert together.best() == "KMeansSMOTE(8)"
    assert "not known" in together.advice[0]


def test_a_result_of_one_fold_knows_no_error_and_names_none():
    one = result_of([own[:1] for own in CLEAR])
    assert one.best() == "none"
    assert one.estimate() is None
    assert math.isnan(one.table()["standard_error"][0])
    assert json.loads(one.to_json())["metrics"]["AUPRC"]["table"][0]["standard_error"] is None
    assert "0.500" in str(one)


def test_names_that_were_not_asked_for_are_told():
    result = result_of(CLEAR)
    for ask in (result.best, result.table, result.estimate):
        with pytest.raises(ParameterError, match=r"metric='F1'.*'AUPRC'"):
            ask("F1")
    with pytest.raises(ParameterError, match=r"no candidate 'SMOTEN'.*'SMOTE'"):
        result.params("SMOTEN")


@pytest.mark.parametrize("number", range(4))
def test_params_construct_the_sampler(number):
    params = result_of(CLEAR).params(CANDIDATES[number].name)
    made = KMeansSMOTE(**params, random_state=0)
    X, y = rows_of()
    resampled = made.fit_resample(X, y)[1]
    assert (len(resampled) == len(y)) == (number < 2)


def strict(text):
    def refuse(name):
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    "grid",
    [
        {"kmeans_estimator": [3]},
        {"kmeans_estimator": [GaussianNB, 3][1:], "sampling_strategy": [{0: 100}]},
        {"sampling_strategy": [lambda y: {0: 100}], "kmeans_estimator": [3]},
        {"cluster_balance_threshold": [0.999]},
        {"max_ratio": [None], "k_neighbors": np.array([2, 3])},
    ],
    ids=["plain", "dict", "function", "failing", "numpy"],
)
def test_json_is_strict_and_has_what_the_result_has(grid):
    X, y = rows_of()
    result = search_quickly(X, y, GaussianNB(), grid=grid)
    found = strict(result.to_json(indent=1))
    assert found == strict(json.dumps(result.to_dict()))
    assert [*found["metrics"]] == [*result.metrics]
    for name, own in found["metrics"].items():
        assert own["best"] == result.best(name)
        expected = result.table(name)["mean"]
        means = [np.nan if line["mean"] is None else line["mean"] for line in own["table"]]
        assert np.array_equal(means, expected, equal_nan=True)
    assert found["folds"] == 2
    assert found["complete"] is True
    assert {own["candidate"] for own in found["faults"]} == {own.candidate for own in result.faults}


def test_a_result_goes_through_a_file():
    X, y = rows_of()
    result = search_quickly(X, y, GaussianNB())
    again = pickle.loads(pickle.dumps(result))  # noqa: S301 - its own
    assert str(again) == str(result)
    assert again.to_json() == result.to_json()
