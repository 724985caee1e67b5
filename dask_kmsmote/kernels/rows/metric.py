"""The one metric: what the distance of two rows is, in the numbers and in the categories.

    |a - b|^2 = sum over numbers ((a_f - b_f) / s_f)^2 + weight^2 * (categories that differ)

s_f is the standard deviation of sampled rows, 1 where these are all equal, or 1 for all in the
units of X. A missing number stands at its feature's mean. The metric is applied to a block where
distances are measured on it, so X is not held twice, and what is made of rows is made of the rows
themselves. Rows are divided and not centred: distances are differences, and sparse rows stay
sparse. Of two numbers with the standard deviations 0.5 and 200, and a category of weight 1,

    rows of X        (1, 300, red) and (2, 500, blue), whose codes are 1 and 0
    points           (2, 1.5, 1) and (4, 2.5, 0)
    their distance   sqrt(2 ** 2 + 1 ** 2 + 1 ** 2)

Where codes can't be compared, as in the mean of a cluster, rows have coordinates: a category is an
indicator of weight / sqrt(2), so that two of them are `weight` apart. A feature has at most
`MOST_INDICATORS`; its rarest categories share the last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...planning.cuts import block_rows, offsets
from ..compiled import compiled
from .blocks import Floats, Ints, Rows, as_dense, columns_of, is_sparse

SPREAD_ROWS = 20_000  # least of a sample, where there are as many
MOST_INDICATORS = 32
_SPREAD_BYTES = 64 * 2**20


class Kinds(NamedTuple):
    """How two points are compared: the first features by difference, the others by equality.

    Attributes
    ----------
    n_numbers
        Features of numbers, which come before the categories.
    penalty
        Squared distance of two different categories.
    """

    n_numbers: int
    penalty: float = 0.0


class Indicators(NamedTuple):
    """Which indicator each category of some features has.

    Attributes
    ----------
    codes
        Where the codes of each feature start in `number`, shape (n_categorical + 1,).
    number
        Of each feature and code its indicator, counted over all features.
    firsts
        The first indicator of each feature, and their number: shape (n_categorical + 1,).
    """

    codes: Ints
    number: Ints
    firsts: Ints

    @property
    def n_categorical(self) -> int:
        """Features of categories."""
        return len(self.codes) - 1

    @property
    def width(self) -> int:
        """Indicators of all features."""
        return int(self.firsts[-1])


def indicate(counts: list[Ints]) -> Indicators:
    """Indicators of features, from the rows that each of their codes has.

    With at most three, and codes of 5, 9, 1 and 7 rows: 9 and 7 have the indicators 0 and 1, and
    the others share 2, so that the codes 0 to 3 have 2 0 2 1.
    """
    numbers = [_indicators_of(own) for own in counts]
    firsts = np.array(offsets([int(own.max(initial=0)) + 1 for own in numbers]), dtype=np.int64)
    each = [number + first for number, first in zip(numbers, firsts, strict=False)]
    return Indicators(
        codes=np.array(offsets([len(own) for own in counts]), dtype=np.int64),
        number=np.concatenate([np.empty(0, dtype=np.int64), *each]).astype(np.int64),
        firsts=firsts,
    )


def _indicators_of(counts: Ints) -> Ints:
    if np.count_nonzero(counts) <= MOST_INDICATORS:
        # in the order of the codes; one without rows, as that of what is missing, needs none
        return np.asarray(np.maximum(np.cumsum(counts > 0) - 1, 0), dtype=np.int64)
    rank = np.empty(len(counts), dtype=np.int64)
    # of equal counts the lower code first, so that no order of rows matters
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(rank, MOST_INDICATORS - 1)


NO_INDICATORS = indicate([])


class Metric(NamedTuple):
    """How rows are measured.

    Attributes
    ----------
    scales
        What each feature is divided by, shape (n_features,), > 0, and 1 for categories; None in
        the units of X.
    fills
        What a missing number of each feature stands at, in the units of X; None where none is
        missing.
    weight
        Distance of two different categories.
    indicators
        Of the categories, which are the last features.
    """

    scales: Floats | None = None
    fills: Floats | None = None
    weight: float = 0.0
    indicators: Indicators = NO_INDICATORS

    def width(self, n_features: int) -> int:
        """Coordinates of rows of so many features."""
        return n_features - self.indicators.n_categorical + self.indicators.width

    def kinds(self, n_features: int) -> Kinds:
        """How points of so many features are compared."""
        return Kinds(n_features - self.indicators.n_categorical, self.weight**2)

    def points(self, rows: Rows) -> Floats:
        """The rows as `as_dense` has them, in the metric; not a copy in the units of X."""
        found = self.filled(rows)
        if self.scales is None:
            return found
        # in place where it must be a copy: of float64 it may be a view, also as another object
        is_copy = is_sparse(rows) or rows.dtype != np.float64 or self.fills is not None
        return np.divide(found, self.scales, out=found if is_copy else None)

    def filled(self, rows: Rows) -> Floats:
        """The rows dense, missing numbers at what they stand at; in the units of X."""
        dense = as_dense(rows)
        return dense if self.fills is None else np.where(np.isnan(dense), self.fills, dense)

    def coordinates(self, rows: Rows) -> Any:
        """The rows for what knows no codes: numbers in the metric, then indicators.

        Numbers alone keep their format, and floats of 32 bits stay such.
        """
        if self.indicators.n_categorical:
            return self._with_indicators(rows)
        if self.fills is not None:
            rows = self.filled(rows).astype(_float_of(rows))
        if self.scales is None:
            return rows
        dtype = _float_of(rows)
        if not is_sparse(rows):
            out = np.empty(rows.shape, dtype=dtype)
            # quotients in float64 and then of the type, some at a time
            return np.divide(rows, self.scales, out=out, casting="unsafe")  # type: ignore[call-overload] # not sparse
        scaled = rows.astype(dtype)  # a copy, also of what is of the type
        scaled.data = (scaled.data / self.scales[columns_of(scaled)]).astype(dtype, copy=False)
        return scaled

    def _with_indicators(self, rows: Rows) -> Any:
        points = self.points(rows)
        n_numbers, width = self.kinds(points.shape[1]).n_numbers, self.indicators.width
        out = np.empty((len(points), n_numbers + width), dtype=_float_of(rows))
        out[:, :n_numbers] = points[:, :n_numbers]
        self.write_indicators(points, np.zeros(width), out[:, n_numbers:])
        return out

    def write_indicators(self, rows: Any, offset: Floats, out: NDArray[Any]) -> None:
        """Indicators of the rows' categories, minus an offset, shape (m, width)."""
        codes = rows[:, rows.shape[1] - self.indicators.n_categorical :]
        _indicate(codes, *self.indicators[:2], self.height, offset, out)

    @property
    def height(self) -> float:
        """What an indicator is where its category is."""
        return float(self.weight / np.sqrt(2))

    def scales_of(self, n_features: int) -> Floats:
        """What each feature is divided by, 1 in the units of X."""
        return np.ones(n_features) if self.scales is None else self.scales

    def fills_of(self, n_features: int) -> Floats:
        """What a missing number of each feature stands at, in the units of X."""
        return np.zeros(n_features) if self.fills is None else self.fills


