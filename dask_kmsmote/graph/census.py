"""Census: one pass over X and y.

It notes chunk lengths, labels and what is not finite, and in the same pass takes the rows that
clusters are learned from, which are chosen by their position in X.
"""

from __future__ import annotations

from dask.delayed import Delayed

from ..kernels.rows.blocks import stack
from ..kernels.seeding import Ints
from ..kernels.rows.census import (
    Floats,
    Summary,
    measure_deviations,
    merge_summaries,
    sampled,
    summarize,
)
from ..data.collections import RowBlocks
from ..inspection.sample import by_chunk
from .dask.tasks import Tasks, compute, persist


def take_census(tasks: Tasks, blocks: RowBlocks, sample: Ints) -> tuple[Summary, Floats, Delayed]:
    """Compute the notes of all chunks, and keep the sampled rows in cluster memory.

    Parameters
    ----------
    tasks, blocks
        The run and its input, of known lengths.
    sample
        Sorted positions of the rows to take.

    Returns
    -------
    summary
        Small.
    deviations
        Standard deviation of each feature in the sample, shape (n_features,); of none where no row
        is sampled.
    rows
        One persisted block: the sampled rows in their order.
    """
    rows, n_features = blocks.rows(), blocks.matrix.shape[1]
    partitions = blocks.partitions or [None] * len(rows)
    notes = [
        tasks("census", summarize, x, y, n_features, part)
        for x, y, part in zip(rows, blocks.target, partitions, strict=True)
    ]
    summary = tasks.tree("census-merge", merge_summaries, notes)
    summary, kept = persist(summary, _sampled(tasks, blocks, rows, sample))
    found, deviations = compute(
        summary, tasks("census-spread", measure_deviations, kept if len(sample) else None)
    )
    return found, deviations, kept


def _sampled(tasks: Tasks, blocks: RowBlocks, rows: list[Delayed], sample: Ints) -> Delayed:
    parts = [
        tasks("sample", sampled, rows[chunk], blocks.matrix.shape[1], places)
        for chunk, places in by_chunk(blocks.lengths or (), sample)
    ]
    return tasks("sample-join", stack, parts or rows[:1])
