"""The stages in their order; the one place that decides when something is computed.

    census -> clustering -> survey -> choose -> gather -> density -> allocate -> synthesis

Each stage is one call, and gives one frozen result to those after it. All but `choose` and
`allocate`, which are arithmetic on small tables, are graphs; all but `synthesis`, which is lazy,
are computed here. What is large stays in cluster memory: the results hold tasks.

A run is two halves. `explore` reads the data and measures the groups; `decide` is arithmetic on
what that found, so that any number of plans that differ in who gets how many rows share it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, TypeVar

import numpy as np
from dask.delayed import Delayed

from .errors import InputError, NoClusterError, ParameterError
from .events import Warned, emit
from .graph.census import Census, Whole, amounts_of, take_census
from .graph.chunks import Source
from .graph.clustering.clusterer import require_numbers
from .graph.clustering.learn import Clustering, learn_clusters
from .graph.dask.tasks import Tasks, same
from .graph.dask.watch import stage
from .graph.density.measure import Densities, measure_densities
from .graph.density.sampled import drawn, with_errors
from .graph.gather import gather
from .graph.parts import count_in_parts
from .graph.settings import Search, Settings
from .graph.survey import Survey, take_survey
from .graph.synthesis import Synthesis, synthesize
from .kernels.rows.fingerprint import ChunkFingerprints
from .kernels.rows.metric import Metric
from .kernels.rows.schema import Schema
from .kernels.seeding import ESTIMATE, stream
from .planning.allocate import allocate
from .planning.choose import Choice, choose
from .planning.cuts import block_rows
from .planning.estimate import Estimate, bounds_of, whole_tables
from .planning.groups import GroupKey
from .planning.plan import SamplingPlan
from .planning.strategy import Label
from .process import levels_to_caller
from .recipes import Recipe

# both shape results: a large group's cells follow from its blocks, streams from blocks of output
GROUP_BYTES = 64 * 2**20  # of a block of a group's rows, and of a piece
OUTPUT_BYTES = 16 * 2**20  # of a block of synthetic rows

# of the streams of an estimate
_OF_SHARES, _OF_DISTANCES = 0, 1

C = TypeVar("C")
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What the stages leave: what a result is made of, and what is asked for later.

    It holds neither the input nor what the stages kept in cluster memory but for the groups.

    Attributes
    ----------
    tasks, recipe, search
        Makes further tasks of the run; the over-sampler, and how it finds neighbours.
    lengths, fingerprints
        Of the chunks of X: rows, and what they were when they were read.
    schema, encoding
        What the columns of X are, and a task: what the codes of categories mean.
    metric
        What distances are measured in.
    classes, amounts, thresholds
        Labels in order; rows to generate, and the threshold, of those targeted.
    estimator
        The fitted clusterer.
    plan, synthesis
        The decision, and the synthetic rows, lazy.
    """

    tasks: Tasks
    recipe: Recipe
    search: Search
    lengths: tuple[int, ...]
    fingerprints: tuple[ChunkFingerprints, ...]
    schema: Schema
    encoding: Delayed
    metric: Metric
    classes: tuple[Label, ...]
    amounts: dict[Label, int]
    thresholds: dict[Label, float]
    estimator: Any
    plan: SamplingPlan
    synthesis: Synthesis

    @property
    def shared_schema(self) -> Delayed:
        """The schema as a task of its own, which many tasks share."""
        return self.tasks("synthesis-schema", same, self.schema)


@dataclass(frozen=True)
class Exploration:
    """What reading the data found, for any plan that differs in who gets how many rows.

    Attributes
    ----------
    tasks
        Makes further tasks.
    census, clustering, survey
        What the stages found.
    densities
        Of the groups that some plan keeps.
    draws
        Of a part of the rows, what the survey of all may find as well.
    """

    tasks: Tasks
    census: Census
    clustering: Clustering
    survey: Survey
    densities: Densities
    draws: tuple[Survey, ...] = ()


def run(tasks: Tasks, source: Source, settings: Settings) -> Run:
    """Run the stages.

    Raises
    ------
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say.
    """
    found = decide(explore(tasks, source, [settings]), settings)
    # before a row is made: a callback that raises stops the run here, and so does a warning that
    # is an error
    for warning in found.plan.advice:
        emit(settings.callbacks, Warned(warning.message))
        warnings.warn(warning.category(warning.message), stacklevel=levels_to_caller())
    return found


def explore(
    tasks: Tasks, source: Source, alternatives: Sequence[Settings], whole: Whole | None = None
) -> Exploration:
    """Read the data, once for all alternatives; computes.

    Parameters
    ----------
    tasks, source
        The run and its input.
    alternatives
        One and more, that differ in `Settings.PLANNED` alone. What is wrong with one of several is
        left to `decide`.
    whole
        Of which the source has some rows; None where it has all.

    Raises
    ------
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say.
    """
    settings = alternatives[0]
    callbacks = settings.callbacks
    require_numbers(settings.clusterer, len(source.schema.categories))
    with stage("census", callbacks):
        census = take_census(tasks, source, settings, whole)
        wanted = _wanted(census, alternatives)
    with stage("clustering", callbacks):
        clustering = learn_clusters(tasks, census, settings)
    with stage("survey", callbacks):
        survey = take_survey(tasks, census, clustering, wanted, GROUP_BYTES)
        surveys = [survey]
        if whole is not None:
            surveys = _of_all(tasks, census, clustering, survey, settings.seed)
    survey, *draws = surveys
    # before the gather, which so leaves the rows of clusters that are not kept where they are
    keys = _kept(census, surveys, alternatives)
    if whole is not None:
        keys = survey.with_pairs(keys)
    with stage("gather", callbacks):
        groups = gather(tasks, census, survey, keys, GROUP_BYTES)
    with stage("density", callbacks):
        densities = measure_densities(tasks, census, groups, settings)
    return Exploration(tasks, census, clustering, survey, densities, tuple(draws))


