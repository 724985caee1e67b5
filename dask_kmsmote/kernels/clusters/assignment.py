"""The nearest centre of each row, by the differences themselves.

The usual ``|x|^2 - 2 x c + |c|^2`` is a matrix product, whose last bits depend on where a row
stands in its block. Here each row is computed alone, so that its centre does not depend on the
chunks; equal distances go to the lower centre.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...errors import ParameterError
from ..compiled import compiled
from ..rows.blocks import Floats, Ints, Rows, as_dense
from ..rows.metric import Metric


class Labeler(Protocol):
    """Finds the clusters of rows."""

    def label(self, rows: Rows) -> tuple[NDArray[np.integer[Any]], float]:
        """Cluster of each row, shape (m,), and the inertia: NaN where there are no centres."""


def nearest_center(
    rows: Floats, centers: Floats, scales: Floats
) -> tuple[NDArray[np.int32], float]:
    """Nearest of the centres for each row, and the sum of the squared distances.

    Parameters
    ----------
    rows
        Shape (m, n_features), C-contiguous.
    centers
        Shape (n_clusters, n_features), in the metric.
    scales
        What each feature of the rows is divided by, shape (n_features,).

    Returns
    -------
    labels
        Shape (m,), in 0 ... n_clusters - 1.
    inertia
        Sum of the squared distances, in squared units of the metric.
    """
    labels = np.empty(len(rows), dtype=np.int32)
    inertia = _assign(rows, scales, np.ascontiguousarray(centers.T), labels)
    return labels, inertia


@compiled
def _assign(rows: Floats, scales: Floats, columns: Floats, labels: NDArray[np.int32]) -> float:
    n_features, n_clusters = columns.shape
    squared = np.empty(n_clusters)
    inertia = 0.0
    for i in range(len(rows)):
        # the inner loop runs over the centres, which are contiguous: it vectorises, and each sum
        # is still added up feature by feature
        first = rows[i, 0] / scales[0]
        for cluster in range(n_clusters):
            difference = first - columns[0, cluster]
            squared[cluster] = difference * difference
        for feature in range(1, n_features):
            value = rows[i, feature] / scales[feature]
            for cluster in range(n_clusters):
                difference = value - columns[feature, cluster]
                squared[cluster] += difference * difference
        best = 0
        for cluster in range(1, n_clusters):
            if squared[cluster] < squared[best]:
                best = cluster
        labels[i] = best
        # in row order within the block: with other chunks its last bits differ, the labels not
        inertia += squared[best]
    return inertia


class NearestCenter(NamedTuple):
    """Labels rows by their nearest centre, which is given in the metric."""

    centers: Floats
    metric: Metric = Metric()

    def label(self, rows: Rows) -> tuple[NDArray[np.int32], float]:
        """Cluster of each row, and the sum of the squared distances."""
        scales = self.metric.scales_of(self.centers.shape[1])
        return nearest_center(as_dense(rows), self.centers, scales)


class Predictor(NamedTuple):
    """Labels rows by a fitted clusterer's own `predict`, in the metric that it was fitted in."""

    estimator: Any
    metric: Metric = Metric()

    def label(self, rows: Rows) -> tuple[NDArray[np.integer[Any]], float]:
        """Cluster of each row, and NaN."""
        if rows.shape[0] == 0:
            return np.empty(0, dtype=np.int32), math.nan
        # OpenMP alone, which has a number for each thread; that of BLAS is the whole process's
        with threadpool_limits(1, user_api="openmp"):
            return np.asarray(self.estimator.predict(self.metric.rows(rows))), math.nan


def require_labels(labels: Any, n_rows: int, n_clusters: int) -> Ints:
    """The clusters that a clusterer gave to rows, as integers; negative ones mean none.

    Raises
    ------
    ParameterError
        They are none, or not one for each row.
    """
    found = np.asarray(labels)
    if found.shape != (n_rows,) or found.dtype.kind not in "biu":
        raise ParameterError(
            f"kmeans_estimator labelled {n_rows} rows by an array of shape {found.shape} and dtype "
            f"{found.dtype}: its predict must give an integer for each row."
        )
    # such a row has no line in the table, and would be counted nowhere
    if n_rows and found.max() >= n_clusters:
        raise ParameterError(
            f"kmeans_estimator labelled a row {found.max()}, but says that it makes "
            f"{n_clusters} clusters (n_clusters): set it to the number that it finds."
        )
    return found.astype(np.int64, copy=False)
