"""Near rows by random projection trees: all pairs of the rows that share a leaf.

A tree halves the rows along the difference of two of them until leaves are small (Dasgupta and
Freund, "Random projection trees and low dimensional manifolds", STOC 2008). In a leaf each pair
is screened in float32, in units of the leaf's extent; what may be near enough is measured in
float64. A list that one tree has filled is a tight bound for the next, so later trees insert
little. The result depends on the rows, their order and the seed alone.

With few features a k-d tree finds the nearest exactly in less time. Measured on one core, 100,000
rows of one Gaussian, to a recall of 0.96 (k-d tree / forest, s): 2 features 0.14 / 0.1,
4 features 0.31 / 0.1, 6 features 1.4 / 0.35, 8 features 5.3 / 0.4, 12 features 48 / 1.1. Its time
is quadratic in equal rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..compiled import compiled, inlined
from ..rows.blocks import Floats, Ints
from ..rows.metric import Kinds
from .distances import STRIP, Nearest, count_below, insert, nothing_found, squared_to_tile
from .search import drop_self

Singles = NDArray[np.float32]

LEAF_ROWS = 2048  # fewer pairs a tree, but more trees, below; measured best of 512-4,096
_VECTOR = 16  # float32 numbers in the widest registers
EXACT_FEATURES = 4  # up to so many, a k-d tree
_DISTINCT_SHARE = 0.9  # of sampled rows, below which a k-d tree's leaves are too full of equal rows
_DISTINCT_SAMPLE = 4096


def near_rows(
    rows: Floats,
    kinds: Kinds,
    k: int,
    n_trees: int,
    rng: np.random.Generator,
    bounds: Floats | None = None,
) -> Nearest:
    """K rows near each of m rows, the row itself not among them.

    Parameters
    ----------
    rows
        Points, shape (m, n_features), C-contiguous.
    kinds
        How they are compared.
    k
        Rows to find, in [1, m).
    n_trees
        More find nearer rows. Without effect up to `EXACT_FEATURES` features that are all numbers,
        unless many rows are equal.
    rng
        Draws the directions.
    bounds
        Squared distances, shape (m,): trees look for nearer rows alone. Lists that are filled anew
        cost as much as half a tree.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        few = rows.shape[1] <= EXACT_FEATURES and kinds.n_numbers == rows.shape[1]
        if few and _mostly_distinct(rows):
            return _by_kd_tree(rows, k)
        nearest = nothing_found(len(rows), k)
        if bounds is not None:
            nearest.squared[:] = bounds[:, np.newaxis]
        for _ in range(n_trees):
            # halves of more than 4 (k + 1) rows have 2 (k + 1) or more: one tree fills every list
            leaves = grow(rows, kinds, max(LEAF_ROWS, 4 * (k + 1)), rng)
            room = _room_for(rows.shape[1], max(map(len, leaves)))
            for leaf in leaves:
                _scan_leaf(rows, kinds, leaf, nearest, room)
        return nearest


def improve(nearest: Nearest, found: Nearest, at: Ints) -> None:
    """Put what was found for the rows `at` into their lists, each row once."""
    _improve(nearest, found, at)


@compiled
def _improve(nearest, found, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(at)):
        for rank in range(found.squared.shape[1]):
            _offer_once(nearest, at[i], found.squared[i, rank], found.indices[i, rank])


