"""Folds, and the classifier where none is given."""

from __future__ import annotations

import numbers
from inspect import isfunction
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import RepeatedStratifiedKFold, check_cv

from ..errors import ParameterError
from ..kernels.rows.blocks import Ints, as_dense, is_sparse
from .sample import Sample


class Fold(NamedTuple):
    """One split: numbers of the training and of the test rows of a sample."""

    train: Ints
    test: Ints


def folds_of(cv: Any, n_repeats: int, sample: Sample, groups: Any, seed: int) -> tuple[Fold, ...]:
    """The folds.

    Parameters
    ----------
    cv
        A number of folds, which are stratified and shuffled, `n_repeats` times; a splitter; or
        pairs of training and test rows.
    sample
        Is split.
    groups
        Of all rows of the data, for the splitter.
    seed
        Of the shuffles.

    Raises
    ------
    ParameterError
        A class has fewer rows than folds, or a part of a fold has none of it; or cv is no split.
    """
    if isinstance(cv, numbers.Integral):
        if cv < 2 or n_repeats < 1:
            raise ParameterError(f"cv={cv}, n_repeats={n_repeats}: at least 2 folds, once.")
        if groups is not None:
            raise ParameterError(
                f"cv={cv} tears groups apart: pass "
                f"cv=sklearn.model_selection.StratifiedGroupKFold({cv}), or leave groups out."
            )
        _require_rows(sample, int(cv))
        cv = RepeatedStratifiedKFold(n_splits=int(cv), n_repeats=n_repeats, random_state=seed)
    own = None if groups is None else _groups_of(groups, sample)
    every = np.arange(sample.n_rows)
    try:
        pairs = list(check_cv(cv).split(sample.X, sample.y, own))
        # positions, also from the end, or masks
        folds = tuple(Fold(every[train], every[test]) for train, test in pairs)
    except (TypeError, ValueError, IndexError) as error:
        raise ParameterError(f"cv={cv!r} can't split the rows: {error}") from error
    if len(folds) < 2:
        raise ParameterError(
            f"cv gives {len(folds)} fold, and an error needs two at least: pass cv=5, or a "
            "splitter that makes more."
        )
    _require_apart(folds)
    _require_classes(folds, sample)
    return folds


def _groups_of(groups: Any, sample: Sample) -> Any:
    if isinstance(groups, str):
        raise ParameterError(f"groups={groups!r} is a name: pass the values, groups=X[{groups!r}].")
    found = np.asarray(groups)
    if len(found) != sample.n_all:
        raise ParameterError(
            f"groups has {len(found)} values, and the data have {sample.n_all} rows: pass one for "
            "each row."
        )
    return found[sample.positions]


def _require_apart(folds: tuple[Fold, ...]) -> None:
    for number, fold in enumerate(folds):
        n_shared = len(np.intersect1d(fold.train, fold.test))
        if n_shared:
            raise ParameterError(
                f"Fold {number} of cv has {n_shared} row{'s' * (n_shared > 1)} in both its "
                "training and its test part: leave them out of one."
            )


def _require_rows(sample: Sample, n_folds: int) -> None:
    few = {label: n for label, n in sample.counts().items() if n < n_folds}
    if not few:
        return
    listed = ", ".join(f"class {label!r} has {n}" for label, n in few.items())
    hints = ["leave the class out, or join it to another"]
    if sample.n_rows < sample.n_all:
        hints.insert(0, f"n_rows={sample.n_all} takes all rows")
    if min(few.values()) > 1:
        hints.insert(0, f"cv={min(few.values())} makes fewer folds")
    raise ParameterError(
        f"Of {sample.n_rows} rows, {listed}, fewer than the {n_folds} folds: {'; or '.join(hints)}."
    )


def _require_classes(folds: tuple[Fold, ...], sample: Sample) -> None:
    for number, fold in enumerate(folds):
        for part, rows in zip(("training", "test"), fold, strict=True):
            lacking = [label for label, n in sample.counts(rows).items() if n == 0]
            if lacking:
                raise ParameterError(
                    f"Fold {number} of cv has no row of class {lacking[0]!r} in its {part} part: "
                    "use a splitter that keeps some of each class, e.g. cv=5, or "
                    "sklearn.model_selection.StratifiedGroupKFold for groups."
                )


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