def decide(explored: Exploration, settings: Settings) -> Run:
    """The plan of one alternative, and its synthetic rows, lazy; computes nothing.

    Raises
    ------
    InputError, ParameterError, NoClusterError
        As the messages say.
    """
    census, clustering, tasks = explored.census, explored.clustering, explored.tasks
    plan, choice = _allocate(settings, explored)
    dense = explored.densities.of(choice.kept_keys(census.classes))
    # no stage around it, as it computes nothing
    synthesis = synthesize(tasks, dense, choice.kept, plan, settings.recipe)
    return Run(
        tasks=tasks,
        recipe=settings.recipe,
        search=settings.search,
        lengths=census.chunks.lengths,
        fingerprints=census.fingerprints,
        schema=census.chunks.schema,
        encoding=census.encoding,
        metric=census.metric,
        classes=census.classes,
        amounts=dict(plan.amounts),
        thresholds=choice.thresholds,
        estimator=clustering.estimator,
        plan=plan,
        synthesis=synthesis,
    )


def estimate(tasks: Tasks, source: Source, settings: Settings, whole: Whole) -> Estimate:
    """The plan of all rows from a part of them, and how far off it may be; computes.

    Raises
    ------
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say.
    """
    explored = explore(tasks, source, [settings], whole)
    census, survey, seed = explored.census, explored.survey, settings.seed
    densities = with_errors(tasks, census, survey, explored.densities, seed)
    rng = stream(seed, ESTIMATE, _OF_DISTANCES)
    plan, _ = _allocate(settings, replace(explored, densities=densities))
    others = [
        replace(explored, survey=own, densities=drawn(densities, rng)) for own in explored.draws
    ]
    plans = [own for own, _ in _possible(partial(_allocate, settings), others)]
    n_missing = round(plan.features.n_missing * plan.n_rows / census.n_rows)
    plan = replace(plan, features=replace(plan.features, n_missing=n_missing))
    found = Estimate(plan, census.n_rows, bounds_of([plan, *plans]))
    for text in found.warnings:
        emit(settings.callbacks, Warned(text))
    return found


def _of_all(
    tasks: Tasks, census: Census, clustering: Clustering, survey: Survey, seed: int
) -> list[Survey]:
    """The survey of all by one of some: as estimated, then what it may be as well; computes."""
    parts = count_in_parts(tasks, census, clustering.estimator.cluster_centers_)
    rng, counts = stream(seed, ESTIMATE, _OF_SHARES), list(census.counts.values())
    tables = whole_tables(survey.table, parts, counts, rng)
    return [replace(survey, table=table) for table in tables]


def _wanted(census: Census, alternatives: Sequence[Settings]) -> list[Label]:
    """Classes that some alternative generates."""
    asked = _possible(partial(amounts_of, census, block_bytes=OUTPUT_BYTES), alternatives)
    return [label for label in census.classes if any(own.get(label, 0) > 0 for own in asked)]


def _kept(
    census: Census, surveys: Sequence[Survey], alternatives: Sequence[Settings]
) -> list[GroupKey]:
    """Groups that some alternative keeps, by some survey, in order."""
    judged = list(product(surveys, alternatives))
    choices = _possible(lambda own: _choose(census, *own), judged)
    return sorted({key for _, own in choices for key in own.kept_keys(census.classes)})


def _possible(judge: Callable[[C], T], cases: Sequence[C]) -> list[T]:
    """What is found of each case that is without fault; where none is, the first fault."""
    found, faults = [], []
    for case in cases:
        try:
            found.append(judge(case))
        except (InputError, ParameterError, NoClusterError) as fault:
            faults.append(fault)
    if not found:
        raise faults[0]
    return found


def _choose(census: Census, survey: Survey, settings: Settings) -> tuple[dict[Label, int], Choice]:
    """Rows to make of each class, and the clusters that are kept for it."""
    amounts = amounts_of(census, settings, OUTPUT_BYTES)
    choice = choose(
        survey.table,
        census.counts,
        amounts,
        settings.search.n_neighbors,
        settings.threshold,
        settings.recipe.clusters,
    )
    return amounts, choice


def _allocate(settings: Settings, explored: Exploration) -> tuple[SamplingPlan, Choice]:
    """The plan, and the clusters that it keeps."""
    census, chunks = explored.census, explored.census.chunks
    amounts, choice = _choose(census, explored.survey, settings)
    keys = choice.kept_keys(census.classes)
    measured = explored.densities.measured_groups(choice, keys, settings, chunks.n_features)
    plan = SamplingPlan(
        class_counts=tuple(census.counts.items()),
        amounts=tuple(amounts.items()),
        groups=allocate(
            measured,
            amounts,
            settings.recipe.shares,
            settings.count_exponent,
            settings.max_ratio,
            chunks.dtype,
        ),
        k_neighbors=settings.search.k,
        seed=settings.seed,
        compat=settings.recipe.name,
        n_features=chunks.n_features,
        block_rows=block_rows(chunks.n_features, OUTPUT_BYTES),
        clustering=explored.clustering.summary,
        row_bytes=np.dtype(chunks.dtype).itemsize * chunks.n_features,
        scale=settings.scale,
        count_exponent=settings.count_exponent,
        max_ratio=settings.max_ratio,
        features=census.features,
    )
    return plan, choice
