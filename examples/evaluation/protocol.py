"""The protocol: stratified folds, features standardised on the training fold, three classifiers.

Samplers see codes of categories, classifiers a flag for each.

A hold-out split may stand for the folds of a repetition. Samplers may see raw features; classifiers
see standardised ones always.

Classifiers keep scikit-learn's defaults. Boosting is the histogram kind: on 150 to 1,484 rows it
takes 0.5 to 0.8 of the time of GradientBoostingClassifier, on 11,183 rows 0.16.
Its early stopping would start at 10,000 rows, so for some samplers only, and is off.

A sampler that refuses a training fold (no cluster qualifies, too few rows) gets the scores of no
sampling there, and the fault is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from imblearn.metrics import geometric_mean_score
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from features import Features
from samplers import THEIRS, Candidate, require_agreement, resample
from sets import DataSet

METRICS = ["AUPRC", "F1", "G-mean"]


class Fold(NamedTuple):
    """One training and test set, by row numbers, and the seed of its samplers."""

    data: DataSet
    repetition: int
    number: int
    train: np.ndarray
    test: np.ndarray
    seed: int


def split(
    data: DataSet, n_folds: int, n_repetitions: int, seed: int, holdout: float | None = None
) -> Iterator[Fold]:
    """Folds of all repetitions; more repetitions leave the first ones as they are.

    With `holdout`, the share of test rows, each repetition has one fold.
    """
    for repetition in range(n_repetitions):
        state = seed + repetition
        if holdout is None:
            folds = StratifiedKFold(n_folds, shuffle=True, random_state=state)
        else:
            folds = StratifiedShuffleSplit(1, test_size=holdout, random_state=state)
        for number, (train, test) in enumerate(folds.split(data.X, data.y)):
            stream = np.random.SeedSequence([seed, repetition, number])
            yield Fold(data, repetition, number, train, test, int(stream.generate_state(1)[0]))


def evaluate(fold: Fold, candidates: list[Candidate], *, raw: bool = False) -> list[dict[str, Any]]:
    """Scores of every candidate and classifier: a record each.

    Parameters
    ----------
    fold, candidates
        What to evaluate, and on what.
    raw
        Samplers see features as they are; what they return is standardised, as the test rows are.
    """
    data, train, test = fold.data, fold.train, fold.test
    features = Features(data.X[train], data.categorical)
    standardised, y = features.standardised(data.X[train]), data.y[train]
    X = data.X[train] if raw else standardised
    X_test, y_test = features.flagged(features.standardised(data.X[test])), data.y[test]
    where = f"{data.name}, repetition {fold.repetition}, fold {fold.number}"
    records = []
    with threadpool_limits(1):
        unsampled = score(features.flagged(standardised), y, X_test, y_test)
        for number, candidate in enumerate(candidates):
            made = resample(candidate, X, y, fold.seed, data.categorical)
            if candidate.sampler == THEIRS:
                require_agreement(candidate, made, X, y, fold.seed, where)
            rows = features.flagged(features.standardised(made.X) if raw else made.X)
            scores = unsampled if made.fault else score(rows, made.y, X_test, y_test)
            place = {
                "set": data.name,
                "repetition": fold.repetition,
                "fold": fold.number,
                "method": candidate.method,
                "candidate": number,
                "fault": type(made.fault).__name__ if made.fault else "",
            }
            records += [place | {"classifier": name, **found} for name, found in scores.items()]
    return records


def score(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray
) -> dict[str, dict[str, float]]:
    """Metrics on the test rows, by classifier."""
    scores = {}
    for name, classifier in classifiers().items():
        classifier.fit(X, y)
        guess = classifier.predict(X_test)
        scores[name] = {
            "AUPRC": average_precision_score(y_test, classifier.predict_proba(X_test)[:, 1]),
            "F1": f1_score(y_test, guess, zero_division=0),
            "G-mean": geometric_mean_score(y_test, guess),
        }
    return scores


def classifiers() -> dict[str, Any]:
    """New classifiers, by name."""
    return {
        "logistic regression": LogisticRegression(max_iter=1000),
        "gradient boosting": HistGradientBoostingClassifier(early_stopping=False),
        "k-NN": KNeighborsClassifier(),
    }
