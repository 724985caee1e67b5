"""Census: one pass over X and y.

It notes chunk lengths, labels, fingerprints and what is not finite, and in the same pass takes the
rows that clusters are learned from, which are chosen by their position in X.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dask.delayed import Delayed

from ..errors import InputError
from ..kernels.rows.blocks import Floats, Ints, stack
from ..kernels.rows.census import Summary, merge_summaries, sampled, summarize
from ..kernels.rows.fingerprint import ChunkFingerprints
from ..kernels.rows.labels import LabelCounts
from ..kernels.rows.metric import SPREAD_ROWS, Metric, measure_deviations, standard
from ..kernels.seeding import CENSUS_SAMPLE, sample_rows
from ..planning import checks
from ..planning.cuts import block_rows
from ..planning.groups import FeatureSpread
from ..planning.strategy import Label, resolve_strategy
from .chunks import Chunks, by_chunk
from .clustering.clusterer import rows_to_sample
from .dask.tasks import Tasks, compute, persist, same
from .settings import Settings


@dataclass(frozen=True)
class Census:
    """What the census found: nothing that is wrong.

    Attributes
    ----------
    chunks
        The input, of known lengths.
    fingerprints
        Of each chunk of X and y.
    counts, amounts
        Rows of each class, and rows to generate of each targeted one, in label order.
    by_chunk
        Labels of each chunk.
    sample, n_sampled
        A task, kept in cluster memory: some rows, in their order; and how many.
    metric
        What distances are measured in.
    spread
        How far the scales of the features lie apart.
    """

    chunks: Chunks
    fingerprints: tuple[ChunkFingerprints, ...]
    counts: dict[Label, int]
    amounts: dict[Label, int]
    by_chunk: tuple[LabelCounts, ...]
    sample: Delayed
    n_sampled: int
    metric: Metric
    spread: FeatureSpread | None

    @property
    def n_rows(self) -> int:
        """Rows of X."""
        return sum(self.chunks.lengths)

    def shared_metric(self, tasks: Tasks) -> Delayed:
        """The metric as a task of its own.

        As an argument it would be in every task, and it is as wide as a row.
        """
        return tasks("census-metric", same, self.metric)

    @property
    def classes(self) -> tuple[Label, ...]:
        """Labels in order."""
        return tuple(self.counts)

    def rows_of(self, labels: Sequence[Label]) -> list[int]:
        """Rows that some classes have together in each chunk."""
        return [sum(chunk.counts.get(label, 0) for label in labels) for chunk in self.by_chunk]

    @property
    def wanted(self) -> list[Label]:
        """Classes to generate."""
        return [label for label, amount in self.amounts.items() if amount > 0]


def take_census(tasks: Tasks, chunks: Chunks, settings: Settings, block_bytes: int) -> Census:
    """Note and judge all chunks, and keep the sampled rows in cluster memory; computes.

    Parameters
    ----------
    tasks, chunks, settings
        The run, its input, and what it is asked for.
    block_bytes
        Of a block of synthetic rows, at most.

    Raises
    ------
    InputError, ParameterError
        X or y can't be resampled, or not as the settings say.
    """
    # the rows to sample are chosen by position, which needs the lengths of all chunks
    chunks = chunks.counted(tasks)
    n = sum(chunks.lengths)
    # enough for the spreads, too, where clusters are learned from few rows or elsewhere
    n_learning = rows_to_sample(settings.clusterer, n, chunks.n_features)
    n_sampled = min(n, max(n_learning, SPREAD_ROWS))
    sample = sample_rows(n, n_sampled, settings.seed, CENSUS_SAMPLE)
    rows = chunks.rows()
    partitions = chunks.partitions or [None] * len(rows)
    notes = [
        tasks("census", summarize, x, y, chunks.n_features, part)
        for x, y, part in zip(rows, chunks.target, partitions, strict=True)
    ]
    summary = tasks.tree("census-merge", merge_summaries, notes)
    # together, so that each chunk is loaded once for both
    summary, kept = persist(summary, _sampled(tasks, chunks, rows, sample))
    found, deviations = compute(summary, tasks("census-spread", measure_deviations, kept))
    counts = _judge(found, chunks)
    amounts = resolve_strategy(settings.strategy, counts, settings.target)
    _require_room(counts, amounts, settings, block_rows(chunks.n_features, block_bytes))
    return Census(
        chunks=chunks,
        fingerprints=found.fingerprints(),
        counts=counts,
        amounts=amounts,
        by_chunk=found.labels,
        sample=kept,
        n_sampled=len(sample),
        metric=standard(deviations) if settings.scale == "standard" else Metric(),
        spread=_spread(deviations, chunks.feature_names),
    )


def _sampled(tasks: Tasks, chunks: Chunks, rows: list[Delayed], sample: Ints) -> Delayed:
    # of no rows, which are refused, none of the first chunk are a block, too
    wanted = list(by_chunk(chunks.lengths, sample)) or [(0, sample)]
    parts = [
        tasks("census-sample", sampled, rows[chunk], chunks.n_features, inside)
        for chunk, inside in wanted
    ]
    return tasks("census-sample-join", stack, parts)


def _judge(summary: Summary, chunks: Chunks) -> dict[Label, int]:
    labels = summary.labels
    checks.check_lengths(summary.n_rows, [part.n_rows for part in labels])
    # the lengths were declared to Dask, or counted on y in a read before
    if summary.n_rows != chunks.lengths:
        raise InputError(
            "The number of rows changed between two reads of the data. Persist them first: "
            "X, y = dask.persist(X, y)."
        )
    checks.check_finite(
        summary.n_nan.tolist(),
        summary.n_inf.tolist(),
        summary.n_huge.tolist(),
        chunks.feature_names,
    )
    checks.check_labels(
        sum(part.n_missing for part in labels),
        sum(part.n_continuous for part in labels),
        sum(part.n_not_one_hot for part in labels),
    )
    return checks.sum_counts([part.counts for part in labels])


def _require_room(
    counts: dict[Label, int], amounts: dict[Label, int], settings: Settings, output_rows: int
) -> None:
    clusterer = settings.clusterer
    # a frozen clusterer has learned elsewhere
    learning_rows = None if clusterer.kind == "frozen" else clusterer.learning_rows
    least_rows = settings.recipe.clusters.least_rows(settings.search.n_neighbors)
    checks.check_sizes(counts, amounts, clusterer.n_clusters, learning_rows, least_rows)
    checks.check_blocks(sum(amounts.values()), output_rows)


def _spread(deviations: Floats, names: Sequence[Any]) -> FeatureSpread | None:
    varying = np.flatnonzero(np.isfinite(deviations) & (deviations > 0))
    if len(varying) < 2:
        return None
    # of the deviations 0, 3, 1 the columns 1 and 2 vary; argmax is 0 in these, which is column 1
    high, low = (int(varying[find(deviations[varying])]) for find in (np.argmax, np.argmin))
    return FeatureSpread(
        widest=str(names[high]),
        widest_spread=float(deviations[high]),
        narrowest=str(names[low]),
        narrowest_spread=float(deviations[low]),
    )
