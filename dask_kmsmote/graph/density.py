"""Density: mean distance and neighbours of each kept group, computed where its rows are.

A group is cut into query ranges; every two of them are one task, so a large group spreads over
all workers and no task holds more than two ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import dask
from dask.delayed import Delayed

from ..kernels.compat import MATRIX_ROWS
from ..kernels.density import (
    Range,
    by_matrix,
    join_pairs,
    mean_distance,
    measure_pairs,
    searched,
    with_neighbors,
)
from ..planning.layout import cut
from .tasks import Tasks

QUERY_ROWS = 16_384  # a pair of ranges is half a second of work


class Search(NamedTuple):
    """How neighbours are found.

    Attributes
    ----------
    k
        Neighbours of each row.
    estimator
        The user's search object, or None for the exact kernel.
    compat
        Round mean distances and choose neighbours as imbalanced-learn does.
    """

    k: int
    estimator: Any
    compat: bool


@dataclass(frozen=True)
class Group:
    """A kept group in cluster memory.

    Attributes
    ----------
    n_rows
        Its rows.
    blocks
        A task for each block of them.
    density
        A task: mean distance, standard error, neighbours.
    """

    n_rows: int
    blocks: list[Delayed]
    density: Delayed


def measure_group(tasks: Tasks, blocks: list[Delayed], m: int, size: int, by: Search) -> Group:
    """Plan the density of a group of m rows, held in blocks of `size`."""
    own = by.estimator is None
    if by.compat and m <= MATRIX_ROWS:
        density = tasks("density", by_matrix, blocks)
    else:
        density = _from_pairs(tasks, blocks, m, size, by)
    if not own:
        found = tasks("neighbors", searched, by.estimator, blocks, by.compat)
        density = tasks("density-join", with_neighbors, density, found)
    return Group(m, blocks, density)


def _from_pairs(tasks: Tasks, blocks: Sequence[Delayed], m: int, size: int, by: Search) -> Delayed:
    k = by.k if by.estimator is None else 0
    held = [
        (block, Range(number * size + start, number * size + stop, start))
        for number, block in enumerate(blocks)
        for start, stop in cut(min(size, m - number * size), QUERY_ROWS)
    ]
    pairs = [
        tasks("density", measure_pairs, left, right, a, b, k)
        for (left, a), (right, b) in combinations_with_replacement(held, 2)
    ]
    return tasks("density-join", join_pairs, pairs, m)


def measure(tasks: Tasks, groups: list[Group]) -> tuple[list[Group], list[tuple[float, float]]]:
    """Keep the groups and their densities in cluster memory, and bring the means here."""
    kept = dask.persist(*[(group.blocks, group.density) for group in groups])
    held = [
        Group(group.n_rows, blocks, density)
        for group, (blocks, density) in zip(groups, kept, strict=True)
    ]
    means = dask.compute(*[tasks("density-mean", mean_distance, group.density) for group in held])
    return held, list(means)
