"""With compat set, the result is imbalanced-learn's, row for row."""

from __future__ import annotations

import contextlib
import os
import warnings
from itertools import pairwise
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import KMeansSMOTE as Reference
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import NoClusterError

CASES = int(os.environ.get("KMSMOTE_ORACLE_CASES", "400"))
GROUPS = 20


class Case(NamedTuple):
    X: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    params: dict[str, Any]
    chunks: tuple[int, ...]
    column_chunk: int


def random_case(seed):
    rng = np.random.default_rng(seed)
    n, n_features = int(rng.integers(40, 500)), int(rng.integers(1, 20))
    X, y = random_rows(rng, n, n_features)
    counts = np.unique(y, return_counts=True)
    params = {
        "random_state": int(rng.integers(2**31)),
        "k_neighbors": random_neighbors(rng),
        "kmeans_estimator": random_clusterer(rng),
        "cluster_balance_threshold": random_choice(rng, ["auto", 0.0, 0.02, 0.1, 0.3, 0.6]),
        "density_exponent": random_choice(rng, ["auto", 0, 1, 2, 3.5, -1]),
        "sampling_strategy": random_strategy(rng, *counts),
    }
    cuts = np.sort(rng.integers(0, n + 1, int(rng.integers(0, 8))))
    chunks = tuple(int(size) for size in np.diff([0, *cuts, n]))
    return Case(X, y, params, chunks, int(rng.integers(1, n_features + 1)))


def random_choice(rng, options):
    return options[int(rng.integers(len(options)))]


def random_rows(rng, n, n_features):
    n_classes = int(rng.integers(2, 6))
    weights = rng.dirichlet(np.full(n_classes, random_choice(rng, [0.5, 2, 20])))
    y = rng.choice(n_classes, n, p=weights)
    y[:2] = [0, 1]
    centers = rng.normal(0, random_choice(rng, [1, 5]), (8, n_features))
    cloud = (y + rng.integers(0, int(rng.integers(1, 8)), n)) % 8
    X = centers[cloud] + rng.normal(0, 1, (n, n_features))
    X *= random_choice(rng, [1, 1, 1, 1e-3, 1e4])
    if rng.random() < 0.3:
        X[rng.integers(0, n, n // 2)] = X[rng.integers(0, n, n // 2)]
    dtype = random_choice(rng, ["f8", "f8", "f8", "f4", "i8", "i4"])
    if dtype[0] == "i":
        X = np.round(X * 10 / np.abs(X).max() * random_choice(rng, [1, 50]))
    return X.astype(dtype), y


def random_neighbors(rng):
    k = int(rng.integers(1, 7))
    if rng.random() < 0.2:
        return NearestNeighbors(n_neighbors=k + 1, metric=random_choice(rng, ["l1", "l2"]))
    return k


def random_clusterer(rng):
    n_clusters, seed = int(rng.integers(1, 12)), int(rng.integers(100))
    return random_choice(
        rng,
        [
            n_clusters,
            KMeans(n_clusters, n_init=1, random_state=seed),
            MiniBatchKMeans(n_clusters, n_init=1, random_state=seed),
        ],
    )


def random_strategy(rng, labels, counts):
    largest = counts.max()
    final = {
        int(label): int(n + rng.integers(0, largest))
        for label, n in zip(labels, counts, strict=True)
        if rng.random() < 0.7
    }
    names = ["auto", "auto", "not minority", "minority", "all"]
    return random_choice(rng, [*names, final, lambda y: final, float(rng.uniform(0.2, 1))])


def run_reference(case):
    """imbalanced-learn's result, or its exception; None where it crashes on NaN weights."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            return Reference(**case.params).fit_resample(case.X, case.y)
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            if "NaN to integer" in str(error) or "infinity to integer" in str(error):
                return None
            return error


def run_ours(case, kind):
    sampler = KMeansSMOTE(compat="imbalanced-learn", **case.params)
    names = [f"f{place}" for place in range(case.X.shape[1])]
    if kind == "numpy":
        return sampler.fit_resample(case.X, case.y)
    X = da.from_array(case.X, chunks=(case.chunks, case.column_chunk))
    y = da.from_array(case.y, chunks=(case.chunks,))
    if kind == "frame":
        frame = pd.DataFrame(case.X, columns=names)
        bounds = np.cumsum([0, *case.chunks])
        parts = [frame.iloc[a:b] for a, b in pairwise(bounds)]
        labels = [pd.Series(case.y[a:b]) for a, b in pairwise(bounds)]
        X = dd.from_delayed([dask.delayed(part) for part in parts], meta=frame.iloc[:0])
        y = dd.from_delayed([dask.delayed(part) for part in labels], meta=labels[0].iloc[:0])
    X_res, y_res = dask.compute(*sampler.fit_resample(X, y))
    return np.asarray(X_res), np.asarray(y_res)


def compare(case, kind):
    expected = run_reference(case)
    if isinstance(expected, Exception):
        kinds = (ValueError,) if isinstance(expected, ValueError) else (RuntimeError,)
        with pytest.raises(kinds):
            run_ours(case, kind)
        return "raised"
    if expected is None:
        # it crashed in one class; a later one may have no cluster
        with contextlib.suppress(NoClusterError):
            assert np.isfinite(run_ours(case, kind)[0]).all()
        return "crashed"
    X, y = run_ours(case, kind)
    np.testing.assert_array_equal(y, expected[1])
    assert X.dtype == expected[0].dtype
    np.testing.assert_allclose(X, expected[0], rtol=1e-9, atol=1e-9 * np.abs(case.X).max())
    assert X[: len(case.X)].tobytes() == case.X.tobytes()
    return "equal"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("group", range(GROUPS))
def test_row_for_row(group):
    outcomes = []
    with dask.config.set(scheduler="synchronous"):
        for seed in range(group, CASES, GROUPS):
            kind = ("numpy", "array", "frame")[(seed // GROUPS) % 3]
            try:
                outcomes.append(compare(random_case(seed), kind))
            except BaseException as error:
                error.add_note(f"case {seed} as {kind}: {random_case(seed).params}")
                raise
    # the cases test something: most of them get as far as new rows
    assert outcomes.count("equal") >= len(outcomes) * 0.4


class Shifted(KMeans):
    """Gives the rows that it learned from other labels than it predicts for them."""

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X)
        self.labels_ = (self.labels_ + 1) % self.n_clusters
        return self

    def fit_predict(self, X, y=None, sample_weight=None):
        return self.fit(X).labels_


@pytest.mark.parametrize("chunk", [None, 130])
def test_labels_of_the_fit_stand_for_those_that_are_predicted(chunk):
    X, y = make_imbalanced(400, 3, 0.2, seed=4)
    # of three clusters, two take the place of one another, and the third's rows move as well
    params = {
        "random_state": 0,
        "kmeans_estimator": Shifted(3, n_init=1, random_state=0),
        "cluster_balance_threshold": 0.1,
    }
    expected = Reference(**params).fit_resample(X, y)
    plain = params | {"kmeans_estimator": KMeans(3, n_init=1, random_state=0)}
    assert (expected[0] != Reference(**plain).fit_resample(X, y)[0]).any()
    given = (X, y) if chunk is None else chunked(X, y, chunk)
    sampler = KMeansSMOTE(**params, compat="imbalanced-learn")
    X_res, y_res = dask.compute(*sampler.fit_resample(*given))
    np.testing.assert_allclose(X_res, expected[0], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(y_res, expected[1])
    assert sampler.validate(X_res, y_res).passed.dropna().all()
