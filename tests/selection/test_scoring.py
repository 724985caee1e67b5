"""Scores against scikit-learn, imbalanced-learn and brute force, and those that are refused."""

from __future__ import annotations

import numpy as np
import pytest
import trial_data
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from trial_data import Recorder, rows_of, search_quickly, values_of

from dask_kmsmote.errors import ParameterError
from dask_kmsmote.selection.scoring import (
    SCORES,
    Predictions,
    Ranking,
    at_best_threshold,
    predictions_of,
)

DECISIONS = ["F1", "G-mean"]


def predictions(codes, predicted, n_classes):
    positive = int(np.bincount(codes, minlength=n_classes).argmin()) if n_classes == 2 else None
    return Predictions(codes, predicted, None, None, positive)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_decisions_are_judged_as_elsewhere(n_classes, seed):
    rng = np.random.default_rng(seed)
    codes = np.r_[np.arange(n_classes), rng.integers(0, n_classes, 30)]
    predicted = rng.integers(0, n_classes, len(codes))
    found = predictions(codes, predicted, n_classes)
    assert SCORES["G-mean"].measure(found) == pytest.approx(geometric_mean_score(codes, predicted))
    how = {"average": "macro"} if n_classes > 2 else {"pos_label": found.positive}
    expected = f1_score(codes, predicted, zero_division=0, **how)
    assert SCORES["F1"].measure(found) == pytest.approx(expected)


@st.composite
def rankings(draw):
    """Two rankings of rows, with ties, each with rows of both classes."""
    value = st.sampled_from(np.linspace(-1, 1, draw(st.integers(2, 9))).astype(np.float32))
    found = []
    for _ in range(draw(st.integers(2, 4))):
        hits = [True, False, *draw(st.lists(st.booleans(), max_size=12))]
        scores = [draw(value) for _ in hits]
        found.append(Ranking(np.array(hits), np.array(scores, dtype=np.float32)))
    return found


def judged(name, hits, said):
    if name == "F1":
        return f1_score(hits, said, zero_division=0)
    return geometric_mean_score(hits, said)


@pytest.mark.parametrize("name", DECISIONS)
@given(rankings=rankings())
@settings(max_examples=20, deadline=None)
def test_the_best_threshold_is_that_of_brute_force(name, rankings):
    own, *others = rankings
    hits = np.concatenate([part.hits for part in others])
    scores = np.concatenate([part.scores for part in others])
    thresholds = np.unique(scores)
    rates = np.array([judged(name, hits, scores >= at) for at in thresholds])
    best = thresholds[np.isclose(rates, rates.max(), rtol=1e-9)]
    allowed = [judged(name, own.hits, own.scores >= at) for at in best]
    found = at_best_threshold(SCORES[name], own, others)
    assert np.isclose(allowed, found, rtol=1e-9, atol=1e-12).any()
    # no threshold of any value is better there
    between = np.linspace(-1.5, 1.5, 13)
    assert max(judged(name, hits, scores >= at) for at in between) <= rates.max() + 1e-12


@pytest.mark.parametrize("name", DECISIONS)
def test_the_moved_threshold_is_that_of_other_folds(name):
    X, y = rows_of()
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    result = search_quickly(X, y, GaussianNB(), cv=folds, scoring=[name], grid=[])
    scored = [
        (y[test] == 0, GaussianNB().fit(X[train], y[train]).predict_proba(X[test])[:, 0])
        for train, test in folds
    ]
    for fold, (hits, scores) in enumerate(scored):
        others = [own for number, own in enumerate(scored) if number != fold]
        there = (
            np.concatenate([own[0] for own in others]),
            np.concatenate([own[1] for own in others]),
        )
        rates = {at: judged(name, there[0], there[1] >= at) for at in np.unique(there[1])}
        allowed = [
            judged(name, hits, scores >= at - 1e-9)
            for at, rate in rates.items()
            if rate >= max(rates.values()) - 1e-12
        ]
        assert np.isclose(allowed, result.moved[fold, 0]).any()


@pytest.mark.parametrize("few", [0, 1])
def test_the_positive_class_is_the_smaller(few):
    X, y = rows_of()
    y = y if few == 0 else 1 - y
    for estimator in (GaussianNB(), LinearSVC()):
        found = predictions_of(estimator.fit(X, y), X, y, np.array([0, 1]), few)
        higher = found.scores[y == few].mean() > found.scores[y != few].mean()
        assert higher
        assert found.positive == few


def test_the_table_does_not_depend_on_what_the_classes_are_called():
    X, y = rows_of()
    names = [[0, 1], [1, 0], ["z", "a"], ["few", "many"], [True, False], [3.0, -1.0]]
    pairs = list(StratifiedKFold(2, shuffle=True, random_state=0).split(X, y))
    means = [
        search_quickly(X, np.array(own)[y], GaussianNB(), cv=pairs, grid=[]).table()
        for own in names
    ]
    for own in means:
        table = own.set_index("candidate")
        assert table.loc["none", "mean"] == pytest.approx(
            means[0].set_index("candidate").loc["none", "mean"]
        )