@compiled
def _indicate(codes, starts, number, height, offset, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(out)):
        for column in range(out.shape[1]):
            out[i, column] = -offset[column]
        for feature in range(codes.shape[1]):
            column = number[starts[feature] + np.int64(codes[i, feature])]
            out[i, column] += height


def _float_of(rows: Rows) -> np.dtype[Any]:
    return np.dtype(np.float32 if rows.dtype == np.float32 else np.float64)


class Spread(NamedTuple):
    """Of each number over some rows: standard deviation and mean, where it is not missing."""

    deviations: Floats
    means: Floats


def usable(deviations: Floats) -> Floats:
    """What to divide by: 1 for a feature that does not vary, or not finitely."""
    fit = np.isfinite(deviations) & (deviations > 0)
    return np.where(fit, deviations, 1.0)


def measure_spread(sample: Rows, n_numbers: int) -> Spread:
    """Standard deviation of each number over some rows, exactly 0 of equal values, and mean.

    At most so many rows are looked at as fill 64 MiB, or 20,000 where that is more.
    """
    if sample.shape[0] == 0:
        return Spread(np.zeros(n_numbers), np.zeros(n_numbers))
    most = max(SPREAD_ROWS, block_rows(sample.shape[1], _SPREAD_BYTES))
    rows = sample[:: -(-sample.shape[0] // most)]
    with np.errstate(all="ignore"):
        return _sparse_spread(rows) if is_sparse(rows) else _dense_spread(rows[:, :n_numbers])


def _dense_spread(rows: Any) -> Spread:
    is_missing = rows.dtype.kind == "f" and np.isnan(rows).any()
    low, high, mean = (np.fmin, np.fmax, _mean_of_present) if is_missing else _WHOLE
    bottom = low.reduce(rows, axis=0).astype(np.float64)
    span = high.reduce(rows, axis=0) - bottom
    # over the range: equal values are 0 and not what a mean rounds to, small squares do not vanish
    within = (rows - bottom) / np.where(span > 0, span, 1.0)
    middle = mean(within)
    # of long doubles, too, which the loops that measure do not know
    deviations = np.sqrt(mean((within - middle) ** 2)) * span
    means = bottom + middle * span
    return Spread(_known(deviations), _known(means))


def _mean_of_present(values: Any) -> Any:
    present = ~np.isnan(values)
    return np.where(present, values, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)


def _mean(values: Any) -> Any:
    return values.mean(axis=0)


_WHOLE: Any = np.minimum, np.maximum, _mean


def _known(values: Any) -> Floats:
    # of a column without any value
    return np.where(np.isnan(values), 0.0, np.asarray(values, dtype=np.float64))


def _sparse_spread(rows: Any) -> Spread:
    n, n_features = rows.shape
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    present = ~np.isnan(rows.data)
    columns, values = columns_of(rows)[present], rows.data[present].astype(np.float64)
    n_present = n - np.bincount(columns_of(rows)[~present], minlength=n_features)
    peak = np.zeros(n_features)
    np.maximum.at(peak, columns, np.abs(values))
    # over the largest: equal values are 1, whose mean is exact, and small squares do not vanish
    values = values / np.where(peak > 0, peak, 1.0)[columns]
    mean = np.bincount(columns, values, n_features) / n_present
    # what is not stored is 0, which lies as far from the mean as that is large
    n_zeros = n_present - np.bincount(columns, minlength=n_features)
    squares = np.bincount(columns, (values - mean[columns]) ** 2, n_features) + n_zeros * mean**2
    return Spread(_known(np.sqrt(squares / n_present) * peak), _known(mean * peak))
