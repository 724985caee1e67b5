"""Folds of every splitter, classifiers of every kind, and those that are refused."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pandas as pd
import pytest
import trial_data
from imblearn.pipeline import make_pipeline as make_resampling
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV  # noqa: F401 - a message names it
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneOut,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from trial_data import SEED, Recorder, as_kind, rows_of, search_quickly, values_of

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError, ParameterError
from dask_kmsmote.selection.classifier import seeded

N = 300
GROUPS = np.arange(N) % 10


def trained_on(X, y, **params):
    """First features of the training rows of "none", and of its test rows, by fold."""
    trial_data.noted.clear()
    result = search_quickly(X, y, Recorder(), **params)
    n = 2 * len(result.candidates)
    first = [trial_data.noted[fold * n : fold * n + 2] for fold in range(result.n_folds)]
    return result, [[first_of(rows).tolist() for _, rows, *_ in own] for own in first]


def first_of(rows):
    return rows.iloc[:, 0].to_numpy() if hasattr(rows, "iloc") else rows[:, 0]


@pytest.mark.parametrize(
    ("cv", "groups"),
    [
        (GroupKFold(3), GROUPS),
        (GroupKFold(3), pd.Series(GROUPS, index=np.arange(N)[::-1])),
        (GroupKFold(3), [f"group {own}" for own in GROUPS]),
        (StratifiedGroupKFold(3), GROUPS),
        (TimeSeriesSplit(3), None),
        (StratifiedKFold(3, shuffle=True, random_state=0), None),
        (RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0), None),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["numpy", "frame"])
def test_folds_are_those_of_the_splitter(cv, groups, kind):
    X, y = rows_of(N)
    _, found = trained_on(as_kind(kind, X), y, cv=cv, groups=groups)
    expected = [
        [X[part, 0].tolist() for part in fold]
        for fold in cv.split(X, y, None if groups is None else np.asarray(groups))
    ]
    assert found == expected


@pytest.mark.parametrize("how", ["positions", "lists", "masks", "negative", "generator"])
def test_pairs_of_rows_in_any_form_are_the_same_folds(how):
    X, y = rows_of(N)
    pairs = list(StratifiedKFold(3).split(X, y))
    mask = np.zeros(N, dtype=bool)
    forms = {
        "positions": lambda rows: rows,
        "lists": lambda rows: rows.tolist(),
        "masks": lambda rows: np.isin(np.arange(N), rows),
        "negative": lambda rows: rows - N,
        "generator": lambda rows: rows,
    }
    given = [tuple(forms[how](part) for part in pair) for pair in pairs]
    given = iter(given) if how == "generator" else given
    result, found = trained_on(X, y, cv=given)
    assert found == [[X[part, 0].tolist() for part in pair] for pair in pairs]
    assert result.overlap == pytest.approx(0.5)
    assert not mask.any()


def test_groups_are_of_all_rows_where_some_are_drawn():
    X, y = rows_of(N)
    X[:, 0] = GROUPS
    for n_rows in (N, 200):
        _, found = trained_on(X, y, cv=GroupKFold(3), groups=GROUPS, n_rows=n_rows)
        for train, test in found:
            assert not set(train) & set(test)


def test_a_number_of_folds_is_stratified_and_repeated():
    X, y = rows_of(N)
    y_of = dict(zip(X[:, 0].tolist(), y.tolist(), strict=True))
    result, found = trained_on(X, y, cv=4, n_repeats=3)
    assert result.n_folds == 12
    for repeat in range(3):
        tests = [test for _, test in found[4 * repeat : 4 * repeat + 4]]
        assert sorted(chain(*tests)) == sorted(X[:, 0].tolist())
        for test in tests:
            assert sum(y_of[own] == 0 for own in test) == (y == 0).sum() / 4


def refused(y=None, **params):
    trial_data.noted.clear()
    X, own = rows_of(N)
    estimator = params.pop("estimator", Recorder())
    with pytest.raises((InputError, ParameterError)) as raised:
        search_quickly(X, own if y is None else y, estimator, **params)
    assert not trial_data.noted
    return str(raised.value)


@pytest.mark.parametrize(("n_few", "mend"), [(3, "cv=3"), (2, "cv=2"), (1, "leave the class out")])
def test_fewer_rows_of_a_class_than_folds(n_few, mend):
    y = (np.arange(N) >= n_few).astype(int)
    message = refused(y, cv=5)
    assert f"class 0 has {n_few}" in message
    assert mend in message
    if "=" in mend:
        result = search_quickly(rows_of(N)[0], y, GaussianNB(), **eval(f"dict({mend})"))  # noqa: S307 - the line is what is tested
        assert result.n_folds == int(mend[-1])


def test_few_rows_of_a_class_in_a_sample_are_mended_by_more():
    X, y = rows_of(N, share=0.1)
    message = refused(y, n_rows=20, cv=5)
    (line,) = re.findall(r"n_rows=\d+", message)
    assert search_quickly(X, y, GaussianNB(), cv=5, **eval(f"dict({line})")).n_folds == 5  # noqa: S307 - the line is what is tested


@pytest.mark.parametrize("label", [0, "only", True])
def test_one_class(label):
    message = refused(np.full(N, label))
    assert repr(label) in message
    assert "two classes" in message


@pytest.mark.parametrize("groups", [GROUPS[:10], GROUPS[:-1], np.arange(2 * N) % 10], ids=len)
@pytest.mark.parametrize("n_rows", [N, 100])
def test_groups_of_another_length_are_told(groups, n_rows):
    message = refused(cv=GroupKFold(3), groups=groups, n_rows=n_rows)
    assert f"{len(groups)}" in message
    assert f"{N} rows" in message


@pytest.mark.parametrize("cv", [3, 5])
def test_groups_that_a_number_of_folds_would_tear_apart(cv):
    message = refused(cv=cv, groups=GROUPS)
    (line,) = re.findall(r"cv=sklearn\.model_selection\.(\w+\(\d\))", message)
    assert search_quickly(*rows_of(N), GaussianNB(), cv=eval(line), groups=GROUPS).n_folds == cv  # noqa: S307 - the line is what is tested


@pytest.mark.parametrize(
    "cv",
    [
        2.5, "kfold", 1, 0, -3, [], StratifiedKFold, GroupKFold(3), LeaveOneOut(),
        StratifiedKFold(500), [(np.arange(N), np.arange(N))],
        [(np.arange(100), np.arange(250, 400))] * 2,
        [(np.arange(100), np.arange(-400, 0))] * 2,
        [(np.array([]), np.arange(N))] * 2,
        [(np.arange(100), np.array(["a"]))] * 2,
        [(np.arange(100), np.arange(100.0, 200.0))] * 2,
        [(np.arange(100),)] * 2,
    ],
    ids=lambda cv: str(cv)[:40],
)  # fmt: skip
def test_what_is_no_split_of_the_rows(cv):
    assert "cv" in refused(cv=cv)


@pytest.mark.parametrize("n_shared", [1, 100])
def test_folds_whose_test_rows_are_trained_on_are_told(n_shared):
    pairs = [(np.arange(200), np.arange(200 - n_shared, N))] * 2
    message = refused(cv=pairs)
    assert "Fold 0" in message
    assert f"{n_shared} row" in message


@pytest.mark.parametrize(
    ("estimator", "line"),
    [
        (LogisticRegression, "estimator=LogisticRegression()"),
        ("forest", None),
        (rows_of, None),
        (object(), None),
    ],
)
def test_estimators_that_are_none(estimator, line):
    message = refused(estimator=estimator)
    assert "estimator=" in message
    if line:
        assert line in message
        assert search_quickly(*rows_of(N), **eval(f"dict({line})")).n_folds == 2  # noqa: S307 - the line is what is tested


class Predicts(BaseEstimator):
    """No scores, and does not say its classes."""

    def fit(self, X, y):
        self.rule_ = LogisticRegression().fit(X, y)
        return self

    def predict(self, X):
        return self.rule_.predict(X)


class Rounded(LogisticRegression):
    """Probabilities of single precision."""

    def predict_proba(self, X):
        return super().predict_proba(X).astype(np.float32)


@pytest.mark.parametrize(
    ("estimator", "scoring"),
    [
        (LinearSVC(), ["AUPRC", "F1", "G-mean"]),
        (Predicts(), ["F1", "G-mean", "accuracy"]),
        (Rounded(), ["AUPRC", "log loss", "Brier"]),
        (make_resampling(RandomUnderSampler(), LogisticRegression()), ["AUPRC"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("names", [["a", "b"], [False, True], [-1.0, 1.0]], ids=str)
def test_classifiers_and_labels_of_every_kind_fail_nowhere(estimator, scoring, names):
    X, y = rows_of(N)
    result = search_quickly(X, np.array(names)[y], estimator, scoring=scoring)
    assert not result.faults
    expected = search_quickly(X, y, estimator, scoring=scoring)
    assert np.array_equal(values_of(result), values_of(expected), equal_nan=True)


@pytest.mark.parametrize("package", ["xgboost", "lightgbm"])
def test_boosting_of_other_packages(package):
    made = pytest.importorskip(package)
    quiet = {"verbose": -1, "min_child_samples": 2} if package == "lightgbm" else {}
    make = made.LGBMClassifier if package == "lightgbm" else made.XGBClassifier
    X, y = rows_of(200)
    result = search_quickly(
        X, y, make(n_estimators=2, n_jobs=1, **quiet), scoring=["AUPRC", "log loss"]
    )
    assert not result.faults


def test_categories_that_training_does_not_have():
    X, y = rows_of(N)
    frame = as_kind("frame", X).assign(e=[f"place {n // 30}" for n in range(N)])
    pairs = [(np.arange(150), np.arange(150, N)), (np.arange(150, N), np.arange(150))]
    columns = make_column_transformer((OneHotEncoder(), ["e"]), remainder="passthrough")
    strict = make_pipeline(columns, LogisticRegression())
    with pytest.raises(ParameterError, match=r"All candidates failed.*'none', fold 0.*unknown cat"):
        search_quickly(frame, y, strict, cv=pairs)
    lenient = strict.set_params(columntransformer__onehotencoder__handle_unknown="ignore")
    assert not search_quickly(frame, y, lenient, cv=pairs).faults


@pytest.mark.parametrize("kind", ["mixed", "string", "category", "nullable", "places"])
def test_the_default_classifier_takes_categories_and_gaps(kind):
    from dask_kmsmote import search

    X, y = rows_of(N)
    frame, params = as_kind("mixed", X), {"missing": "keep"}
    if kind == "string":
        frame["c"] = frame["c"].astype("string")
    elif kind == "category":
        frame["c"] = frame["c"].astype("category")
    elif kind == "nullable":
        frame = frame.assign(a=frame["a"].astype("Float64"), d=frame["d"].astype("Float64"))
        frame["e"] = pd.array(np.where(np.arange(N) % 7, 1, None), dtype="Int64")
    elif kind == "places":
        frame, params = np.c_[X, np.arange(N) % 3], {"categorical_features": [4]}
    result = search(
        frame, y, sampler=KMeansSMOTE(**params), grid=[], cv=2, n_repeats=1, random_state=SEED,
        scoring="AUPRC",
    )  # fmt: skip
    assert not result.faults


def test_classifiers_with_threads_of_their_own_take_one():
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    for own in (lightgbm.LGBMClassifier(), xgboost.XGBClassifier()):
        assert seeded(own, 3).n_jobs == 1
        assert seeded(make_pipeline(StandardScaler(), own), 3)[-1].n_jobs == 1
        assert seeded(own.set_params(n_jobs=2), 3).n_jobs == 2
    assert seeded(RandomForestClassifier(), 3).get_params()["random_state"] == 3


def test_functions_and_names_are_said_what_to_pass():
    X, y = rows_of()

    def make():
        return GaussianNB()

    with pytest.raises(ParameterError, match=r"pass what it returns, estimator=make\(\)"):
        search_quickly(X, y, make)
    with pytest.raises(ParameterError, match=r"groups=X\['customer'\]"):
        search_quickly(X, y, cv=GroupKFold(2), groups="customer")
