"""Results in memory: the kinds that came in, their originals untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..errors import InputError
from ..planning import checks
from ..order.places import Mixture
from ..kernels.rows.blocks import Rows, stack, take
from ..kernels.making.frames import frame_of, series_of
from ..order.mixing import order_of
from ..kernels.rows.labels import count_labels, full_labels, one_hot


def check_target(X: Any, y: Any) -> None:
    """Every row of X has one label in y.

    Raises
    ------
    InputError
        Lengths differ, or labels are missing, continuous or of types without an order.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] > 1:
        raise InputError(
            f"y is two-dimensional, with the columns {list(y.columns)}: pass one of them, "
            f"y = y[{y.columns[0]!r}], or a one-vs-all array, y.to_numpy()."
        )
    labels = y if hasattr(y, "ndim") else np.asarray(y, dtype=object)
    n_rows = X.shape[:1] if hasattr(X, "shape") else (len(X),) if hasattr(X, "__len__") else ()
    if labels.ndim not in (1, 2) or sparse.issparse(labels) or np.iscomplexobj(labels):
        return
    if n_rows:  # others are refused by scikit-learn
        checks.check_lengths(n_rows, [len(labels)])
    found = count_labels(labels)
    checks.check_labels(found.n_missing, found.n_continuous, found.n_not_one_hot)
    checks.sum_counts([found.counts])


def resampled_rows(X: Any, rows: Rows, made: Sequence[Rows], rounded: bool) -> Any:
    """X and the synthetic rows.

    Parameters
    ----------
    X
        As the user gave it.
    rows
        The same as an array or sparse matrix.
    made
        Blocks of synthetic rows.
    rounded
        Round integer columns of a frame to the nearest, or truncate them.
    """
    if isinstance(X, pd.DataFrame):
        parts = [frame_of(block, 0, X.iloc[:0], rounded) for block in made]
        return pd.concat([X, *parts], ignore_index=True)
    resampled = stack([rows, *made])
    return resampled.tolist() if isinstance(X, list) else resampled


def resampled_labels(y: Any, target: Any, spans: Sequence[tuple[int, Any]]) -> Any:
    """The labels and those of the synthetic rows; `target` is y as an array."""
    if isinstance(y, pd.Series):
        parts = [series_of(n, label, 0, y.iloc[:0]) for n, label in spans]
        return pd.concat([y, *parts], ignore_index=True)
    labels = np.concatenate([target, *(full_labels(n, label, target.dtype) for n, label in spans)])
    if isinstance(y, pd.DataFrame):
        return pd.DataFrame(labels, columns=y.columns).astype(y.dtypes)
    return labels.tolist() if isinstance(y, list) else labels


def resampled_one_hot(y: Any, spans: Sequence[tuple[int, int]]) -> Any:
    """One-vs-all y and the rows of the synthetic ones; their labels are columns."""
    indicators = np.asarray(y)
    n_classes = indicators.shape[1]
    parts = [one_hot(n, column, n_classes, indicators.dtype) for n, column in spans]
    resampled = np.concatenate([indicators, *parts])
    return resampled.tolist() if isinstance(y, list) else resampled


def interleaved(resampled: Any, mixture: Mixture) -> Any:
    """A result with its synthetic rows after the originals, brought into the order of a mixture."""
    order = order_of(mixture)
    if isinstance(resampled, list):
        return [resampled[row] for row in order]
    if isinstance(resampled, pd.DataFrame | pd.Series):
        return resampled.iloc[order].reset_index(drop=True)
    return take(resampled, order)
