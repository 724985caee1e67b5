"""The rows that matter of a chunk, sorted by group: what the gather moves instead of the data.

A group is a (wanted class, cluster) pair; its number is ``wanted * n_clusters + cluster_id``.
Sorting is stable and merging keeps the order of the parts, so the rows of a group stay in the
order of the data whatever the chunks were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rows.blocks import Rows, stack, take

Ints = NDArray[np.int64]


class GroupRows(NamedTuple):
    """Rows and their positions in X, in the order of the data."""

    rows: Rows
    positions: Ints


class Piece(NamedTuple):
    """Wanted rows of some consecutive chunks.

    Attributes
    ----------
    rows, positions
        The rows, sorted by group and then by position in X, and those positions.
    starts
        Where each group starts in them, and their number: shape (n_groups + 1,).
    counts
        All rows of the chunks by cluster and class, shape (n_clusters, n_classes).
    inertia
        Sum of the squared distances to the nearest centres; NaN where there are no centres.
    """

    rows: Rows
    positions: Ints
    starts: Ints
    counts: Ints
    inertia: float


def extract(
    rows: Rows,
    codes: Ints,
    labels: NDArray[np.integer],
    inertia: float,
    start: int,
    wanted: Sequence[int],
    shape: tuple[int, int],
) -> Piece:
    """The piece of one chunk.

    Parameters
    ----------
    rows, codes, labels
        The chunk, and class number and cluster of each of its rows (negative: no cluster).
    inertia
        Passed on.
    start
        Position in X of the first row.
    wanted
        Numbers of the classes to oversample.
    shape
        n_clusters, n_classes.
    """
    n_clusters, n_classes = shape
    inside = (labels >= 0) & (labels < n_clusters)
    cells = labels[inside].astype(np.int64) * n_classes + codes[inside]
    counts = np.bincount(cells, minlength=n_clusters * n_classes).reshape(shape).astype(np.int64)
    place_of = np.full(n_classes, -1, dtype=np.int64)
    place_of[list(wanted)] = np.arange(len(wanted))
    places = place_of[codes]
    chosen = np.flatnonzero((places >= 0) & inside)
    groups = places[chosen] * n_clusters + labels[chosen]
    order = np.argsort(groups, kind="stable")
    chosen = chosen[order]
    return Piece(
        take(rows, chosen),
        chosen + start,
        _starts(groups, len(wanted) * n_clusters),
        counts,
        inertia,
    )


def _starts(groups: Ints, n_groups: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n_groups))])


def merge_pieces(parts: Sequence[Piece]) -> Piece:
    """The piece of consecutive runs of chunks, from theirs."""
    if len(parts) == 1:
        return parts[0]
    n_groups = len(parts[0].starts) - 1
    groups = np.concatenate([np.repeat(np.arange(n_groups), np.diff(p.starts)) for p in parts])
    order = np.argsort(groups, kind="stable")
    return Piece(
        take(stack([part.rows for part in parts]), order),
        np.concatenate([part.positions for part in parts])[order],
        _starts(groups, n_groups),
        np.sum([part.counts for part in parts], axis=0),
        sum(part.inertia for part in parts),
    )


def tabulate(piece: Piece) -> tuple[Ints, Ints, float]:
    """The small tables of a piece: rows by cluster and class, rows by group, and inertia."""
    return piece.counts, np.diff(piece.starts), piece.inertia


def slice_group(piece: Piece, group: int, start: int, stop: int) -> GroupRows:
    """Rows [start, stop) of those that a piece has of a group."""
    first = int(piece.starts[group])
    chosen = slice(first + start, first + stop)
    return GroupRows(piece.rows[chosen], piece.positions[chosen])


def select_groups(piece: Piece, groups: Sequence[int]) -> Piece:
    """The rows of some groups, which get the numbers 0, 1, ... in their order."""
    spans = [np.arange(piece.starts[group], piece.starts[group + 1]) for group in groups]
    chosen = np.concatenate(spans)
    starts = np.concatenate([[0], np.cumsum([len(span) for span in spans])])
    none = np.empty((0, 0), dtype=np.int64)
    return Piece(take(piece.rows, chosen), piece.positions[chosen], starts, none, 0.0)


def join_groups(parts: Sequence[GroupRows]) -> GroupRows:
    """Parts of one group in the order of the data."""
    return GroupRows(
        stack([part.rows for part in parts]),
        np.concatenate([part.positions for part in parts]),
    )
