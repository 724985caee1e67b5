"""A chain of an approximate search: every row of a group goes to a cell, and what is found, back.

Where a group has more than `PARTS` cells (about one a block), they are parted first into runs, and
the rows of each run merged, and so on: tasks grow as blocks * log(blocks), not as blocks * cells.
What is found goes back by ranges of row numbers, some blocks each, in the same way. With 64 blocks,
64 cells and 16 ranges:

    64 blocks  --route-->  8 runs of 8 cells, each in 64 parts
    a run      --merge-->  8 parts of 8 blocks  --route-->  8 cells, each in 8 parts
    a cell     --trees-->  what was found for its rows
    4 cells    --split-->  what was found for the rows of each of the 16 ranges
"""

from __future__ import annotations

import math
import operator
from itertools import pairwise
from typing import NamedTuple

from dask.delayed import Delayed

from ...kernels.neighbors.cells import grow_in_cell, join_points, route, split_found
from ...planning.cuts import cut
from ..dask.tasks import Tasks

PARTS = 16  # most runs of cells, parts that one task merges, and ranges; changes no result


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
    together
        Cells whose lists one task splits.
    """

    tasks: Tasks
    k: int
    n_trees: int
    seed: int
    key: tuple[int, ...]
    metric: Delayed
    together: int

    def search(
        self, parts: list[Delayed], n_cells: int, cells: Delayed | None, edges: list[int]
    ) -> list[list[Delayed]]:
        """What is found for the rows of each range, in tasks of lists of `Found`.

        Parameters
        ----------
        parts
            The group, in tasks of `Points` in the order of its rows.
        n_cells, cells
            A power of two; a task, or None where there is one cell.
        edges
            Where the numbers of each range start, and the end of the last.
        """
        args = self.k, self.n_trees, self.seed
        found = [
            self.tasks("density-trees", grow_in_cell, own, *args, (*self.key, cell), self.metric)
            for cell, own in enumerate(self._parted(parts, 0, n_cells, cells))
        ]
        return self._returned(found, edges)

    def _parted(
        self, parts: list[Delayed], first: int, n_cells: int, cells: Delayed | None
    ) -> list[list[Delayed]]:
        # the rows of each of the cells first ... first + n_cells - 1
        if n_cells == 1:
            return [parts]
        step = _run_of(n_cells)
        firsts = range(first, first + n_cells, step)
        routed = [
            self._items(
                "density-cell-part",
                self.tasks("density-route", route, part, cells, firsts, self.metric),
                list(range(len(firsts))),
            )
            for part in parts
        ]
        found = []
        for start, own in zip(firsts, zip(*routed, strict=True), strict=True):
            run = list(own)
            if step > 1:  # a cell joins its parts itself: merged before, they would be copied twice
                run = [
                    self.tasks("density-cell-merge", join_points, run[low:high])
                    for low, high in cut(len(run), len(firsts))
                ]
            found += self._parted(run, start, step, cells)
        return found

    def _returned(self, found: list[Delayed], edges: list[int]) -> list[list[Delayed]]:
        if len(edges) == 2:
            return [found]
        outer = _outer(edges)
        ones = [slice(number, number + 1) for number in range(len(outer) - 1)]
        taken = [
            self._items(
                "density-found",
                self.tasks("density-found-split", split_found, found[low:high], outer),
                ones,
            )
            for low, high in cut(len(found), self.together)
        ]
        ranges = []
        for (start, stop), own in zip(pairwise(outer), zip(*taken, strict=True), strict=True):
            inner = edges[edges.index(start) : edges.index(stop) + 1]
            ranges += self._returned(list(own), inner)
        return ranges

    def _items(self, stage: str, listed: Delayed, places: list[int] | list[slice]) -> list[Delayed]:
        # a task for each item, so that a worker fetches only what it needs
        return [self.tasks(stage, operator.getitem, listed, place) for place in places]


def _run_of(n_cells: int) -> int:
    # in as few levels as there can be, as even as can be: 64 cells are 8 runs of 8
    bits = n_cells.bit_length() - 1
    levels = math.ceil(bits / (PARTS.bit_length() - 1))
    return n_cells >> math.ceil(bits / levels)


def _outer(edges: list[int]) -> list[int]:
    # of 40 ranges, 13 of three and one of one
    step = -(-(len(edges) - 1) // PARTS)
    return [*edges[:-1:step], edges[-1]]
