"""Nearest neighbours from the user's own search object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from .blocks import Rows

Ints = NDArray[np.int64]


def search(estimator: Any, rows: Rows) -> Ints:
    """Rows nearest to each row of a group, itself among them, by a fitted clone of the object.

    Returns
    -------
    ndarray
        Shape (m, n_neighbors).
    """
    with threadpool_limits(1, user_api="openmp"), np.errstate(over="ignore"):
        fitted = clone(estimator, safe=False).fit(rows)
        indices = fitted.kneighbors(rows, return_distance=False)
    return np.asarray(indices, dtype=np.int64)


def drop_self(indices: Ints) -> Ints:
    """The same without each row's own number, or without the last where that is not among them."""
    own = indices == np.arange(len(indices))[:, np.newaxis]
    own[~own.any(axis=1), -1] = True
    others: Ints = indices[~own].reshape(len(indices), -1)
    return others
