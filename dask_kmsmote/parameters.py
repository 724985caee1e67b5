"""The parameters of a sampler as the settings of one run."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from .errors import ParameterError
from .graph.clustering.learn import check_parameters, resolve_clusterer
from .graph.density.measure import Search
from .listeners import ProgressBar
from .pipeline import Settings


def threshold_in_force(sampler: Any, thresholds: dict[Any, float]) -> float | dict[Any, float]:
    """The balance threshold of all classes, or of each where they differ."""
    values = set(thresholds.values())
    if len(values) > 1:
        return thresholds
    nothing_to_make = {
        np.nan if sampler.cluster_balance_threshold == "auto" else sampler.cluster_balance_threshold
    }
    return float((values or nothing_to_make).pop())


def settings_of(sampler: Any, y: Any, seed: int) -> Settings:
    """The settings of a run on labels y, with a root seed.

    Raises
    ------
    ParameterError
        A parameter is of no use.
    """
    compat = sampler.compat is not None
    if compat and not isinstance(sampler.random_state, numbers.Integral):
        seed %= 2**32
    rows = None if sampler.learning_rows == "auto" else int(sampler.learning_rows)
    deaf = [each for each in sampler.callbacks or () if not callable(each)]
    if deaf:
        raise ParameterError(
            f"callbacks has {deaf[0]!r}, which can't be called: each must be a function of one "
            "event."
        )
    return Settings(
        strategy=sampler.sampling_strategy,
        target=y,
        clusterer=resolve_clusterer(sampler.kmeans_estimator, compat, seed, rows),
        search=_search(sampler, compat, seed),
        threshold=_number(sampler, "cluster_balance_threshold"),
        exponent=_number(sampler, "density_exponent"),
        seed=seed,
        compat=compat,
        callbacks=(*(sampler.callbacks or ()), *([ProgressBar()] if sampler.progress else [])),
    )


def _number(sampler: Any, name: str) -> float | str:
    value = getattr(sampler, name)
    try:
        return value if isinstance(value, str) else float(value)
    except OverflowError as error:
        raise ParameterError(f"{name} is an {error}: lower it.") from error


def _search(sampler: Any, compat: bool, seed: int) -> Search:
    exact_rows = None if compat else sampler.exact_rows
    if isinstance(sampler.k_neighbors, numbers.Integral):
        k = int(sampler.k_neighbors)
        return Search(
            k,
            NearestNeighbors(n_neighbors=k + 1) if compat else None,
            compat,
            exact_rows,
            seed,
        )
    estimator = clone(sampler.k_neighbors, safe=False)
    n_neighbors = getattr(estimator, "n_neighbors", None)
    if not isinstance(n_neighbors, numbers.Integral) or n_neighbors < 2:
        raise ParameterError(
            f"k_neighbors={sampler.k_neighbors!r} has n_neighbors={n_neighbors!r}; it must be an "
            "integer of at least 2, as it includes the row itself."
        )
    check_parameters(estimator)
    return Search(int(n_neighbors) - 1, estimator, compat, exact_rows, seed)
