"""Approximate neighbours of large groups, searched in rounds until a measured recall is reached.

A chain is some random trees in each cell of a group; a group of one block is one cell. The first
round is two trees for each group. What they find for a sample of rows, whose nearest are known
exactly, tells how many the group needs: the second round grows those, in chains beside one another,
and a third adds the few that may be missing. From the second on, rows come with the distances of
what was found before, and chains look for nearer rows alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dask.delayed import Delayed

from ...kernels.groups.picking import pick_in_order
from ...kernels.neighbors.cells import cut_cells, merge_found, points_of
from ...kernels.neighbors.forest import LEAF_ROWS
from ...kernels.neighbors.recall import PROBE_ROWS, count_in_block, probe_block, true_limits
from ...kernels.rows.blocks import Ints
from ...kernels.seeding import PROBES, TREES, stream
from ...planning.advice import RECALL
from ...planning.cuts import cut
from ..dask.tasks import Tasks, compute, persist
from ..gather import Group
from .chain import PARTS, Chain

_MARGIN = 0.01  # above it, as it is measured on a sample: two standard errors
_CELL_SAMPLE_ROWS = 4096
_AIM = 2.0 * _MARGIN  # above the recall: rather a tree too many than another round
_FIRST_TREES = 2
_CELL_TREES = 2  # of a chain: more find less, as they share its cells, and fewer send more
_CHAIN_ROWS = 2**18  # of one cell, times trees: a third of a second
MAX_TREES = 64


@dataclass
class LargeGroup:
    """A group to search, and how far the search has come.

    Attributes
    ----------
    group, metric
        Its rows, and a task: what distances are measured in.
    k
        Neighbours of each row.
    seed
        Root seed.
    nearest
        A task for each range of rows: what was found so far.
    sample, limits
        Tasks: a sample of the rows, and squared distances to the k-th nearest of the first of it.
    n_trees, recall
        Trees grown so far, and the share of the nearest rows that they found.
    """

    group: Group
    metric: Delayed
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
    def blocks_listed(self) -> int:
        """Blocks whose lists of neighbours make no more bytes than one block."""
        # of 18 features and k = 2, 4 blocks: 18 numbers a row, and 4 of its list
        return max(1, self.group.n_features // (2 * self.k))

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Rows of each task of lists."""
        return cut(self.group.n_rows, self.blocks_listed * self.group.size)

    @property
    def chains(self) -> list[tuple[int, int]]:
        """Trees of each chain of the next round, numbered within the group."""
        known = self.n_trees
        if known == 0:  # in one chain, as each fills its lists anew
            return [(0, _FIRST_TREES)]
        size = _CELL_TREES if self.n_cells > 1 else max(1, _CHAIN_ROWS // self.group.n_rows)
        missing = min(self.trees_wanted, MAX_TREES) - known
        return [(known + low, known + high) for low, high in cut(missing, size)]

    @property
    def trees_wanted(self) -> int:
        """Trees for the recall, as each finds the same share of what is missing."""
        if self.n_trees == 0:
            return _FIRST_TREES
        if self.recall >= RECALL + _MARGIN:
            return self.n_trees
        if self.recall == 0:
            return MAX_TREES
        # 4 trees that found 0.8 left 0.2: to leave 0.03 takes 4 * log(0.03) / log(0.2), or 9
        missing = math.log(1 - RECALL - _AIM) / math.log(1 - self.recall)
        return max(self.n_trees + 1, math.ceil(missing * self.n_trees))

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
        counts = iter(compute(*[count for large in growing for count in _counts(tasks, large)]))
        for large in growing:
            found = sum(next(counts) for _ in large.nearest)
            large.recall = found / (large.k * min(PROBE_ROWS, len(large.probes)))


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
    # in the metric once, for all chains of the round
    parts = _points(tasks, large)
    chains = [_chain(tasks, large, parts, *trees) for trees in large.chains]
    large.n_trees = large.chains[-1][1]
    for low, high in cut(len(chains), max(1, PARTS // large.n_cells)):
        large.nearest = _merged(tasks, large, chains[low:high])


def _points(tasks: Tasks, large: LargeGroup) -> list[Delayed]:
    size = large.ranges[0][1]
    parts = []
    for block, (start, _) in zip(large.group.blocks, large.group.ranges, strict=True):
        known = large.nearest[start // size] if large.nearest else None
        args = block, start, large.metric, known, start // size * size
        parts.append(tasks("density-points", points_of, *args))
    return parts


def _chain(
    tasks: Tasks, large: LargeGroup, parts: list[Delayed], start: int, stop: int
) -> list[list[Delayed]]:
    # keyed by the trees before it, so that no later round repeats a chain
    key = TREES, *large.group.key, start
    chain = Chain(
        tasks=tasks,
        k=large.k,
        n_trees=stop - start,
        seed=large.seed,
        key=key,
        metric=large.metric,
        together=large.blocks_listed,
    )
    cells = None
    if large.n_cells > 1:
        args = large.sample, large.n_cells, large.seed, key, large.metric
        cells = tasks("density-cells", cut_cells, *args)
    edges = [start for start, _ in large.ranges] + [large.group.n_rows]
    return chain.search(parts, large.n_cells, cells, edges)


def _merged(tasks: Tasks, large: LargeGroup, chains: list[list[list[Delayed]]]) -> list[Delayed]:
    merged = []
    for number, (start, stop) in enumerate(large.ranges):
        known = large.nearest[number] if large.nearest else None
        found = [part for chain in chains for part in chain[number]]
        args = known, found, start, stop - start, large.k
        merged.append(tasks("density-neighbors", merge_found, *args))
    return merged


def _counts(tasks: Tasks, large: LargeGroup) -> list[Delayed]:
    probes = large.probes[:PROBE_ROWS]
    return [
        tasks("density-recall", count_in_block, nearest, start, probes, large.limits)
        for nearest, (start, _) in zip(large.nearest, large.ranges, strict=True)
    ]
