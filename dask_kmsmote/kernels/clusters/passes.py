"""Lloyd's passes: the rows that are nearest to each centre, summed, and the centres moved to them.

The sums are exact, so that they are the same bits in whatever order rows are added, and centres do
not depend on how the rows are cut into chunks. A number is split into multiples of a few steps, the
next of which takes what the one before left, and each is so large that a float64 holds the sum of
all rows (Demmel and Nguyen, "Fast reproducible floating-point summation", ARITH 2013). Together
they take 60 bits of the largest number: two steps for 1e6 rows, and three for 1e9.

    steps 1, 1/16     2.71 is 3 and -5/16, and 0.0225 is left, for a third step
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from ..rows.blocks import Floats, Ints, Rows, dense_pieces
from ..rows.metric import Metric
from .nearest import nearest_labels

_DIGITS = 52  # of a float64, behind the first
_WANTED_DIGITS = 60  # of the largest number


class Pass(NamedTuple):
    """What one pass asks of each chunk.

    Attributes
    ----------
    centers
        Shape (n_clusters, width), in coordinates of the metric.
    offset
        Where coordinates are summed from, shape (width,).
    roundings
        What numbers are rounded by, see `roundings_for`.
    metric
        What distances are measured in.
    """

    centers: Floats
    offset: Floats
    roundings: Floats
    metric: Metric


class Sums(NamedTuple):
    """Of the rows that are nearest to each centre.

    Attributes
    ----------
    counts
        How many, shape (n_clusters,).
    steps
        Sums of their numbers in the metric minus the offset, by step, shape (n_clusters, n_steps,
        n_numbers).
    indicated
        How many have each indicator, shape (n_clusters, n_indicators).
    """

    counts: Ints
    steps: Floats
    indicated: Ints


def roundings_for(peaks: Floats, n_rows: int) -> Floats:
    """Numbers by which ``(x + r) - r`` rounds x to each of the steps; shape (n_steps, n_numbers).

    Parameters
    ----------
    peaks
        Largest absolute value of each number to be summed.
    n_rows
        How many at most.

    Notes
    -----
    Between 2**e and 2**(e + 1) floats are multiples of 2**(e - 52), and ``1.5 * 2**e + x`` is there
    while x is below 2**(e - 1). The sum of n_rows such multiples of at most 2**e / n_rows each is
    exact, as it is 2**52 of them at most.
    """
    spare = int(n_rows).bit_length() + 1
    # of no number, any step does
    highest = np.frexp(np.where(peaks > 0, peaks, 1.0))[1] + spare
    # what one step leaves is half of it at most
    each = _DIGITS + 1 - spare
    exponents = np.array([highest - step * each for step in range(-(-_WANTED_DIGITS // each))])
    roundings: Floats = np.ldexp(1.5, np.clip(exponents, -900, 1020))
    return roundings


def pass_over(peaks: Floats, n_rows: int, centers: Floats, offset: Floats, metric: Metric) -> Pass:
    """A pass over n_rows rows, of whose numbers, in the units of X, the largest are known."""
    n_numbers = len(peaks)
    scales, fills = (own(n_numbers)[:n_numbers] for own in (metric.scales_of, metric.fills_of))
    # what stands in for what is missing is a mean, which may be rounded up
    peaks = np.maximum(peaks, np.abs(fills)) / scales
    roundings = roundings_for(peaks + np.abs(offset[:n_numbers]), n_rows)
    return Pass(centers, offset, roundings, metric)


def sum_by_center(rows: Rows, asked: Pass) -> Sums:
    """Count and add the rows of a chunk, in the units of X, that are nearest to each centre."""
    metric, n_clusters = asked.metric, len(asked.centers)
    indicators, n_features = metric.indicators, rows.shape[1]
    n_numbers = metric.kinds(n_features).n_numbers
    sums = _nothing(asked, n_clusters, n_numbers)
    # a quotient is divided for in four times the time of a product
    measure = 1 / metric.scales_of(n_features), metric.fills_of(n_features)
    for piece in dense_pieces(rows):
        labels = nearest_labels(piece, asked.centers, metric)
        _add(piece, labels, measure, asked.offset, asked.roundings, indicators[:2], *sums)
    return sums


def _nothing(asked: Pass, n_clusters: int, n_numbers: int) -> Sums:
    indicated = np.zeros((n_clusters, asked.metric.indicators.width), dtype=np.int64)
    steps = np.zeros((n_clusters, len(asked.roundings), n_numbers))
    return Sums(np.zeros(n_clusters, dtype=np.int64), steps, indicated)


@compiled
def _add(rows, labels, measure, offset, roundings, codes, counts, steps, indicated):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    (per_unit, fills), (starts, number) = measure, codes
    n_steps, n_numbers = roundings.shape
    left = np.empty(n_numbers)
    for i in range(len(rows)):
        cluster = labels[i]
        counts[cluster] += 1
        for feature in range(n_numbers):
            value, fill = rows[i, feature], fills[feature]
            value = fill if np.isnan(value) else value
            left[feature] = value * per_unit[feature] - offset[feature]
        for step in range(n_steps):
            sums, rounding = steps[cluster, step], roundings[step]
            for feature in range(n_numbers):
                taken = (left[feature] + rounding[feature]) - rounding[feature]
                sums[feature] += taken
                left[feature] -= taken
        # counted and not added: of 32 categories 31 have nothing to add
        for feature in range(len(starts) - 1):
            code = np.int64(rows[i, n_numbers + feature])
            indicated[cluster, number[starts[feature] + code]] += 1


def merge_sums(parts: Sequence[Sums]) -> Sums:
    """Sums of several chunks."""
    return Sums(*(np.sum(own, axis=0) for own in zip(*parts, strict=True)))


def moved(sums: Sums, asked: Pass) -> Floats:
    """The means of the rows that are nearest to each centre; one without rows stays."""
    counts = sums.counts[:, np.newaxis]
    n = np.maximum(counts, 1)
    # the small ones first
    numbers = sums.steps[:, ::-1].sum(axis=1) / n + asked.offset[: sums.steps.shape[2]]
    indicators = asked.metric.height * (sums.indicated / n)
    return np.where(counts > 0, np.column_stack([numbers, indicators]), asked.centers)


def pass_until(
    move: Callable[[Floats], Floats], centers: Floats, max_iter: int, tolerance: float
) -> tuple[Floats, list[float]]:
    """Centres after some passes, and how far they moved in each, as a sum of squares.

    Parameters
    ----------
    move
        One pass: the centres after it, of those before.
    centers
        To start from.
    max_iter, tolerance
        Most passes, and the movement at which to stop before.
    """
    shifts: list[float] = []
    while len(shifts) < max_iter and (not shifts or shifts[-1] > tolerance):
        found = move(centers)
        shifts.append(float(((found - centers) ** 2).sum()))
        centers = found
    return centers, shifts
