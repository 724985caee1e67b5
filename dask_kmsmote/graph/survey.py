"""Survey: one pass over X and y finds each row's cluster, counts, and keeps the wanted rows.

Pieces of neighbouring chunks are merged until they are as large as a block, so that few of them
are left and the tables that reach the client are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dask.delayed import Delayed

from ..kernels.groups.pieces import SurveyModel, merge_pieces, survey_chunk, tabulate
from ..kernels.rows.blocks import Ints
from ..planning.cuts import block_rows, bundle, offsets
from ..planning.groups import GroupKey
from ..planning.strategy import Label
from .census import Census
from .clustering.learn import Clustering
from .dask.tasks import Tasks, compute, persist, same


@dataclass(frozen=True)
class Survey:
    """What the survey found.

    Attributes
    ----------
    pieces
        Wanted rows, sorted by group, in cluster memory.
    wanted
        Numbers of the classes whose rows are kept.
    table
        Rows by cluster and class, shape (n_clusters, n_classes).
    group_counts
        Rows of each piece by group, shape (n_pieces, n_groups).
    inertia
        Sum of the squared distances to the nearest centres; NaN where there are none.
    """

    pieces: list[Delayed]
    wanted: tuple[int, ...]
    table: Ints
    group_counts: Ints
    inertia: float

    def number_of(self, key: GroupKey) -> int:
        """The column that a group has in `group_counts`."""
        class_code, cluster = key
        return self.wanted.index(class_code) * len(self.table) + cluster

    def with_pairs(self, keys: Sequence[GroupKey]) -> list[GroupKey]:
        """Those groups of which the pieces have two rows or more."""
        n_rows = self.group_counts.sum(axis=0)
        return [key for key in keys if n_rows[self.number_of(key)] > 1]


def take_survey(
    tasks: Tasks,
    census: Census,
    clustering: Clustering,
    wanted: Sequence[Label],
    piece_bytes: int,
) -> Survey:
    """Compute the tables and keep the pieces in cluster memory.

    Parameters
    ----------
    tasks, census, clustering
        The run, its input, and what finds clusters.
    wanted
        Classes to oversample.
    piece_bytes
        Pieces are merged up to so many.
    """
    model = SurveyModel(
        labeler=clustering.labeler,
        classes=census.classes,
        wanted=tuple(code for code, label in enumerate(census.classes) if label in wanted),
        n_clusters=clustering.summary.n_clusters,
    )
    pieces = _survey_chunks(tasks, census, clustering, model)
    piece_rows = block_rows(census.chunks.n_features, piece_bytes)
    pieces = persist(*_merge(tasks, pieces, census.rows_of(wanted), piece_rows))
    tables = compute(*[tasks("survey-table", tabulate, piece) for piece in pieces])
    survey = Survey(
        pieces=pieces,
        wanted=model.wanted,
        table=np.sum([table for table, _, _ in tables], axis=0),
        group_counts=np.array([counts for _, counts, _ in tables]),
        inertia=float(sum(inertia for _, _, inertia in tables)),
    )
    clustering.note_inertia(survey.inertia)
    return survey


def _survey_chunks(
    tasks: Tasks, census: Census, clustering: Clustering, model: SurveyModel
) -> list[Delayed]:
    chunks = census.chunks
    # a task of its own: as an argument, the centres would be in the task of every chunk
    shared = tasks("survey-model", same, model)
    clusters = clustering.clusters or [None] * len(chunks.target)
    starts = offsets(chunks.lengths)[:-1]
    return [
        tasks("survey", survey_chunk, *chunk, shared)
        for chunk in zip(
            chunks.parts, chunks.target, clusters, starts, census.to_compare, strict=True
        )
    ]


def _merge(tasks: Tasks, pieces: list[Delayed], sizes: list[int], limit: int) -> list[Delayed]:
    # sizes come from the census, so that the graph is whole before anything is computed:
    # of 100 pieces of 10 rows and a limit of 1,000, 4 of 250, then 1 of 1,000
    while True:
        runs = bundle(sizes, limit)
        if len(runs) == len(pieces):
            return pieces
        pieces = [tasks("survey-merge", merge_pieces, pieces[low:high]) for low, high in runs]
        sizes = [sum(sizes[low:high]) for low, high in runs]
