"""Gather: the rows of each kept group together, in the order of the data.

A group is kept in blocks of bounded size, each sliced from the pieces that hold some of its rows.
Where there are many pieces, the groups are parted first into `PARTS` runs, and the pieces of each
run merged, and so on: tasks grow as pieces * log(groups), not as pieces * groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from dask.delayed import Delayed

from ..kernels.groups.pieces import Ints, join_groups, merge_pieces, select_groups, slice_group
from ..planning.cuts import bundle, cut
from .dask.tasks import Tasks

PARTS = 16


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
    for piece in range(int(np.searchsorted(ends, start, "right")), len(ends)):
        first = int(ends[piece] - group_counts[piece, group])
        if first >= stop:
            break
        low, high = max(start, first), min(stop, int(ends[piece]))
        if low < high:
            found.append(Segment(piece, group, low - first, high - first))
    return found


def gather(
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
    for low, high in cut(len(groups), -(-len(groups) // PARTS)):
        own = list(groups[low:high])
        counts = group_counts[:, own]
        places = np.flatnonzero(counts.any(axis=1)).tolist()
        parts = [tasks("gather-part", select_groups, pieces[place], own) for place in places]
        runs = bundle(counts[places].sum(axis=1).tolist(), block_rows)
        merged = [tasks("gather-merge", merge_pieces, parts[start:stop]) for start, stop in runs]
        counts = np.array([counts[places[start:stop]].sum(axis=0) for start, stop in runs])
        blocks += gather(tasks, merged, counts, range(len(own)), block_rows)
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
