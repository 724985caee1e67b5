"""Starts of KMeans on a sample: k-means++ as scikit-learn has it, and passes, in compiled loops.

Each row is the best of some candidates, which are drawn with a chance that grows with their squared
distance from the rows so far. Of 1,000 rows scikit-learn's own takes 0.5 ms, most of it for calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled, inlined
from ..rows.blocks import Floats, Ints

_TILE = 256  # rows, that stay in the core's cache


def columns_of(rows: NDArray[np.floating[Any]]) -> Floats:
    """Rows by column, as what is here wants them: loops over rows vectorise."""
    return np.ascontiguousarray(rows.T, dtype=np.float64)


def spread_out(columns: Floats, n_clusters: int, random_state: np.random.RandomState) -> Floats:
    """Some of the rows, far from each other, to start KMeans from.

    Parameters
    ----------
    columns
        The rows by column, shape (width, m).
    n_clusters
        How many.
    random_state
        What draws them.
    """
    n_candidates = 2 + int(np.log(n_clusters))
    draws = random_state.uniform(size=(n_clusters, n_candidates))
    chosen: Ints = np.zeros(n_clusters, dtype=np.int64)
    # made here: numpy's functions take long to compile
    _choose(columns, draws, chosen, *np.full((4, columns.shape[1]), np.inf))
    return np.ascontiguousarray(columns[:, chosen].T)


def come_to_rest(
    columns: Floats, centers: Floats, passes: int, tolerance: float
) -> tuple[Floats, float]:
    """Centres after some of Lloyd's passes, and the inertia; one without rows stays.

    Parameters
    ----------
    columns
        The rows by column, shape (width, m).
    centers
        To start from, shape (n_clusters, width).
    passes, tolerance
        Most passes, and the sum of squared moves at which to stop before.
    """
    found, counts = centers.copy(), np.zeros(len(centers))
    tile = np.zeros(_TILE), np.zeros(_TILE), np.zeros(_TILE, dtype=np.int64)
    inertia = _move(columns, found, passes, tolerance, *tile, counts, np.zeros(centers.shape))
    return found, inertia


@compiled
def _move(columns, centers, passes, tolerance, squared, nearest, labels, counts, totals):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912 - numba types it
    n_clusters, width = centers.shape
    shift, inertia = np.inf, 0.0
    # once more than they move, to know the inertia
    for number in range(passes + 1):
        inertia = 0.0
        for c in range(n_clusters):
            counts[c] = 0.0
            for f in range(width):
                totals[c, f] = 0.0
        for low in range(0, columns.shape[1], len(squared)):
            size = min(len(squared), columns.shape[1] - low)
            for i in range(size):
                nearest[i] = np.inf
            for c in range(n_clusters):
                for i in range(size):
                    squared[i] = 0.0
                for f in range(width):
                    # a slice: an index that might be negative would keep the loop scalar
                    column, value = columns[f, low : low + size], centers[c, f]
                    for i in range(size):
                        difference = column[i] - value
                        squared[i] += difference * difference
                for i in range(size):
                    is_nearer = squared[i] < nearest[i]
                    nearest[i] = squared[i] if is_nearer else nearest[i]
                    labels[i] = c if is_nearer else labels[i]
            for i in range(size):
                inertia += nearest[i]
                counts[labels[i]] += 1.0
                for f in range(width):
                    totals[labels[i], f] += columns[f, low + i]
        if number == passes or shift <= tolerance:
            break
        shift = 0.0
        for c in range(n_clusters):
            if counts[c] > 0:
                for f in range(width):
                    mean = totals[c, f] / counts[c]
                    shift += (mean - centers[c, f]) ** 2
                    centers[c, f] = mean
    return inertia


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
