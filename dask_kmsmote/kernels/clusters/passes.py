"""Lloyd's passes: what is left open between them, and passes over rows that are one block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin

from ...libraries import on_one_thread
from ..rows.blocks import Floats


def pass_until(
    move: Callable[[Floats], Floats], centers: Floats, max_iter: int, tolerance: float
) -> tuple[Floats, list[float]]:
    """Centres after some passes, and how far they moved in each, as a sum of squares.

    Parameters
    ----------
    move
        One pass: the means of the rows that are nearest to each centre. Rows have a last column of
        ones, see `learning.shifted`; the mean of no rows is the origin.
    centers
        To start from.
    max_iter, tolerance
        Most passes, and the movement at which to stop before.
    """
    centers = np.column_stack([centers, np.ones(len(centers))])
    shifts: list[float] = []
    while len(shifts) < max_iter and (not shifts or shifts[-1] > tolerance):
        found = move(centers)
        empty = found[:, -1] == 0
        found = np.where(empty[:, np.newaxis], centers, found)
        shifts.append(float(((found - centers) ** 2).sum()))
        centers = found
    return centers[:, :-1], shifts


def pass_over(
    block: NDArray[np.floating[Any]], centers: Floats, max_iter: int, tolerance: float
) -> tuple[Floats, list[float]]:
    """The same over a block that has all rows."""
    with on_one_thread():
        return pass_until(partial(_means, block), centers, max_iter, tolerance)


def _means(block: NDArray[np.floating[Any]], centers: Floats) -> Floats:
    labels = pairwise_distances_argmin(block, centers)
    sums = [np.bincount(labels, weights=column, minlength=len(centers)) for column in block.T]
    # the last are of ones
    return np.column_stack(sums) / np.maximum(sums[-1], 1)[:, np.newaxis]
