"""The classifier that candidates are judged by: the default, and what is asked of any.

Those that make threads of their own are told to take one, as trials run side by side.
"""

from __future__ import annotations

from inspect import isfunction
from typing import Any

import numpy as np
from sklearn.base import clone

from ..errors import ParameterError
from ..kernels.rows.blocks import as_dense, is_sparse
from .sample import Sample


def default_classifier(sample: Sample) -> Any:
    """scikit-learn's boosting of trees, with categories as categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

    if is_sparse(sample.X):
        dense = FunctionTransformer(as_dense, accept_sparse=True)
        return make_pipeline(dense, HistGradientBoostingClassifier())
    if not sample.categories:
        return HistGradientBoostingClassifier()
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=254,  # the trees tell no more apart
    )
    encoding = make_pipeline(FunctionTransformer(as_texts), encoder)
    numbers = FunctionTransformer(as_numbers)
    columns = make_column_transformer((encoding, sample.categories), remainder=numbers)
    places = list(range(len(sample.categories)))
    return make_pipeline(columns, HistGradientBoostingClassifier(categorical_features=places))


def as_texts(categories: Any) -> Any:
    """Columns of categories as texts, and None, of whatever types they are in a frame."""
    if not hasattr(categories, "iloc"):
        return categories
    return categories.astype(object).map(str).where(categories.notna(), None)


def as_numbers(numbers: Any) -> Any:
    """Columns of numbers in the type that has NaN, of whatever types they are in a frame."""
    return numbers.astype(np.float64)


def require_classifier(estimator: Any) -> None:
    """Raise `ParameterError` where an estimator is no classifier that can be cloned."""
    if isinstance(estimator, type):
        raise ParameterError(
            f"estimator={estimator.__name__} is a class: pass an instance, "
            f"estimator={estimator.__name__}()."
        )
    if isfunction(estimator):
        raise ParameterError(
            f"estimator={estimator.__name__} is a function: pass what it returns, "
            f"estimator={estimator.__name__}()."
        )
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise ParameterError(
            f"estimator={estimator!r} has no fit and predict: pass a classifier of scikit-learn's "
            "kind."
        )
    try:
        clone(estimator)
    except (TypeError, RuntimeError) as error:
        raise ParameterError(f"estimator={estimator!r} can't be cloned: {error}") from error


def weights_of(estimator: Any) -> list[str]:
    """Names of the parameters of an estimator, or within it, that weigh classes."""
    params = estimator.get_params(deep=True)
    return [name for name in params if name.rpartition("__")[2] == "class_weight"]


def seeded(estimator: Any, seed: int) -> Any:
    """A clone in which what has no seed has one, and what would take all cores takes one."""
    own = clone(estimator)
    unset = {name for name, value in own.get_params(deep=True).items() if value is None}
    threads = {f"{owner}n_jobs": 1 for owner in _greedy(own)}
    seeds = {name: seed for name in unset if name.rpartition("__")[2] == "random_state"}
    return own.set_params(**seeds, **{name: n for name, n in threads.items() if name in unset})


def _greedy(estimator: Any) -> list[str]:
    """Prefixes of parameters of classifiers with threads of their own, which nobody bounds."""
    parts = {"": estimator, **estimator.get_params(deep=True)}
    return [
        f"{name}__" if name else ""
        for name, part in parts.items()
        if type(part).__module__.partition(".")[0] in ("lightgbm", "xgboost")
    ]
