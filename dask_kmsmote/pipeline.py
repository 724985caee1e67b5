"""The stages in their order; the one place that decides when something is computed.

    census -> clustering -> survey -> choose -> gather -> density -> allocate -> synthesis

Each stage is one call, and gives one frozen result to those after it. All but `choose` and
`allocate`, which are arithmetic on small tables, are graphs; all but `synthesis`, which is lazy,
are computed here. What is large stays in cluster memory: the results hold tasks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from dask.delayed import Delayed

from .events import Warned, emit
from .graph.census import Census, take_census
from .graph.chunks import Source
from .graph.clustering.clusterer import require_numbers
from .graph.clustering.learn import Clustering, learn_clusters
from .graph.dask.tasks import Tasks, same
from .graph.dask.watch import stage
from .graph.density.measure import Densities, measure_densities
from .graph.gather import gather
from .graph.settings import Search, Settings
from .graph.survey import take_survey
from .graph.synthesis import Synthesis, synthesize
from .kernels.rows.fingerprint import ChunkFingerprints
from .kernels.rows.metric import Metric
from .kernels.rows.schema import Schema
from .planning.allocate import allocate
from .planning.choose import Choice, choose
from .planning.cuts import block_rows
from .planning.plan import SamplingPlan
from .planning.strategy import Label
from .process import levels_to_caller
from .recipes import Recipe

# both shape results: a large group's cells follow from its blocks, streams from blocks of output
GROUP_BYTES = 64 * 2**20  # of a block of a group's rows, and of a piece
OUTPUT_BYTES = 16 * 2**20  # of a block of synthetic rows


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


def run(tasks: Tasks, source: Source, settings: Settings) -> Run:
    """Run the stages.

    Raises
    ------
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say.
    """
    recipe, callbacks = settings.recipe, settings.callbacks
    require_numbers(settings.clusterer, len(source.schema.categories))
    with stage("census", callbacks):
        census = take_census(tasks, source, settings, OUTPUT_BYTES)
    with stage("clustering", callbacks):
        clustering = learn_clusters(tasks, census, settings)
    with stage("survey", callbacks):
        survey = take_survey(tasks, census, clustering, GROUP_BYTES)
    # before the gather, which so leaves the rows of clusters that are not kept where they are
    choice = choose(
        survey.table,
        census.counts,
        census.amounts,
        settings.search.n_neighbors,
        settings.threshold,
        recipe.clusters,
    )
    with stage("gather", callbacks):
        gathering = gather(tasks, census, survey, choice, GROUP_BYTES)
    with stage("density", callbacks):
        densities = measure_densities(tasks, census, gathering, settings)
    plan = _allocate(census, clustering, choice, densities, settings)
    # before a row is made: a callback that raises stops the run here, and so does a warning that
    # is an error
    for warning in plan.advice:
        emit(callbacks, Warned(warning.message))
        warnings.warn(warning.category(warning.message), stacklevel=levels_to_caller())
    # no stage around it, as it computes nothing
    synthesis = synthesize(tasks, densities, choice.kept, plan, recipe)
    return Run(
        tasks=tasks,
        recipe=recipe,
        search=settings.search,
        lengths=census.chunks.lengths,
        fingerprints=census.fingerprints,
        schema=census.chunks.schema,
        encoding=census.encoding,
        metric=census.metric,
        classes=census.classes,
        amounts=census.amounts,
        thresholds=choice.thresholds,
        estimator=clustering.estimator,
        plan=plan,
        synthesis=synthesis,
    )


def _allocate(
    census: Census,
    clustering: Clustering,
    choice: Choice,
    densities: Densities,
    settings: Settings,
) -> SamplingPlan:
    chunks = census.chunks
    measured = densities.measured_groups(choice, settings, chunks.n_features)
    return SamplingPlan(
        class_counts=tuple(census.counts.items()),
        amounts=tuple(census.amounts.items()),
        groups=allocate(
            measured,
            census.amounts,
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
        clustering=clustering.summary,
        row_bytes=np.dtype(chunks.dtype).itemsize * chunks.n_features,
        scale=settings.scale,
        count_exponent=settings.count_exponent,
        max_ratio=settings.max_ratio,
        features=census.features,
    )
