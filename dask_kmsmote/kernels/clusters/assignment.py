"""The nearest centre of each row, by the differences themselves.

The usual ``|x|^2 - 2 x c + |c|^2`` is a matrix product, whose last bits depend on where a row
stands in its block. Here each row is computed alone, so that its centre does not depend on the
chunks; equal distances go to the lower centre.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from ...libraries import one_openmp_thread
from ..compiled import compiled
from ..rows.blocks import Floats, Ints, Rows, as_dense
from ..rows.metric import Metric


class Labeler(Protocol):
    """Finds the clusters of rows."""

    def label(self, rows: Rows) -> tuple[NDArray[np.integer[Any]], float]:
        """Cluster of each row, shape (m,), and the inertia: NaN where there are no centres."""


def nearest_center(
    rows: Floats, centers: Floats, metric: Metric
) -> tuple[NDArray[np.int32], float]:
    """Nearest of the centres for each row, and the sum of the squared distances.

    Parameters
    ----------
    rows
        Shape (m, n_features), C-contiguous, in the units of X.
    centers
        Shape (n_clusters, width), in coordinates of the metric.
    metric
        What distances are measured in.

    Returns
    -------
    labels
        Shape (m,), in 0 ... n_clusters - 1.
    inertia
        Sum of the squared distances, in squared units of the metric.
    """
    n_features = rows.shape[1]
    n_numbers = metric.kinds(n_features).n_numbers
    labels = np.empty(len(rows), dtype=np.int32)
    inertia = _assign(
        rows,
        metric.scales_of(n_features),
        metric.fills_of(n_features),
        np.ascontiguousarray(centers[:, :n_numbers].T),
        *metric.indicators[:2],
        _squared_to_indicators(centers[:, n_numbers:], metric),
        labels,
    )
    return labels, inertia


def _squared_to_indicators(centers: Floats, metric: Metric) -> Floats:
    """Squared distance of each centre to each indicator, among those of its feature alone.

    Shape (width, n_clusters): what a row of the category adds to its distance.
    """
    firsts = metric.indicators.firsts
    squared = np.empty((metric.indicators.width, len(centers)))
    for low, high in pairwise(firsts):
        own = metric.height * np.eye(high - low)
        squared[low:high] = ((own[:, np.newaxis] - centers[:, low:high]) ** 2).sum(axis=2)
    return squared


@compiled
def _assign(rows, scales, fills, columns, starts, number, by_indicator, labels):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    n_numbers, n_clusters = columns.shape
    squared = np.empty(n_clusters)
    inertia = 0.0
    for i in range(len(rows)):
        # the inner loops run over the centres, which are contiguous: they vectorise, and each sum
        # is still added up feature by feature
        squared[:] = 0.0
        for feature in range(n_numbers):
            value = rows[i, feature]
            if np.isnan(value):
                value = fills[feature]
            value /= scales[feature]
            for cluster in range(n_clusters):
                difference = value - columns[feature, cluster]
                squared[cluster] += difference * difference
        for feature in range(len(starts) - 1):
            indicator = number[starts[feature] + np.int64(rows[i, n_numbers + feature])]
            for cluster in range(n_clusters):
                squared[cluster] += by_indicator[indicator, cluster]
        best = 0
        for cluster in range(1, n_clusters):
            if squared[cluster] < squared[best]:
                best = cluster
        labels[i] = best
        # in row order within the block: with other chunks its last bits differ, the labels not
        inertia += squared[best]
    return inertia


class NearestCenter(NamedTuple):
    """Labels rows by their nearest centre, which is given in coordinates of the metric."""

    centers: Floats
    metric: Metric = Metric()

    def label(self, rows: Rows) -> tuple[NDArray[np.int32], float]:
        """Cluster of each row, and the sum of the squared distances."""
        return nearest_center(as_dense(rows), self.centers, self.metric)


class Predictor(NamedTuple):
    """Labels rows by a clusterer's own `predict`, in the coordinates that it was fitted in."""

    estimator: Any
    metric: Metric = Metric()

    def label(self, rows: Rows) -> tuple[NDArray[np.integer[Any]], float]:
        """Cluster of each row, and NaN."""
        if rows.shape[0] == 0:
            return np.empty(0, dtype=np.int32), math.nan
        # OpenMP alone, which has a number for each thread; that of BLAS is the whole process's
        with one_openmp_thread():
            return np.asarray(self.estimator.predict(self.metric.coordinates(rows))), math.nan


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
