"""Folds: parts of a sample that are trained and tested on in turn."""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold, check_cv

from ..errors import ParameterError
from ..kernels.rows.blocks import Ints
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
