"""Candidates that fail: counted, named, never averaged over the rest, and no end of the others."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from trial_data import rows_of, search_quickly

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import ParameterError

FIRST = rows_of()[0][0, 0]


class Picky(LogisticRegression):
    """Fails on training rows that it is told to fail on."""

    def __init__(self, fails=None, class_weight=None):
        super().__init__(class_weight=class_weight)
        self.fails = fails

    def fit(self, X, y):
        if self.fails(self, X, y):
            raise RuntimeError("no solution found")
        return super().fit(X, y)


def weighted(own, X, y):
    return own.class_weight is not None


def weighted_there(own, X, y):
    return own.class_weight is not None and X[0, 0] == FIRST


def balanced(own, X, y):
    return len(set(np.bincount(y))) == 1


def always(own, X, y):
    return True


@pytest.mark.parametrize("fails", [weighted, weighted_there, balanced])
def test_what_fails_is_counted_and_the_others_go_on(fails):
    X, y = rows_of()
    folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))
    result = search_quickly(X, y, Picky(fails), cv=folds)
    plain = search_quickly(X, y, LogisticRegression(), cv=folds)
    table = result.table().set_index("candidate")
    names = {own.candidate for own in result.faults}
    n_failed = {name: sum(own.candidate == name for own in result.faults) for name in names}
    if fails is weighted_there:
        assert n_failed == {"class weights": sum(train[0] == 0 for train, _ in folds)}
        assert 0 < n_failed["class weights"] < 4
    else:
        expected = {"class weights"} if fails is weighted else {*table.index[1:]} & names
        assert names == expected
        assert set(n_failed.values()) == {4}
    for number, own in enumerate(result.candidates):
        if own.name in names:
            assert np.isnan(table.loc[own.name, "mean"])
            assert table.loc[own.name, "n_failed"] == n_failed[own.name]
            assert f"{own.name} failed on {n_failed[own.name]} of 4 folds" in str(result)
        else:
            assert np.array_equal(result.values[number], plain.values[number])
    assert "RuntimeError: no solution found" in str(result)
    assert "failed" in result._repr_html_()
    assert result.best() not in names


def test_all_that_fail_are_an_error_with_the_first():
    X, y = rows_of()
    with pytest.raises(ParameterError, match=r"'none', fold 0: RuntimeError: no solution found"):
        search_quickly(X, y, Picky(always))


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"cluster_balance_threshold": [0.9999, 0.0]}, "cluster"),
        ({"kmeans_estimator": [500, 3]}, "kmeans_estimator=150"),
        ({"sampling_strategy": [0.01, "auto"], "kmeans_estimator": [3]}, "ratio"),
        ({"sampling_strategy": [{9: 100}, "auto"], "kmeans_estimator": [3]}, "9"),
        ({"exact_rows": [None], "k_neighbors": [2], "max_ratio": [1.0, 2.0]}, None),
    ],
    ids=str,
)
def test_a_setting_that_fits_no_fold_fails_alone_with_its_own_words(grid, words):
    X, y = rows_of()
    result = search_quickly(X, y, GaussianNB(), grid=grid)
    failed = {own.candidate: own.message for own in result.faults}
    kinds = [own for own in result.candidates if own.kind == "KMeansSMOTE"]
    if words is None:
        assert not failed
        return
    assert sum(own.name in failed for own in kinds) < len(kinds) == 2 or grid.keys() == {
        "cluster_balance_threshold"
    }
    for own in kinds:
        if own.name in failed:
            # what the sampler alone says
            with pytest.raises((ValueError, RuntimeError)) as alone:
                KMeansSMOTE(**own.params, random_state=0).fit_resample(X, y)
            assert type(alone.value).__name__ in failed[own.name]
            assert words in failed[own.name]


def test_a_callable_that_raises_fails_alone():
    def wrong(y):
        raise ZeroDivisionError("of the user")

    X, y = rows_of()
    grid = {"kmeans_estimator": [3], "sampling_strategy": [wrong, "auto"]}
    result = search_quickly(X, y, GaussianNB(), grid=grid)
    failed = {own.candidate for own in result.faults}
    assert len(failed) == 3
    assert all("wrong" in name for name in failed)
    assert all("ZeroDivisionError: of the user" in own.message for own in result.faults)
    assert "SMOTE" not in failed


class Noisy(GaussianNB):
    def fit(self, X, y):
        warnings.warn("little data", UserWarning, stacklevel=2)
        return super().fit(X, y)


def test_warnings_of_a_classifier_reach_the_user():
    X, y = rows_of()
    with pytest.warns(UserWarning, match="little data"):
        result = search_quickly(X, y, Noisy())
    assert not result.faults
