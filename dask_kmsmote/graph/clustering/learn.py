"""How clusters are learned: by Lloyd's passes over all rows, or by one fit on bounded rows.

KMeans starts from centres found on samples of rows chosen by position: several runs on a small
one, the best of them refined on a large one. Its tolerance is relative to the variance of the
data, as scikit-learn's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from dask.delayed import Delayed

from ...errors import ParameterError
from ...kernels.clusters.assignment import Labeler, NearestCenter, Predictor
from ...kernels.clusters.learning import (
    Extent,
    coordinates_of,
    count_distinct,
    count_runs,
    find_start,
    fit_clusterer,
    indicated_size,
    labels_between,
    measure_extent,
    refine_best,
    start_size,
)
from ...kernels.rows.blocks import Floats, take
from ...kernels.rows.metric import Metric
from ...kernels.seeding import (
    INDICATED_SAMPLE,
    LEARNING_SAMPLE,
    SMALL_START_SAMPLE,
    START,
    START_SAMPLE,
    root_seed,
    sample_rows,
    small_seed,
)
from ...planning.cuts import cut, offsets
from ...planning.groups import ClusteringSummary
from ..census import Census
from ..dask.tasks import Part, Tasks, compute, persist
from ..settings import Clusterer, Settings
from .clusterer import rows_to_sample, start_rows
from .lloyd import lloyd

_TOGETHER = 6_000_000  # coordinates of a sample times clusters, whose runs are one task


@dataclass(frozen=True)
class Clustering:
    """What was learned: the fitted estimator, what labels rows by it, and how it went.

    `clusters` are those of each chunk's rows, where the fit gave them; without, `labeler` is asked.
    """

    estimator: Any
    labeler: Labeler
    clusters: list[Delayed] | None
    summary: ClusteringSummary
    learns_by_passes: bool

    def note_inertia(self, inertia: float) -> None:
        """Have the estimator tell the inertia, which only a pass over all rows knows."""
        # dask-ml's own is unsquared, or that of the pass before
        if self.learns_by_passes:
            self.estimator.inertia_ = inertia


def learn_clusters(tasks: Tasks, census: Census, settings: Settings) -> Clustering:
    """Learn the clusters, from the rows that the census brought or from all; computes.

    Raises
    ------
    ParameterError
        The clusterer does not fit the rows.
    """
    if settings.clusterer.kind == "lloyd":
        return _learn_by_passes(tasks, census, settings.clusterer, settings.seed)
    return _learn_at_once(tasks, census, settings)


def _learn_at_once(tasks: Tasks, census: Census, settings: Settings) -> Clustering:
    clusterer, chunks = settings.clusterer, census.chunks
    clusters: list[Delayed] | None = None
    fitted = clusterer.estimator
    if clusterer.kind == "fit":
        # kept in cluster memory, where the clusters of each chunk are sliced from it
        sample, _ = _learning_sample(tasks, census, clusterer, settings.seed)
        estimator, metric = clusterer.measured_in(census.metric), census.shared_metric(tasks)
        (task,) = persist(tasks("clustering", fit_clusterer, estimator, sample, metric))
        (fitted,) = compute(task)
        if labels_learned(fitted, settings.recipe.keeps_fit_labels, census.n_rows) is not None:
            clusters = [
                tasks("clustering-labels", labels_between, task, start, stop)
                for start, stop in pairwise(offsets(chunks.lengths))
            ]
    learner = getattr(fitted, "estimator", fitted) if clusterer.kind == "frozen" else fitted
    summary = ClusteringSummary(
        estimator=type(learner).__name__,
        n_clusters=clusterer.n_clusters,
        n_learning_rows=rows_to_sample(clusterer, census.n_rows, chunks.n_features),
        n_iter=int(getattr(learner, "n_iter_", 0) or 0),
    )
    labeler = labeler_of(fitted, census.metric)
    # those learned from X overflow with it, which the mean distance shows
    if clusterer.kind == "frozen" and isinstance(labeler, NearestCenter):
        _require_centers(labeler.centers, chunks.n_features)
    return Clustering(
        estimator=fitted,
        labeler=labeler,
        clusters=clusters,
        summary=summary,
        learns_by_passes=False,
    )


def _require_centers(centers: Floats, n_features: int) -> None:
    if centers.ndim != 2 or centers.shape[1] != n_features or not np.isfinite(centers).all():
        raise ParameterError(
            f"kmeans_estimator has cluster_centers_ of shape {centers.shape}, for X of "
            f"{n_features} features: it needs finite centres of as many, learned from the same "
            "columns."
        )


def labeler_of(fitted: Any, metric: Metric) -> NearestCenter | Predictor:
    """What labels rows by a fitted clusterer: its centres where `predict` is the nearest one.

    What was learned elsewhere was learned in the units of X.
    """
    from sklearn.frozen import FrozenEstimator

    learner = fitted
    if isinstance(fitted, FrozenEstimator):
        learner, metric = fitted.estimator, Metric()
    if _finds_nearest_center(learner):
        return NearestCenter(np.asarray(learner.cluster_centers_, dtype=np.float64), metric)
    return Predictor(fitted, metric)


def labels_learned(fitted: Any, keeps_fit_labels: bool, n_rows: int) -> Any:
    """Labels of all rows that the fit itself gave and a run took; None where it asked a labeler."""
    from sklearn.frozen import FrozenEstimator

    if not keeps_fit_labels or isinstance(fitted, FrozenEstimator):
        return None
    labels = getattr(fitted, "labels_", ())
    return labels if len(labels) == n_rows else None


def _finds_nearest_center(estimator: Any) -> bool:
    # of the class itself: a subclass may have another `predict`
    name, room = type(estimator).__name__, type(estimator).__module__.partition(".")[0]
    return name in ("KMeans", "MiniBatchKMeans") and room in ("sklearn", "dask_ml")


def _learn_by_passes(tasks: Tasks, census: Census, clusterer: Clusterer, seed: int) -> Clustering:
    estimator = clusterer.measured_in(census.metric)
    given = _given_start(estimator, clusterer.n_clusters, census.chunks.n_features)
    seed = root_seed(seed if estimator.random_state is None else estimator.random_state)
    rows, n_rows, sample, n_sampled = _learning_rows(tasks, census, clusterer, seed)
    sample, n_sampled = _in_coordinates(tasks, census, clusterer, seed, sample, n_sampled)
    if given is None:
        width = census.metric.width(census.chunks.n_features)
        extent, start = _find_start(tasks, sample, n_sampled, clusterer.n_clusters, width, seed)
    else:
        (extent,), start = compute(tasks("clustering-extent", measure_extent, sample)), given
    # dask-ml's own is absolute: data times 1e-3 would stop after one pass
    tolerance = float(estimator.tol) * extent.variance
    centers, shifts = lloyd(
        tasks,
        rows,
        n_rows,
        census.peaks,
        census.metric,
        extent.mean,
        start,
        int(estimator.max_iter),
        tolerance,
    )
    estimator.cluster_centers_ = centers
    estimator.n_iter_ = len(shifts)
    estimator.n_features_in_ = len(extent.mean)
    return Clustering(
        estimator=estimator,
        labeler=NearestCenter(estimator.cluster_centers_, census.metric),
        clusters=None,
        summary=_summary_of_passes(clusterer, n_rows, n_sampled, shifts, tolerance),
        learns_by_passes=True,
    )


def _in_coordinates(
    tasks: Tasks, census: Census, clusterer: Clusterer, seed: int, sample: Delayed, n: int
) -> tuple[Delayed, int]:
    """Coordinates of a sample of n rows, or of some of them where indicators make them wide."""
    most = n
    if census.metric.indicators.n_categorical:
        width = census.metric.width(census.chunks.n_features)
        most = min(n, indicated_size(clusterer.n_clusters, width))
    if most < n:
        chosen = sample_rows(n, most, seed, INDICATED_SAMPLE)
        sample = tasks("clustering-sample", take, sample, chosen)
    metric = census.shared_metric(tasks)
    return tasks("clustering-sample", coordinates_of, sample, metric), most


def _given_start(estimator: Any, n_clusters: int, n_features: int) -> Floats | None:
    if isinstance(estimator.init, str):
        return None
    start = np.asarray(estimator.init, np.float64)
    wanted = (n_clusters, n_features)
    if start.shape != wanted:
        raise ParameterError(
            f"kmeans_estimator has init of shape {start.shape}; {n_clusters} clusters of "
            f"{n_features} features need {wanted}."
        )
    if not np.isfinite(start).all():
        raise ParameterError("kmeans_estimator has init with NaN or infinity: pass finite centres.")
    return start


def _learning_rows(
    tasks: Tasks, census: Census, clusterer: Clusterer, seed: int
) -> tuple[Sequence[Part], int, Delayed, int]:
    """The rows to pass over, and how many; the sample that the start is found on, and its rows."""
    sample, n_brought = _learning_sample(tasks, census, clusterer, seed)
    if not clusterer.is_bounded(census.n_rows):
        return census.chunks.parts, census.n_rows, sample, n_brought
    # all that it learns from is a sample
    n_sampled = min(n_brought, start_rows(clusterer, census.chunks.n_features))
    # from a stream of its own: from that of the census the first rows would be drawn too often
    chosen = sample_rows(n_brought, n_sampled, seed, START_SAMPLE)
    small = tasks("clustering-sample", take, sample, chosen)
    return [sample], n_brought, small, n_sampled


def _learning_sample(
    tasks: Tasks, census: Census, clusterer: Clusterer, seed: int
) -> tuple[Delayed, int]:
    """Of the rows that the census brought those that clusters are learned from, and how many."""
    n = rows_to_sample(clusterer, census.n_rows, census.chunks.n_features)
    if n == census.n_sampled:
        return census.sample, n
    # it brings more where so few would not tell the spreads of the features
    chosen = sample_rows(census.n_sampled, n, seed, LEARNING_SAMPLE)
    (sample,) = persist(tasks("clustering-sample", take, census.sample, chosen))
    return sample, n


def _find_start(
    tasks: Tasks, sample: Delayed, n: int, k: int, width: int, seed: int
) -> tuple[Extent, Floats]:
    extent = tasks("clustering-extent", measure_extent, sample)
    few = sample_rows(n, start_size(k), seed, SMALL_START_SAMPLE)
    small, large = sample, None
    if len(few) < n:
        small, large = tasks("clustering-sample", take, sample, few), sample
    n_distinct = tasks("clustering-distinct", count_distinct, small, k)
    together = max(1, _TOGETHER // (len(few) * width * k))
    starts = [
        tasks("clustering-start", find_start, small, n_distinct, k, stop - start, own)
        for start, stop in cut(count_runs(len(few)), together)
        for own in [small_seed(seed, START, start)]
    ]
    best = tasks("clustering-start-best", refine_best, starts, small, large)
    found, centers = compute(extent, best)
    return found, centers


def _summary_of_passes(
    clusterer: Clusterer, n_rows: int, n_sampled: int, shifts: Sequence[float], limit: float
) -> ClusteringSummary:
    return ClusteringSummary(
        estimator=type(clusterer.estimator).__name__,
        n_clusters=clusterer.n_clusters,
        n_learning_rows=n_rows,
        n_start_rows=n_sampled,
        n_iter=len(shifts),
        center_shifts=tuple(shifts),
        converged=bool(shifts) and shifts[-1] <= limit,
    )
