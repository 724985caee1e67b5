"""Nearest neighbours from the user's own search object."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ParameterError
from ...libraries import one_openmp_thread
from ..rows.blocks import Ints, Rows


def search(estimator: Any, rows: Rows) -> Ints:
    """Rows nearest to each row of a group, itself among them, by a fitted clone of the object.

    Returns
    -------
    ndarray
        Shape (m, n_neighbors); (m, m) of a group of fewer rows.

    Raises
    ------
    ParameterError
        The object gives something else.
    """
    from sklearn.base import clone

    with one_openmp_thread(), np.errstate(over="ignore"):
        fitted = clone(estimator, safe=False)
        # not by min: an object of the user's may have a number that can't be set
        if rows.shape[0] < fitted.n_neighbors:  # noqa: PLR1730
            fitted.n_neighbors = rows.shape[0]
        fitted.fit(rows)
        found = np.asarray(fitted.kneighbors(rows, return_distance=False))
    n, wanted = rows.shape[0], (rows.shape[0], fitted.n_neighbors)
    if found.shape != wanted or found.dtype.kind not in "iu":
        raise ParameterError(
            f"k_neighbors={estimator!r} gave neighbours of shape {found.shape} and dtype "
            f"{found.dtype}: its kneighbors(X, return_distance=False) must give integers of shape "
            f"{wanted}."
        )
    # compiled loops check no bounds: such a number would end in a segmentation fault
    if n and (found.min() < 0 or found.max() >= n):
        raise ParameterError(
            f"k_neighbors={estimator!r} gave neighbours from {found.min()} to {found.max()} among "
            f"{n} rows: it must find n_neighbors={wanted[1]} rows, 0 to {n - 1}, for each row."
        )
    return found.astype(np.int64)


def drop_self(indices: Ints) -> Ints:
    """The same without each row's own number, or without the last where that is not among them."""
    own = indices == np.arange(len(indices))[:, np.newaxis]
    # equal rows may crowd a row out of its own list; one must go in each, for the reshape
    own[~own.any(axis=1), -1] = True
    others: Ints = indices[~own].reshape(len(indices), -1)
    return others


def drop_first(indices: Ints) -> Ints:
    """The same without the first, as imbalanced-learn does: the row, or a duplicate of it."""
    return indices[:, 1:]
