"""The stages in their order; the one place that decides when something is computed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import InputError, LowRecallWarning
from .events import Callback, Warned, tell
from .graph.density.search import RECALL
from .graph.census import take_census
from .graph.clustering.learn import Clusterer, Clustering, learn
from .graph.density.measure import Group, Measure, Search, measure
from .graph.gather import gather
from .data.collections import RowBlocks, measure_lengths
from .graph.survey import Model, Survey, take_survey
from .graph.synthesis import SyntheticBlock, make_blocks, make_streams
from .graph.dask.tasks import Tasks
from .graph.dask.watch import stage
from .kernels.seeding import CENSUS_SAMPLE, sample_rows
from .kernels.rows.census import Floats, Summary
from .planning import allocate as allocation
from .planning import checks
from .planning import choose as selection
from .planning.groups import FeatureSpread, GroupPlan
from .planning.cuts import block_rows
from .planning.plan import SamplingPlan, allocate
from .planning.strategy import Label, Strategy, resolve_strategy

GROUP_BYTES = 64 * 2**20  # of a block of a group's rows, and of a piece
OUTPUT_BYTES = 16 * 2**20  # of a block of synthetic rows


@dataclass(frozen=True)
class Settings:
    """A sampler's parameters, resolved.

    Attributes
    ----------
    strategy, target
        `sampling_strategy`, and what a function is called with.
    clusterer, search
        How clusters and neighbours are found.
    threshold, exponent
        Numbers, or "auto"; the exponent also "n_features".
    seed
        Root seed.
    compat
        Whether imbalanced-learn's arithmetic is asked for.
    callbacks
        Told about the stages.
    """

    strategy: Strategy
    target: Any
    clusterer: Clusterer
    search: Search
    threshold: float | str
    exponent: float | str
    seed: int
    compat: bool
    callbacks: Sequence[Callback] = ()


@dataclass(frozen=True)
class Run:
    """What the eager stages leave: the plan, and what the lazy stage needs.

    Attributes
    ----------
    blocks
        The input, of known lengths.
    classes
        Labels in order.
    amounts
        Rows to generate of each targeted class.
    thresholds
        Threshold of each class to generate.
    clustering
        What was learned.
    plan
        The decision.
    made
        Synthetic blocks, in output order.
    tasks
        Makes further tasks of the run.
    """

    blocks: RowBlocks
    classes: tuple[Label, ...]
    amounts: dict[Label, int]
    thresholds: dict[Label, float]
    clustering: Clustering
    plan: SamplingPlan
    made: list[SyntheticBlock]
    tasks: Tasks


def run(tasks: Tasks, blocks: RowBlocks, settings: Settings) -> Run:
    """Run the eager stages, and build the lazy one."""
    with stage("census", settings.callbacks):
        if blocks.lengths is None:
            blocks = blocks.with_lengths(measure_lengths(tasks, blocks.target))
        n = sum(blocks.lengths or ())
        n_sampled = settings.clusterer.n_sampled(n, blocks.matrix.shape[1])
        sample = sample_rows(n, n_sampled, settings.seed, CENSUS_SAMPLE)
        summary, deviations, rows = take_census(tasks, blocks, sample)
        counts = _judge(summary, blocks)
        blocks = replace(blocks, prints=summary.prints())
        amounts = resolve_strategy(settings.strategy, counts, settings.target)
        clusterer = settings.clusterer
        learning_rows = None if clusterer.kind == "frozen" else clusterer.learning_rows
        n_neighbors = settings.search.k + 1
        checks.check_sizes(counts, amounts, clusterer.n_clusters, learning_rows, n_neighbors)
        output_rows = block_rows(blocks.matrix.shape[1], OUTPUT_BYTES)
        checks.check_blocks(sum(amounts.values()), output_rows)
    with stage("clustering", settings.callbacks):
        clustering = learn(tasks, settings.clusterer, blocks, rows)
    with stage("survey", settings.callbacks):
        survey = _survey(tasks, blocks, settings, clustering, summary, counts, amounts)
        if settings.clusterer.kind == "lloyd":
            clustering.estimator.inertia_ = survey.inertia
    choices, thresholds = choose_groups(survey, settings, counts, amounts)
    with stage("density", settings.callbacks):
        kept = [place for place, group in enumerate(choices) if group.kept]
        gathered = _gather(tasks, survey, choices, kept, list(counts), blocks.matrix.shape[1])
        groups, measures = measure(tasks, gathered, settings.search)
    precision = _precision(blocks.matrix.dtype) if settings.compat else None
    measured = _with_measures(choices, kept, measures, settings, blocks.matrix.shape[1])
    plan = SamplingPlan(
        class_counts=tuple(counts.items()),
        amounts=tuple(amounts.items()),
        groups=allocate(measured, amounts, precision),
        k_neighbors=settings.search.k,
        seed=settings.seed,
        compat="imbalanced-learn" if settings.compat else None,
        n_features=blocks.matrix.shape[1],
        block_rows=output_rows,
        clustering=clustering.summary,
        row_bytes=blocks.matrix.dtype.itemsize * blocks.matrix.shape[1],
        spread=_spread(deviations, blocks.feature_names),
    )
    for message in plan.warnings:
        tell(settings.callbacks, Warned(message))
    made = _synthesize(tasks, plan, dict(zip(kept, groups, strict=True)))
    return Run(blocks, tuple(counts), amounts, thresholds, clustering, plan, made, tasks)


def _judge(summary: Summary, blocks: RowBlocks) -> dict[Label, int]:
    labels = summary.labels
    checks.check_lengths(summary.n_rows, [part.n_rows for part in labels])
    if summary.n_rows != blocks.lengths:
        raise InputError(
            "The number of rows changed between two reads of the data. Persist them first: "
            "X, y = dask.persist(X, y)."
        )
    checks.check_finite(
        summary.n_nan.tolist(),
        summary.n_inf.tolist(),
        summary.n_huge.tolist(),
        blocks.feature_names,
    )
    checks.check_labels(
        sum(part.n_missing for part in labels),
        sum(part.n_continuous for part in labels),
        sum(part.n_not_one_hot for part in labels),
    )
    return checks.sum_counts([part.counts for part in labels])


def _spread(deviations: Floats, names: Sequence[Any]) -> FeatureSpread | None:
    varying = np.flatnonzero(np.isfinite(deviations) & (deviations > 0))
    if len(varying) < 2:
        return None
    high, low = (int(varying[find(deviations[varying])]) for find in (np.argmax, np.argmin))
    return FeatureSpread(
        str(names[high]), float(deviations[high]), str(names[low]), float(deviations[low])
    )


def _survey(
    tasks: Tasks,
    blocks: RowBlocks,
    settings: Settings,
    clustering: Clustering,
    summary: Summary,
    counts: Mapping[Label, int],
    amounts: Mapping[Label, int],
) -> Survey:
    wanted = [label for label, amount in amounts.items() if amount > 0]
    places = tuple(place for place, label in enumerate(counts) if label in wanted)
    model = Model(clustering.labeler, tuple(counts), places, settings.clusterer.n_clusters)
    by_chunk = [sum(part.counts.get(label, 0) for label in wanted) for part in summary.labels]
    piece_rows = block_rows(blocks.matrix.shape[1], GROUP_BYTES)
    return take_survey(tasks, blocks, model, clustering.labels, by_chunk, piece_rows)


def choose_groups(
    survey: Survey, settings: Settings, counts: Mapping[Label, int], amounts: Mapping[Label, int]
) -> tuple[list[GroupPlan], dict[Label, float]]:
    """Judge every cluster of every class to generate.

    Returns
    -------
    groups
        In output order, which is that of the survey's group numbers.
    thresholds
        By class.
    """
    n_clusters, n_neighbors = len(survey.table), settings.search.k + 1
    auto = settings.threshold == "auto"
    thresholds = selection.auto_thresholds(counts, amounts, settings.compat)
    if not auto:
        thresholds = dict.fromkeys(thresholds, float(settings.threshold))
    if n_clusters == 1:
        thresholds = dict.fromkeys(thresholds, -np.inf)
    groups = []
    for column, label in enumerate(counts):
        if label not in thresholds:
            continue
        threshold = thresholds[label]
        by_share = auto and not settings.compat and n_clusters > 1
        judged = selection.choose_clusters(
            survey.table, column, None if by_share else threshold, n_neighbors, settings.compat
        )
        selection.require_kept(judged, label, threshold, n_neighbors)
        groups += [
            GroupPlan(label, c.cluster_id, c.n_rows, c.n_class_rows, c.class_share, threshold,
                      not c.reason, c.reason)
            for c in judged
        ]  # fmt: skip
    return groups, thresholds


def _gather(
    tasks: Tasks,
    survey: Survey,
    choices: Sequence[GroupPlan],
    kept: Sequence[int],
    labels: list[Label],
    n_features: int,
) -> list[Group]:
    size = block_rows(n_features, GROUP_BYTES)
    n_rows = survey.group_counts.sum(axis=0).tolist()
    blocks = gather(tasks, survey.pieces, survey.group_counts, kept, size)
    keys = [(labels.index(choices[place].class_label), choices[place].cluster_id) for place in kept]
    return [
        Group(key, n_rows[place], size, n_features, held)
        for place, key, held in zip(kept, keys, blocks, strict=True)
    ]


def _with_measures(
    groups: Sequence[GroupPlan],
    kept: Sequence[int],
    measures: Sequence[Measure],
    settings: Settings,
    n_features: int,
) -> list[GroupPlan]:
    measured = list(groups)
    for place, found in zip(kept, measures, strict=True):
        group = groups[place]
        check_measure(group, found)
        if settings.exponent == "auto":
            length = group.n_class_rows if settings.compat else n_features
            exponent = allocation.size_exponent(length)
        elif settings.exponent == "n_features":
            exponent = float(n_features)
        else:
            exponent = float(settings.exponent)
        measured[place] = replace(
            group,
            mean_distance=found.mean,
            mean_distance_se=found.error,
            neighbor_recall=found.recall,
            exponent=exponent,
        )
    return measured


def check_measure(group: GroupPlan, found: Measure) -> None:
    """Refuse a mean distance that is no number, and warn of neighbours that were not found."""
    where = f"class {group.class_label!r} in cluster {group.cluster_id}"
    if not np.isfinite(found.mean):
        raise InputError(
            f"Squared distances between rows of {where} overflow float64: rescale X, e.g. with "
            "sklearn.preprocessing.StandardScaler."
        )
    if found.recall < RECALL:
        warnings.warn(
            f"The approximate search found {found.recall:.1%} of the nearest rows of {where}, "
            f"which has {group.n_class_rows} rows. For all of them pass exact_rows=None (all "
            "pairs), more clusters, or a search of your own as k_neighbors.",
            LowRecallWarning,
            stacklevel=2,
        )


def _precision(dtype: np.dtype[Any]) -> DTypeLike:
    return np.float32 if dtype == np.float32 else np.float64


def _synthesize(tasks: Tasks, plan: SamplingPlan, kept: dict[int, Group]) -> list[SyntheticBlock]:
    made: list[SyntheticBlock] = []
    sizes_of: dict[int, list[int]] = {place: [] for place in kept}
    for block in plan.blocks():
        sizes_of[block.group].append(block.n_rows)
    for place, group in kept.items():
        cells = group.n_rows * plan.k_neighbors if plan.compat else None
        streams = make_streams(plan.seed, group.key, sizes_of[place], cells)
        made += make_blocks(tasks, group, streams)
    return made
