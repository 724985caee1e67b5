"""How many of the nearest rows a search found, by an exact search for a sample of rows.

A found row counts if it is no farther than the true k-th nearest, so that equal distances do not
matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...planning.cuts import cut
from ..compiled import compiled
from ..groups.pieces import GroupRows
from ..rows.blocks import Floats, Ints
from ..rows.metric import Metric
from .distances import TILE, Nearest, insert, squared_to_tile

PROBE_ROWS = 1000  # the standard error of a recall of 0.95 is 0.005 with k = 2
_SCANNED_ROWS = 8192
_TOLERANCE = 1e-9  # of equal squared distances, relative


def squared_to_nearest(queries: Floats, block: GroupRows, k: int, metric: Metric) -> Floats:
    """Squared distances from some rows to the k + 1 nearest of a block, shape (n, k + 1).

    The former are in the metric already.
    """
    squared = np.full((len(queries), k + 1), np.inf)
    indices = np.empty(squared.shape, dtype=np.int64)
    kinds = metric.kinds(queries.shape[1])
    # some at a time, as in the metric they are a copy
    for low, high in cut(len(block.positions), _SCANNED_ROWS):
        _scan(queries, metric.points(block.rows[low:high]), *kinds, squared, indices)
    return squared


@compiled
def _scan(queries, rows, n_numbers, penalty, squared, indices):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    tile, near = np.empty((rows.shape[1], TILE)), np.empty(TILE)
    for start in range(0, len(rows), TILE):
        width = min(TILE, len(rows) - start)
        tile[:, :width] = rows[start : start + width].T
        for i in range(len(queries)):
            squared_to_tile(queries[i], tile, 0, width, n_numbers, penalty, near[:width])
            for j in range(width):
                if near[j] < squared[i, -1]:
                    insert(squared[i], indices[i], near[j], start + j)


def true_limits(parts: Sequence[Floats]) -> Floats:
    """Squared distances to the k-th nearest other row, from those of all blocks; shape (n,)."""
    # the nearest of all is the row itself
    return np.sort(np.concatenate(parts, axis=1), axis=1)[:, parts[0].shape[1] - 1]


def count_found(nearest: Nearest, at: Ints, limits: Floats) -> int:
    """Found rows that are near enough, of the rows `at` of a block."""
    within = nearest.squared[at] <= limits[:, np.newaxis] * (1 + _TOLERANCE)
    return int(np.count_nonzero(within))


def probe_block(sample: Floats, block: GroupRows, k: int, metric: Metric) -> Floats:
    """Squared distances from the first sampled rows to the nearest of a block."""
    return squared_to_nearest(sample[:PROBE_ROWS], block, k, metric)


def count_in_block(nearest: Nearest, start: int, probes: Ints, limits: Floats) -> int:
    """Rows found near enough, of the probes that a block holds; it begins at `start`."""
    inside = np.flatnonzero((probes >= start) & (probes < start + len(nearest.squared)))
    return count_found(nearest, probes[inside] - start, limits[inside])
