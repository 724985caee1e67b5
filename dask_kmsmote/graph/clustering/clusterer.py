"""What a `kmeans_estimator` parameter means: what learns clusters, how, and from how many rows."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from ...dependencies import explained
from ...errors import ParameterError
from ...kernels.clusters.learning import refining_size, start_size
from ...recipes import Recipe
from ..settings import STARTS, Clusterer

_DEFAULT_CLUSTERS = 8
_SINGLE_FIT_ROWS = 1_000_000  # all in one task, on one worker
# what is read of dask-ml's KMeans, which checks nothing itself
_K_MEANS = {
    "init": [StrOptions({"k-means||", "k-means++", "random"}), "array-like"],
    "max_iter": [Interval(numbers.Integral, 0, None, closed="left")],
    "tol": [Interval(numbers.Real, 0, None, closed="left")],
    "random_state": ["random_state", np.random.Generator],
}


def resolve_clusterer(
    setting: Any, recipe: Recipe, seed: int, learning_rows: int | None
) -> Clusterer:
    """The clusterer that the parameter means.

    Parameters
    ----------
    setting
        None, a number of clusters, or an estimator.
    recipe
        Makes an estimator where none is given.
    seed
        Root seed.
    learning_rows
        Most rows to learn from; None means all for dask-ml's KMeans, 1,000,000 for one fit.

    Raises
    ------
    ParameterError
        It can't be cloned, or does not say how many clusters it makes.
    InvalidParameterError
        A parameter of its own is of a wrong type or range.
    """
    from sklearn.frozen import FrozenEstimator
    from sklearn.utils.validation import check_is_fitted

    if setting is None or isinstance(setting, int | np.integer):
        n_clusters = _DEFAULT_CLUSTERS if setting is None else int(setting)
        estimator = _make(recipe, n_clusters, seed)
    else:
        estimator = _clone(setting)
    if isinstance(estimator, FrozenEstimator):
        check_is_fitted(setting.estimator)
        return Clusterer(
            estimator=estimator, kind="frozen", n_clusters=_n_clusters(setting), learning_rows=0
        )
    n_clusters = _n_clusters(estimator)
    if _is_dask_k_means(estimator):
        validate_parameter_constraints(_K_MEANS, estimator.get_params(), "dask_ml.cluster.KMeans")
        kind = "lloyd"
    else:
        check_parameters(estimator)
        kind, learning_rows = "fit", learning_rows or _SINGLE_FIT_ROWS
    return Clusterer(
        estimator=estimator, kind=kind, n_clusters=n_clusters, learning_rows=learning_rows
    )


def _make(recipe: Recipe, n_clusters: int, seed: int) -> Any:
    try:
        return recipe.make_clusterer(n_clusters, seed)
    except ImportError as error:
        raise explained(error) from error


def _clone(setting: Any) -> Any:
    from sklearn.base import clone

    try:
        return clone(setting)
    except (TypeError, RuntimeError) as error:
        raise ParameterError(
            f"kmeans_estimator={setting!r} can't be cloned: {error} Pass an instance of a class "
            "derived from sklearn.base.BaseEstimator."
        ) from error


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


def require_numbers(clusterer: Clusterer, n_categorical: int) -> None:
    """Raise `ParameterError` where a clusterer knows rows of numbers alone, and there are others.

    What has learned elsewhere, and centres to start from, have no place for categories.
    """
    if not n_categorical:
        return
    starts: list[Any] = [getattr(clusterer.estimator, name, None) for name in STARTS]
    if clusterer.kind == "frozen" or any(np.ndim(start) == 2 for start in starts):
        raise ParameterError(
            f"kmeans_estimator={clusterer.estimator!r} was given columns of numbers, and X has "
            f"{n_categorical} features of categories, for which KMeans has coordinates of its own: "
            "pass a number of clusters, or an unfitted clusterer without centres to start from; or "
            "encode the categories first, and pass categorical_features=[]."
        )


def rows_to_sample(clusterer: Clusterer, n: int, n_features: int) -> int:
    """Rows that the census must bring, of n."""
    if clusterer.kind == "frozen":
        return 0
    if clusterer.kind == "lloyd" and not clusterer.is_bounded(n):
        # the passes read all rows: the sample is for their start alone
        return min(n, start_rows(clusterer, n_features))
    return n if clusterer.learning_rows is None else min(n, clusterer.learning_rows)


def start_rows(clusterer: Clusterer, n_features: int) -> int:
    """Rows that the start of KMeans, and the variance of the data, are found on."""
    if isinstance(clusterer.estimator.init, str):
        return refining_size(clusterer.n_clusters, n_features)
    # centres that are given need no refining: the sample is for mean and variance
    return start_size(clusterer.n_clusters)


def _is_dask_k_means(estimator: Any) -> bool:
    # by name, as the import takes a second; of the class itself, as a subclass may learn otherwise
    return type(estimator).__name__ == "KMeans" and type(estimator).__module__.startswith("dask_ml")


def _n_clusters(estimator: Any) -> int:
    inner = getattr(estimator, "estimator", estimator)
    # mixtures have components
    for name in ("n_clusters", "n_components"):
        value = getattr(inner, name, None)
        if isinstance(value, int | np.integer):
            if value < 1:
                raise ParameterError(
                    f"kmeans_estimator={estimator!r} has {name}={value}: it must make 1 or more."
                )
            return int(value)
    # what finds the number of its clusters itself knows it once it is fitted
    centers = getattr(inner, "cluster_centers_", None)
    if centers is None:
        raise ParameterError(
            f"kmeans_estimator={estimator!r} does not say how many clusters it makes: it needs "
            "an integer n_clusters."
        )
    return len(centers)
