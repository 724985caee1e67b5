"""How many of the nearest rows a search found, by an exact search for a sample of rows.

A found row counts if it is no farther than the true k-th nearest, so that equal distances do not
matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..rows.blocks import as_dense
from ..compiled import compiled
from .distances import TILE, Floats, Ints, Nearest, insert, squared_to_tile
from ..groups.pieces import GroupRows

TOLERANCE = 1e-9  # of equal squared distances, relative


def squared_to_nearest(queries: Floats, block: GroupRows, k: int) -> Floats:
    """Squared distances from some rows to the k + 1 nearest of a block, shape (n, k + 1)."""
    squared = np.full((len(queries), k + 1), np.inf)
    _scan(queries, as_dense(block.rows), squared, np.empty(squared.shape, dtype=np.int64))
    return squared


@compiled
def _scan(queries: Floats, rows: Floats, squared: Floats, indices: Ints) -> None:
    tile, near = np.empty((rows.shape[1], TILE)), np.empty(TILE)
    for start in range(0, len(rows), TILE):
        width = min(TILE, len(rows) - start)
        tile[:, :width] = rows[start : start + width].T
        for i in range(len(queries)):
            squared_to_tile(queries[i], tile, 0, width, near[:width])
            for place in range(width):
                if near[place] < squared[i, -1]:
                    insert(squared[i], indices[i], near[place], start + place)


def true_limits(parts: Sequence[Floats]) -> Floats:
    """Squared distances to the k-th nearest other row, from those of all blocks; shape (n,)."""
    # the nearest of all is the row itself
    return np.sort(np.concatenate(parts, axis=1), axis=1)[:, parts[0].shape[1] - 1]


def count_found(nearest: Nearest, at: Ints, limits: Floats) -> int:
    """Found rows that are near enough, of the rows `at` of a block."""
    within = nearest.squared[at] <= limits[:, np.newaxis] * (1 + TOLERANCE)
    return int(np.count_nonzero(within))
