"""How many of the nearest rows a search found, by an exact search for a sample of rows.

A found row counts if it is no farther than the true k-th nearest, so that equal distances do not
matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...planning.cuts import cut
from ..groups.pieces import GroupRows
from ..rows.blocks import Floats, Ints
from ..rows.metric import Metric
from .distances import Nearest, merge_nearest, nothing_found, pairs_block

PROBE_ROWS = 1000  # the standard error of a recall of 0.95 is 0.005 with k = 2
_SCANNED_ROWS = 8192
_TOLERANCE = 1e-9  # of equal squared distances, relative


def squared_to_nearest(queries: Floats, block: GroupRows, k: int, metric: Metric) -> Floats:
    """Squared distances from some rows to the k + 1 nearest of a block, shape (n, k + 1).

    The former are in the metric already.
    """
    nearest, kinds = nothing_found(len(queries), k + 1), metric.kinds(queries.shape[1])
    # some at a time, as in the metric they are a copy
    for low, high in cut(len(block.positions), _SCANNED_ROWS):
        points = metric.points(block.rows[low:high])
        _, found, _ = pairs_block(queries, points, kinds, k + 1, 0, low)
        nearest = merge_nearest([nearest, found])
    return nearest.squared


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
