"""The rows that matter of a chunk, sorted by group: what the gather moves instead of the data.

A group is a (wanted class, cluster) pair; its number is ``wanted * n_clusters + cluster_id``.
Sorting is stable and merging keeps the order of the parts, so the rows of a group stay in the
order of the data whatever the chunks were. With 2 clusters and the classes 1 and 2 wanted:

    chunk of 5 rows, from row 100 of X   class 0 1 2 1 1, cluster 0 1 0 0 1
    group                                - 1 2 0 1
    piece, groups 0 | 1 | 2 | 3          positions 103 | 101 104 | 102 |
                                         starts    0     1         3     4  4
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clusters.assignment import Labeler, require_labels
from ..rows.blocks import Ints, Rows, stack, take, unmasked
from ..rows.fingerprint import ChunkFingerprints, of_labels, of_rows, require_unchanged
from ..rows.labels import code, encode


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


class SurveyModel(NamedTuple):
    """What the survey asks of each row.

    Attributes
    ----------
    labeler
        Finds clusters.
    classes, wanted
        Labels in order, and numbers of those to oversample.
    n_clusters
        Clusters.
    """

    labeler: Labeler
    classes: tuple[Any, ...]
    wanted: tuple[int, ...]
    n_clusters: int


def survey_chunk(
    rows: Any,
    target: Any,
    clusters: Any,
    start: int,
    fingerprints: ChunkFingerprints,
    model: SurveyModel,
) -> Piece:
    """The piece of one chunk; `clusters` stand for the labeler where they are known already.

    The chunk must be what the census saw: so must it be each time that a lost piece is made anew.
    """
    rows, target = unmasked(rows, "X"), unmasked(target, "y")
    coded = code(target)
    if fingerprints.rows is not None:
        require_unchanged(of_rows(rows), fingerprints.rows, "X", fingerprints.chunk)
    require_unchanged(of_labels(*coded), fingerprints.target, "y", fingerprints.chunk)
    inertia = math.nan
    if clusters is None:
        clusters, inertia = model.labeler.label(rows)
    clusters = require_labels(clusters, rows.shape[0], model.n_clusters)
    codes = encode(coded, model.classes)
    shape = (model.n_clusters, len(model.classes))
    return extract(rows, codes, clusters, inertia, start, model.wanted, shape)


def extract(
    rows: Rows,
    codes: Ints,
    clusters: NDArray[np.integer],
    inertia: float,
    start: int,
    wanted: Sequence[int],
    shape: tuple[int, int],
) -> Piece:
    """The piece of one chunk.

    Parameters
    ----------
    rows, codes, clusters
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
    inside = (clusters >= 0) & (clusters < n_clusters)
    # a negative label is no cluster: such rows are counted nowhere
    # of 3 classes: cluster 2 and class 1 are the number 2 * 3 + 1 = 7
    flat = clusters[inside].astype(np.int64) * n_classes + codes[inside]
    counts = np.bincount(flat, minlength=n_clusters * n_classes).reshape(shape).astype(np.int64)
    # of the classes 0, 1, 2 with 1 and 2 wanted: -1, 0, 1
    number_of = np.full(n_classes, -1, dtype=np.int64)
    number_of[list(wanted)] = np.arange(len(wanted))
    numbers = number_of[codes]
    chosen = np.flatnonzero((numbers >= 0) & inside)
    groups = numbers[chosen] * n_clusters + clusters[chosen]
    order = np.argsort(groups, kind="stable")
    chosen = chosen[order]
    return Piece(
        # picked by numbers, so a copy: the piece does not keep the chunk in memory
        rows=take(rows, chosen),
        positions=chosen + start,
        starts=_starts(groups, len(wanted) * n_clusters),
        counts=counts,
        inertia=inertia,
    )


def _starts(groups: Ints, n_groups: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n_groups))])


def merge_pieces(parts: Sequence[Piece]) -> Piece:
    """The piece of consecutive runs of chunks, from theirs."""
    if len(parts) == 1:
        return parts[0]
    n_groups = len(parts[0].starts) - 1
    groups = np.concatenate([np.repeat(np.arange(n_groups), np.diff(p.starts)) for p in parts])
    # each part ascends already, and a stable sort merges such runs
    order = np.argsort(groups, kind="stable")
    return Piece(
        rows=take(stack([part.rows for part in parts]), order),
        positions=np.concatenate([part.positions for part in parts])[order],
        starts=_starts(groups, n_groups),
        counts=np.sum([part.counts for part in parts], axis=0),
        inertia=sum(part.inertia for part in parts),
    )


def tabulate(piece: Piece) -> tuple[Ints, Ints, float]:
    """The small tables of a piece: rows by cluster and class, rows by group, and inertia."""
    return piece.counts, np.diff(piece.starts), piece.inertia


def slice_group(piece: Piece, group: int, start: int, stop: int) -> GroupRows:
    """Rows [start, stop) of those that a piece has of a group."""
    first = int(piece.starts[group])
    chosen = slice(first + start, first + stop)
    # of an array, a view: nothing is copied, and the whole piece stays in memory with it
    return GroupRows(piece.rows[chosen], piece.positions[chosen])


def select_groups(piece: Piece, groups: Sequence[int]) -> Piece:
    """The rows of some groups, which get the numbers 0, 1, ... in their order."""
    ranges = [np.arange(piece.starts[group], piece.starts[group + 1]) for group in groups]
    chosen = np.concatenate(ranges)
    starts = np.concatenate([[0], np.cumsum([len(own) for own in ranges])])
    none = np.empty((0, 0), dtype=np.int64)
    return Piece(
        rows=take(piece.rows, chosen),
        positions=piece.positions[chosen],
        starts=starts,
        counts=none,
        inertia=0.0,
    )


def join_groups(parts: Sequence[GroupRows]) -> GroupRows:
    """Parts of one group in the order of the data."""
    return GroupRows(
        stack([part.rows for part in parts]),
        np.concatenate([part.positions for part in parts]),
    )


def positions_of(block: GroupRows) -> Ints:
    """Positions in X of a block of a group."""
    return block.positions
