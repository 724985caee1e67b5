"""Allocate: how the rows to make of one class are shared among its kept clusters.

The sparser a cluster's rows lie, the more it gets: ``sparsity = mean_distance ** exponent / m``
(Last, Douzas, Bacao, arXiv 1711.00837), ``weight = sparsity / sum``. The power overflows float64
long before the data are unusual (a mean distance of 24,000, an exponent of 70), so weights are made
from its logarithm. The exponent, the weights and how they become whole rows are a recipe's
(`ShareRules`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ParameterError
from .groups import GroupPlan
from .strategy import Label

Floats = NDArray[np.float64]


class Kept(NamedTuple):
    """The kept clusters of one class.

    Attributes
    ----------
    mean_distance, exponent
        Shape (n_clusters,); distances are >= 0.
    n_class_rows
        Rows of the class, >= 1, shape (n_clusters,).
    """

    mean_distance: Floats
    exponent: Floats
    n_class_rows: NDArray[np.int64]


@dataclass(frozen=True)
class ShareRules:
    """What a recipe decides about shares.

    Attributes
    ----------
    auto_exponent
        The exponent "auto", from the number of features and the rows of a group.
    weights
        Weights that sum to 1, from what is kept and the dtype of the rows.
    whole_rows
        Whole rows of each cluster, from the rows to make and the weights.
    """

    auto_exponent: Callable[[int, int], float]
    weights: Callable[[Kept, DTypeLike], Floats]
    whole_rows: Callable[[int, Floats], list[int]]


def resolve_exponent(
    setting: float | str, n_features: int, n_class_rows: int, rules: ShareRules
) -> float:
    """The exponent of a group, from the parameter: a number, "n_features" or "auto"."""
    if setting == "auto":
        exponent = rules.auto_exponent(n_features, n_class_rows)
        if not math.isfinite(exponent):
            raise ParameterError(f"The recipe gave the exponent {exponent}: it must be finite.")
        return exponent
    return float(n_features if setting == "n_features" else setting)


def allocate(
    groups: Sequence[GroupPlan], amounts: Mapping[Label, int], rules: ShareRules, dtype: DTypeLike
) -> tuple[GroupPlan, ...]:
    """The same groups with weights and counts, from their mean distances and exponents.

    Parameters
    ----------
    groups
        Of all classes, in output order.
    amounts
        Rows to make by class.
    rules
        Those of a recipe.
    dtype
        Of the rows.
    """
    allocated: list[GroupPlan] = []
    for label, amount in amounts.items():
        mine = [group for group in groups if group.class_label == label]
        kept = [group for group in mine if group.kept]
        # a class of no rows to make, which `choose` did not judge: of others it keeps a cluster
        if not kept:
            continue
        weights = np.asarray(rules.weights(_columns(kept), dtype), dtype=np.float64)
        _require_weights(weights, len(kept))
        parts = rules.whole_rows(amount, weights)
        _require_counts(parts, len(kept))
        shares = iter(zip(weights, parts, strict=True))
        for group in mine:
            weight, n_synthetic = next(shares) if group.kept else (0.0, 0)
            allocated.append(replace(group, weight=float(weight), n_synthetic=n_synthetic))
    return tuple(allocated)


def _require_weights(weights: Floats, n: int) -> None:
    # a NaN would make `largest_remainder` deal out some 2**63 rows, one by one
    if weights.shape != (n,) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise ParameterError(
            f"The recipe gave {n} clusters the weights {weights}: it must give one for each, all "
            "of them >= 0, and 1 together."
        )


def _require_counts(parts: Sequence[int], n: int) -> None:
    if len(parts) != n or not all(isinstance(part, int) and part >= 0 for part in parts):
        raise ParameterError(
            f"The recipe shared the rows of {n} clusters as {parts}: it must give a whole number "
            ">= 0 for each."
        )


def _columns(groups: Sequence[GroupPlan]) -> Kept:
    return Kept(
        np.array([group.mean_distance for group in groups], dtype=np.float64),
        np.array([group.exponent for group in groups], dtype=np.float64),
        np.array([group.n_class_rows for group in groups], dtype=np.int64),
    )


def exponent_of_features(n_features: int, n_class_rows: int) -> float:  # noqa: ARG001 - a rule's
    """``log(n_features, 1.6) ** 1.8 * 0.16``: the same for all clusters, whatever the unit."""
    return _size_exponent(n_features)


def exponent_of_rows(n_features: int, n_class_rows: int) -> float:  # noqa: ARG001 - a rule's
    """imbalanced-learn's, from the rows of the class in the cluster: 9.7 of 100, 70 of 1e6."""
    return _size_exponent(n_class_rows)


