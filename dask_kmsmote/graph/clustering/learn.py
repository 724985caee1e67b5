"""Clustering: global KMeans through dask-ml, or one fit of another clusterer on bounded rows.

KMeans starts from centres found on samples of rows chosen by position: several runs on a small
one, the best of them refined on a large one. Its tolerance is relative to the variance of the
data, as scikit-learn's is.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from ...errors import ParameterError
from ...kernels.clusters.assignment import NearestCenter, Predictor
from ...kernels.rows.blocks import take
from ...kernels.seeding import (
    SMALL_START_SAMPLE,
    START,
    START_SAMPLE,
    root_seed,
    sample_rows,
    small_seed,
)
from ...kernels.clusters.learning import (
    find_start,
    fit_clusterer,
    measure_spread,
    refine_best,
    refining_size,
    start_size,
)
from ...planning.groups import ClusteringSummary
from ...planning.cuts import offsets
from ...data.collections import RowBlocks
from .lloyd import find_k_means, lloyd, lloyd_blocks
from ..dask.own_keys import private_copy
from ..dask.tasks import Tasks, compute, persist

RUNS = 8  # of KMeans on the smaller sample, each a task
PASSES = 1  # from a refined start, a second one lowers the inertia by 0.02 % or less
SINGLE_FIT_ROWS = 1_000_000
# what is read of dask-ml's KMeans, which checks nothing itself
K_MEANS = {
    "init": [StrOptions({"k-means||", "k-means++", "random"}), "array-like"],
    "max_iter": [Interval(numbers.Integral, 0, None, closed="left")],
    "tol": [Interval(numbers.Real, 0, None, closed="left")],
    "random_state": ["random_state", np.random.Generator],
}


@dataclass(frozen=True)
class Clusterer:
    """How clusters are learned.

    Attributes
    ----------
    estimator
        Cloned, unfitted (but for a frozen one).
    kind
        "lloyd": dask-ml's KMeans, from all rows. "fit": one fit on gathered rows. "frozen": none.
    n_clusters
        Clusters that it makes.
    seed
        Root seed of the run.
    learning_rows
        Most rows to learn from; None where all are.
    keep_labels
        Take the labels that one fit gives to its rows, where these are all rows.
    """

    estimator: Any
    kind: str
    n_clusters: int
    seed: int
    learning_rows: int | None
    keep_labels: bool

    def n_sampled(self, n: int, n_features: int) -> int:
        """Rows that the census must bring, of n."""
        if self.kind == "frozen":
            return 0
        if self.kind == "lloyd" and not self.is_bounded(n):
            return min(n, self.start_rows(n_features))
        return n if self.learning_rows is None else min(n, self.learning_rows)

    def start_rows(self, n_features: int) -> int:
        """Rows that the start of KMeans, and the variance of the data, are found on."""
        if isinstance(self.estimator.init, str):
            return refining_size(self.n_clusters, n_features)
        return start_size(self.n_clusters)

    def is_bounded(self, n: int) -> bool:
        """Whether it learns from fewer than n rows."""
        return self.learning_rows is not None and self.learning_rows < n


@dataclass(frozen=True)
class Clustering:
    """What was learned: the fitted estimator, what labels rows by it, and how it went.

    `labels` are those of each chunk's rows, where the fit gave them; else None.
    """

    estimator: Any
    labeler: NearestCenter | Predictor
    labels: list[Delayed] | None
    summary: ClusteringSummary


def learn(tasks: Tasks, clusterer: Clusterer, blocks: RowBlocks, rows: Delayed) -> Clustering:
    """Learn the clusters; computes.

    Parameters
    ----------
    tasks, clusterer, blocks
        The run, what learns, and the input of known lengths.
    rows
        The rows that the census brought.
    """
    if clusterer.kind == "lloyd":
        return _learn_by_passes(tasks, clusterer, blocks, rows)
    return _learn_at_once(tasks, clusterer, blocks, rows)


def _learn_at_once(
    tasks: Tasks, clusterer: Clusterer, blocks: RowBlocks, rows: Delayed
) -> Clustering:
    n = sum(blocks.lengths or ())
    labels: list[Delayed] | None = None
    fitted = clusterer.estimator
    if clusterer.kind == "fit":
        (task,) = persist(tasks("clustering", fit_clusterer, clusterer.estimator, rows))
        (fitted,) = compute(task)
        if labels_learned(fitted, clusterer.keep_labels, n) is not None:
            labels = [
                tasks("labels-learned", labels_between, task, start, stop)
                for start, stop in pairwise(offsets(blocks.lengths or ()))
            ]
    learner = getattr(fitted, "estimator", fitted) if clusterer.kind == "frozen" else fitted
    summary = ClusteringSummary(
        type(learner).__name__,
        clusterer.n_clusters,
        clusterer.n_sampled(n, blocks.matrix.shape[1]),
        n_iter=int(getattr(learner, "n_iter_", 0) or 0),
    )
    labeler = labeler_of(fitted)
    # those learned from X overflow with it, which the mean distance shows
    if clusterer.kind == "frozen" and isinstance(labeler, NearestCenter):
        _require_centers(labeler.centers, blocks.matrix.shape[1])
    return Clustering(fitted, labeler, labels, summary)


def _require_centers(centers: np.ndarray[Any, Any], n_features: int) -> None:
    if centers.ndim != 2 or centers.shape[1] != n_features or not np.isfinite(centers).all():
        raise ParameterError(
            f"kmeans_estimator has cluster_centers_ of shape {centers.shape}, for X of "
            f"{n_features} features: it needs finite centres of as many, learned from the same "
            "columns."
        )


def labeler_of(fitted: Any) -> NearestCenter | Predictor:
    """What labels rows by a fitted clusterer: its centres where `predict` is the nearest one."""
    from sklearn.frozen import FrozenEstimator

    learner = fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted
    if finds_nearest_center(learner):
        return NearestCenter(np.asarray(learner.cluster_centers_, dtype=np.float64))
    return Predictor(fitted)


def labels_learned(fitted: Any, compat: bool, n_rows: int) -> Any:
    """Labels of all rows that the fit itself gave and a run took; None where it asked a labeler."""
    from sklearn.frozen import FrozenEstimator

    if not compat or isinstance(fitted, FrozenEstimator):
        return None
    labels = getattr(fitted, "labels_", ())
    return labels if len(labels) == n_rows else None


def labels_between(fitted: Any, start: int, stop: int) -> Any:
    """Labels that the fit gave to some of its rows."""
    return fitted.labels_[start:stop]


def finds_nearest_center(estimator: Any) -> bool:
    """Whether the estimator's `predict` is the nearest of its `cluster_centers_`."""
    name, room = type(estimator).__name__, type(estimator).__module__.partition(".")[0]
    return name in ("KMeans", "MiniBatchKMeans") and room in ("sklearn", "dask_ml")


