"""Census: one pass over X and y.

It notes chunk lengths, labels, fingerprints and what is not finite, and in the same pass takes the
rows that clusters are learned from, which are chosen by their position in X.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed

from ..errors import InputError
from ..kernels.rows.blocks import Floats, Ints
from ..kernels.rows.categories import MOST_CATEGORIES
from ..kernels.rows.census import (
    Summary,
    encode_noted,
    indicate_noted,
    merge_notes,
    summary_of,
    without_values,
)
from ..kernels.rows.fingerprint import ChunkFingerprints
from ..kernels.rows.labels import LabelCounts
from ..kernels.rows.metric import (
    SPREAD_ROWS,
    Indicators,
    Metric,
    Spread,
    measure_spread,
    usable,
)
from ..kernels.rows.schema import Schema
from ..kernels.seeding import CENSUS_SAMPLE, sample_rows
from ..planning import checks
from ..planning.cuts import block_rows
from ..planning.groups import Features, FeatureSpread
from ..planning.strategy import Label, resolve_strategy
from .chunks import Chunks, Source
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
    counts
        Rows of each class, in label order.
    by_chunk
        Labels of each chunk.
    sample, n_sampled
        A task, kept in cluster memory: some rows, in their order; and how many.
    peaks
        Largest absolute value of each number.
    metric
        What distances are measured in.
    encoding
        A task, kept in cluster memory: what the codes of categories mean.
    features
        How many there are of each kind, and what a plan says of them.
    """

    chunks: Chunks
    fingerprints: tuple[ChunkFingerprints, ...]
    counts: dict[Label, int]
    by_chunk: tuple[LabelCounts, ...]
    sample: Delayed
    n_sampled: int
    peaks: Floats
    metric: Metric
    encoding: Delayed
    features: Features

    @property
    def n_rows(self) -> int:
        """Rows of X."""
        return sum(self.chunks.lengths)

    @property
    def to_compare(self) -> list[ChunkFingerprints]:
        """Fingerprints to compare chunks with, of which the reading has not compared the rows."""
        if not self.chunks.is_compared:
            return list(self.fingerprints)
        return [own._replace(rows=None) for own in self.fingerprints]

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


class Whole(NamedTuple):
    """What is known of all rows, where a source has some of them.

    Attributes
    ----------
    counts
        All rows of each class, in label order.
    sample
        Places in the source of the rows that a census of all rows samples (`rows_of_census`).
    noted
        What a census notes of all rows, where there are categories: which of many are the most
        common is no matter of some rows.
    """

    counts: dict[Label, int]
    sample: Ints
    noted: Summary | None = None


def rows_of_census(settings: Settings, n: int, n_features: int) -> Ints:
    """Positions of the rows, of n, that clusters and the spreads of features are learned from."""
    # enough for the spreads, too, where clusters are learned from few rows or elsewhere
    n_learning = rows_to_sample(settings.clusterer, n, n_features)
    return sample_rows(n, max(n_learning, SPREAD_ROWS), settings.seed, CENSUS_SAMPLE)


def take_census(
    tasks: Tasks, source: Source, settings: Settings, whole: Whole | None = None
) -> Census:
    """Note and judge all chunks, and keep the sampled rows in cluster memory; computes.

    Parameters
    ----------
    tasks, source, settings
        The run, its input, and what it is asked for.
    whole
        Of which the source has some rows; None where it has all.

    Raises
    ------
    InputError
        X or y can't be resampled.
    """
    # the rows to sample are chosen by position, which needs the lengths of all chunks
    source = source.counted(tasks)
    n = sum(source.lengths)
    sample = whole.sample if whole else rows_of_census(settings, n, source.n_features)
    notes = tasks.tree("census-merge", merge_notes, source.notes(tasks, sample))
    summary = tasks("census-summary", summary_of, notes)
    noted = whole.noted if whole else None
    encoding = tasks("census-encoding", encode_noted, noted or summary)
    kept = persist(summary, encoding, source.sampled(tasks, notes, encoding))
    summary, encoding, rows = kept
    found, spread, indicators = compute(
        tasks("census-found", without_values, summary),
        tasks("census-spread", measure_spread, rows, len(source.schema.numbers)),
        tasks("census-indicators", indicate_noted, noted or summary, encoding),
    )
    counts = _judge(found, source)
    fingerprints = found.fingerprints()
    metric = _metric(spread, indicators, settings, any(found.n_nan))
    return Census(
        chunks=source.chunks(tasks, encoding, fingerprints),
        fingerprints=fingerprints,
        counts=whole.counts if whole else counts,
        by_chunk=found.labels,
        sample=rows,
        n_sampled=len(sample),
        peaks=found.peaks,
        metric=metric,
        encoding=encoding,
        features=_features(found, spread, metric, source.schema),
    )