def _mostly_distinct(rows: Floats) -> bool:
    sample = rows[:: max(1, len(rows) // _DISTINCT_SAMPLE)]
    return len(np.unique(sample, axis=0)) >= _DISTINCT_SHARE * len(sample)


def _by_kd_tree(rows: Floats, k: int) -> Nearest:
    _, indices = KDTree(rows).query(rows, k + 1)
    if (indices == len(rows)).any():  # a row without finite distances
        return nothing_found(len(rows), k)
    near = drop_self(indices.astype(np.int64))
    squared = np.empty(near.shape)
    for rank in range(k):
        # half of the tree's distances, squared, have other last bits than other searches find
        squared[:, rank] = ((rows - rows[near[:, rank]]) ** 2).sum(axis=1)
    return Nearest(squared, near)


def grow(rows: Floats, kinds: Kinds, leaf_rows: int, rng: np.random.Generator) -> list[Ints]:
    """Leaves of one tree: the numbers of their rows, ascending."""
    waiting, leaves = [np.arange(len(rows))], []
    while waiting:
        node = waiting.pop()
        if len(node) <= leaf_rows:
            leaves.append(node)
            continue
        left, right = rng.choice(len(node), 2, replace=False)
        along = project(rows, kinds, node, rows[node[left]], rows[node[right]])
        waiting += halve(node, along)
    return leaves


def halve(node: Ints, along: Floats) -> list[Ints]:
    """The rows with the lower projections, and the others; each in the order of the rows."""
    half = len(node) // 2
    return list(_part(node, along, np.partition(along, half)[half], half))


@compiled
def _part(node, along, cut, half):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    # one place more, as each row is written to both
    low, high = np.empty(len(node) + 1, dtype=node.dtype), np.empty(len(node) + 1, dtype=node.dtype)
    # equal projections go to the lower half in row order until it is full
    equal = half
    for i in range(len(node)):
        equal -= along[i] < cut
    n_low, n_high = 0, 0
    for i in range(len(node)):
        fills = (along[i] == cut) & (equal > 0)
        equal -= fills
        below = int((along[i] < cut) | fills)
        # no branch, as none could be foretold
        low[n_low] = high[n_high] = node[i]
        n_low += below
        n_high += 1 - below
    return low[:half].copy(), high[: len(node) - half].copy()


def project(rows: Floats, kinds: Kinds, chosen: Ints, left: Floats, right: Floats) -> Floats:
    """Scalar products of some of the rows with the direction from one point to another."""
    along = np.empty(len(chosen))
    _project(rows, kinds, chosen, left, right, right - left, along)
    return along


@compiled
def _project(rows, kinds, chosen, left, right, direction, along):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(chosen)):
        total = along_direction(rows[chosen[i]], kinds, left, right, direction)
        # rows so far apart are refused later, by their mean distance
        along[i] = total if np.isfinite(total) else 0.0


@inlined
def along_direction(row, kinds, left, right, direction):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - numba types it
    """Scalar product of a point with the direction from one to another, their difference."""
    # four sums: each addition waits for the last to the same
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    whole = kinds.n_numbers - kinds.n_numbers % 4
    for feature in range(0, whole, 4):
        s0 += row[feature] * direction[feature]
        s1 += row[feature + 1] * direction[feature + 1]
        s2 += row[feature + 2] * direction[feature + 2]
        s3 += row[feature + 3] * direction[feature + 3]
    total = (s0 + s1) + (s2 + s3)
    for feature in range(whole, kinds.n_numbers):
        total += row[feature] * direction[feature]
    # as if by indicators of weight / sqrt(2): of the category on the right 1, on the left -1
    for feature in range(kinds.n_numbers, len(row)):
        sign = (row[feature] == right[feature]) - (row[feature] == left[feature])
        total += kinds.penalty / 2 * sign
    return total


class _Room(NamedTuple):
    """What leaves are scanned in, made once: numpy's functions take long to compile."""

    tile: Singles
    point: Singles
    near: Singles
    bounds: Singles


def _room_for(n_features: int, most: int) -> _Room:
    # whole vectors in each row of the tile, so that loads are aligned
    width = _VECTOR * -(-most // _VECTOR)
    tile, point = np.zeros((n_features, width), np.float32), np.empty(n_features, np.float32)
    return _Room(tile, point, np.empty(width, np.float32), np.empty(width, np.float32))


@compiled
def _scan_leaf(rows, kinds, leaf, nearest, room):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    tile, point, near, bounds = room.tile, room.point, room.near, room.bounds
    squared, m, last = nearest.squared, len(leaf), nearest.squared.shape[1] - 1
    extent = _write_relative(rows, kinds, leaf, tile)
    for column in range(m):
        # twice by the extent: its square may be 0, as that of 1e-200 is
        bounds[column] = squared[leaf[column], last] / extent / extent
    relative = np.float32(kinds.penalty / extent / extent)
    high: Any = np.uint64(m)
    for i in range(m):
        # from a whole vector on: row 20 starts at column 16, and 16 to 20 are made infinite
        low = np.uint64((i + 1) // _VECTOR * _VECTOR)
        for feature in range(len(point)):
            point[feature] = tile[feature, i]
        squared_to_tile(point, tile, low, high, kinds.n_numbers, relative, near)
        for column in range(low, np.uint64(i + 1)):
            near[column] = np.inf
        for at in range(low, high, STRIP):
            end = min(at + STRIP, high)
            if count_below(near, bounds, at, end, bounds[i], np.uint64(0)) == 0:
                continue
            for column in range(at, end):
                if near[column] < bounds[i] or near[column] < bounds[column]:
                    one, other = leaf[i], leaf[column]
                    distance = _measure(rows, kinds, one, other)
                    for _ in range(2):
                        _offer_once(nearest, one, distance, other)
                        one, other = other, one
                    bounds[i] = squared[one, last] / extent / extent
                    bounds[column] = squared[other, last] / extent / extent


@inlined
def _write_relative(rows, kinds, leaf, tile):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    """Write the rows of a leaf to the tile, in units of their extent, which is returned."""
    # the weight, too, so that the penalty is 1 at most
    origin, extent = rows[leaf[0]], np.sqrt(kinds.penalty)
    for number in leaf:
        for feature in range(kinds.n_numbers):
            extent = max(extent, abs(rows[number, feature] - origin[feature]))
    if extent == 0.0:
        extent = 1.0
    # from one of the rows, over the extent: float32's digits go to what differs, not to an offset
    for column in range(len(leaf)):
        for feature in range(kinds.n_numbers):
            tile[feature, column] = (rows[leaf[column], feature] - origin[feature]) / extent
        for feature in range(kinds.n_numbers, rows.shape[1]):
            tile[feature, column] = rows[leaf[column], feature]
    return extent


@inlined
def _measure(rows, kinds, left, right):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    total = 0.0
    for feature in range(kinds.n_numbers):
        difference = rows[left, feature] - rows[right, feature]
        total += difference * difference
    for feature in range(kinds.n_numbers, rows.shape[1]):
        if rows[left, feature] != rows[right, feature]:
            total += kinds.penalty
    return total


@inlined
def _offer_once(nearest, row, distance, number):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    is_new = distance < nearest.squared[row, nearest.squared.shape[1] - 1]
    for rank in range(nearest.indices.shape[1]):
        is_new &= nearest.indices[row, rank] != number
    if is_new:
        insert(nearest, row, distance, number)
