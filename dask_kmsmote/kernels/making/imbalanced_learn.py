"""imbalanced-learn's arithmetic, for row-for-row equality with it.

Its mean distance comes from a distance matrix in the precision of the rows, whose rounding
decides whether duplicates are 0 apart; its neighbours are scikit-learn's with the first one
dropped, whether it is the row itself or a duplicate; its stream restarts in every group; its
differences are taken in the dtype of the rows, and integers are truncated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.metrics import pairwise_distances

from ..rows.blocks import Rows, take
from ..seeding import Choices, Ints

MATRIX_ROWS = 4096  # 128 MiB; larger groups have no rounding left to copy

State = dict[str, Any]


class BlockState(NamedTuple):
    """Where the two draws of one block start in a group's stream."""

    cells: State
    gaps: State
    n: int


def matrix_mean_distance(rows: Rows) -> float:
    """Mean distance of all pairs by way of the m x m matrix, for m up to `MATRIX_ROWS`."""
    # an overflow shows in the mean, and is refused there
    with np.errstate(over="ignore"):
        distances = pairwise_distances(rows, metric="euclidean")
        np.fill_diagonal(distances, 0)
        return float(distances.sum() / (rows.shape[0] ** 2 - rows.shape[0]))


def block_states(seed: int, n_cells: int, sizes: list[int]) -> list[BlockState]:
    """States of the group's stream at the start of each block, so that any can be drawn alone.

    Parameters
    ----------
    seed
        The sampler's.
    n_cells
        Rows times neighbours of the group.
    sizes
        Rows of each block.
    """
    rng = np.random.RandomState(seed)
    cells, gaps = [], []
    for size in sizes:
        cells.append(_state(rng))
        rng.randint(0, n_cells, size)
    for size in sizes:
        gaps.append(_state(rng))
        rng.uniform(size=size)
    return [BlockState(*block) for block in zip(cells, gaps, sizes, strict=True)]


def _state(rng: np.random.RandomState) -> State:
    state: State = rng.get_state(legacy=False)
    return state


def draw(state: BlockState, neighbors: Ints) -> Choices:
    """Choices of one block."""
    rng = np.random.RandomState()
    rng.set_state(state.cells)
    cells = rng.randint(0, neighbors.size, state.n)
    rng.set_state(state.gaps)
    gap = rng.uniform(size=state.n)
    base, column = np.divmod(cells.astype(np.int64), neighbors.shape[1])
    return Choices(base, neighbors[base, column], gap)


def interpolate(bases: Rows, neighbors: Rows, choices: Choices) -> Rows:
    """``base + gap * (neighbor - base)`` with the difference in the dtype of the rows."""
    left, right = take(bases, choices.base), take(neighbors, choices.neighbor)
    gap = choices.gap[:, np.newaxis]
    # differences of integers may wrap around to rows beyond the dtype
    with np.errstate(over="ignore", invalid="ignore"):
        if sparse.issparse(left):
            new = left + type(left)(gap).multiply(right - left)
            return type(bases)(new.asformat(bases.format)).astype(bases.dtype)
        return (left + gap * (right - left)).astype(bases.dtype)
