"""All pairs of a group in one pass: the sum of their distances and the nearest rows.

The mean distance and the nearest neighbours look at the same pairs, so one loop finds both, and
no m x m matrix is made. A tile of 1,024 rows is held by column; the squared differences of one
row to the tile are added up feature by feature, which vectorises over the tile and gives the same
bits on any machine (no reassociation, no fused multiply-add). Each pair is looked at once and
offered to both of its rows. Equal distances are kept in row order.

`*_diag` takes the pairs within a block, `*_block` those between two; their results combine.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TILE = 1024


class Nearest(NamedTuple):
    """The k nearest rows of each of m rows.

    Attributes
    ----------
    squared
        Squared distances, ascending, shape (m, k).
    indices
        Row numbers, shape (m, k); -1 where there is none.
    """

    squared: Floats
    indices: Ints


def pairs_diag(rows: Floats, k: int, first: int = 0) -> tuple[float, Nearest]:
    """Sum of the distances of the m (m - 1) / 2 pairs of `rows`, and the k nearest of each.

    Parameters
    ----------
    rows
        Shape (m, n_features), C-contiguous.
    k
        Neighbours to find, >= 0.
    first
        Number of the first row.
    """
    squared, indices = _unknown(len(rows), k)
    total = _scan(rows, rows, squared, indices, squared, indices, first, first, True)
    return total, Nearest(squared, indices)


def pairs_block(
    left: Floats, right: Floats, k: int, first_left: int, first_right: int
) -> tuple[float, Nearest, Nearest]:
    """Sum of the distances between two blocks, and the k nearest of each in the other."""
    near_left, near_right = _unknown(len(left), k), _unknown(len(right), k)
    total = _scan(left, right, *near_left, *near_right, first_left, first_right, False)
    return total, Nearest(*near_left), Nearest(*near_right)


def merge_nearest(parts: list[Nearest]) -> Nearest:
    """The k nearest of all parts, equal distances in the order of their row numbers."""
    squared = np.concatenate([part.squared for part in parts], axis=1)
    indices = np.concatenate([part.indices for part in parts], axis=1)
    k = parts[0].indices.shape[1]
    order = np.lexsort((indices, squared), axis=1)[:, :k]
    return Nearest(
        np.take_along_axis(squared, order, axis=1), np.take_along_axis(indices, order, axis=1)
    )


def _unknown(m: int, k: int) -> tuple[Floats, Ints]:
    return np.full((m, k), np.inf), np.full((m, k), -1, dtype=np.int64)


@numba.njit(nogil=True, cache=True)
def _insert(squared: Floats, indices: Ints, distance: float, index: int) -> None:
    place = len(squared) - 1
    while place > 0 and squared[place - 1] > distance:
        squared[place] = squared[place - 1]
        indices[place] = indices[place - 1]
        place -= 1
    squared[place] = distance
    indices[place] = index


@numba.njit(nogil=True, cache=True)
def _squared_to_tile(row: Floats, tile: Floats, low: int, high: int, out: Floats) -> None:
    for place in range(low, high):
        difference = row[0] - tile[0, place]
        out[place] = difference * difference
    for feature in range(1, len(row)):
        value = row[feature]
        column = tile[feature]
        for place in range(low, high):
            difference = value - column[place]
            out[place] += difference * difference


@numba.njit(nogil=True, cache=True)
def _scan(left, right, sq_left, at_left, sq_right, at_right, first_left, first_right, diagonal):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    k = sq_left.shape[1]
    sums = np.zeros(TILE)
    squared = np.empty(TILE)
    tile = np.empty((right.shape[1], TILE))
    worst_left = np.full(len(left), np.inf)
    worst_right = worst_left if diagonal else np.full(len(right), np.inf)
    for start in range(0, len(right), TILE):
        width = min(TILE, len(right) - start)
        for place in range(width):
            for feature in range(right.shape[1]):
                tile[feature, place] = right[start + place, feature]
        for i in range(min(start + width, len(left)) if diagonal else len(left)):
            low = max(i + 1 - start, 0) if diagonal else 0
            _squared_to_tile(left[i], tile, low, width, squared)
            for place in range(low, width):
                sums[place] += np.sqrt(squared[place])
            if k == 0:
                continue
            worst = worst_left[i]
            for place in range(low, width):
                distance = squared[place]
                j = start + place
                if distance < worst:
                    _insert(sq_left[i], at_left[i], distance, first_right + j)
                    worst = sq_left[i, k - 1]
                if distance < worst_right[j]:
                    _insert(sq_right[j], at_right[j], distance, first_left + i)
                    worst_right[j] = sq_right[j, k - 1]
            worst_left[i] = worst
    return sums.sum()
