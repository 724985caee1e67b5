"""The plan of a job's table from some of its rows, which come here, or from all."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import pipeline
from ..data.memory import from_memory
from ..graph.census import Whole, rows_of_census
from ..parameters import settings_of, wanted_of
from ..planning.cuts import block_rows
from ..planning.estimate import Estimate
from ..sampler import KMeansSMOTE
from ..selection.sample import bring, count_on_cluster, draw_ranks, note_all

# rows of each class: fewer than one in so many of the sample, which would move no centre
_LEAST = 5_000
# rows, and their bytes as float64; a plan takes about five times as many
_MOST, _BYTES = 1_000_000, 256 * 2**20
_WORTH = 3  # times the rows of the sample: a plan of 1,500,000 took 6.2 s from all, 6.4 from some


def bytes_held(sampler: KMeansSMOTE, n_bytes: int) -> int:
    """Bytes of a table of so many that a plan from some of its rows holds."""
    is_sampled = settings_of(sampler, None).clusterer.kind == "lloyd"
    return min(n_bytes, _BYTES) if is_sampled else n_bytes


def plan_from_all(sampler: KMeansSMOTE, X: Any, y: Any) -> Estimate:
    """The plan of a run."""
    plan = sampler.fit(X, y).plan_
    return Estimate(plan, plan.n_rows)


def plan_from_some(sampler: KMeansSMOTE, X: Any, y: Any, n_rows: int | None = None) -> Estimate:
    """The plan of a run with the same seed, from some rows; from all, where there are no more.

    Labels are counted, and then X is read once. The rows that a run finds the start of its
    clusters on are among those that come here, so that clusters have the numbers that they have in
    the run, and differ from its own by one pass over fewer rows.

    Parameters
    ----------
    sampler, X, y
        What the run has, Dask collections.
    n_rows
        Most rows, but for those that clusters start from; None is 1,000,000, or what fits in
        256 MiB, and all of three times as many.

    Raises
    ------
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say.
    """
    settings = settings_of(sampler, y)
    # another clusterer than KMeans learns all from rows that it is given: of some, other clusters
    if settings.clusterer.kind != "lloyd":
        return plan_from_all(sampler, X, y)
    counted = count_on_cluster(sampler, X, y)
    n = sum(counted.lengths)
    start = rows_of_census(settings, n, counted.source.n_features)
    most = n_rows
    if n_rows is None or most is None:
        n_rows = min(_MOST, block_rows(counted.source.n_features, _BYTES))
        most = _WORTH * n_rows
    if n <= max(most, len(start)):
        return plan_from_all(sampler, X, y)
    of_classes = max(0, n_rows - len(start))
    ranks = draw_ranks(counted.counts, of_classes, settings.seed, max(2, n_rows // _LEAST))
    rows = bring(counted, ranks, start)
    data = from_memory(sampler, rows.X, rows.y, None, wanted_of(sampler))
    noted = note_all(counted) if counted.source.schema.categories else None
    whole = Whole(counted.counts, np.searchsorted(rows.positions, start), noted)
    with data.computing():
        return pipeline.estimate(data.tasks, data.source, settings, whole)
