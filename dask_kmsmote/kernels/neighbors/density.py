"""Mean distance and neighbours of a group, put together from the pairs of its ranges.

A group is cut into ranges, and every two of them are one task: of three ranges A, B, C the pairs
are AA, AB, AC, BB, BC, CC. Each looks at all pairs of rows of its two ranges once, sums their
distances and offers each row to the lists of the other. Range B's neighbours are the best of what
AB (as its right side), BB and BC (as its left) found; the sum of a pair is counted at its left
range alone, so that AB is not counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import InputError
from ..groups.picking import Moments, join_moments
from ..groups.pieces import GroupRows
from ..rows.blocks import Ints, stack
from ..rows.metric import Metric
from .distances import Nearest, merge_nearest, pairs_block, pairs_diag
from .search import search

_NO_NEIGHBORS = np.empty((0, 0), dtype=np.int64)


class Density(NamedTuple):
    """What the weights and the synthesis need to know of a group.

    Attributes
    ----------
    mean_distance, standard_error
        Of all pairs of its rows, in the metric.
    neighbors
        Rows of the group nearest to each of its rows, nearest first, shape (m, k).
    """

    mean_distance: float
    standard_error: float
    neighbors: Ints


class Range(NamedTuple):
    """Rows [start, stop) of a group, which begin at `offset` in the block that holds them."""

    start: int
    stop: int
    offset: int

    def of(self, block: GroupRows) -> Any:
        """Those rows."""
        return block.rows[self.offset : self.offset + self.stop - self.start]


class Pairs(NamedTuple):
    """All pairs of two ranges of a group: the sum of distances, and the nearest rows of each."""

    left: Range
    right: Range
    total: float
    near_left: Nearest
    near_right: Nearest


def measure_pairs(
    left: GroupRows, right: GroupRows, a: Range, b: Range, k: int, metric: Metric
) -> Pairs:
    """All pairs of two ranges, or within one where they are the same."""
    first = metric.points(a.of(left))
    kinds = metric.kinds(first.shape[1])
    if a == b:
        total, nearest = pairs_diag(first, kinds, k, a.start)
        return Pairs(left=a, right=b, total=total, near_left=nearest, near_right=nearest)
    total, near_left, near_right = pairs_block(
        first, metric.points(b.of(right)), kinds, k, a.start, b.start
    )
    return Pairs(left=a, right=b, total=total, near_left=near_left, near_right=near_right)


class RangeNearest(NamedTuple):
    """Nearest rows of a range by some of its pairs, and the sum of those it is the left of."""

    total: float
    nearest: Nearest


def collect_range(own: Range, pairs: Sequence[Pairs]) -> RangeNearest:
    """What some pairs of ranges, all with this one, say of it."""
    total = float(np.sum([part.total for part in pairs if part.left == own]))
    near = [part.near_left if part.left == own else part.near_right for part in pairs]
    return RangeNearest(total, merge_nearest(near))


def merge_range(parts: Sequence[RangeNearest]) -> RangeNearest:
    """The same from all pairs, given parts of them."""
    total = float(np.sum([part.total for part in parts]))
    return RangeNearest(total, merge_nearest([part.nearest for part in parts]))


def from_pairs(ranges: Sequence[RangeNearest], m: int) -> Density:
    """Density of a group of m rows from all pairs of its ranges."""
    total = float(np.sum([part.total for part in ranges]))
    neighbors = np.concatenate([part.nearest.indices for part in ranges])
    return Density(total / (m * (m - 1) / 2), 0.0, neighbors)


def of_one_range(block: GroupRows, m: int, k: int, metric: Metric) -> Density:
    """Density of a group whose m rows are one range of one block."""
    own = Range(0, m, 0)
    pairs = measure_pairs(block, block, own, own, k, metric)
    return from_pairs([collect_range(own, [pairs])], m)


def from_sample(moments: Sequence[Moments], nearest: Sequence[Nearest]) -> Density:
    """Density from sampled pairs, and from the neighbours found in each block, if any.

    Raises
    ------
    InputError
        A row has fewer neighbours than wanted, as distances to it are not finite.
    """
    # sampled pairs may miss the rows that are too far away: only the lists tell
    found = np.concatenate([part.indices for part in nearest] or [_NO_NEIGHBORS])
    if (found < 0).any():
        raise InputError(
            "Squared distances between some rows overflow float64: rescale X, e.g. with "
            "sklearn.preprocessing.StandardScaler."
        )
    return Density(*join_moments(moments), found)


def with_neighbors(density: Density, neighbors: Ints) -> Density:
    """The same with neighbours from elsewhere."""
    return density._replace(neighbors=neighbors)


def searched(
    estimator: Any, blocks: Sequence[GroupRows], others: Callable[[Ints], Ints], metric: Metric
) -> Ints:
    """Neighbours by the user's search object, which sees coordinates of the whole group.

    `others` leaves each row itself out of what was found for it.
    """
    return others(search(estimator, metric.coordinates(stack([block.rows for block in blocks]))))


def by_matrix(blocks: Sequence[GroupRows], metric: Metric) -> Density:
    """Mean distance by way of the m x m matrix, as imbalanced-learn rounds it; no neighbours.

    The matrix is in the precision of the rows, whose rounding decides whether duplicates are 0
    apart.
    """
    from sklearn.metrics import pairwise_distances

    rows = metric.coordinates(stack([block.rows for block in blocks]))
    # an overflow shows in the mean, and is refused there
    with np.errstate(over="ignore"):
        distances = pairwise_distances(rows, metric="euclidean")
        np.fill_diagonal(distances, 0)
        mean = float(distances.sum() / (rows.shape[0] ** 2 - rows.shape[0]))
    return Density(mean, 0.0, _NO_NEIGHBORS)


def mean_distances(densities: Sequence[Density]) -> list[tuple[float, float]]:
    """The numbers of some densities that the client needs."""
    return [(density.mean_distance, density.standard_error) for density in densities]
