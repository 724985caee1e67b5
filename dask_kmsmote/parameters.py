"""The parameters of a sampler as the settings of one run."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any, ClassVar, Protocol

import numpy as np
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from .errors import ParameterError
from .events import Callback
from .graph.clustering.clusterer import check_parameters, resolve_clusterer
from .graph.settings import Search, Settings
from .kernels.rows.schema import Wanted
from .listeners import ProgressBar
from .planning.strategy import Label, Strategy
from .recipes import RECIPES, Recipe

# of a plan alone: samplers that differ in no others share clusters and densities
PLANNED = frozenset(
    {
        "sampling_strategy",
        "cluster_balance_threshold",
        "density_exponent",
        "count_exponent",
        "max_ratio",
    }
)

_FINITE = Interval(numbers.Real, None, None, closed="neither")
# types and ranges, as scikit-learn checks them
CONSTRAINTS: dict[str, Any] = {
    "random_state": ["random_state", np.random.Generator],
    "k_neighbors": [
        Interval(numbers.Integral, 1, None, closed="left"),
        HasMethods(["kneighbors"]),
    ],
    "n_jobs": [numbers.Integral, None],
    "kmeans_estimator": [
        HasMethods(["fit", "predict"]),
        Interval(numbers.Integral, 1, None, closed="left"),
        None,
    ],
    "cluster_balance_threshold": [StrOptions({"auto"}), _FINITE],
    "density_exponent": [StrOptions({"auto", "n_features"}), _FINITE],
    "count_exponent": [_FINITE],
    "max_ratio": [Interval(numbers.Real, 1, None, closed="left"), None],
    "scale": [StrOptions({"standard"}), None],
    "categorical_features": [StrOptions({"auto"}), "array-like"],
    "categorical_weight": [StrOptions({"auto"}), Interval(numbers.Real, 0, 1e100, closed="both")],
    "missing": [StrOptions({"error", "keep"})],
    "passthrough": ["array-like"],
    "compat": [StrOptions({"imbalanced-learn"}), None],
    "learning_rows": [
        StrOptions({"auto"}),
        Interval(numbers.Integral, 1, None, closed="left"),
    ],
    "exact_rows": [Interval(numbers.Integral, 1, None, closed="left"), None],
    "layout": [StrOptions({"append", "interleave"})],
    "progress": ["boolean"],
    "callbacks": ["array-like", None],
}


class Parameters(Protocol):
    """What a sampler was constructed with; `KMeansSMOTE` says what each is."""

    sampling_strategy: Strategy
    random_state: Any
    k_neighbors: Any
    kmeans_estimator: Any
    cluster_balance_threshold: float | str
    density_exponent: float | str
    count_exponent: float
    max_ratio: float | None
    scale: str | None
    categorical_features: Any
    categorical_weight: float | str
    missing: str
    passthrough: Any
    compat: str | None
    learning_rows: int | str
    exact_rows: int | None
    progress: bool
    callbacks: Iterable[Callback] | None
    _recipe: ClassVar[Recipe]


def recipe_of(sampler: Parameters) -> Recipe:
    """What the sampler decides, by its `compat` or its class."""
    return RECIPES.get(sampler.compat, sampler._recipe)


def settings_of(sampler: Parameters, y: Any) -> Settings:
    """The settings of a run on labels y.

    Raises
    ------
    ParameterError
        A parameter is of no use.
    """
    recipe = recipe_of(sampler)
    fixed = _fixed(sampler, recipe)
    max_ratio = fixed.get("max_ratio", sampler.max_ratio)
    rows, seed = sampler.learning_rows, recipe.seed(sampler.random_state)
    learning_rows = None if rows == "auto" else int(rows)
    callbacks = tuple(sampler.callbacks or ())
    require_callables(callbacks)
    return Settings(
        recipe=recipe,
        strategy=_once(sampler.sampling_strategy),
        target=y,
        clusterer=resolve_clusterer(sampler.kmeans_estimator, recipe, seed, learning_rows),
        search=_search(sampler, recipe),
        threshold=_number("cluster_balance_threshold", sampler.cluster_balance_threshold),
        exponent=_number("density_exponent", sampler.density_exponent),
        count_exponent=_number(
            "count_exponent", fixed.get("count_exponent", sampler.count_exponent)
        ),
        max_ratio=None if max_ratio is None else _number("max_ratio", max_ratio),
        scale=fixed.get("scale", sampler.scale),
        categorical_weight=_number("categorical_weight", sampler.categorical_weight),
        seed=seed,
        # made here, so that a missing tqdm is told before any stage
        callbacks=(*callbacks, *([ProgressBar()] if sampler.progress else [])),
    )


def require_callables(callbacks: Iterable[Any]) -> None:
    """Raise `ParameterError` where a callback can't be called."""
    # scikit-learn's constraints do not look inside of a sequence
    not_callable = [each for each in callbacks if not callable(each)]
    if not_callable:
        raise ParameterError(
            f"callbacks has {not_callable[0]!r}, which can't be called: each must be a function of "
            "one event."
        )


