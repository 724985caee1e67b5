"""What finds the clusters of rows: their nearest centres, or a clusterer's own `predict`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError
from ...libraries import one_openmp_thread
from ..rows.blocks import Floats, Ints, Rows
from ..rows.metric import Metric
from .nearest import nearest_center


class Labeler(Protocol):
    """Finds the clusters of rows."""

    def label(self, rows: Rows) -> tuple[NDArray[np.integer[Any]], float]:
        """Cluster of each row, shape (m,), and the inertia: NaN where there are no centres."""


class NearestCenter(NamedTuple):
    """Labels rows by their nearest centre, which is given in coordinates of the metric."""

    centers: Floats
    metric: Metric = Metric()

    def label(self, rows: Rows) -> tuple[NDArray[np.int32], float]:
        """Cluster of each row, and the sum of the squared distances."""
        return nearest_center(rows, self.centers, self.metric)


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
