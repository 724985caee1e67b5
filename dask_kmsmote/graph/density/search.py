"""Approximate neighbours of large groups, searched in rounds until a measured recall is reached.

A chain is two random trees in each cell of a group; a group of one block is one cell. Each round
adds chains to the groups that need more, and measures what is found by now for a sample of rows
whose nearest are known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dask.delayed import Delayed

from ...kernels.groups.picking import pick_in_order
from ...kernels.neighbors.cells import cut_cells, merge_found, number_rows
from ...kernels.neighbors.forest import LEAF_ROWS, is_exact
from ...kernels.neighbors.recall import PROBE_ROWS, count_in_block, probe_block, true_limits
from ...kernels.rows.blocks import Ints
from ...kernels.rows.metric import Kinds
from ...kernels.seeding import PROBES, TREES, stream
from ...planning.advice import RECALL
from ..dask.tasks import Tasks, compute, persist
from ..gather import Group
from .chain import Chain

_MARGIN = 0.01  # above it, as it is measured on a sample: two standard errors
_CELL_SAMPLE_ROWS = 4096
_CHAIN_TREES = 2
MAX_TREES = 64


@dataclass
class LargeGroup:
    """A group to search, and how far the search has come.

    Attributes
    ----------
    group, metric
        Its rows, and a task: what distances are measured in.
    kinds
        How points are compared.
    k
        Neighbours of each row.
    seed
        Root seed.
    nearest
        A task for each block: what was found so far.
    sample, limits
        Tasks: a sample of the rows, and squared distances to the k-th nearest of the first of it.
    n_trees, recall
        Trees grown so far, and the share of the nearest rows that they found.
    """

    group: Group
    metric: Delayed
    kinds: Kinds
    k: int
    seed: int
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
    def probes(self) -> Ints:
        """Numbers of the sampled rows, in no order."""
        n = min(self.group.n_rows, _CELL_SAMPLE_ROWS, self.group.size)
        drawn = stream(self.seed, PROBES, *self.group.key)
        # shuffled, as the first `PROBE_ROWS` of them must be a sample as well
        return drawn.choice(self.group.n_rows, n, replace=False)

    @property
    def n_cells(self) -> int:
        """About one for each block, a power of two."""
        # 5 blocks have 8 cells; 4,096 probes are enough for 1,024 cells, with 4 in each
        levels = math.ceil(math.log2(len(self.group.blocks)))
        return 1 << min(levels, int(math.log2(max(1, len(self.probes) // 4))))

    @property
    def trees_wanted(self) -> int:
        """Trees for the recall, as each finds the same share of what is missing."""
        if self.n_trees == 0:
            # a k-d tree finds all of the nearest at once
            alone = is_exact(self.group.n_features, self.kinds) and self.n_cells == 1
            return _CHAIN_TREES if alone else 2 * _CHAIN_TREES
        if self.recall >= RECALL + _MARGIN:
            return self.n_trees
        if self.recall == 0:
            return 2 * self.n_trees
        # 4 trees that found 0.8 left 0.2: to leave 0.038 takes 4 * log(0.038) / log(0.2), or 9
        missing = math.log(1 - RECALL - 1.2 * _MARGIN) / math.log(1 - self.recall)
        return min(4 * self.n_trees, max(self.n_trees + 1, math.ceil(missing * self.n_trees)))

    @property
    def better_exact(self) -> bool:
        """Whether all pairs are no more work than the trees that are still wanted."""
        if self.n_cells < len(self.group.blocks):  # rows so wide that a cell would be many blocks
            return True
        # a tree looks at rows * LEAF_ROWS / 4 pairs or more, as its leaves are at least half full;
        # all pairs are rows ** 2 / 2
        missing = min(self.trees_wanted, MAX_TREES) - self.n_trees
        return self.n_trees > 0 and missing * LEAF_ROWS >= 2 * self.group.n_rows

    @property
    def done(self) -> bool:
        """Whether no more trees are to be grown."""
        return 0 < self.n_trees >= min(self.trees_wanted, MAX_TREES)


def search(tasks: Tasks, groups: Sequence[LargeGroup]) -> None:
    """Find neighbours in all groups but those where all pairs are no more work; computes.

    What was found is kept in cluster memory.
    """
    for large in groups:
        _probe(tasks, large)
    while growing := [large for large in groups if not (large.done or large.better_exact)]:
        for large in growing:
            _grow(tasks, large)
        kept = iter(persist(*[part for large in growing for part in large.held]))
        for large in growing:
            large.held = [next(kept) for _ in large.held]
        found = compute(*[_count(tasks, large) for large in growing])
        for large, count in zip(growing, found, strict=True):
            large.recall = count / (large.k * min(PROBE_ROWS, len(large.probes)))


def _probe(tasks: Tasks, large: LargeGroup) -> None:
    group, probes = large.group, large.probes
    picked = group.pick(tasks, "density-probe", probes)
    large.sample = tasks("density-probe-join", pick_in_order, picked, probes, large.metric)
    true = [
        tasks("density-probe-nearest", probe_block, large.sample, block, large.k, large.metric)
        for block in group.blocks
    ]
    large.limits = tasks("density-probe-limits", true_limits, true)


def _grow(tasks: Tasks, large: LargeGroup) -> None:
    group = large.group
    wanted = min(large.trees_wanted, MAX_TREES)
    if large.n_cells > 1:  # each chain holds the group once more, routed
        wanted = min(wanted, large.n_trees + 2 * _CHAIN_TREES)
    # one copy for all chains
    parts = _in_metric(tasks, large)
    founds: list[list[Delayed]] = [[] for _ in group.blocks]
    for number in range(large.n_trees, wanted, _CHAIN_TREES):
        # keyed by the trees before it, so that no later round repeats a chain
        chain = _chain(tasks, large, parts, (TREES, *group.key, number))
        for found, new in zip(founds, chain, strict=True):
            found.extend(new)
        large.n_trees += _CHAIN_TREES
    large.nearest = [
        tasks("density-neighbors", merge_found, known, new, start, stop - start, large.k)
        for known, new, (start, stop) in zip(
            large.nearest or [None] * len(founds), founds, group.ranges, strict=True
        )
    ]


def _in_metric(tasks: Tasks, large: LargeGroup) -> list[Delayed]:
    return [
        tasks("density-cell-rows", number_rows, block, start, large.metric)
        for block, (start, _) in zip(large.group.blocks, large.group.ranges, strict=True)
    ]


def _chain(
    tasks: Tasks, large: LargeGroup, parts: list[Delayed], key: tuple[int, ...]
) -> list[list[Delayed]]:
    group = large.group
    edges = [start for start, _ in group.ranges] + [group.n_rows]
    chain = Chain(
        tasks=tasks,
        k=large.k,
        n_trees=_CHAIN_TREES,
        seed=large.seed,
        key=key,
        metric=large.metric,
    )
    if large.n_cells == 1:
        return chain.search(parts, edges, 0, 1, None)
    args = large.sample, large.n_cells, large.seed, key, large.metric
    cells = tasks("density-cells", cut_cells, *args)
    return chain.search(parts, edges, 0, large.n_cells, cells)


def _count(tasks: Tasks, large: LargeGroup) -> Delayed:
    probes = large.probes[:PROBE_ROWS]
    counts = [
        tasks("density-recall", count_in_block, nearest, start, probes, large.limits)
        for nearest, (start, _) in zip(large.nearest, large.group.ranges, strict=True)
    ]
    return tasks("density-recall-sum", sum, counts)
