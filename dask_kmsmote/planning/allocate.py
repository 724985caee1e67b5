"""How the rows to make of one class are shared among its kept clusters.

The sparser a cluster's rows lie, the more it gets: ``sparsity = mean_distance ** exponent / m``
(Last, Douzas, Bacao, arXiv 1711.00837), ``weight = sparsity / sum``. The power overflows float64
long before the data are unusual, so weights are made from its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def size_exponent(n: int) -> float:
    """imbalanced-learn's ``log(n, 1.6) ** 1.8 * 0.16``, for n >= 1."""
    return float(math.log(n, 1.6) ** 1.8 * 0.16)


def log_sparsity(mean_distance: Floats, exponent: Floats, n_class_rows: Ints) -> Floats:
    """Logarithm of the sparsities; minus infinity where all rows are the same row.

    Parameters
    ----------
    mean_distance, exponent, n_class_rows
        Of each kept cluster, shape (n_groups,); distances are >= 0, rows >= 1.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(exponent == 0, 0.0, exponent * np.log(mean_distance))
    return np.asarray(power - np.log(n_class_rows), dtype=np.float64)


def weights_from_log(log_weights: Floats) -> Floats:
    """Weights that sum to 1, from their logarithms, never NaN.

    Where the largest is infinite, or all are minus infinity, those at the maximum share equally.
    """
    top = log_weights.max()
    if not np.isfinite(top):
        relative = (log_weights == top).astype(np.float64)
    else:
        relative = np.exp(log_weights - top)
    return np.asarray(relative / relative.sum(), dtype=np.float64)


def linear_weights(
    mean_distance: Floats, exponent: Floats, n_class_rows: Ints, precision: DTypeLike = np.float64
) -> Floats:
    """imbalanced-learn's weights to the last bit while they are finite, else `weights_from_log`.

    `precision` is that of its distances: float32 for float32 rows.
    """
    rows = zip(mean_distance.astype(precision), exponent, n_class_rows, strict=True)
    with np.errstate(all="ignore"):
        sparsity = np.array([d ** float(e) / int(m) for d, e, m in rows])
        weights = sparsity / sparsity.sum()
    if np.isfinite(weights).all():
        return np.asarray(weights)
    return weights_from_log(log_sparsity(mean_distance, exponent, n_class_rows))


def allocate_exactly(n: int, weights: Floats) -> list[int]:
    """Share n rows by the largest remainder: the parts sum to n, each within 1 of n * weight.

    Equal remainders go to the lower cluster first.
    """
    quota = n * weights
    parts = np.floor(quota).astype(np.int64)
    missing = n - int(parts.sum())
    if missing < 0:
        # n beyond 2**53 rounds up: take the surplus back from the smallest remainders
        parts[np.argsort(quota - parts, kind="stable")[:-missing]] -= 1
    order = np.argsort(parts - quota, kind="stable")
    for place in range(missing):
        parts[order[place % len(order)]] += 1
    return [int(part) for part in parts]


def allocate_ceiling(n: int, weights: Floats) -> list[int]:
    """imbalanced-learn's ``ceil(n * weight)``: up to one row too many for each cluster."""
    return [math.ceil(np.int64(n) * weight) for weight in weights]


def columns(rows: Sequence[tuple[float, float, int]]) -> tuple[Floats, Floats, Ints]:
    """Mean distances, exponents and rows of the class, as arrays of their own types."""
    distances, exponents, sizes = zip(*rows, strict=True)
    return np.array(distances, float), np.array(exponents, float), np.array(sizes, np.int64)
