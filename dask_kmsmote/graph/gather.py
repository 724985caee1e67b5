"""Gather: the rows of each kept group together, in the order of the data.

A group is kept in blocks of bounded size; each is sliced from the few merged pieces that hold
some of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from dask.delayed import Delayed

from ..kernels.pieces import Ints, join_groups, slice_group
from ..planning.layout import cut
from .tasks import Tasks


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


def gather_group(
    tasks: Tasks, pieces: Sequence[Delayed], group_counts: Ints, group: int, block_rows: int
) -> list[Delayed]:
    """A task for each block of a group's rows.

    Parameters
    ----------
    tasks, pieces, group_counts
        The run and what its survey found.
    group
        Number of the group.
    block_rows
        Most rows of a block.
    """
    blocks = []
    for start, stop in cut(int(group_counts[:, group].sum()), block_rows):
        parts = [
            tasks("gather", slice_group, pieces[s.piece], s.group, s.start, s.stop)
            for s in segments(group_counts, group, start, stop)
        ]
        blocks.append(parts[0] if len(parts) == 1 else tasks("gather-join", join_groups, parts))
    return blocks
