"""A chain of an approximate search: every row of a group goes to a cell, and what is found, back.

Where a group has more than `PARTS` cells (about one a block), they are parted first into `PARTS`
runs, and the rows of each run merged, and so on: tasks grow as blocks * log(blocks), not as blocks
* cells. With 64 blocks and 64 cells:

    64 blocks  --route-->  16 runs of 4 cells, each in 64 parts
    a run      --merge-->  4 parts of 16 blocks  --route-->  4 cells, each in 4 parts
    a cell     --trees-->  what was found for the rows of each of its 4 parts
    back       --split-->  what was found for the rows of each of the 64 blocks
"""

from __future__ import annotations

import operator
from typing import NamedTuple

from dask.delayed import Delayed

from ...kernels.groups.pieces import join_groups
from ...kernels.neighbors.cells import grow_in_cell, route, split_found
from ...planning.cuts import cut
from ..dask.tasks import Tasks

PARTS = 16  # most runs of cells, and most parts that one task merges; changes no result


class Chain(NamedTuple):
    """One chain.

    Attributes
    ----------
    tasks
        The run.
    k, n_trees
        Rows to find near each, and trees in each cell.
    seed, key
        Root seed, and what the chain's streams are keyed by.
    metric
        A task: what distances are measured in.
    """

    tasks: Tasks
    k: int
    n_trees: int
    seed: int
    key: tuple[int, ...]
    metric: Delayed

    def search(
        self,
        parts: list[Delayed],
        edges: list[int],
        first: int,
        n_cells: int,
        cells: Delayed | None,
    ) -> list[list[Delayed]]:
        """What is found for the rows of each part, in tasks of `Found`.

        Parameters
        ----------
        parts
            The rows of cells first ... first + n_cells - 1, in runs of their numbers.
        edges
            Where the numbers of each part start, and the end of the last.
        first, n_cells, cells
            n_cells is a power of two.
        """
        if n_cells == 1:
            key = (*self.key, first)
            args = parts, edges, self.k, self.n_trees, self.seed, key, self.metric
            found = self.tasks("density-trees", grow_in_cell, *args)
            return [[part] for part in self._items("density-found", found, len(parts))]
        step = max(1, n_cells // PARTS)
        firsts = range(first, first + n_cells, step)
        routed = [
            self._items(
                "density-cell-part",
                self.tasks("density-route", route, part, cells, firsts, self.metric),
                len(firsts),
            )
            for part in parts
        ]
        founds: list[list[Delayed]] = [[] for _ in parts]
        for number, start in enumerate(firsts):
            own = [run[number] for run in routed]
            merged = self._search_merged(own, edges, start, step, cells)
            for found, new in zip(founds, merged, strict=True):
                found.extend(new)
        return founds

    def _search_merged(
        self,
        parts: list[Delayed],
        edges: list[int],
        first: int,
        n_cells: int,
        cells: Delayed | None,
    ) -> list[list[Delayed]]:
        if n_cells == 1:
            # a cell joins its parts itself: merged before, they would be copied twice
            return self.search(parts, edges, first, 1, cells)
        runs = cut(len(parts), PARTS)
        merged = [
            self.tasks("density-cell-merge", join_groups, parts[low:high]) for low, high in runs
        ]
        # 20 parts of 100 rows, 16 at a time: 0, 1600 and the end, 2000
        merged_edges = [edges[low] for low, _ in runs] + [edges[-1]]
        founds = []
        for (low, high), found in zip(
            runs, self.search(merged, merged_edges, first, n_cells, cells), strict=True
        ):
            split = self.tasks("density-found-split", split_found, found, edges[low : high + 1])
            founds += [[part] for part in self._items("density-found", split, high - low)]
        return founds

    def _items(self, stage: str, listed: Delayed, n: int) -> list[Delayed]:
        # a task for each item, so that a worker fetches only what it needs
        return [self.tasks(stage, operator.getitem, listed, number) for number in range(n)]
