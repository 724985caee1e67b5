"""Survey: one pass over X and y finds each row's cluster, counts, and keeps the wanted rows.

Pieces of neighbouring chunks are merged until they are as large as a block, so that few of them
are left and the tables that reach the client are small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed

from ..kernels.clusters.assignment import require_labels
from ..kernels.rows.blocks import unmasked
from ..kernels.rows.fingerprint import ChunkPrints, of_labels, of_rows, require_unchanged
from ..kernels.rows.labels import code, encode
from ..kernels.groups.pieces import Ints, Piece, extract, merge_pieces, tabulate
from ..planning.cuts import bundle, offsets
from ..data.collections import RowBlocks
from .dask.tasks import Tasks, compute, persist


@dataclass(frozen=True)
class Survey:
    """What the survey found.

    Attributes
    ----------
    pieces
        Wanted rows, sorted by group, in cluster memory.
    table
        Rows by cluster and class, shape (n_clusters, n_classes).
    group_counts
        Rows of each piece by group, shape (n_pieces, n_groups).
    inertia
        Sum of the squared distances to the nearest centres; NaN where there are none.
    """

    pieces: list[Delayed]
    table: Ints
    group_counts: Ints
    inertia: float


class Model(NamedTuple):
    """What the survey asks of each row; one object in the graph, shared by all chunks.

    Attributes
    ----------
    labeler
        Finds clusters.
    classes, wanted
        Labels in order, and numbers of those to oversample.
    n_clusters
        Clusters.
    """

    labeler: Any
    classes: tuple[Any, ...]
    wanted: tuple[int, ...]
    n_clusters: int


def survey_chunk(
    rows: Any, target: Any, labels: Any, start: int, prints: ChunkPrints, model: Model
) -> Piece:
    """The piece of one chunk; `labels` stand for the labeler where they are known already.

    The chunk must be what the census saw: so must it be each time that a lost piece is made anew.
    """
    rows, target = unmasked(rows, "X"), unmasked(target, "y")
    coded = code(target)
    require_unchanged(of_rows(rows), prints.rows, "X", prints.place)
    require_unchanged(of_labels(*coded), prints.target, "y", prints.place)
    inertia = math.nan
    if labels is None:
        labels, inertia = model.labeler.label(rows)
    labels = require_labels(labels, rows.shape[0], model.n_clusters)
    codes = encode(coded, model.classes)
    shape = (model.n_clusters, len(model.classes))
    return extract(rows, codes, labels, inertia, start, model.wanted, shape)


def take_survey(
    tasks: Tasks,
    blocks: RowBlocks,
    model: Model,
    labels: list[Delayed] | None,
    wanted_by_chunk: list[int],
    piece_rows: int,
) -> Survey:
    """Compute the tables and keep the pieces in cluster memory.

    Parameters
    ----------
    tasks, blocks
        The run and its input, of known lengths and fingerprints.
    model, labels
        What is asked of each row, and the clusters of each chunk's rows where they are known.
    wanted_by_chunk
        Rows of the classes to oversample in each chunk.
    piece_rows
        Pieces are merged up to so many rows.
    """
    shared = tasks("model", _pass, model)
    known = labels or [None] * len(blocks.target)
    starts = offsets(blocks.lengths or ())
    pieces = [
        tasks("survey", survey_chunk, *chunk, shared)
        for chunk in zip(
            blocks.rows(), blocks.target, known, starts[:-1], blocks.prints, strict=True
        )
    ]
    pieces = _merge(tasks, pieces, wanted_by_chunk, piece_rows)
    pieces = persist(*pieces)
    tables = compute(*[tasks("survey-table", tabulate, piece) for piece in pieces])
    return Survey(
        pieces,
        np.sum([table for table, _, _ in tables], axis=0),
        np.array([counts for _, counts, _ in tables]),
        float(sum(inertia for _, _, inertia in tables)),
    )


def _pass(value: Any) -> Any:
    return value


def _merge(tasks: Tasks, pieces: list[Delayed], sizes: list[int], limit: int) -> list[Delayed]:
    while True:
        runs = bundle(sizes, limit)
        if len(runs) == len(pieces):
            return pieces
        pieces = [tasks("survey-merge", merge_pieces, pieces[low:high]) for low, high in runs]
        sizes = [sum(sizes[low:high]) for low, high in runs]
