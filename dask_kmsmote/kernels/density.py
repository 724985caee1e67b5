"""Mean distance and neighbours of a group, put together from the pairs of its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import compat
from .blocks import Rows, as_dense, stack
from .distances import Nearest, merge_nearest, pairs_block, pairs_diag
from .neighbors import drop_self, search
from .pieces import GroupRows
from .seeding import Ints


class Density(NamedTuple):
    """What the weights and the synthesis need to know of a group.

    Attributes
    ----------
    mean_distance, standard_error
        Of all pairs of its rows, in units of X.
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

    def of(self, block: GroupRows) -> Rows:
        """Those rows."""
        return block.rows[self.offset : self.offset + self.stop - self.start]


class Pairs(NamedTuple):
    """All pairs of two ranges of a group: the sum of distances, and the nearest rows of each."""

    left: Range
    right: Range
    total: float
    near_left: Nearest
    near_right: Nearest


def measure_pairs(left: GroupRows, right: GroupRows, a: Range, b: Range, k: int) -> Pairs:
    """All pairs of two ranges, or within one where they are the same."""
    first = as_dense(a.of(left))
    if a == b:
        total, nearest = pairs_diag(first, k, a.start)
        return Pairs(a, b, total, nearest, nearest)
    total, near_left, near_right = pairs_block(first, as_dense(b.of(right)), k, a.start, b.start)
    return Pairs(a, b, total, near_left, near_right)


def join_pairs(pairs: Sequence[Pairs], m: int) -> Density:
    """Density of a group of m rows from all pairs of its ranges."""
    total = float(np.sum([part.total for part in pairs]))
    ranges = sorted({part.left for part in pairs})
    neighbors = [merge_nearest(_nearest_of(r, pairs)).indices for r in ranges]
    return Density(total / (m * (m - 1) / 2), 0.0, np.concatenate(neighbors))


def _nearest_of(r: Range, pairs: Sequence[Pairs]) -> list[Nearest]:
    left = [part.near_left for part in pairs if part.left == r]
    return left + [part.near_right for part in pairs if part.right == r and part.left != r]


def with_neighbors(density: Density, neighbors: Ints) -> Density:
    """The same with neighbours from elsewhere."""
    return density._replace(neighbors=neighbors)


def searched(estimator: Any, blocks: Sequence[GroupRows], drop_first: bool) -> Ints:
    """Neighbours by the user's search object, which sees the group whole.

    `drop_first` drops the first column as imbalanced-learn does; else each row's own number.
    """
    found = search(estimator, stack([block.rows for block in blocks]))
    return found[:, 1:] if drop_first else drop_self(found)


def by_matrix(blocks: Sequence[GroupRows]) -> Density:
    """Mean distance as imbalanced-learn rounds it, without neighbours."""
    rows = stack([block.rows for block in blocks])
    return Density(compat.matrix_mean_distance(rows), 0.0, np.empty((0, 0), dtype=np.int64))


def mean_distance(density: Density) -> tuple[float, float]:
    """The numbers of a density that the client needs."""
    return density.mean_distance, density.standard_error
