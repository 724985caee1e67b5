"""New rows on the segments between base rows and neighbours."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .blocks import Rows, take
from .seeding import Choices


def interpolate(bases: Rows, neighbors: Rows, choices: Choices) -> Rows:
    """``base + gap * (neighbor - base)``, computed in float64, in the dtype of the rows.

    Parameters
    ----------
    bases, neighbors
        Blocks that the rows of `choices` number: the same block, or two.
    choices
        Of n rows.

    Returns
    -------
    Rows
        Shape (n, n_features); integers rounded to the nearest, ties to even.
    """
    if sparse.issparse(bases):
        return _interpolate_sparse(bases, neighbors, choices)
    shape = (len(choices.base), bases.shape[1])
    if bases.dtype in (np.float32, np.float64):
        out = np.empty(shape, dtype=bases.dtype)
        _write(bases, neighbors, choices.base, choices.neighbor, choices.gap, out)
        return out
    new = np.empty(shape)
    left, right = bases.astype(np.float64), neighbors.astype(np.float64)
    _write(left, right, choices.base, choices.neighbor, choices.gap, new)
    return _cast(new, bases.dtype)


def _interpolate_sparse(bases: Rows, neighbors: Rows, choices: Choices) -> Rows:
    left = take(bases, choices.base).astype(np.float64)
    right = take(neighbors, choices.neighbor).astype(np.float64)
    # the matrix times its row's gap, kept in the format of the input
    new = (left + (right - left).multiply(choices.gap[:, np.newaxis])).asformat(bases.format)
    new = type(bases)(new)
    new.data = _cast(new.data, bases.dtype)
    return new


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "biu":
        values = np.rint(values)
    return values.astype(dtype)


@numba.njit(nogil=True, cache=True)
def _write(bases, neighbors, base, neighbor, gap, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(base)):
        left = bases[base[i]]
        right = neighbors[neighbor[i]]
        for feature in range(out.shape[1]):
            start = np.float64(left[feature])
            out[i, feature] = start + gap[i] * (np.float64(right[feature]) - start)