# imbalanced-learn's formula, of another number in each recipe: one of ours alone is a rule above
def _size_exponent(n: int) -> float:
    return float(math.log(n, 1.6) ** 1.8 * 0.16)


def log_sparsity(kept: Kept) -> Floats:
    """Logarithm of the sparsities; minus infinity where all rows are the same row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # 0 ** 0 is 1, and 0 * log(0) NaN
        power = np.where(kept.exponent == 0, 0.0, kept.exponent * np.log(kept.mean_distance))
    return np.asarray(power - np.log(kept.n_class_rows), dtype=np.float64)


def weights_from_log(log_weights: Floats) -> Floats:
    """Weights that sum to 1, from their logarithms, never NaN.

    Where the largest is infinite, or all are minus infinity, those at the maximum share equally.
    """
    top = log_weights.max()
    if not np.isfinite(top):
        relative = (log_weights == top).astype(np.float64)
    else:
        # the largest becomes 1, so no power overflows: of 1,000 and 1,001, exp(-1) and 1
        relative = np.exp(log_weights - top)
    return np.asarray(relative / relative.sum(), dtype=np.float64)


def log_weights(kept: Kept, dtype: DTypeLike) -> Floats:  # noqa: ARG001 - a rule's
    """Weights in proportion to the sparsities, in log space."""
    return weights_from_log(log_sparsity(kept))


def linear_weights(kept: Kept, dtype: DTypeLike) -> Floats:
    """imbalanced-learn's weights to the last bit while they are finite, else `log_weights`.

    Its distances of float32 rows are float32.
    """
    precision = np.float32 if np.dtype(dtype) == np.float32 else np.float64
    rows = zip(kept.mean_distance.astype(precision), kept.exponent, kept.n_class_rows, strict=True)
    with np.errstate(all="ignore"):
        # Python's numbers leave d in its precision, where numpy's would widen a float32
        sparsity = np.array([d ** float(e) / int(m) for d, e, m in rows])
        weights = sparsity / sparsity.sum()
    return np.asarray(weights) if np.isfinite(weights).all() else log_weights(kept, dtype)


def largest_remainder(n: int, weights: Floats) -> list[int]:
    """Share n rows: the parts sum to n, each within 1 of n * weight.

    Equal remainders go to the lower cluster first. Of 10 rows with the weights .26, .37, .37 the
    quotas are 2.6, 3.7, 3.7; their floors sum to 8, and the two missing rows go to the second and
    the third cluster: 2, 4, 4.
    """
    quota = n * weights
    parts = np.floor(quota).astype(np.int64)
    missing = n - int(parts.sum())
    if missing < 0:
        # n beyond 2**53 rounds up: take the surplus back from the smallest remainders
        parts[np.argsort(quota - parts, kind="stable")[:-missing]] -= 1
    order = np.argsort(parts - quota, kind="stable")
    for turn in range(missing):
        parts[order[turn % len(order)]] += 1
    return [int(part) for part in parts]


def ceilings(n: int, weights: Floats) -> list[int]:
    """imbalanced-learn's ``ceil(n * weight)``: up to one row too many for each cluster."""
    # numpy's int: with Python's, the product with a float32 weight is rounded to float32
    return [math.ceil(np.int64(n) * weight) for weight in weights]