def _learn_by_passes(
    tasks: Tasks, clusterer: Clusterer, blocks: RowBlocks, rows: Delayed
) -> Clustering:
    estimator, k, n = clusterer.estimator, clusterer.n_clusters, sum(blocks.lengths or ())
    start = None if isinstance(estimator.init, str) else np.asarray(estimator.init, np.float64)
    if start is not None and start.shape != (k, blocks.matrix.shape[1]):
        raise ParameterError(
            f"kmeans_estimator has init of shape {start.shape}; {k} clusters of "
            f"{blocks.matrix.shape[1]} features need {(k, blocks.matrix.shape[1])}."
        )
    if start is not None and not np.isfinite(start).all():
        raise ParameterError("kmeans_estimator has init with NaN or infinity: pass finite centres.")
    seed = clusterer.seed if estimator.random_state is None else estimator.random_state
    seed = root_seed(seed)
    matrix, n_sampled = blocks.matrix, clusterer.n_sampled(n, blocks.matrix.shape[1])
    sample = rows
    if clusterer.is_bounded(n):
        n, n_sampled = n_sampled, min(n_sampled, clusterer.start_rows(matrix.shape[1]))
        matrix = da.from_delayed(rows, (n, matrix.shape[1]), meta=matrix._meta)
        chosen = sample_rows(n, n_sampled, seed, START_SAMPLE)
        sample = tasks("start-sample", take, rows, chosen)
    spread = tasks("clustering-spread", measure_spread, sample)
    if start is None:
        (offset, variance), start = compute(spread, _start(tasks, sample, n_sampled, k, seed))
    else:
        ((offset, variance),) = compute(spread)
    # the scheduler fuses tasks of arrays, and those of other stages not: keys of its own
    parts = lloyd_blocks(tasks, private_copy(matrix, f"{tasks.token}-lloyd"), offset)
    tolerance = float(estimator.tol) * variance
    centers, shifts = lloyd(parts, start - offset, int(estimator.max_iter), tolerance)
    estimator.cluster_centers_ = centers + offset
    estimator.n_iter_ = len(shifts)
    estimator.n_features_in_ = blocks.matrix.shape[1]
    summary = ClusteringSummary(
        type(estimator).__name__,
        k,
        n,
        n_sampled,
        len(shifts),
        tuple(shifts),
        bool(shifts) and shifts[-1] <= tolerance,
    )
    return Clustering(estimator, NearestCenter(estimator.cluster_centers_), None, summary)


