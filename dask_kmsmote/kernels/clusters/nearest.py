"""The nearest centre of each row, by the differences themselves; equal ones go to the lower centre.

The usual ``|x|^2 - 2 x c + |c|^2`` is a matrix product, whose last bits depend on where a row
stands in its block. Here each row is computed alone, so that its centre does not depend on the
chunks. Most rows need no differences, though: a screen of 32 bits tells how much nearer the first
centre is than the next, and where that is more than the screen may be wrong by, it is the nearest.
The rows that are left are settled by their differences, feature by feature in 64 bits. So labels
are those of the differences, on any machine.

With a row a and a centre c, less a middle of the centres and in a unit in which no number of any
c exceeds 1, centres are ordered by

    |c|^2 - 2 a c + what the row's categories add

These are n + 1 terms, each rounded n + 4 times at most by u = 2^-24 of it, so that they are wrong
by less than e / 2 * (2 |c|^2 + |a|^2 + what they may add), where e = 4 (n + 4) u has twice what is
needed: for squares of the roundings, and for those of the differences. The screen has (1 - e) |c|^2
for |c|^2, as much less as a centre's own length makes doubtful: a far one makes no others so. The
first is sure where the next is farther by more than

    e (2 |c|^2 + |a|^2 + what categories may add)
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..rows.blocks import Floats, Rows, dense_pieces
from ..rows.metric import Metric

Floats32 = NDArray[np.float32]

_LEAST_TILE, _MOST_TILE = 16, 256  # rows
_TILE_BYTES = 2**20
# of rows and centres: their differences take a millisecond, and the screen would be compiled
_FEW_PAIRS = 2**16
_OPEN = -1  # label of a row that the screen is not sure of
_SPREADS = 1e-100, 1e100  # of centres: beyond, squares or bounds overflow or vanish
_MOST_TERMS = 2**20
# more than all numbers that vanish in 32 bits come to
_TINY = np.float32(1e-30)


def nearest_center(rows: Rows, centers: Floats, metric: Metric) -> tuple[NDArray[np.int32], float]:
    """Nearest of the centres for each row, and the sum of the squared distances.

    Parameters
    ----------
    rows
        Shape (m, n_features), in the units of X.
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
    return _labelled(rows, centers, metric, True)


def nearest_labels(rows: Rows, centers: Floats, metric: Metric) -> NDArray[np.int32]:
    """The labels of `nearest_center` alone, which take a third less time."""
    return _labelled(rows, centers, metric, False)[0]


def _labelled(
    rows: Rows, centers: Floats, metric: Metric, is_measured: bool
) -> tuple[NDArray[np.int32], float]:
    m, n_features = rows.shape
    n_numbers, n_categorical = metric.kinds(n_features).n_numbers, metric.indicators.n_categorical
    measure = (metric.scales_of(n_features), metric.fills_of(n_features), *metric.indicators[:2])
    points = np.ascontiguousarray(centers[:, :n_numbers])
    columns = np.ascontiguousarray(points.T)
    with np.errstate(all="ignore"):
        by_indicator = _squared_to_indicators(centers[:, n_numbers:], metric)
    exact = points, columns, by_indicator
    screen = None
    if m * len(centers) > _FEW_PAIRS:
        # of centres that are too large or no numbers, no row is sure
        with np.errstate(all="ignore"):
            screen = tuple(_screen_of(columns, by_indicator, n_categorical))
        tile = tuple(_tile_of(n_numbers, n_categorical, len(centers)))
    labels, inertia, start = np.full(m, _OPEN, dtype=np.int32), 0.0, 0
    for piece in dense_pieces(rows):
        own = labels[start : start + len(piece)]
        if screen is not None:
            _label_sure(piece, measure, screen, tile, own)
        inertia = _settle(piece, measure, *exact, is_measured, own, inertia)
        start += len(piece)
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


