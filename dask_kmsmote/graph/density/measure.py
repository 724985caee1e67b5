"""Density: mean distance and neighbours of each kept group, computed where its rows are.

Up to `exact_rows`, both come from all pairs of the rows: a group is cut into query ranges, and
every two of them are one task. Beyond, the mean comes from sampled pairs, and the neighbours from
an approximate search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations_with_replacement
from typing import NamedTuple

import numpy as np
from dask.delayed import Delayed

from ...errors import InputError
from ...kernels.groups.picking import measure_own_pairs, measure_picked_pairs, sample_pairs
from ...kernels.neighbors import density as kernel
from ...kernels.neighbors.density import Range
from ...kernels.seeding import PAIRS
from ...planning.allocate import resolve_exponent
from ...planning.choose import Choice
from ...planning.cuts import FAN_IN, block_rows, bundle, cut
from ...planning.groups import GroupKey, GroupPlan, neighbors_in
from ..census import Census
from ..dask.tasks import Tasks, compute, persist
from ..gather import Group
from ..settings import Settings
from .search import LargeGroup, search

QUERY_ROWS = 8192  # a pair of ranges is a quarter of a second of work
_SAMPLED_PAIRS = 2**17  # the standard error of the mean is about 4e-4 of it
PAIR_BYTES = 32 * 2**20  # of the rows on each side of a task
_PAIR_TASKS = 32  # at most, so that wide rows are sampled less: those of over 1,024 features


class Measure(NamedTuple):
    """What the client learns of a group's density.

    Attributes
    ----------
    mean, error
        Mean distance of two rows, and its standard error; 0 where all pairs were looked at.
    recall
        Share of the nearest rows that are among the neighbours, as measured on a sample; 1 where
        all pairs were looked at, NaN where the user's own object searched.
    """

    mean: float
    error: float
    recall: float


@dataclass(frozen=True)
class DenseGroup:
    """A kept group and its density.

    Attributes
    ----------
    group
        Its rows.
    density
        A task: mean distance, standard error, neighbours; kept in cluster memory.
    measure
        The numbers of it.
    """

    group: Group
    density: Delayed
    measure: Measure


@dataclass(frozen=True)
class Densities:
    """Densities of groups, by class and cluster."""

    groups: dict[GroupKey, DenseGroup]

    def of(self, keys: Sequence[GroupKey]) -> list[DenseGroup]:
        """Those of some groups."""
        return [self.groups[key] for key in keys]

    def measured_groups(
        self, choice: Choice, keys: Sequence[GroupKey], settings: Settings, n_features: int
    ) -> list[GroupPlan]:
        """The groups of a choice with what was measured, and the exponents for it.

        Raises
        ------
        InputError
            A mean distance overflows.
        """
        measured = list(choice.groups)
        for number, dense in zip(choice.kept, self.of(keys), strict=True):
            group, found = measured[number], dense.measure
            _judge(group, found)
            measured[number] = replace(
                group,
                mean_distance=found.mean,
                mean_distance_se=found.error,
                neighbor_recall=found.recall,
                exponent=resolve_exponent(
                    settings.exponent, n_features, group.n_class_rows, settings.recipe.shares
                ),
            )
        return measured


def _judge(group: GroupPlan, found: Measure) -> None:
    where = f"class {group.class_label!r} in cluster {group.cluster_id}"
    if not np.isfinite(found.mean):
        raise InputError(
            f"Squared distances between rows of {where} overflow float64: rescale X, e.g. with "
            "sklearn.preprocessing.StandardScaler."
        )


def measure_densities(
    tasks: Tasks, census: Census, groups: Sequence[Group], settings: Settings
) -> Densities:
    """Keep the densities of groups in cluster memory, and bring the measures here; computes."""
    by, metric = settings.search, census.shared_metric(tasks)
    large = {
        group.key: LargeGroup(
            group=group,
            metric=metric,
            k=neighbors_in(group.n_rows, by.k),
            seed=settings.seed,
        )
        for group in groups
        if by.exact_rows is not None and group.n_rows > by.exact_rows
    }
    if by.estimator is None:
        search(tasks, list(large.values()))
    made = [_density(tasks, group, metric, large.get(group.key), settings) for group in groups]
    densities = persist(*made)
    means = _means(tasks, groups, densities)
    return Densities(
        {
            group.key: DenseGroup(
                group, density, Measure(mean, error, _recall(large.get(group.key), settings))
            )
            for group, density, (mean, error) in zip(groups, densities, means, strict=True)
        }
    )


def _means(
    tasks: Tasks, groups: Sequence[Group], densities: list[Delayed]
) -> list[tuple[float, float]]:
    # small groups together: their neighbours are less to move than a task is to schedule
    runs = bundle([group.n_rows for group in groups], QUERY_ROWS)
    means = [tasks("density-mean", kernel.mean_distances, densities[a:b]) for a, b in runs]
    return list(chain.from_iterable(compute(*means)))


def _recall(large: LargeGroup | None, settings: Settings) -> float:
    if settings.search.estimator is not None:
        return np.nan
    return 1.0 if large is None or large.better_exact else large.recall


def _density(
    tasks: Tasks, group: Group, metric: Delayed, large: LargeGroup | None, settings: Settings
) -> Delayed:
    by, recipe = settings.search, settings.recipe
    if by.estimator is None and large is not None and not large.better_exact:
        sampled = _sampled(tasks, group, metric, settings.seed)
        return tasks("density-join", kernel.from_sample, sampled, large.nearest)
    if by.estimator is None:
        return _from_pairs(tasks, group, metric, neighbors_in(group.n_rows, by.k))
    args = by.estimator, group.blocks, recipe.without_self, metric
    found = tasks("density-neighbors", kernel.searched, *args)
    if group.n_rows <= recipe.matrix_rows:
        mean = tasks("density", kernel.by_matrix, group.blocks, metric)
    elif large is None:
        # no neighbours: the user's object finds those
        mean = _from_pairs(tasks, group, metric, 0)
    else:
        sampled = _sampled(tasks, group, metric, settings.seed)
        mean = tasks("density-join", kernel.from_sample, sampled, [])
    return tasks("density-join", kernel.with_neighbors, mean, found)


def _from_pairs(tasks: Tasks, group: Group, metric: Delayed, k: int) -> Delayed:
    if group.n_rows <= QUERY_ROWS and len(group.blocks) == 1:
        return tasks("density", kernel.of_one_range, group.blocks[0], group.n_rows, k, metric)
    # a block of rows [100, 180) in ranges of 50: Range(100, 150, 0) and Range(150, 180, 50)
    held = [
        (block, Range(start + low, start + high, low))
        for block, (start, stop) in zip(group.blocks, group.ranges, strict=True)
        for low, high in cut(stop - start, QUERY_ROWS)
    ]
    pairs: dict[Range, list[Delayed]] = {own: [] for _, own in held}
    # 16,384 rows are 2 ranges and 3 tasks, 100,000 are 13 and 91
    for (left, a), (right, b) in combinations_with_replacement(held, 2):
        pair = tasks("density", kernel.measure_pairs, left, right, a, b, k, metric)
        # a range with itself is one pair, and not two
        for own in dict.fromkeys((a, b)):
            pairs[own].append(pair)
    ranges = [_collect_range(tasks, own, mine) for own, mine in pairs.items()]
    return tasks("density-join", kernel.from_pairs, ranges, group.n_rows)


def _collect_range(tasks: Tasks, own: Range, pairs: list[Delayed]) -> Delayed:
    parts = [
        tasks("density-range", kernel.collect_range, own, pairs[low:high])
        for low, high in cut(len(pairs), FAN_IN)
    ]
    return parts[0] if len(parts) == 1 else tasks.tree("density-range", kernel.merge_range, parts)


def _sampled(tasks: Tasks, group: Group, metric: Delayed, seed: int) -> list[Delayed]:
    m = group.n_rows
    size = block_rows(group.n_features, PAIR_BYTES)
    n = min(_SAMPLED_PAIRS, m * (m - 1) // 2, size * _PAIR_TASKS)
    parts = []
    for number, (start, stop) in enumerate(cut(n, size)):
        key = (PAIRS, *group.key, number)
        if len(group.blocks) == 1:
            # drawn where the rows are: only moments leave the task
            args = group.blocks[0], m, stop - start, seed, key, metric
            parts.append(tasks("density-pairs", measure_own_pairs, *args))
            continue
        pairs = tasks("density-pairs-drawn", sample_pairs, m, stop - start, seed, key)
        picked = group.pick(tasks, "density-pick", pairs)
        parts.append(tasks("density-pairs", measure_picked_pairs, picked, pairs, metric))
    return parts
