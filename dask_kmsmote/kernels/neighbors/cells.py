"""Cells: a group larger than a block, cut along random directions so that near rows stay together.

They are the upper levels of a random projection tree, learned on a sample of the group. A block
is routed to the cells; a cell takes its rows from all blocks, and what is found there goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from ..groups.pieces import GroupRows
from ..rows.blocks import Floats, Ints
from ..rows.metric import Kinds, Metric
from ..seeding import stream
from .distances import Nearest, nothing_found
from .forest import along_direction, halve, improve, near_rows, project


class Cells(NamedTuple):
    """A complete binary tree: node i has the children 2 i + 1 and 2 i + 2.

    Attributes
    ----------
    lefts, rights
        Points that the direction of each inner node leads from and to, shape (n_cells - 1,
        n_features).
    cuts
        Projections up to which rows go to the first child, shape (n_cells - 1,).
    """

    lefts: Floats
    rights: Floats
    cuts: Floats


class Points(NamedTuple):
    """Some rows of a group, to be searched.

    Attributes
    ----------
    rows, numbers
        Points, and their numbers in the group, ascending.
    bounds
        Squared distances; nearer rows alone are looked for.
    """

    rows: Floats
    numbers: Ints
    bounds: Floats


class Found(NamedTuple):
    """What was found for some rows: their numbers in the group, ascending, and the rows near."""

    numbers: Ints
    nearest: Nearest


def points_of(
    block: GroupRows, start: int, metric: Metric, known: Nearest | None, known_from: int
) -> Points:
    """A block that begins at row `start`, within the bounds of lists that begin at `known_from`."""
    rows, low = metric.points(block.rows), start - known_from
    bounds = np.full(len(rows), np.inf)
    if known is not None:
        bounds[:] = known.squared[low : low + len(rows), -1]
    return Points(rows, np.arange(start, start + len(rows)), bounds)


def join_points(parts: Sequence[Points]) -> Points:
    """Parts in the order of their numbers."""
    if len(parts) == 1:
        return parts[0]
    return Points(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.bounds for part in parts]),
    )


def learn_cells(sample: Floats, kinds: Kinds, n_cells: int, rng: np.random.Generator) -> Cells:
    """Cells of equal shares of a sample; n_cells is a power of two, the sample four times it."""
    lefts, rights, cuts = [], [], []
    level = [np.arange(len(sample))]
    # level by level, in the order of the nodes: 0, then 1 2, then 3 4 5 6
    while len(level) < n_cells:
        children = []
        for node in level:
            left, right = rng.choice(node, 2, replace=False)
            lefts.append(sample[left])
            rights.append(sample[right])
            along = project(sample, kinds, node, lefts[-1], rights[-1])
            cuts.append(np.median(along))
            children += halve(node, along)
        level = children
    return Cells(np.array(lefts), np.array(rights), np.array(cuts))


def route(part: Points, cells: Cells, firsts: Sequence[int], metric: Metric) -> list[Points]:
    """Points by run of cells.

    Parameters
    ----------
    part
        Those of cells from the first run to the last.
    cells
        All cells.
    firsts
        The first cell of each run.
    metric
        What the points are in.
    """
    kinds = metric.kinds(part.rows.shape[1])
    cell_of = np.empty(len(part.numbers), dtype=np.int64)
    _descend(part.rows, kinds, part.numbers, cells, cells.rights - cells.lefts, cell_of)
    # of runs that start at the cells 8 and 12: 8 to 11 are run 0, and 12 to 15 run 1
    run_of = np.searchsorted(firsts, cell_of, side="right") - 1
    chosen = [np.flatnonzero(run_of == run) for run in range(len(firsts))]
    return [Points(part.rows[at], part.numbers[at], part.bounds[at]) for at in chosen]


@compiled
def _descend(rows, kinds, numbers, cells, directions, cell_of):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    lefts, rights, cuts = cells.lefts, cells.rights, cells.cuts
    for i in range(len(rows)):
        node, depth = 0, 0
        while node < len(cuts):
            left, right, direction = lefts[node], rights[node], directions[node]
            along = along_direction(rows[i], kinds, left, right, direction)
            second = along > cuts[node]
            if along == cuts[node]:  # duplicates are spread over both
                second = (numbers[i] >> depth) % 2 == 1
            node = 2 * node + 1 + int(second)
            depth += 1
        cell_of[i] = node - len(cuts)  # of 3 cuts: the nodes 3 to 6 are the cells 0 to 3


def search_cell(
    cell: Points, kinds: Kinds, k: int, n_trees: int, rng: np.random.Generator
) -> Found:
    """What trees find in a cell, for the rows that they find something for.

    Parameters
    ----------
    cell
        Its points.
    kinds, k, n_trees, rng
        As for `forest.near_rows`.
    """
    known = min(k, len(cell.rows) - 1)
    if known <= 0:
        return Found(cell.numbers[:0], nothing_found(0, k))
    near = near_rows(cell.rows, kinds, known, n_trees, rng, cell.bounds)
    # a list that is filled by its bound alone goes nowhere
    at = np.flatnonzero(near.indices[:, 0] >= 0)
    squared, indices = nothing_found(len(at), k)
    squared[:, :known], found = near.squared[at], near.indices[at]
    indices[:, :known] = np.where(found < 0, -1, cell.numbers[found])
    return Found(cell.numbers[at], Nearest(squared, indices))


def split_found(runs: Sequence[Sequence[Found]], edges: Sequence[int]) -> list[Found]:
    """What was found for rows in each of the ranges of numbers that `edges` bound."""
    parts: list[list[Found]] = [[] for _ in edges[1:]]
    for numbers, (squared, indices) in chain.from_iterable(runs):
        # numbers ascend: 3 7 9, with edges 0 5 10, are cut at 0 1 3
        cuts = np.searchsorted(numbers, edges)
        for part, (low, high) in zip(parts, pairwise(cuts), strict=True):
            near = Nearest(squared[low:high], indices[low:high])
            part.append(Found(numbers[low:high], near))
    return [_join_found(part) for part in parts]


def _join_found(parts: Sequence[Found]) -> Found:
    if len(parts) == 1:
        return parts[0]
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.argsort(numbers)
    lists = zip(*(part.nearest for part in parts), strict=True)
    return Found(numbers[order], Nearest(*(np.concatenate(parts)[order] for parts in lists)))


def cut_cells(
    sample: Floats, n_cells: int, seed: int, key: tuple[int, ...], metric: Metric
) -> Cells:
    """Cells of a chain, from its own stream."""
    return learn_cells(sample, metric.kinds(sample.shape[1]), n_cells, stream(seed, *key))


def grow_in_cell(
    parts: Sequence[Points],
    k: int,
    n_trees: int,
    seed: int,
    key: tuple[int, ...],
    metric: Metric,
) -> list[Found]:
    """Trees in one cell, from its own stream; a list of one, as what is split makes lists."""
    cell, kinds = join_points(parts), metric.kinds(parts[0].rows.shape[1])
    return [search_cell(cell, kinds, k, n_trees, stream(seed, *key))]


def merge_found(
    known: Nearest | None, runs: Sequence[Sequence[Found]], start: int, n_rows: int, k: int
) -> Nearest:
    """Lists of rows from `start` on, with what chains found for them."""
    nearest = nothing_found(n_rows, k)
    if known is not None:
        # a copy: what a task is given belongs to the task that made it
        nearest = Nearest(known.squared.copy(), known.indices.copy())
    for part in chain.from_iterable(runs):
        improve(nearest, part.nearest, part.numbers - start)
    return nearest
