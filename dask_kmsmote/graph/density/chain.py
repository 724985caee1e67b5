"""A chain of an approximate search: every row of a group goes to a cell, and what is found, back.

Where a group has many blocks, its cells are parted first into `PARTS` runs, and the rows of each
run merged, and so on: tasks grow as blocks * log(blocks), not as blocks * cells.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import NamedTuple

from dask.delayed import Delayed

from ...kernels.neighbors.cells import Found, route, search_cell, split_found
from ...kernels.groups.pieces import GroupRows, join_groups
from ...kernels.seeding import stream
from ...planning.cuts import cut
from ..dask.tasks import Tasks

PARTS = 16


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
    """

    tasks: Tasks
    k: int
    n_trees: int
    seed: int
    key: tuple[int, ...]

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
            found = self.tasks(
                "trees", grow_in_cell, parts, edges, self.k, self.n_trees, self.seed, key
            )
            return [[part] for part in self._items("found", found, len(parts))]
        step = max(1, n_cells // PARTS)
        firsts = range(first, first + n_cells, step)
        routed = [
            self._items("cell-part", self.tasks("route", route, part, cells, firsts), len(firsts))
            for part in parts
        ]
        founds: list[list[Delayed]] = [[] for _ in parts]
        for number, start in enumerate(firsts):
            own = [run[number] for run in routed]
            for place, found in enumerate(self._search_merged(own, edges, start, step, cells)):
                founds[place] += found
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
            return self.search(parts, edges, first, 1, cells)
        runs = cut(len(parts), PARTS)
        merged = [self.tasks("cell-merge", join_groups, parts[low:high]) for low, high in runs]
        merged_edges = [edges[low] for low, _ in runs] + [edges[-1]]
        founds = []
        for (low, high), found in zip(
            runs, self.search(merged, merged_edges, first, n_cells, cells), strict=True
        ):
            split = self.tasks("found-split", split_found, found, edges[low : high + 1])
            founds += [[part] for part in self._items("found", split, high - low)]
        return founds

    def _items(self, stage: str, listed: Delayed, n: int) -> list[Delayed]:
        return [self.tasks(stage, operator.getitem, listed, place) for place in range(n)]


def grow_in_cell(
    parts: Sequence[GroupRows],
    edges: Sequence[int],
    k: int,
    n_trees: int,
    seed: int,
    key: tuple[int, ...],
) -> list[Found]:
    """Trees in one cell; what was found by part."""
    return search_cell(parts, edges, k, n_trees, stream(seed, *key))
