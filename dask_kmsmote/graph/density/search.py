"""Approximate neighbours of large groups, searched in rounds until a measured recall is reached.

A chain is two random trees in each cell of a group; a group of one block is one cell. Each round
adds chains to the groups that need more, and measures what is found by now for a sample of rows
whose nearest are known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from dask.delayed import Delayed

from ...kernels.rows.blocks import as_dense, take
from ...kernels.neighbors.cells import Cells, Found, learn_cells
from ...kernels.neighbors.distances import Floats, Nearest, nothing_found
from ...kernels.neighbors.forest import EXACT_FEATURES, LEAF_ROWS, improve
from ...kernels.groups.picking import Picked, pick, together
from ...kernels.groups.pieces import GroupRows
from ...kernels.neighbors.recall import count_found, squared_to_nearest, true_limits
from ...kernels.seeding import PROBES, TREES, Choices, Ints, stream
from ...planning.cuts import cut
from .chain import Chain
from ..dask.tasks import Tasks, compute, persist

RECALL = 0.95  # wanted of the k nearest
MARGIN = 0.01  # above it, as it is measured on a sample: two standard errors
PROBE_ROWS = 1000
CELL_SAMPLE_ROWS = 4096
CHAIN_TREES = 2
MAX_TREES = 64
NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass
class LargeGroup:
    """A group to search, and how far the search has come.

    Attributes
    ----------
    blocks, m, size, n_features
        Its blocks, its rows, the rows of a block, and the columns.
    k
        Neighbours of each row.
    seed, key
        Root seed, and class and cluster.
    nearest
        A task for each block: what was found so far.
    sample, limits
        Tasks: a sample of the rows, and squared distances to the k-th nearest of the first of it.
    n_trees, recall
        Trees grown so far, and the share of the nearest rows that they found.
    """

    blocks: Sequence[Delayed]
    m: int
    size: int
    n_features: int
    k: int
    seed: int
    key: tuple[int, int]
    nearest: list[Delayed] = field(default_factory=list)
    sample: Delayed | None = None
    limits: Delayed | None = None
    n_trees: int = 0
    recall: float = 0.0

    @property
    def held(self) -> list[Delayed]:
        """What stays in cluster memory between rounds."""
        return [*self.nearest, self.sample, self.limits]

    @held.setter
    def held(self, parts: Sequence[Delayed]) -> None:
        *self.nearest, self.sample, self.limits = parts

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Where each block starts and stops."""
        return cut(self.m, self.size)

    @property
    def probes(self) -> Ints:
        """Numbers of the sampled rows, in no order."""
        n = min(self.m, CELL_SAMPLE_ROWS, self.size)
        return stream(self.seed, PROBES, *self.key).choice(self.m, n, replace=False)

    @property
    def n_cells(self) -> int:
        """About one for each block, a power of two."""
        levels = math.ceil(math.log2(len(self.blocks)))
        return 1 << min(levels, int(math.log2(max(1, len(self.probes) // 4))))

    @property
    def trees_wanted(self) -> int:
        """Trees for the recall, as each finds the same share of what is missing."""
        if self.n_trees == 0:
            alone = self.n_features <= EXACT_FEATURES and self.n_cells == 1
            return CHAIN_TREES if alone else 2 * CHAIN_TREES
        if self.recall >= RECALL + MARGIN:
            return self.n_trees
        if self.recall == 0:
            return 2 * self.n_trees
        missing = math.log(1 - RECALL - 1.2 * MARGIN) / math.log(1 - self.recall)
        return min(4 * self.n_trees, max(self.n_trees + 1, math.ceil(missing * self.n_trees)))

    @property
    def better_exact(self) -> bool:
        """Whether all pairs are no more work than the trees that are still wanted."""
        if self.n_cells < len(self.blocks):  # rows so wide that a cell would be many blocks
            return True
        missing = min(self.trees_wanted, MAX_TREES) - self.n_trees
        return self.n_trees > 0 and missing * LEAF_ROWS >= 2 * self.m

    @property
    def done(self) -> bool:
        """Whether no more trees are to be grown."""
        return 0 < self.n_trees >= min(self.trees_wanted, MAX_TREES)


def search(tasks: Tasks, groups: Sequence[LargeGroup]) -> None:
    """Find neighbours in all groups but those where all pairs are no more work; computes.

    What was found is kept in cluster memory.
    """
    for group in groups:
        _probe(tasks, group)
    while growing := [group for group in groups if not (group.done or group.better_exact)]:
        for group in growing:
            _grow(tasks, group)
        kept = iter(persist(*[part for group in growing for part in group.held]))
        for group in growing:
            group.held = [next(kept) for _ in group.held]
        found = compute(*[_count(tasks, group) for group in growing])
        for group, count in zip(growing, found, strict=True):
            group.recall = count / (group.k * min(PROBE_ROWS, len(group.probes)))


def _probe(tasks: Tasks, group: LargeGroup) -> None:
    chosen = Choices(group.probes, NO_ROWS, np.empty(0))
    picked = [
        tasks("probe", pick, block, chosen, start)
        for block, (start, _) in zip(group.blocks, group.ranges, strict=True)
    ]
    group.sample = tasks("probe-join", sampled_rows, picked, chosen)
    true = [tasks("probe-nearest", probe_block, group.sample, b, group.k) for b in group.blocks]
    group.limits = tasks("probe-limits", true_limits, true)


def sampled_rows(picked: Sequence[Picked], chosen: Choices) -> Floats:
    """The sampled rows in the order of their numbers in `chosen`."""
    rows, _, own = together(picked, chosen)
    return as_dense(take(rows, own.base))


def probe_block(sample: Floats, block: GroupRows, k: int) -> Floats:
    """Squared distances from the first sampled rows to the nearest of a block."""
    return squared_to_nearest(sample[:PROBE_ROWS], block, k)


def _grow(tasks: Tasks, group: LargeGroup) -> None:
    wanted = min(group.trees_wanted, MAX_TREES)
    if group.n_cells > 1:  # each chain holds the group once more, routed
        wanted = min(wanted, group.n_trees + 2 * CHAIN_TREES)
    founds: list[list[Delayed]] = [[] for _ in group.blocks]
    for number in range(group.n_trees, wanted, CHAIN_TREES):
        for place, found in enumerate(_chain(tasks, group, (TREES, *group.key, number))):
            founds[place] += found
        group.n_trees += CHAIN_TREES
    group.nearest = [
        tasks("neighbors", merge_found, known, new, start, stop - start, group.k)
        for known, new, (start, stop) in zip(
            group.nearest or [None] * len(founds), founds, group.ranges, strict=True
        )
    ]


def _chain(tasks: Tasks, group: LargeGroup, key: tuple[int, ...]) -> list[list[Delayed]]:
    edges = [start for start, _ in group.ranges] + [group.m]
    parts = [
        tasks("cell-part", number_rows, block, start)
        for block, start in zip(group.blocks, edges[:-1], strict=True)
    ]
    chain = Chain(tasks, group.k, CHAIN_TREES, group.seed, key)
    if group.n_cells == 1:
        return chain.search(parts, edges, 0, 1, None)
    cells = tasks("cells", cut_cells, group.sample, group.n_cells, group.seed, key)
    return chain.search(parts, edges, 0, group.n_cells, cells)


def number_rows(block: GroupRows, start: int) -> GroupRows:
    """The block, dense, with numbers in the group in place of positions in X."""
    numbers = np.arange(start, start + len(block.positions))
    return GroupRows(as_dense(block.rows), numbers)


def cut_cells(sample: Floats, n_cells: int, seed: int, key: tuple[int, ...]) -> Cells:
    """Cells of a chain."""
    return learn_cells(sample, n_cells, stream(seed, *key))


def merge_found(
    known: Nearest | None, found: Sequence[Found], start: int, n_rows: int, k: int
) -> Nearest:
    """Lists of a block that begins at `start`, with what chains found for its rows."""
    nearest = nothing_found(n_rows, k)
    if known is not None:
        nearest = Nearest(known.squared.copy(), known.indices.copy())
    for part in found:
        improve(nearest, part.nearest, part.numbers - start)
    return nearest


def _count(tasks: Tasks, group: LargeGroup) -> Delayed:
    probes = group.probes[:PROBE_ROWS]
    counts = [
        tasks("recall", count_in_block, nearest, start, probes, group.limits)
        for nearest, (start, _) in zip(group.nearest, group.ranges, strict=True)
    ]
    return tasks("recall-sum", sum, counts)


def count_in_block(nearest: Nearest, start: int, probes: Ints, limits: Floats) -> int:
    """Rows found near enough, of the probes that a block holds; it begins at `start`."""
    inside = np.flatnonzero((probes >= start) & (probes < start + len(nearest.squared)))
    return count_found(nearest, probes[inside] - start, limits[inside])
