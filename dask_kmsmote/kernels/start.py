"""Learning clusters from rows that fit in one task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from ..planning.layout import block_rows
from .blocks import Rows, as_dense

Floats = NDArray[np.float64]

START_ROWS = 20_000
START_ROWS_PER_CLUSTER = 100
START_RUNS = 5
START_BYTES = 256 * 2**20


def start_size(n_clusters: int, n_features: int) -> int:
    """Rows of the sample that starting centres are found on; fewer where they are wide."""
    wished = max(START_ROWS, START_ROWS_PER_CLUSTER * n_clusters)
    return min(wished, max(block_rows(n_features, START_BYTES), 10 * n_clusters))


def find_start(
    rows: Rows, n_clusters: int, seed: int, given: Floats | None
) -> tuple[Floats, Floats, float]:
    """Centres to start from, and the mean and variance of a sample of rows.

    The centres are those given, or scikit-learn's KMeans of the sample. Where that has fewer
    distinct rows than clusters, the last centre is repeated; the repeats stay empty.

    Returns
    -------
    centers
        Shape (n_clusters, n_features).
    mean
        Shape (n_features,).
    variance
        Mean over the features, in squared units of the rows.
    """
    dense = as_dense(rows)
    mean, variance = dense.mean(axis=0), float(dense.var(axis=0).mean())
    if given is not None:
        return given, mean, variance
    found = min(n_clusters, _count_distinct(dense, n_clusters))
    with threadpool_limits(1):
        kmeans = KMeans(found, n_init=START_RUNS, random_state=seed).fit(dense)
    centers = kmeans.cluster_centers_
    repeats = np.repeat(centers[-1:], n_clusters - found, axis=0)
    return np.vstack([centers, repeats]), mean, variance


def _count_distinct(rows: Floats, enough: int) -> int:
    if len(np.unique(rows[:, 0])) >= enough:
        return enough
    return len(np.unique(rows, axis=0))


def fit_clusterer(estimator: Any, rows: Rows) -> Any:
    """The estimator, fitted on rows in one process, on one thread: the same bits anywhere."""
    with threadpool_limits(1):
        return estimator.fit(rows)


def shifted(rows: Rows, offset: Floats) -> Floats:
    """The rows minus an offset, and a column of ones, shape (m, n_features + 1).

    The ones change no distance; in a mean of rows, they tell an empty cluster (0) from one whose
    mean is the origin (1).
    """
    dense = as_dense(rows)
    out = np.ones((len(dense), dense.shape[1] + 1))
    np.subtract(dense, offset, out=out[:, :-1])
    return out
