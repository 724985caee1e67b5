"""All pairs of a group in one pass: the sum of their distances and the nearest rows.

The mean distance and the nearest neighbours look at the same pairs, so one loop finds both, and
no m x m matrix is made. A tile of 1,024 rows is held by column; the squared differences of one
row to the tile are added up feature by feature, which vectorises over the tile and gives the same
bits on any machine (no reassociation, no fused multiply-add). A category that differs adds its
penalty. Each pair is looked at once and offered to both of its rows. Equal distances are kept in
row order.

`*_diag` takes the pairs within a block, `*_block` those between two; their results combine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..rows.blocks import Floats, Ints
from ..rows.metric import Kinds

Reals = NDArray[np.floating[Any]]

TILE = 1024  # 144 KiB of 18 features: it stays in the core's cache while all rows pass
STRIP = 64


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


def pairs_diag(rows: Floats, kinds: Kinds, k: int, first: int = 0) -> tuple[float, Nearest]:
    """Sum of the distances of the m (m - 1) / 2 pairs of `rows`, and the k nearest of each.

    Parameters
    ----------
    rows
        Points, shape (m, n_features), C-contiguous.
    kinds
        How they are compared.
    k
        Neighbours to find, >= 0.
    first
        Number of the first row.
    """
    nearest = nothing_found(len(rows), k)
    total = _scan(rows, rows, kinds, *nearest, *nearest, first, first, True)
    return total, nearest


def pairs_block(
    left: Floats, right: Floats, kinds: Kinds, k: int, first_left: int, first_right: int
) -> tuple[float, Nearest, Nearest]:
    """Sum of the distances between two blocks, and the k nearest of each in the other."""
    near_left, near_right = nothing_found(len(left), k), nothing_found(len(right), k)
    total = _scan(left, right, kinds, *near_left, *near_right, first_left, first_right, False)
    return total, near_left, near_right


def merge_nearest(parts: list[Nearest]) -> Nearest:
    """The k nearest of all parts, equal distances in the order of their row numbers."""
    squared = np.concatenate([part.squared for part in parts], axis=1)
    indices = np.concatenate([part.indices for part in parts], axis=1)
    k = parts[0].indices.shape[1]
    order = np.lexsort((indices, squared), axis=1)[:, :k]
    return Nearest(
        np.take_along_axis(squared, order, axis=1), np.take_along_axis(indices, order, axis=1)
    )


def nothing_found(m: int, k: int) -> Nearest:
    """Lists of k rows that none is in yet."""
    return Nearest(np.full((m, k), np.inf), np.full((m, k), -1, dtype=np.int64))


@compiled
def insert(squared: Floats, indices: Ints, distance: float, index: int) -> None:
    """Put a row into a list of nearest rows, in place of its last."""
    rank = len(squared) - 1
    # a row that comes later stands behind all that are as near
    while rank > 0 and squared[rank - 1] > distance:
        squared[rank] = squared[rank - 1]
        indices[rank] = indices[rank - 1]
        rank -= 1
    squared[rank] = distance
    indices[rank] = index


@compiled
def squared_to_tile(row, tile, low, high, n_numbers, penalty, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - numba types it
    """Squared distances of a point to the columns [low, high) of a tile.

    The penalty, of the type of the tile, is that of a category that differs.
    """
    # loops over contiguous slices: an index that might be negative would keep them scalar;
    # four features at a time: the sum stays in a register, in the same order
    out[:] = 0
    whole = n_numbers - n_numbers % 4
    for feature in range(0, whole, 4):
        v0, v1, v2, v3 = row[feature], row[feature + 1], row[feature + 2], row[feature + 3]
        c0, c1 = tile[feature, low:high], tile[feature + 1, low:high]
        c2, c3 = tile[feature + 2, low:high], tile[feature + 3, low:high]
        for column in range(out.shape[0]):
            d0, d1 = v0 - c0[column], v1 - c1[column]
            d2, d3 = v2 - c2[column], v3 - c3[column]
            out[column] = (((out[column] + d0 * d0) + d1 * d1) + d2 * d2) + d3 * d3
    for feature in range(whole, n_numbers):
        v0, c0 = row[feature], tile[feature, low:high]
        for column in range(out.shape[0]):
            d0 = v0 - c0[column]
            out[column] += d0 * d0
    # of a number, and no branch: a comparison is a mask of the penalty
    nothing, n_features = penalty - penalty, row.shape[0]
    whole = n_features - (n_features - n_numbers) % 4
    for feature in range(n_numbers, whole, 4):
        v0, v1, v2, v3 = row[feature], row[feature + 1], row[feature + 2], row[feature + 3]
        c0, c1 = tile[feature, low:high], tile[feature + 1, low:high]
        c2, c3 = tile[feature + 2, low:high], tile[feature + 3, low:high]
        for column in range(out.shape[0]):
            d0 = nothing if v0 == c0[column] else penalty
            d1 = nothing if v1 == c1[column] else penalty
            d2 = nothing if v2 == c2[column] else penalty
            d3 = nothing if v3 == c3[column] else penalty
            out[column] = (((out[column] + d0) + d1) + d2) + d3
    for feature in range(whole, n_features):
        v0, c0 = row[feature], tile[feature, low:high]
        for column in range(out.shape[0]):
            out[column] += nothing if v0 == c0[column] else penalty


@compiled
def _add_roots(squared: Floats, sums: Floats) -> None:
    for column in range(squared.shape[0]):
        sums[column] += np.sqrt(squared[column])


@compiled
def count_below(squared: Reals, worst: float, worst_of: Reals) -> int:
    """Pairs that are nearer than the worst neighbour of either row."""
    hits = 0
    for column in range(squared.shape[0]):
        hits += (squared[column] < worst) | (squared[column] < worst_of[column])
    return hits


@compiled
def _offer(near, worst_of, i, j, sq_left, at_left, sq_right, at_right, left_name, right_name):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    last = sq_left.shape[1] - 1
    for at in range(0, near.shape[0], STRIP):
        strip, limits = near[at : at + STRIP], worst_of[at : at + STRIP]
        # a vectorised look first: few strips have anything to insert
        if count_below(strip, sq_left[i, last], limits) == 0:
            continue
        for column in range(strip.shape[0]):
            distance, other = strip[column], j + at + column
            if distance < sq_left[i, last]:
                insert(sq_left[i], at_left[i], distance, right_name + other)
            if distance < limits[column]:
                insert(sq_right[other], at_right[other], distance, left_name + i)
                limits[column] = sq_right[other, last]


@compiled
def _scan(left, right, kinds, sq_left, at_left, sq_right, at_right, from_left, from_right, within):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    # 25,000 x 18 on one core: 0.5 s for sum and neighbours together; scikit-learn's neighbours
    # alone take 1.3 s, and the distances by a matrix product 2.4 s.
    # a sum for each column: they add side by side, and in an order that is always the same
    sums, squared = np.zeros(TILE), np.empty(TILE)
    tile = np.empty((right.shape[1], TILE))
    worst = np.full(len(right), np.inf)
    for start in range(0, len(right), TILE):
        width = min(TILE, len(right) - start)
        tile[:, :width] = right[start : start + width].T
        for i in range(min(start + width, len(left)) if within else len(left)):
            # each pair once: in the tile from 1024 on, row 1030 meets columns 7 (row 1031) and up.
            # a row is offered all others in ascending order, those before it as a column, those
            # behind it as the left row: `insert` needs that to keep equal distances in row order
            low = max(i + 1 - start, 0) if within else 0
            near = squared[low:width]
            squared_to_tile(left[i], tile, low, width, kinds[0], kinds[1], near)
            _add_roots(near, sums[low:width])
            if sq_left.shape[1] > 0:
                j = start + low
                limits = worst[j : start + width]
                _offer(near, limits, i, j, sq_left, at_left, sq_right, at_right,
                       from_left, from_right)  # fmt: skip
    return sums.sum()
