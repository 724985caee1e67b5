"""Densities of groups of which some rows alone were measured: how far off they may be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...errors import NoClusterError
from ...kernels.neighbors.jackknife import error_of_mean
from ...kernels.rows.blocks import Ints
from ...kernels.seeding import ESTIMATE, stream
from ...planning.groups import GroupKey
from ..census import Census
from ..dask.tasks import Tasks, compute
from ..survey import Survey
from .measure import DenseGroup, Densities, Measure

_ROWS = 1000  # of a group, whose distances to each other tell the error to about 5 %
_OF_ROWS = 2  # of the streams of an estimate


def with_errors(
    tasks: Tasks, census: Census, survey: Survey, densities: Densities, seed: int
) -> Densities:
    """The same with the errors that mean distances have as those of all rows; computes.

    Parameters
    ----------
    tasks, census, densities
        The run and what it found.
    survey
        Rows that all have by cluster and class.
    seed
        Root seed.

    Raises
    ------
    NoClusterError
        Nothing tells the distances of a class.
    """
    metric = census.shared_metric(tasks)
    errors = compute(
        *[
            tasks(
                "density-error",
                error_of_mean,
                own.group.pick(tasks, "density-pick", _some(own.group.n_rows, key, seed)),
                own.group.n_rows,
                metric,
            )
            for key, own in densities.groups.items()
        ]
    )
    measured = {
        key: _with_error(own, error, own.group.n_rows / survey.table[key[::-1]])
        for (key, own), error in zip(densities.groups.items(), errors, strict=True)
    }
    return Densities({**_unmeasured(census, survey, measured), **measured})


def _unmeasured(
    census: Census, survey: Survey, measured: dict[GroupKey, DenseGroup]
) -> dict[GroupKey, DenseGroup]:
    """Of groups with one sampled row or none: as the others of the class, and as far off as that.

    Raises
    ------
    NoClusterError
        A class has no other.
    """
    found: dict[GroupKey, DenseGroup] = {}
    for code in survey.wanted:
        others = [own for key, own in measured.items() if key[0] == code]
        if not others:
            raise NoClusterError(
                f"No two sampled rows of class {census.classes[code]!r} lie in one cluster that "
                "may be kept, so no distance is known: --exact plans from all rows."
            )
        mean = float(np.mean([own.measure.mean for own in others]))
        unknown = replace(others[0], measure=Measure(mean, mean, math.nan))
        found |= {(code, cluster): unknown for cluster in range(len(survey.table))}
    return found


def _some(m: int, key: GroupKey, seed: int) -> Ints:
    drawn = stream(seed, ESTIMATE, _OF_ROWS, *key)
    return np.sort(drawn.choice(m, min(m, _ROWS), replace=False, shuffle=False))


def _with_error(own: DenseGroup, of_rows: float, part: float) -> DenseGroup:
    # two rows do not tell: as far off as the distance itself
    of_rows = min(of_rows, own.measure.mean) * math.sqrt(max(0.0, 1 - part))
    error = math.hypot(of_rows, own.measure.error)
    # the search of all rows is another than that of some
    return replace(own, measure=own.measure._replace(error=error, recall=math.nan))


def drawn(densities: Densities, rng: np.random.Generator) -> Densities:
    """What the mean distances may be as well: positive, and with the errors that they have."""
    return Densities({key: _drawn(own, rng) for key, own in densities.groups.items()})


def _drawn(own: DenseGroup, rng: np.random.Generator) -> DenseGroup:
    mean, error, _ = own.measure
    if not error:
        return own
    factor = math.exp(rng.normal(0.0, error / mean))
    return replace(own, measure=own.measure._replace(mean=mean * factor))