class _Screen(NamedTuple):
    """The centres as the screen has them.

    Attributes
    ----------
    middle, unit
        What is taken from the numbers of a row, shape (n_numbers,), and what they are multiplied by
        then.
    factors
        Of each centre -2 c, shape (n_clusters, n_numbers), with zeros to whole fours of numbers.
    starts
        Of each centre (1 - e) |c|^2.
    added
        What each indicator adds, shape (width, n_clusters).
    lengths
        Of each centre |c|^2, and the most that categories add to any.
    doubt
        By a row's |a|^2 and its centre's length: how much farther the next must be.
    """

    middle: Floats
    unit: float
    factors: Floats32
    starts: Floats32
    added: Floats32
    lengths: Floats32
    doubt: np.float32


def _screen_of(columns: Floats, by_indicator: Floats, n_categorical: int) -> _Screen:
    n_numbers, n_clusters = columns.shape
    # not the mean, which one far centre takes far from all others
    middle = np.sort(columns, axis=1)[:, n_clusters // 2]
    apart = columns.T - middle
    spread = np.maximum(np.abs(apart).max(initial=0), np.sqrt(by_indicator.max(initial=0)))
    n_terms, (least, most) = n_numbers + n_categorical, _SPREADS
    is_sound = least < spread < most and n_terms < _MOST_TERMS
    unit = float(np.ldexp(1.0, -int(np.frexp(spread)[1]))) if is_sound else 0.0
    apart *= unit
    squares, added = (apart**2).sum(axis=1), by_indicator * unit**2
    e = 4 * (n_terms + 4) * 2.0**-24
    return _Screen(
        middle,
        unit,
        factors=np.pad(-2 * apart, ((0, 0), (0, -n_numbers % 4))).astype(np.float32),
        starts=((1 - e) * squares).astype(np.float32),
        added=added.astype(np.float32),
        lengths=(squares + n_categorical * added.max(initial=0)).astype(np.float32),
        # half as much again as 2 e: it is rounded itself; without a unit, no row is sure
        doubt=np.float32(3 * e if is_sound else np.inf),
    )


class _Tile(NamedTuple):
    """What is known of some rows at a time, overwritten by the next ones.

    Attributes
    ----------
    values
        Their numbers as the screen has them, shape (size, n_numbers).
    columns
        The same by column, shape (n_numbers to whole fours, size).
    added
        What the categories of each row add to each centre, shape (size, n_clusters).
    lengths
        Of each row |a|^2.
    own, first, next
        Where the screen has a centre, and the first and the next of those before it.
    labels
        The first centres.
    """

    values: Floats32
    columns: Floats32
    added: Floats32
    lengths: Floats32
    own: Floats32
    first: Floats32
    next: Floats32
    labels: NDArray[np.int32]


def _tile_of(n_numbers: int, n_categorical: int, n_clusters: int) -> _Tile:
    row_bytes = 4 * (2 * n_numbers + n_clusters)
    size = min(_MOST_TILE, max(_LEAST_TILE, _TILE_BYTES // row_bytes))

    def zeros(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
        return np.zeros(shape, dtype=dtype)

    return _Tile(
        values=zeros(size, n_numbers),
        columns=zeros(n_numbers + -n_numbers % 4, size),
        added=zeros(size, n_clusters if n_categorical else 0),
        lengths=zeros(size),
        own=zeros(size),
        first=zeros(size),
        next=zeros(size),
        labels=zeros(size, dtype=np.int32),
    )


# one function each: parts of it would be compiled twice, for themselves and within it
@compiled
def _label_sure(rows, measure, screen, tile, labels):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912 - numba types it
    scales, fills, codes, number = measure
    middle, unit, factors, starts, added, lengths, doubt = screen
    values, columns, own_added, own_lengths, own, first, after, found = tile
    n_clusters, n_numbers = len(starts), len(middle)
    size, n_categorical = len(own), len(codes) - 1
    for low in range(0, len(rows), size):
        width = min(size, len(rows) - low)
        for i in range(width):
            for f in range(n_numbers):
                value, fill = rows[low + i, f], fills[f]
                # not Python's division, which looks for 0 and keeps the loop scalar
                value = np.divide(fill if np.isnan(value) else value, scales[f])
                values[i, f] = (value - middle[f]) * unit
        # inner loops over rows, which vectorise; behind the last row lie earlier ones
        for i in range(size):
            own_lengths[i], first[i], after[i], found[i] = 0, np.inf, np.inf, 0
        for f in range(n_numbers):
            for i in range(size):
                columns[f, i] = values[i, f]
            for i in range(size):
                own_lengths[i] += columns[f, i] * columns[f, i]
        if n_categorical:
            # once for all centres: in the loops below, each category would be looked up anew
            for i in range(width):
                for c in range(n_clusters):
                    own_added[i, c] = 0
                for f in range(n_categorical):
                    more = added[number[codes[f] + np.int64(rows[low + i, n_numbers + f])]]
                    for c in range(n_clusters):
                        own_added[i, c] += more[c]
        for c in range(n_clusters):
            for i in range(size):
                own[i] = starts[c]
            if n_categorical:
                for i in range(size):
                    own[i] += own_added[i, c]
            # four at a time: the sum stays in a register
            for f in range(0, len(columns), 4):
                for i in range(size):
                    own[i] = (
                        ((own[i] + factors[c, f] * columns[f, i])
                         + factors[c, f + 1] * columns[f + 1, i])
                        + factors[c, f + 2] * columns[f + 2, i]
                    ) + factors[c, f + 3] * columns[f + 3, i]  # fmt: skip
            cluster = np.int32(c)
            for i in range(size):
                distance, before = own[i], first[i]
                is_nearer = distance < before
                other = before if is_nearer else distance
                # min would ask for NaN
                after[i] = other if other < after[i] else after[i]  # noqa: FURB136
                first[i] = distance if is_nearer else before
                found[i] = cluster if is_nearer else found[i]
        for i in range(width):
            enough = doubt * (own_lengths[i] + lengths[found[i]]) + _TINY
            # not so of what is not a number, or infinite
            labels[low + i] = found[i] if after[i] - first[i] > enough else _OPEN


@compiled
def _settle(rows, measure, points, columns, by_indicator, is_measured, labels, inertia):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912 - numba types it
    scales, fills, codes, number = measure
    n_numbers, n_clusters = columns.shape
    n_categorical = len(codes) - 1
    values, squared = np.empty(n_numbers), np.empty(n_clusters)
    for i in range(len(rows)):
        if labels[i] != _OPEN and not is_measured:
            continue
        for f in range(n_numbers):
            value, fill = rows[i, f], fills[f]
            values[f] = np.divide(fill if np.isnan(value) else value, scales[f])
        known, own = labels[i], 0.0
        if known != _OPEN:
            for f in range(n_numbers):
                difference = values[f] - points[known, f]
                own += difference * difference
            for f in range(n_categorical):
                own += by_indicator[number[codes[f] + np.int64(rows[i, n_numbers + f])], known]
            # in row order within the block: with other chunks its last bits differ, the labels not
            inertia += own
            continue
        # the inner loops run over the centres, which are contiguous: they vectorise, and each sum
        # is still added up feature by feature
        for c in range(n_clusters):
            squared[c] = 0
        for f in range(n_numbers):
            for c in range(n_clusters):
                difference = values[f] - columns[f, c]
                squared[c] += difference * difference
        for f in range(n_categorical):
            indicator = number[codes[f] + np.int64(rows[i, n_numbers + f])]
            for c in range(n_clusters):
                squared[c] += by_indicator[indicator, c]
        best = 0
        for c in range(1, n_clusters):
            if squared[c] < squared[best]:
                best = c
        labels[i] = best
        inertia += squared[best]
    return inertia
