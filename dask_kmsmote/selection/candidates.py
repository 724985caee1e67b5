"""Candidates: what could be done about the classes, from doing nothing to a grid of settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import isfunction
from typing import Any

import numpy as np
from dask.base import tokenize
from sklearn.model_selection import ParameterGrid, ParameterSampler

from ..errors import ParameterError
from ..parameters import PLANNED, recipe_of
from ..planning.strategy import Label
from ..sampler import KMeansSMOTE

NONE, WEIGHTS, RANDOM, SMOTE, KMEANS = "none", "class weights", "random", "SMOTE", "KMeansSMOTE"
# SMOTE is one cluster, and the neighbours that imbalanced-learn's SMOTE has
_SMOTE = {"kmeans_estimator": 1, "k_neighbors": 5}
# they change no row of a result, or belong to a fold
_NO_SETTINGS = {"random_state", "n_jobs", "progress", "callbacks", "layout", "passthrough"}
_CLUSTERS = 8, 32, 128
_ROWS_PER_CLUSTER = 4  # of the smallest class in training, for more than the fewest clusters
_RATIOS = 0.1, 0.3
_HEADROOM = 1.2  # of a ratio over the one that the data have


@dataclass(frozen=True)
class Candidate:
    """One thing that could be done.

    Attributes
    ----------
    name
        Tells it from all others.
    kind
        One of `NONE`, `WEIGHTS`, `RANDOM`, `SMOTE`, `KMEANS`.
    params
        What `KMeansSMOTE` is constructed with, where it is one or SMOTE; of `RANDOM` the
        `sampling_strategy` alone.
    """

    name: str
    kind: str
    params: Mapping[str, Any]

    @property
    def is_sampler(self) -> bool:
        """Whether `KMeansSMOTE` makes its rows."""
        return self.kind in (SMOTE, KMEANS)

    @property
    def shared(self) -> str:
        """What candidates that share clusters have alike."""
        return alike({name: own for name, own in self.params.items() if name not in PLANNED})

    @property
    def strategy(self) -> str:
        """What candidates that make as many rows of each class have alike."""
        return alike(self.params.get("sampling_strategy", "auto"))


def alike(value: Any) -> str:
    """The same for values that are alike."""
    return str(tokenize(value))


def candidates_of(
    base: KMeansSMOTE,
    grid: Any,
    counts: Mapping[Label, int],
    *,
    takes_weights: bool,
    n_iter: int,
    seed: int,
) -> tuple[Candidate, ...]:
    """All candidates, those that are always there first.

    Parameters
    ----------
    base
        Has what the grid does not name.
    grid
        Values by parameter, one such or several; where one has distributions, `n_iter` settings
        are drawn. None: as `default_grid`.
    counts
        Rows of each class in the smallest training part.
    takes_weights
        Whether the classifier has a `class_weight`.
    n_iter, seed
        Of drawn settings.

    Raises
    ------
    ParameterError
        A parameter that the sampler does not have, or a value that it can't have.
    """
    grids = [default_grid(base, counts) if grid is None else grid]
    grids = list(grid) if isinstance(grid, Sequence) else grids
    _require_names(grids, base)
    listed = _settings(grids, n_iter, seed)
    strategies = [base.sampling_strategy, *_listed(grids, "sampling_strategy")]
    found = [Candidate(NONE, NONE, {})]
    if takes_weights:
        found.append(Candidate(WEIGHTS, WEIGHTS, {}))
    for strategy in _distinct(strategies):
        own = {"sampling_strategy": strategy}
        found.append(Candidate(_named(RANDOM, own, base), RANDOM, own))
        params = params_of(base, {**_SMOTE, **own})
        found.append(Candidate(_named(SMOTE, own, base), SMOTE, params))
    found += [
        Candidate(_named(KMEANS, own, base), KMEANS, own)
        for own in _distinct([params_of(base, settings) for settings in listed])
    ]
    _require_distinct(found)
    return tuple(found)


def default_grid(base: KMeansSMOTE, counts: Mapping[Label, int]) -> dict[str, list[Any]]:
    """Settings to try where none are given: up to 36 for two classes, 12 for more.

    Parameters
    ----------
    base
        The sampler whose parameters are varied.
    counts
        Rows of each class in training.
    """
    least, most = min(counts.values()), max(counts.values())
    clusters = [k for k in _CLUSTERS if k == _CLUSTERS[0] or least >= _ROWS_PER_CLUSTER * k]
    ratios = [ratio for ratio in _RATIOS if ratio >= _HEADROOM * least / most]
    grid: dict[str, list[Any]] = {
        "kmeans_estimator": clusters,
        "cluster_balance_threshold": ["auto", 0.0],
        "count_exponent": [1.0, -1.0],
        "sampling_strategy": [*(ratios if len(counts) == 2 else []), base.sampling_strategy],
    }
    # a recipe may decide some itself
    return {name: own for name, own in grid.items() if name not in recipe_of(base).fixed}


def _require_names(grids: Sequence[Any], base: KMeansSMOTE) -> None:
    wrong = [grid for grid in grids if not isinstance(grid, Mapping)]
    if wrong:
        raise ParameterError(
            f"grid has {wrong[0]!r}: it must be a dict of lists (or distributions) by parameter, "
            'e.g. grid={"kmeans_estimator": [8, 32]}, or a list of such dicts.'
        )
    known = sorted(set(base.get_params(deep=False)) - _NO_SETTINGS)
    for name in dict.fromkeys(name for grid in grids for name in grid):
        if name in known:
            continue
        near = get_close_matches(str(name), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it may vary {', '.join(known)}."
        raise ParameterError(
            f"grid has {name!r}, which is no setting of {type(base).__name__}: {hint}"
        )
    for grid in grids:
        for name, values in grid.items():
            if not hasattr(values, "rvs"):
                _require_list(name, values)


def _require_list(name: str, values: Any) -> None:
    if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str):
        if isinstance(values, np.ndarray) and values.ndim > 1:
            raise ParameterError(f"grid has {name} of {values.ndim} dimensions: give a list.")
        if len(values) == 0:
            raise ParameterError(f"grid has {name}={values!r}, which is empty: leave it out.")
        return
    is_other = isinstance(values, Iterable) and not isinstance(values, str | Mapping)
    line = f"list({name})" if is_other else f"[{values!r}]"
    raise ParameterError(
        f"grid has {name}={values!r}: give a list of values, e.g. grid={{{name!r}: {line}}}."
    )


def _settings(grids: Sequence[Mapping[str, Any]], n_iter: int, seed: int) -> list[dict[str, Any]]:
    if any(hasattr(values, "rvs") for grid in grids for values in grid.values()):
        return list(ParameterSampler(grids, n_iter, random_state=seed))
    return list(ParameterGrid(grids))


def _listed(grids: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    values = [grid[name] for grid in grids if name in grid and not hasattr(grid[name], "rvs")]
    return [value for own in values for value in own]


def params_of(base: KMeansSMOTE, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, once the settings stand."""
    defaults = type(base)().get_params(deep=False)
    own = {**base.get_params(deep=False), **settings}
    return {
        name: _plain(value)
        for name, value in own.items()
        if name not in _NO_SETTINGS and not _is_same(value, defaults[name])
    }


def _plain(value: Any) -> Any:
    # numbers that were drawn are numpy's
    return value.item() if isinstance(value, np.generic) else value


def _is_same(value: Any, default: Any) -> bool:
    return type(value) in (int, float, str, type(None)) and value == default


def _distinct(values: Sequence[Any]) -> list[Any]:
    return list({alike(value): value for value in values}.values())


def _named(kind: str, params: Mapping[str, Any], base: KMeansSMOTE) -> str:
    # what the base has as well tells nothing
    own = {
        name: value
        for name, value in params.items()
        if not _is_same(value, getattr(base, name)) and value is not getattr(base, name)
    }
    text = ", ".join(f"{name}={_short(value)}" for name, value in own.items())
    if kind == KMEANS:
        return f"{kind}({text})"
    return f"{kind} ({text})" if text else kind


def _short(value: Any) -> str:
    # the repr of a function has its address
    text = value.__name__ if isfunction(value) else repr(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_distinct(found: list[Candidate]) -> None:
    # of estimators that read alike
    names = [own.name for own in found]
    for place, own in enumerate(found):
        if names.count(own.name) > 1:
            number = names[: place + 1].count(own.name)
            found[place] = Candidate(f"{own.name} #{number}", own.kind, own.params)
