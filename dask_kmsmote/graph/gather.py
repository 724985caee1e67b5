"""Gather: the rows of each kept group together, in the order of the data.

A group is kept in blocks of bounded size, each sliced from the pieces that hold some of its rows.
Where there are many pieces, the groups are parted first into `PARTS` runs, and the pieces of each
run merged, and so on: tasks grow as pieces * log(groups), not as pieces * groups. With 3 pieces
that have 4, 0 and 5 rows of a group, its blocks of 6 rows are

    block 0   rows 0-5 of the group   [0, 4) of piece 0, [0, 2) of piece 2
    block 1   rows 6-8                [2, 5) of piece 2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from dask.delayed import Delayed

from ..kernels.groups.picking import pick
from ..kernels.groups.pieces import join_groups, merge_pieces, select_groups, slice_group
from ..kernels.rows.blocks import Ints
from ..planning.cuts import block_rows, bundle, cut
from ..planning.groups import GroupKey
from .census import Census
from .dask.tasks import Part, Tasks, persist
from .survey import Survey

PARTS = 16  # most runs of groups, and most pieces that each group is sliced from; changes no result


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
    """

    key: GroupKey
    n_rows: int
    size: int
    n_features: int
    blocks: list[Delayed]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Rows of the group in each block."""
        return cut(self.n_rows, self.size)

    def pick(self, tasks: Tasks, name: str, wanted: Ints | Part) -> list[Delayed]:
        """What each block holds of some rows, which are numbered within the group."""
        return [
            tasks(name, pick, block, wanted, start)
            for block, (start, _) in zip(self.blocks, self.ranges, strict=True)
        ]


def gather(
    tasks: Tasks, census: Census, survey: Survey, keys: Sequence[GroupKey], block_bytes: int
) -> list[Group]:
    """Bring the rows of some groups together, and keep them in cluster memory; computes.

    Parameters
    ----------
    tasks, census, survey
        The run and what it found so far.
    keys
        Class and cluster of each group.
    block_bytes
        Of a block of a group, at most.
    """
    size = block_rows(census.chunks.n_features, block_bytes)
    n_rows = survey.group_counts.sum(axis=0).tolist()
    numbers = [survey.number_of(key) for key in keys]
    blocks = gather_groups(tasks, survey.pieces, survey.group_counts, numbers, size)
    held = iter(persist(*[block for own in blocks for block in own]))
    return [
        Group(
            key=key,
            n_rows=n_rows[number],
            size=size,
            n_features=census.chunks.n_features,
            blocks=[next(held) for _ in own],
        )
        for key, number, own in zip(keys, numbers, blocks, strict=True)
    ]


class Segment(NamedTuple):
    """Rows [start, stop) that a piece has of a group."""

    piece: int
    group: int
    start: int
    stop: int


def segments(group_counts: Ints, group: int, start: int, stop: int) -> list[Segment]:
    """Where rows [start, stop) of a group lie in the pieces.

    Parameters
    ----------
    group_counts
        Rows of each piece by group, shape (n_pieces, n_groups).
    group, start, stop
        The rows, numbered within the group.
    """
    ends = np.cumsum(group_counts[:, group])
    found = []
    # pieces of 4, 0, 5 rows end at 4 4 9: rows [4, 9) begin in piece 2, as "right" steps over
    # pieces that end there, and rows [6, 9) are [2, 5) of it
    for piece in range(int(np.searchsorted(ends, start, "right")), len(ends)):
        first = int(ends[piece] - group_counts[piece, group])
        if first >= stop:
            break
        low, high = max(start, first), min(stop, int(ends[piece]))
        if low < high:
            found.append(Segment(piece=piece, group=group, start=low - first, stop=high - first))
    return found


def gather_groups(
    tasks: Tasks,
    pieces: Sequence[Delayed],
    group_counts: Ints,
    groups: Sequence[int],
    block_rows: int,
) -> list[list[Delayed]]:
    """A task for each block of rows, for each of some groups.

    Parameters
    ----------
    tasks, pieces, group_counts
        The run and what its survey found.
    groups
        Their numbers.
    block_rows
        Most rows of a block.
    """
    if len(pieces) <= PARTS or len(groups) == 1:
        return [_blocks(tasks, pieces, group_counts, group, block_rows) for group in groups]
    blocks = []
    # 40 groups are 13 runs of 3 and one of 1
    for low, high in cut(len(groups), -(-len(groups) // PARTS)):
        own = list(groups[low:high])
        counts = group_counts[:, own]
        holding = np.flatnonzero(counts.any(axis=1)).tolist()
        parts = [tasks("gather-part", select_groups, pieces[piece], own) for piece in holding]
        # up to the rows of a block, so that a task holds about as much as a block
        runs = bundle(counts[holding].sum(axis=1).tolist(), block_rows)
        merged = [tasks("gather-merge", merge_pieces, parts[start:stop]) for start, stop in runs]
        counts = np.array([counts[holding[start:stop]].sum(axis=0) for start, stop in runs])
        # `select_groups` has numbered the groups of the run anew, from 0
        blocks += gather_groups(tasks, merged, counts, range(len(own)), block_rows)
    return blocks


def _blocks(
    tasks: Tasks, pieces: Sequence[Delayed], group_counts: Ints, group: int, block_rows: int
) -> list[Delayed]:
    blocks = []
    for start, stop in cut(int(group_counts[:, group].sum()), block_rows):
        parts = [
            tasks("gather", slice_group, pieces[s.piece], s.group, s.start, s.stop)
            for s in segments(group_counts, group, start, stop)
        ]
        blocks.append(parts[0] if len(parts) == 1 else tasks("gather-join", join_groups, parts))
    return blocks
