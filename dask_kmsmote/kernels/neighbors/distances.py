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

from ..compiled import compiled, inlined
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
    room = _room_for(rows)
    total = _scan(rows, rows, kinds, nearest, nearest, first, first, True, room)
    return total, nearest


def pairs_block(
    left: Floats, right: Floats, kinds: Kinds, k: int, first_left: int, first_right: int
) -> tuple[float, Nearest, Nearest]:
    """Sum of the distances between two blocks, and the k nearest of each in the other."""
    near_left, near_right = nothing_found(len(left), k), nothing_found(len(right), k)
    room = _room_for(right)
    total = _scan(left, right, kinds, near_left, near_right, first_left, first_right, False, room)
    return total, near_left, near_right


class _Room(NamedTuple):
    """What a scan works in, made here: numpy's functions take long to compile."""

    tile: Floats
    squared: Floats
    sums: Floats
    worst: Floats


def _room_for(right: Floats) -> _Room:
    tile = np.empty((right.shape[1], TILE))
    return _Room(tile, np.empty(TILE), np.zeros(TILE), np.full(len(right), np.inf))


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


@inlined
def insert(nearest, row, distance, index):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - numba types it
    """Put a row into another's list of nearest rows, in place of its last."""
    squared, indices = nearest.squared, nearest.indices
    rank = squared.shape[1] - 1
    # a row that comes later stands behind all that are as near
    while rank > 0 and squared[row, rank - 1] > distance:
        squared[row, rank] = squared[row, rank - 1]
        indices[row, rank] = indices[row, rank - 1]
        rank -= 1
    squared[row, rank] = distance
    indices[row, rank] = index


@inlined
def squared_to_tile(row, tile, low, high, n_numbers, penalty, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - numba types it
    """Squared distances of a point to the columns [low, high) of a tile, which are unsigned.

    The penalty, of the type of the tile, is that of a category that differs.
    """
    # columns that might be negative would keep the loops scalar, and a slice of each feature takes
    # long to compile; four features at a time: the sum stays in a register, in the same order
    nothing = penalty - penalty  # of its type
    for column in range(low, high):
        out[column] = nothing
    whole = n_numbers - n_numbers % 4
    for feature in range(0, whole, 4):
        v0, v1, v2, v3 = row[feature], row[feature + 1], row[feature + 2], row[feature + 3]
        c0, c1, c2, c3 = tile[feature], tile[feature + 1], tile[feature + 2], tile[feature + 3]
        for column in range(low, high):
            d0, d1 = v0 - c0[column], v1 - c1[column]
            d2, d3 = v2 - c2[column], v3 - c3[column]
            out[column] = (((out[column] + d0 * d0) + d1 * d1) + d2 * d2) + d3 * d3
    for feature in range(whole, n_numbers):
        v0, c0 = row[feature], tile[feature]
        for column in range(low, high):
            d0 = v0 - c0[column]
            out[column] += d0 * d0
    # no branch: a comparison is a mask of the penalty
    n_features = row.shape[0]
    whole = n_features - (n_features - n_numbers) % 4
    for feature in range(n_numbers, whole, 4):
        v0, v1, v2, v3 = row[feature], row[feature + 1], row[feature + 2], row[feature + 3]
        c0, c1, c2, c3 = tile[feature], tile[feature + 1], tile[feature + 2], tile[feature + 3]
        for column in range(low, high):
            d0 = nothing if v0 == c0[column] else penalty
            d1 = nothing if v1 == c1[column] else penalty
            d2 = nothing if v2 == c2[column] else penalty
            d3 = nothing if v3 == c3[column] else penalty
            out[column] = (((out[column] + d0) + d1) + d2) + d3
    for feature in range(whole, n_features):
        v0, c0 = row[feature], tile[feature]
        for column in range(low, high):
            out[column] += nothing if v0 == c0[column] else penalty


@inlined
def count_below(squared, worst, low, high, bound, first):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - numba types it
    """Pairs of the columns [low, high) that are nearer than the worst neighbour of either row."""
    hits = 0
    for column in range(low, high):
        hits += (squared[column] < bound) | (squared[column] < worst[first + column])
    return hits


@inlined
def _offer(near_left, near_right, squared, worst, low, high, i, first, from_left, from_right):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    last = near_left.squared.shape[1] - 1
    for at in range(low, high, STRIP):
        end = min(at + STRIP, high)
        # a vectorised look first: few strips have anything to insert
        if count_below(squared, worst, at, end, near_left.squared[i, last], first) == 0:
            continue
        for column in range(at, end):
            distance, j = squared[column], first + column
            if distance < near_left.squared[i, last]:
                insert(near_left, i, distance, from_right + np.int64(j))
            if distance < worst[j]:
                insert(near_right, j, distance, from_left + i)
                worst[j] = near_right.squared[j, last]


@compiled
def _scan(left, right, kinds, near_left, near_right, from_left, from_right, within, room):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    # 25,000 x 18 on one core: 0.5 s for sum and neighbours together; scikit-learn's neighbours
    # alone take 1.3 s, and the distances by a matrix product 2.4 s.
    # a sum for each column: they add side by side, and in an order that is always the same
    tile, squared, sums, worst = room.tile, room.squared, room.sums, room.worst
    for start in range(0, len(right), TILE):
        width = min(TILE, len(right) - start)
        for column in range(width):
            for feature in range(right.shape[1]):
                tile[feature, column] = right[start + column, feature]
        first, high = np.uint64(start), np.uint64(width)
        for i in range(min(start + width, len(left)) if within else len(left)):
            # each pair once: in the tile from 1024 on, row 1030 meets columns 7 (row 1031) and up.
            # a row is offered all others in ascending order, those before it as a column, those
            # behind it as the left row: `insert` needs that to keep equal distances in row order
            low = np.uint64(i + 1 - start if within and i >= start else 0)
            squared_to_tile(left[i], tile, low, high, kinds.n_numbers, kinds.penalty, squared)
            for column in range(low, high):
                sums[column] += np.sqrt(squared[column])
            if near_left.squared.shape[1] > 0:
                _offer(near_left, near_right, squared, worst, low, high, i, first,
                       from_left, from_right)  # fmt: skip
    total = 0.0
    for column in range(TILE):
        total += sums[column]
    return total