def test_a_class_that_a_classifier_never_saw_has_the_probability_of_none():
    X, y = rows_of(n_classes=3)
    seen = y != 1
    fitted = GaussianNB().fit(X[seen], y[seen])
    found = predictions_of(fitted, X, y, np.arange(3), 0)
    assert (found.probabilities[:, 1] == 0).all()
    assert found.probabilities[:, [0, 2]] == pytest.approx(fitted.predict_proba(X))


def always_half(fitted, X, y):
    return 0.5


@pytest.mark.parametrize(
    ("scoring", "metrics"),
    [
        ("F1", ("F1",)),
        ("balanced_accuracy", ("balanced_accuracy",)),
        (["roc_auc", "AUPRC"], ("roc_auc", "AUPRC")),
        ({"mine": "F1", "theirs": "roc_auc"}, ("mine", "theirs")),
        ({"g": "G-mean"}, ("g",)),
        (always_half, ("always_half",)),
        (("F1",), ("F1",)),
    ],
)
def test_scores_are_named_as_they_are_asked_for(scoring, metrics):
    X, y = rows_of()
    result = search_quickly(X, y, GaussianNB(), scoring=scoring, grid=[])
    assert result.metrics == metrics
    assert not result.faults
    for own, name in zip(result.scores, metrics, strict=True):
        assert result.table(name)["mean"].notna().all()
        if own.is_decision:
            plain = "F1" if name in ("mine", "F1") else "G-mean"
            same = search_quickly(X, y, GaussianNB(), scoring=plain, grid=[])
            place = metrics.index(name)
            assert np.array_equal(values_of(same), np.concatenate(
                [result.values[:, :, place].ravel(), result.moved[:, place]]))  # fmt: skip


def refused(scoring, estimator=None, n_classes=2):
    trial_data.noted.clear()
    X, y = rows_of(n_classes=n_classes)
    with pytest.raises(ParameterError) as raised:
        search_quickly(X, y, estimator or Recorder(), scoring=scoring)
    assert not trial_data.noted
    return str(raised.value)


@pytest.mark.parametrize(
    ("scoring", "near"),
    [
        ("auprc", "'AUPRC'"),
        (["f1", "g-mean"], "'G-mean'"),
        ("roc-auc", "'roc_auc'"),
        ("Log Loss", "'log loss'"),
        ("zzzz", "AUPRC"),
        ([3], "AUPRC"),
        ([None], "AUPRC"),
    ],
)
def test_names_of_no_score(scoring, near):
    assert near in refused(scoring)


@pytest.mark.parametrize("scoring", [None, 3, [], {}, ()], ids=repr)
def test_no_score_at_all(scoring):
    message = refused(scoring)
    line = message[message.index("scoring=[") :].rstrip(".")
    assert search_quickly(*rows_of(), GaussianNB(), grid=[], **eval(f"dict({line})")).metrics == (  # noqa: S307 - the line is what is tested
        *SCORES,
    )


@pytest.mark.parametrize(
    "scoring", [["F1", "F1"], [lambda *_: 1.0, lambda *_: 2.0], ["roc_auc", "AUPRC", "roc_auc"]]
)
def test_scores_of_one_name_are_told(scoring):
    assert "dict" in refused(scoring)


@pytest.mark.parametrize(
    ("scoring", "n_classes", "lacking", "rest"),
    [
        (["AUPRC", "F1", "log loss"], 2, ["log loss"], ["AUPRC", "F1"]),
        ([*SCORES], 3, ["AUPRC", "log loss", "Brier"], ["F1", "G-mean"]),
        (["neg_log_loss", "roc_auc"], 2, ["neg_log_loss"], ["roc_auc"]),
        (["roc_auc_ovr", "accuracy"], 3, ["roc_auc_ovr"], ["accuracy"]),
        (["Brier"], 2, ["Brier"], []),
    ],
)
def test_scores_that_need_probabilities_of_a_classifier_without(scoring, n_classes, lacking, rest):
    message = refused(scoring, LinearSVC(), n_classes)
    assert message.startswith(f"{', '.join(lacking)} need")
    assert "LinearSVC" in message
    X, y = rows_of(n_classes=n_classes)
    if rest:
        assert f"scoring={rest}" in message
        assert search_quickly(X, y, LinearSVC(), scoring=rest, grid=[]).metrics == (*rest,)
    assert "estimator=sklearn.calibration.CalibratedClassifierCV(estimator)" in message
    calibrated = CalibratedClassifierCV(LinearSVC(), cv=2)
    assert not search_quickly(X, y, calibrated, scoring=scoring, grid=[]).faults


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None, "high"], ids=repr)
def test_a_score_that_is_no_number_is_a_failure(value):
    X, y = rows_of()

    def score(fitted, X, y):
        return value if len(fitted.classes_) and fitted.class_weight else 0.5

    result = search_quickly(X, y, LogisticRegression(), scoring=score)
    assert {own.candidate for own in result.faults} == {"class weights"}
    assert {own.fold for own in result.faults} == {0, 1}
    assert result.best() == "none"
    assert np.isnan(result.table().set_index("candidate").loc["class weights", "mean"])
