"""Small data for trials, in the kinds that the sampler takes, and classifiers that note things."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from dask_kmsmote import search

SEED = 7
noted = []


def rows_of(n=300, share=0.2, n_classes=2, seed=0):
    """Overlapping clouds: the last class is the largest, and the first the smallest."""
    rng = np.random.default_rng(seed)
    few = [int(share * n / (1 + place)) for place in range(n_classes - 1)][::-1]
    y = np.repeat(np.arange(n_classes), [*few, n - sum(few)])
    centers = rng.normal(0, 1.5, (2 * n_classes, 4))
    X = centers[2 * y + rng.integers(0, 2, n)] + rng.normal(0, 1, (n, 4))
    order = rng.permutation(n)
    return X[order], y[order]


def as_kind(kind, X):
    """Rows of a kind: "numpy", "frame", "sparse", or "mixed", of categories and gaps."""
    if kind == "sparse":
        return sparse.csr_matrix(np.where(X > 0, X, 0))
    frame = pd.DataFrame(X, columns=list("abcd"))
    if kind == "frame":
        return frame.set_index(np.arange(len(X))[::-1] * 2)
    if kind == "mixed":
        frame["c"] = pd.cut(frame["c"], 3, labels=["low", "mid", "high"]).astype(object)
        frame.loc[frame.index[::17], "c"] = None
        frame["d"] = frame["d"].where(frame["d"] < 2)
        return frame
    return X


def search_quickly(X, y, estimator=None, **params):
    """A search of one thread and two folds, on a grid of one setting."""
    given = {
        "grid": {"kmeans_estimator": [3]}, "cv": 2, "n_repeats": 1, "random_state": SEED,
        "n_jobs": 1, "scoring": ["AUPRC", "F1", "log loss"],
    }  # fmt: skip
    return search(X, y, LogisticRegression() if estimator is None else estimator, **given | params)


def values_of(result):
    """All numbers of a result."""
    return np.concatenate([result.values.ravel(), result.moved.ravel()])


class Recorder(ClassifierMixin, BaseEstimator):
    """Notes what it is trained on and asked, and with which seed; says the share of each class."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        noted.append(("fit", X, np.asarray(y), self.random_state))
        return self

    def predict_proba(self, X):
        noted.append(("predict", X, None, self.random_state))
        return np.tile(self.shares_, (X.shape[0], 1))

    def predict(self, X):
        return np.repeat(self.classes_[self.shares_.argmax()], X.shape[0])
