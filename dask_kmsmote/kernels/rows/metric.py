"""What distances are measured in: standard deviations of the features, or the units of X.

A feature's standard deviation is that of sampled rows, and 1 where these are all equal. The metric
is applied to a block where distances are measured on it, so X is not held twice, and what is made
of rows is made of the rows themselves. Rows are divided and not centred: distances are differences,
and sparse rows stay sparse. Of features with the standard deviations 0.5 and 200,

    rows of X             (1, 300) and (2, 500)
    in the metric         (2, 1.5) and (4, 2.5)
    their distance        sqrt(2 ** 2 + 1 ** 2)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...planning.cuts import block_rows
from .blocks import Floats, Rows, as_dense, columns_of, is_sparse

SPREAD_ROWS = 20_000  # least of a sample, where there are as many
_SPREAD_BYTES = 64 * 2**20


class Metric(NamedTuple):
    """How rows are measured.

    Attributes
    ----------
    scales
        What each feature is divided by, shape (n_features,), > 0; None in the units of X.
    """

    scales: Floats | None = None

    def dense(self, rows: Rows) -> Floats:
        """The rows as `as_dense` has them, in the metric; not a copy in the units of X."""
        found = as_dense(rows)
        if self.scales is None:
            return found
        # in place where it must be a copy: of float64 it may be a view, also as another object
        is_copy = is_sparse(rows) or rows.dtype != np.float64
        return np.divide(found, self.scales, out=found if is_copy else None)

    def rows(self, rows: Rows) -> Any:
        """The rows in their own format, in the metric; floats of 32 bits stay such."""
        if self.scales is None:
            return rows
        dtype = np.dtype(np.float32 if rows.dtype == np.float32 else np.float64)
        if not is_sparse(rows):
            out = np.empty(rows.shape, dtype=dtype)
            # quotients in float64 and then of the type, some at a time
            return np.divide(rows, self.scales, out=out, casting="unsafe")  # type: ignore[call-overload] # not sparse
        scaled = rows.astype(dtype)  # a copy, also of what is of the type
        scaled.data = (scaled.data / self.scales[columns_of(scaled)]).astype(dtype, copy=False)
        return scaled

    def scales_of(self, n_features: int) -> Floats:
        """What each feature is divided by, 1 in the units of X."""
        return np.ones(n_features) if self.scales is None else self.scales


def standard(deviations: Floats) -> Metric:
    """The metric of standard deviations; 1 for a feature that does not vary, or not finitely."""
    usable = np.isfinite(deviations) & (deviations > 0)
    return Metric(np.where(usable, deviations, 1.0))


def measure_deviations(sample: Rows) -> Floats:
    """Standard deviation of each feature over some rows, exactly 0 of equal values.

    At most so many rows are looked at as fill 64 MiB, or 20,000 where that is more.
    """
    if sample.shape[0] == 0:
        return np.zeros(sample.shape[1])
    most = max(SPREAD_ROWS, block_rows(sample.shape[1], _SPREAD_BYTES))
    rows = sample[:: -(-sample.shape[0] // most)]
    with np.errstate(all="ignore"):
        return _sparse_deviations(rows) if is_sparse(rows) else _dense_deviations(rows)


def _dense_deviations(rows: Any) -> Floats:
    low = rows.min(axis=0).astype(np.float64)
    span = rows.max(axis=0) - low
    # over the range: equal values are 0 and not what a mean rounds to, small squares do not vanish
    within = (rows - low) / np.where(span > 0, span, 1.0)
    # of long doubles, too, which the loops that measure do not know
    return np.asarray(within.std(axis=0) * span, dtype=np.float64)


def _sparse_deviations(rows: Any) -> Floats:
    n, n_features = rows.shape
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    columns, values = columns_of(rows), rows.data.astype(np.float64)
    peak = np.zeros(n_features)
    np.maximum.at(peak, columns, np.abs(values))
    # over the largest: equal values are 1, whose mean is exact, and small squares do not vanish
    values = values / np.where(peak > 0, peak, 1.0)[columns]
    mean = np.bincount(columns, values, n_features) / n
    # what is not stored is 0, which lies as far from the mean as that is large
    n_zeros = n - np.bincount(columns, minlength=n_features)
    squares = np.bincount(columns, (values - mean[columns]) ** 2, n_features) + n_zeros * mean**2
    return np.asarray(np.sqrt(squares / n) * peak)
