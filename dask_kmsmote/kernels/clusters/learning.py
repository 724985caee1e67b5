"""Learning clusters from rows that fit in one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...libraries import on_one_thread
from ...planning.cuts import block_rows
from ..rows.blocks import Floats, Rows, as_dense
from ..rows.metric import Metric
from .starts import columns_of, come_to_rest, spread_out

Reals = NDArray[np.floating[Any]]

_START_ROWS = 20_000
# from a start on so many, 2 passes come to scikit-learn's inertia (at 8, 50, 200 clusters)
_START_ROWS_PER_CLUSTER = 100
_REFINING_FACTOR = 10
_BYTES, _INDICATOR_BYTES = 64 * 2**20, 16 * 2**20  # of the sample to refine on
_REFINING_PASSES = 10
# of starts on the smaller sample, and of the best of them: of 20,000 rows, 3 starts come within
# 0.6 % of the inertia of the best of 8 at rest, as a mean over ten sets, in a fifth of the time
_RUNS = 3, 12
_RUN_ROWS = 8_000  # of all runs together, but for the least: 1,000 rows have 8
_TRIAL_PASSES = 5
_PASSES = 20
_TOLERANCE = 1e-4  # of the variance, as scikit-learn's


def start_size(n_clusters: int) -> int:
    """Rows of the sample that starting centres are found on."""
    return max(_START_ROWS, _START_ROWS_PER_CLUSTER * n_clusters)


def count_runs(n_rows: int) -> int:
    """Starts that are tried on a sample: more of a small one, which has as many local minima."""
    least, most = _RUNS
    return min(most, max(least, _RUN_ROWS // n_rows))


def refining_size(n_clusters: int, width: int) -> int:
    """Rows of the sample that starting centres are refined on; fewer where they are wide."""
    return min(_REFINING_FACTOR * start_size(n_clusters), _fitting(n_clusters, width, _BYTES))


def indicated_size(n_clusters: int, width: int) -> int:
    """The same where they have indicators, which are wider than the rows that they are made of."""
    return max(start_size(n_clusters), _fitting(n_clusters, width, _INDICATOR_BYTES))


def _fitting(n_clusters: int, width: int, n_bytes: int) -> int:
    return max(block_rows(width, n_bytes), 10 * n_clusters)


class Extent(NamedTuple):
    """Mean of some coordinates, shape (width,), and variance, its mean over them."""

    mean: Floats
    variance: float


def coordinate_dtype(with_indicators: bool) -> np.dtype[Any]:
    """Of what centres are learned from: 32 bits with indicators, which are many.

    Sums over rows are of 64 bits all the same.
    """
    return np.dtype(np.float32 if with_indicators else np.float64)


def coordinates_of(rows: Rows, metric: Metric) -> Reals:
    """Coordinates of a sample, dense."""
    dtype = coordinate_dtype(metric.indicators.n_categorical > 0)
    coordinates = metric.coordinates(rows)
    return as_dense(coordinates) if dtype == np.float64 else coordinates.astype(dtype, copy=False)


def measure_extent(sample: Reals) -> Extent:
    """Mean and variance of the coordinates of a sample."""
    variances = sample.var(axis=0, dtype=np.float64)
    return Extent(sample.mean(axis=0, dtype=np.float64), float(variances.mean()))


class Start(NamedTuple):
    """Centres to start from, shape (n_clusters, width), and their inertia on the sample."""

    centers: Floats
    inertia: float


def count_distinct(rows: Reals, enough: int) -> int:
    """Rows that differ, up to so many."""
    # one column mostly tells, and sorts in a hundredth of the time of whole rows
    if len(np.unique(rows[:, 0])) >= enough:
        return enough
    return min(enough, len(np.unique(rows, axis=0)))


def find_start(sample: Reals, n_distinct: int, n_clusters: int, n_runs: int, seed: int) -> Start:
    """The best centres of a few of Lloyd's passes over a sample, started several times.

    Where the sample has fewer distinct rows than clusters, the last centre is repeated; the
    repeats stay empty.
    """
    rng, columns, limit = np.random.RandomState(seed), columns_of(sample), _limit(sample)
    starts = [
        come_to_rest(columns, spread_out(columns, n_distinct, rng), _TRIAL_PASSES, limit)
        for _ in range(n_runs)
    ]
    centers, inertia = min(starts, key=lambda start: start[1])
    repeats = np.repeat(centers[-1:], n_clusters - n_distinct, axis=0)
    return Start(np.vstack([centers, repeats]), inertia)


def refine_best(starts: Sequence[Start], small: Reals, large: Reals | None) -> Floats:
    """Centres of the least inertia (the first of equals), brought to rest, refined on more rows."""
    centers = min(starts, key=lambda start: start.inertia).centers
    for sample, passes in ((small, _PASSES), (large, _REFINING_PASSES)):
        if sample is not None:
            centers, _ = come_to_rest(columns_of(sample), centers, passes, _limit(sample))
    return centers


def _limit(sample: Reals) -> float:
    return _TOLERANCE * measure_extent(sample).variance


def fit_clusterer(estimator: Any, rows: Rows, metric: Metric) -> Any:
    """The estimator, fitted on the coordinates of rows.

    In one process, on one thread: the same bits anywhere.
    """
    # float32 distances may overflow: the mean distance shows it, and is refused
    with on_one_thread(), np.errstate(over="ignore"):
        estimator.fit(metric.coordinates(rows))
    return estimator


def labels_between(fitted: Any, start: int, stop: int) -> Any:
    """Labels that a fit gave to some of its rows."""
    return fitted.labels_[start:stop]