def _start(tasks: Tasks, sample: Delayed, n: int, k: int, seed: int) -> Delayed:
    few = sample_rows(n, start_size(k), seed, SMALL_START_SAMPLE)
    part = tasks("start-sample", take, sample, few) if len(few) < n else sample
    seeds = [small_seed(seed, START, run) for run in range(RUNS)]
    runs = [tasks("clustering-start", find_start, part, k, seed) for seed in seeds]
    return tasks("clustering-start-best", refine_best, runs, sample)


def resolve_clusterer(
    setting: Any, compat: bool, seed: int, learning_rows: int | None
) -> Clusterer:
    """The clusterer that a `kmeans_estimator` parameter means.

    Parameters
    ----------
    setting
        None, a number of clusters, or an estimator.
    compat
        imbalanced-learn's clusterer for None and numbers, and its labels.
    seed
        Root seed; in compat also the seed of the clusterer.
    learning_rows
        Most rows to learn from; None means all for dask-ml's KMeans, `SINGLE_FIT_ROWS` for one
        fit.

    Raises
    ------
    ParameterError
        It can't be cloned, or does not say how many clusters it makes.
    InvalidParameterError
        A parameter of its own is of a wrong type or range.
    """
    from sklearn.base import clone
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.frozen import FrozenEstimator
    from sklearn.utils.validation import check_is_fitted

    bound = SINGLE_FIT_ROWS if learning_rows is None else learning_rows
    if setting is None or isinstance(setting, int | np.integer):
        n_clusters = 8 if setting is None else int(setting)
        if compat:
            estimator = MiniBatchKMeans(n_clusters, random_state=seed)
            return Clusterer(estimator, "fit", n_clusters, seed, bound, True)
        find_k_means()
        from dask_ml.cluster import KMeans

        estimator = KMeans(n_clusters, max_iter=PASSES, random_state=small_seed(seed, START))
        return Clusterer(estimator, "lloyd", n_clusters, seed, learning_rows, False)
    try:
        estimator = clone(setting)
    except (TypeError, RuntimeError) as error:
        raise ParameterError(
            f"kmeans_estimator={setting!r} can't be cloned: {error} Pass an instance of a class "
            "derived from sklearn.base.BaseEstimator."
        ) from error
    if isinstance(estimator, FrozenEstimator):
        check_is_fitted(setting.estimator)
        return Clusterer(estimator, "frozen", _n_clusters(setting), seed, 0, False)
    n_clusters = _n_clusters(estimator)
    if _is_dask_kmeans(estimator):
        validate_parameter_constraints(K_MEANS, estimator.get_params(), "dask_ml.cluster.KMeans")
        return Clusterer(estimator, "lloyd", n_clusters, seed, learning_rows, False)
    check_parameters(estimator)
    return Clusterer(estimator, "fit", n_clusters, seed, bound, compat)


def check_parameters(estimator: Any) -> None:
    """Have scikit-learn check the parameters of an estimator of its own, before it is fitted.

    Raises
    ------
    InvalidParameterError
        As its `fit` would.
    """
    if type(estimator).__module__.startswith("sklearn."):
        constraints = getattr(estimator, "_parameter_constraints", {})
        params = estimator.get_params(deep=False)
        validate_parameter_constraints(constraints, params, type(estimator).__name__)


def _is_dask_kmeans(estimator: Any) -> bool:
    return type(estimator).__name__ == "KMeans" and type(estimator).__module__.startswith("dask_ml")


def _n_clusters(estimator: Any) -> int:
    inner = getattr(estimator, "estimator", estimator)
    for name in ("n_clusters", "n_components"):
        value = getattr(inner, name, None)
        if isinstance(value, int | np.integer):
            if value < 1:
                raise ParameterError(
                    f"kmeans_estimator={estimator!r} has {name}={value}: it must make 1 or more."
                )
            return int(value)
    centers = getattr(inner, "cluster_centers_", None)
    if centers is None:
        raise ParameterError(
            f"kmeans_estimator={estimator!r} does not say how many clusters it makes: it needs "
            "an integer n_clusters."
        )
    return len(centers)
