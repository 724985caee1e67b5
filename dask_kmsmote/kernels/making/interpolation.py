"""New rows on the segments between base rows and neighbours."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..rows.blocks import Rows, take
from ..compiled import compiled
from ..seeding import Choices


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
        Shape (n, n_features); integers move a whole number of steps, the nearest.
    """
    if bases.dtype.kind in "biu":
        return _interpolate_whole(bases, neighbors, choices)
    if sparse.issparse(bases):
        return _interpolate_sparse(bases, neighbors, choices)
    native = bases.dtype in (np.float32, np.float64)
    left, right = (
        (bases, neighbors) if native else (bases.astype(np.float64), neighbors.astype(np.float64))
    )
    out = np.empty((len(choices.base), bases.shape[1]), dtype=left.dtype)
    _write(left, right, choices.base, choices.neighbor, choices.gap, out)
    return out.astype(bases.dtype, copy=False)


def _interpolate_sparse(bases: Rows, neighbors: Rows, choices: Choices) -> Rows:
    left = take(bases, choices.base).astype(np.float64)
    right = take(neighbors, choices.neighbor).astype(np.float64)
    # the matrix times its row's gap, kept in the format of the input
    new = (left + (right - left).multiply(choices.gap[:, np.newaxis])).asformat(bases.format)
    return type(bases)(new).astype(bases.dtype)


def _interpolate_whole(bases: Rows, neighbors: Rows, choices: Choices) -> Rows:
    left, right = take(bases, choices.base), take(neighbors, choices.neighbor)
    if sparse.issparse(left):
        left, right = left.toarray(), right.toarray()
    # 64 bits hold any difference; a float64 does not, so it decides the step alone
    low, high = left.astype(np.uint64), right.astype(np.uint64)
    up = right >= left
    span = np.where(up, high - low, low - high)
    step = np.rint(choices.gap[:, np.newaxis] * span.astype(np.float64))
    whole = step >= span.astype(np.float64)
    step = np.where(whole, span, np.where(whole, 0, step).astype(np.uint64))
    new = np.where(up, low + step, low - step).astype(bases.dtype)
    return type(bases)(new) if sparse.issparse(bases) else new


@compiled
def _write(bases, neighbors, base, neighbor, gap, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(base)):
        left = bases[base[i]]
        right = neighbors[neighbor[i]]
        for feature in range(out.shape[1]):
            start = np.float64(left[feature])
            out[i, feature] = start + gap[i] * (np.float64(right[feature]) - start)
