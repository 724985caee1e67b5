"""Density: mean distance and neighbours of each kept group, computed where its rows are.

Up to `exact_rows`, both come from all pairs of the rows: a group is cut into query ranges, and
every two of them are one task. Beyond, the mean comes from sampled pairs, and the neighbours from
an approximate search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed

from ...kernels.neighbors import density as kernel
from ...kernels.making.imbalanced_learn import MATRIX_ROWS
from ...kernels.neighbors.density import Range
from ...kernels.groups.moments import Moments, draw_pairs, measure_moments
from ...kernels.groups.picking import Picked, pick, together
from ...kernels.groups.pieces import GroupRows
from ...kernels.seeding import PAIRS, Choices, stream
from ...planning.cuts import FAN_IN, block_rows, cut
from .search import LargeGroup, search
from ..dask.tasks import Tasks, compute, persist

QUERY_ROWS = 8192  # a pair of ranges is a quarter of a second of work
SAMPLED_PAIRS = 2**21  # the standard error of the mean is about 1e-4 of it
PAIR_BYTES = 16 * 2**20  # of the rows on each side of a task
PAIR_TASKS = 32  # at most, so that wide rows are sampled less


class Search(NamedTuple):
    """How neighbours are found.

    Attributes
    ----------
    k
        Neighbours of each row.
    estimator
        The user's search object, or None for the package's own search.
    compat
        Round mean distances and choose neighbours as imbalanced-learn does.
    exact_rows
        Largest group whose pairs are all looked at; None where all groups are such.
    seed
        Root seed.
    """

    k: int
    estimator: Any
    compat: bool
    exact_rows: int | None
    seed: int


@dataclass(frozen=True)
class Group:
    """A kept group in cluster memory.

    Attributes
    ----------
    key
        Class and cluster.
    n_rows, size, n_features
        Its rows, the rows of a block, and the columns.
    blocks
        A task for each block.
    density
        A task: mean distance, standard error, neighbours.
    """

    key: tuple[int, int]
    n_rows: int
    size: int
    n_features: int
    blocks: list[Delayed]
    density: Delayed | None = None


class Measure(NamedTuple):
    """What the client learns of a group's density.

    Attributes
    ----------
    mean, error
        Mean distance of two rows, and its standard error; 0 where all pairs were looked at.
    recall
        Share of the nearest rows that are among the neighbours, as measured on a sample; 1 where
        all pairs were looked at, NaN where the user's own object searched.
    """

    mean: float
    error: float
    recall: float


def measure(tasks: Tasks, groups: Sequence[Group], by: Search) -> tuple[list[Group], list[Measure]]:
    """Keep the groups and their densities in cluster memory, and bring the measures here."""
    kept = iter(persist(*[block for group in groups for block in group.blocks]))
    held = [replace(group, blocks=[next(kept) for _ in group.blocks]) for group in groups]
    large = {
        group.key: LargeGroup(
            group.blocks, group.n_rows, group.size, group.n_features, by.k, by.seed, group.key
        )
        for group in held
        if by.exact_rows is not None and group.n_rows > by.exact_rows
    }
    if by.estimator is None:
        search(tasks, list(large.values()))
    densities = [_density(tasks, group, large.get(group.key), by) for group in held]
    densities = persist(*densities)
    held = [replace(group, density=task) for group, task in zip(held, densities, strict=True)]
    means = compute(*[tasks("density-mean", kernel.mean_distance, d) for d in densities])
    measures = [
        Measure(mean, error, _recall(large.get(group.key), by))
        for group, (mean, error) in zip(held, means, strict=True)
    ]
    return held, measures


def _recall(large: LargeGroup | None, by: Search) -> float:
    if by.estimator is not None:
        return np.nan
    return 1.0 if large is None or large.better_exact else large.recall


def _density(tasks: Tasks, group: Group, large: LargeGroup | None, by: Search) -> Delayed:
    if by.estimator is None and large is not None and not large.better_exact:
        return tasks("density-join", kernel.from_sample, _sampled(tasks, group, by), large.nearest)
    if by.estimator is None:
        return _from_pairs(tasks, group, by.k)
    found = tasks("neighbors", kernel.searched, by.estimator, group.blocks, by.compat)
    if by.compat and group.n_rows <= MATRIX_ROWS:
        mean = tasks("density", kernel.by_matrix, group.blocks)
    elif large is None:
        mean = _from_pairs(tasks, group, 0)
    else:
        mean = tasks("density-join", kernel.from_sample, _sampled(tasks, group, by), [])
    return tasks("density-join", kernel.with_neighbors, mean, found)


def _from_pairs(tasks: Tasks, group: Group, k: int) -> Delayed:
    held = [
        (block, Range(start + low, start + high, low))
        for block, (start, stop) in zip(group.blocks, cut(group.n_rows, group.size), strict=True)
        for low, high in cut(stop - start, QUERY_ROWS)
    ]
    pairs: dict[Range, list[Delayed]] = {own: [] for _, own in held}
    for (left, a), (right, b) in combinations_with_replacement(held, 2):
        pair = tasks("density", kernel.measure_pairs, left, right, a, b, k)
        for own in dict.fromkeys((a, b)):
            pairs[own].append(pair)
    ranges = [_gather_range(tasks, own, mine) for own, mine in pairs.items()]
    return tasks("density-join", kernel.from_pairs, ranges, group.n_rows)


def _gather_range(tasks: Tasks, own: Range, pairs: list[Delayed]) -> Delayed:
    parts = [
        tasks("density-range", kernel.gather_range, own, pairs[low:high])
        for low, high in cut(len(pairs), FAN_IN)
    ]
    return parts[0] if len(parts) == 1 else tasks.tree("density-range", kernel.merge_range, parts)


def _sampled(tasks: Tasks, group: Group, by: Search) -> list[Delayed]:
    m = group.n_rows
    size = block_rows(group.n_features, PAIR_BYTES)
    n = min(SAMPLED_PAIRS, m * (m - 1) // 2, size * PAIR_TASKS)
    parts = []
    for number, (start, stop) in enumerate(cut(n, size)):
        key = (PAIRS, *group.key, number)
        if len(group.blocks) == 1:
            args = group.blocks[0], m, stop - start, by.seed, key
            parts.append(tasks("pairs", measure_own_pairs, *args))
            continue
        pairs = tasks("pairs-drawn", draw, m, stop - start, by.seed, key)
        picked = [
            tasks("pick", pick, block, pairs, start)
            for block, (start, _) in zip(group.blocks, cut(m, group.size), strict=True)
        ]
        parts.append(tasks("pairs", measure_picked_pairs, picked, pairs))
    return parts


def draw(m: int, n: int, seed: int, key: tuple[int, ...]) -> Choices:
    """Pairs of a group of m rows, from their own stream."""
    return draw_pairs(m, n, stream(seed, *key))


def measure_own_pairs(block: GroupRows, m: int, n: int, seed: int, key: tuple[int, ...]) -> Moments:
    """Moments of sampled pairs of a group that is held in one block."""
    return measure_moments(block.rows, block.rows, draw(m, n, seed, key))


def measure_picked_pairs(picked: Sequence[Picked], pairs: Choices) -> Moments:
    """Moments of sampled pairs from their rows in all blocks."""
    return measure_moments(*together(picked, pairs))