def _once(strategy: Strategy) -> Strategy:
    """A function of y as one that is called once, however often it is asked: y may be large."""
    if not callable(strategy):
        return strategy
    found: list[Any] = []

    def called(y: Any) -> Any:
        if not found:
            found.append(strategy(y))
        return found[0]

    return called


def wanted_of(sampler: Parameters) -> Wanted:
    """What a sampler wants of the columns.

    Raises
    ------
    ParameterError
        The recipe decides it itself.
    """
    fixed = _fixed(sampler, recipe_of(sampler))
    return Wanted(
        categorical_features=fixed.get("categorical_features", sampler.categorical_features),
        missing=fixed.get("missing", sampler.missing),
        passthrough=sampler.passthrough,
    )


def threshold_in_force(
    sampler: Parameters, thresholds: Mapping[Label, float]
) -> float | dict[Label, float]:
    """The balance threshold of all classes, or of each where they differ."""
    values = set(thresholds.values())
    if len(values) > 1:
        return dict(thresholds)
    given = sampler.cluster_balance_threshold
    # with no class to generate, "auto" had nothing to do
    return float(values.pop() if values else np.nan if given == "auto" else given)


def search_in_force(search: Search) -> Any:
    """The neighbours search, unfitted: the user's object, or one that finds what ours does."""
    return search.estimator or NearestNeighbors(n_neighbors=search.n_neighbors)


def _fixed(sampler: Parameters, recipe: Recipe) -> Mapping[str, Any]:
    """What the recipe decides itself; the sampler must have been given nothing else for it."""
    defaults = signature(type(sampler)).parameters
    given = [
        name
        for name in recipe.fixed
        if not _is_same(getattr(sampler, name), defaults[name].default)
    ]
    if given:
        values = ", ".join(f"{name}={getattr(sampler, name)!r}" for name in given)
        raise ParameterError(
            f"compat={recipe.name!r} decides {', '.join(recipe.fixed)} itself, and {values} was "
            "given: leave it out, or leave out compat."
        )
    return recipe.fixed


def _is_same(value: Any, default: Any) -> bool:
    # a mask may be an array, and [] is no other than ()
    return np.array_equal(np.asarray(value, dtype=object), np.asarray(default, dtype=object))


def _number(name: str, value: Any) -> Any:
    # numpy would round shares to float32 to compare them with a threshold of that type,
    # and an int of 400 digits passes scikit-learn's check of real numbers
    try:
        return value if isinstance(value, str) else float(value)
    except OverflowError as error:
        raise ParameterError(f"{name} is an {error}: lower it.") from error


def _search(sampler: Parameters, recipe: Recipe) -> Search:
    exact_rows = sampler.exact_rows if recipe.may_sample else None
    if isinstance(sampler.k_neighbors, numbers.Integral):
        k = int(sampler.k_neighbors)
        return Search(k=k, estimator=recipe.make_search(k), exact_rows=exact_rows)
    # an object with `kneighbors` may be no estimator, and is copied then
    estimator = clone(sampler.k_neighbors, safe=False)
    n_neighbors = getattr(estimator, "n_neighbors", None)
    if not isinstance(n_neighbors, numbers.Integral) or n_neighbors < 2:
        raise ParameterError(
            f"k_neighbors={sampler.k_neighbors!r} has n_neighbors={n_neighbors!r}; it must be an "
            "integer of at least 2, as it includes the row itself."
        )
    check_parameters(estimator)
    return Search(k=int(n_neighbors) - 1, estimator=estimator, exact_rows=exact_rows)
