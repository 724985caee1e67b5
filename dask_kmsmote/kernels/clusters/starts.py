"""Rows that KMeans starts from: k-means++ as scikit-learn has it, in compiled loops.

Each row is the best of some candidates, which are drawn with a chance that grows with their squared
distance from the rows so far. Of 1,000 rows scikit-learn's own takes 0.5 ms, most of it for calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled, inlined
from ..rows.blocks import Ints


def spread_out(
    rows: NDArray[np.floating[Any]], n_clusters: int, random_state: np.random.RandomState
) -> NDArray[np.floating[Any]]:
    """Some of the rows, far from each other, to start KMeans from.

    Parameters
    ----------
    rows
        Shape (m, width).
    n_clusters
        How many.
    random_state
        What draws them.
    """
    n_candidates = 2 + int(np.log(n_clusters))
    draws = random_state.uniform(size=(n_clusters, n_candidates))
    chosen: Ints = np.zeros(n_clusters, dtype=np.int64)
    # made here: numpy's functions take long to compile
    _choose(np.ascontiguousarray(rows.T), draws, chosen, *np.full((4, len(rows)), np.inf))
    return rows[chosen]


@compiled
def _choose(columns, draws, chosen, nearest, best, near, upto):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    n = columns.shape[1]
    for number in range(len(chosen)):
        total = 0.0
        for i in range(n):
            total += nearest[i]
            upto[i] = total
        least = np.inf
        # the first one is any row
        for candidate in range(draws.shape[1] if number > 0 else 1):
            draw = draws[number, candidate]
            row = _first_above(upto, draw * total) if number > 0 else int(draw * n)
            found = _approach(columns, row, nearest, near)
            if candidate == 0 or found < least:
                least, chosen[number] = found, row
                best, near = near, best
        nearest, best = best, nearest


@inlined
def _first_above(upto, limit):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    """The first of ascending numbers above a limit, or the last."""
    low, high = 0, len(upto) - 1
    while low < high:
        middle = (low + high) // 2
        if upto[middle] > limit:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def _approach(columns, row, nearest, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Squared distances to the nearest of some rows and one more, and their sum."""
    for i in range(len(out)):
        out[i] = 0.0
    for column in columns:
        value = column[row]
        # the inner loop vectorises
        for i in range(len(out)):
            difference = column[i] - value
            out[i] += difference * difference
    total = 0.0
    for i in range(len(out)):
        # min would ask for NaN
        out[i] = out[i] if out[i] < nearest[i] else nearest[i]  # noqa: FURB136
        total += out[i]
    return total