def amounts_of(census: Census, settings: Settings, block_bytes: int) -> dict[Label, int]:
    """Rows to generate of each targeted class, in label order.

    Parameters
    ----------
    census, settings
        What was found, and what is asked for.
    block_bytes
        Of a block of synthetic rows, at most.

    Raises
    ------
    InputError, ParameterError
        The classes can't be resampled as the settings say.
    """
    counts, recipe, clusterer = census.counts, settings.recipe, settings.clusterer
    amounts = resolve_strategy(settings.strategy, counts, settings.target, recipe.of_ratio)
    # a frozen clusterer has learned elsewhere
    learning_rows = None if clusterer.kind == "frozen" else clusterer.learning_rows
    least_rows = recipe.clusters.least_rows(settings.search.n_neighbors)
    checks.check_sizes(counts, amounts, clusterer.n_clusters, learning_rows, least_rows)
    checks.check_blocks(sum(amounts.values()), block_rows(census.chunks.n_features, block_bytes))
    return amounts


def _judge(summary: Summary, source: Source) -> dict[Label, int]:
    labels, schema = summary.labels, source.schema
    checks.check_lengths(summary.n_rows, [part.n_rows for part in labels])
    # the lengths were declared to Dask, or counted on y in a read before
    if summary.n_rows != source.lengths:
        raise InputError(
            "The number of rows changed between two reads of the data. Persist them first: "
            "X, y = dask.persist(X, y)."
        )
    guessed = [schema.columns[place] for place in schema.guessed]
    checks.check_categories(
        {
            name: checks.FoundCategories(own.n, own.kinds, name in guessed)
            for name, own in zip(
                schema.features[len(schema.numbers) :], summary.categories, strict=True
            )
        },
        MOST_CATEGORIES,
        schema.holder,
    )
    checks.check_values(
        schema.features,
        [*summary.n_nan.tolist(), *(own.n_missing for own in summary.categories)],
        summary.n_inf.tolist(),
        summary.n_huge.tolist(),
        schema.holder,
        keeps_missing=schema.keeps_missing,
        may_keep=schema.takes_tables,
        fillable=_fillable(summary, schema),
    )
    checks.check_labels(
        sum(part.n_missing for part in labels),
        sum(part.n_continuous for part in labels),
        sum(part.n_not_one_hot for part in labels),
    )
    return checks.sum_counts([part.counts for part in labels])


def _fillable(summary: Summary, schema: Schema) -> set[Any]:
    # a column without any value has no mean
    n_rows = sum(summary.n_rows)
    some = [
        place for place, n in zip(schema.numbers, summary.n_nan.tolist(), strict=True) if n < n_rows
    ]
    return {schema.columns[place] for place in some if place in schema.fillable}


def _metric(
    spread: Spread, indicators: Indicators, settings: Settings, has_missing: bool
) -> Metric:
    n_categorical = indicators.n_categorical
    padding = np.ones(n_categorical)
    is_scaled = settings.scale == "standard"
    weight = settings.categorical_weight
    if weight == "auto":
        weight = 1.0 if is_scaled else _median_deviation(spread.deviations)
    return Metric(
        scales=np.concatenate([usable(spread.deviations), padding]) if is_scaled else None,
        # nothing is missing of a code
        fills=np.concatenate([spread.means, padding]) if has_missing else None,
        weight=float(weight) if n_categorical else 0.0,
        indicators=indicators,
    )


def _median_deviation(deviations: Floats) -> float:
    """As SMOTENC weighs categories; 1 where no feature varies, as there categories are all."""
    median = float(np.median(deviations)) if len(deviations) else 0.0
    return median if np.isfinite(median) and median > 0 else 1.0


def _features(summary: Summary, spread: Spread, metric: Metric, schema: Schema) -> Features:
    names = schema.features
    categorical = names[len(schema.numbers) :]
    return Features(
        n_numeric=len(schema.numbers),
        n_categories=tuple(
            (str(name), own.n) for name, own in zip(categorical, summary.categories, strict=True)
        ),
        categorical_weight=metric.weight,
        n_missing=int(summary.n_nan.sum()) + sum(own.n_missing for own in summary.categories),
        passthrough=tuple(str(schema.columns[place]) for place in schema.passthrough),
        spread=_spread(spread.deviations, names),
    )


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
