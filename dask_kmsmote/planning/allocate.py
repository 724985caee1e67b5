"""Allocate: how the rows to make of one class are shared among its kept clusters.

A cluster's weight is ``mean_distance ** exponent * n_class_rows ** count_exponent``, over the sum
of all. With a count exponent of -1 it is the sparsity of Last, Douzas, Bacao (arXiv 1711.00837),
which belongs to a cluster: the fewer rows one has, the more often each is copied. With 1 it belongs
to the rows: what a row gets follows from how sparse its cluster is, and not from its size.

No cluster makes more new rows per row of the class than `max_ratio` times the average; what is cut
goes to the others by weight. 900 rows to make from 100, 10 and 40 rows, where the weights are 0.2,
0.6 and 0.2: 6 for each row on average, so with a `max_ratio` of 2 the limits are 1200, 120 and 480.
The second gets 120 in place of 540, and the other two share 780, half each: 390 is within both.

The power overflows float64 long before the data are unusual (a mean distance of 24,000, an exponent
of 70), so weights are made from its logarithm, also those among which the rest is shared. The
exponent and the shares are a recipe's (`ShareRules`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ParameterError
from .groups import GroupPlan, by_class
from .strategy import Label

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Kept(NamedTuple):
    """The kept clusters of one class.

    Attributes
    ----------
    mean_distance, exponent
        Shape (n_clusters,); distances are >= 0.
    n_class_rows
        Rows of the class, >= 1, shape (n_clusters,).
    count_exponent
        Of these rows in the weight.
    max_ratio
        Most new rows per row, over the average of all clusters; >= 1, None where it has no bound.
    dtype
        Of the rows.
    """

    mean_distance: Floats
    exponent: Floats
    n_class_rows: Counts
    count_exponent: float
    max_ratio: float | None
    dtype: DTypeLike


class Shares(NamedTuple):
    """What each of some clusters gets.

    Attributes
    ----------
    weights
        Before any bound; 1 together.
    n_rows
        Whole rows.
    """

    weights: Floats
    n_rows: list[int]


@dataclass(frozen=True)
class ShareRules:
    """What a recipe decides about shares.

    Attributes
    ----------
    auto_exponent
        The exponent "auto", from the number of features and the rows of a group.
    share
        The shares of so many rows to make.
    """

    auto_exponent: Callable[[int, int], float]
    share: Callable[[Kept, int], Shares]


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
    groups: Sequence[GroupPlan],
    amounts: Mapping[Label, int],
    rules: ShareRules,
    count_exponent: float,
    max_ratio: float | None,
    dtype: DTypeLike,
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
    count_exponent, max_ratio, dtype
        As `Kept` says.
    """
    allocated: list[GroupPlan] = []
    judged = by_class(groups)
    for label, amount in amounts.items():
        mine = judged.get(label, [])
        kept = [group for group in mine if group.kept]
        # a class of no rows to make, which `choose` did not judge: of others it keeps a cluster
        if not kept:
            continue
        found = rules.share(_columns(kept, count_exponent, max_ratio, dtype), amount)
        weights = np.asarray(found.weights, dtype=np.float64)
        _require_weights(weights, len(kept))
        _require_counts(found.n_rows, len(kept))
        shares = iter(zip(weights, found.n_rows, strict=True))
        for group in mine:
            weight, n_synthetic = next(shares) if group.kept else (0.0, 0)
            allocated.append(replace(group, weight=float(weight), n_synthetic=n_synthetic))
    return tuple(allocated)


def _require_weights(weights: Floats, n: int) -> None:
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


def _columns(
    groups: Sequence[GroupPlan], count_exponent: float, max_ratio: float | None, dtype: DTypeLike
) -> Kept:
    return Kept(
        np.array([group.mean_distance for group in groups], dtype=np.float64),
        np.array([group.exponent for group in groups], dtype=np.float64),
        np.array([group.n_class_rows for group in groups], dtype=np.int64),
        count_exponent,
        max_ratio,
        dtype,
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


def log_weights(kept: Kept) -> Floats:
    """Logarithms of the weights, up to a constant; minus infinity where all rows are the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # 0 ** 0 is 1, and 0 * log(0) NaN
        power = np.where(kept.exponent == 0, 0.0, kept.exponent * np.log(kept.mean_distance))
    return np.asarray(power + kept.count_exponent * np.log(kept.n_class_rows), dtype=np.float64)


def weights_from_log(logs: Floats) -> Floats:
    """Weights that sum to 1, from their logarithms, never NaN.

    Where the largest is infinite, or all are minus infinity, those at the maximum share equally.
    """
    top = logs.max()
    # the largest becomes 1, so no power overflows: of 1,000 and 1,001, exp(-1) and 1
    relative = np.exp(logs - top) if np.isfinite(top) else (logs == top).astype(np.float64)
    # a sum that does not depend on the order of the clusters
    return np.asarray(relative / math.fsum(relative), dtype=np.float64)


def share_by_weight(kept: Kept, n: int) -> Shares:
    """Exactly n rows by weight, within the bound."""
    return share_by_logs(log_weights(kept), kept, n)


def share_by_logs(logs: Floats, kept: Kept, n: int) -> Shares:
    """Exactly n rows by some logarithms of weights, within the bound."""
    limits = limits_of(kept, n, logs)
    parts = largest_remainder(fill(n, logs, limits), limits, kept.n_class_rows, n)
    return Shares(weights_from_log(logs), parts)


def limits_of(kept: Kept, n: int, logs: Floats) -> Counts:
    """Most rows of each cluster, n or more together.

    They are rounded down. Where that leaves less than n, some are raised by one, those first that
    this takes least beyond the bound, and of such the heavier. With a bound of 1, of 3 rows from
    10 originals and 20, at most 1 and 2; from 10 and 10, at most 1.5 each, which is 2 and 1.
    """
    if kept.max_ratio is None:
        return np.full(len(kept.n_class_rows), n, dtype=np.int64)
    rows = [int(m) for m in kept.n_class_rows]
    # the ratio as it is written: as a float 1.2 is a little less, and 600 would be 599.99...
    exact = [Fraction(str(kept.max_ratio)) * n * m / sum(rows) for m in rows]
    whole = [min(math.floor(limit), n) for limit in exact]
    beyond = [(limit + 1 - most) / m for limit, most, m in zip(whole, exact, rows, strict=True)]
    order = sorted(range(len(rows)), key=lambda at: (beyond[at], -logs[at]))
    for cluster in order[: max(0, n - sum(whole))]:
        whole[cluster] += 1
    return np.array(whole, dtype=np.int64)


def fill(n: int, logs: Floats, limits: Counts) -> Floats:
    """Share n rows by weight, so that no part is above its limit; not yet whole rows."""
    quota, is_open, left = np.zeros(len(logs)), np.ones(len(logs), dtype=np.bool_), n
    while is_open.any():
        quota[is_open] = left * weights_from_log(logs[is_open])
        above = is_open & (quota > limits)
        if not above.any():
            break
        # what they give back is shared anew: others may then be above theirs
        quota[above] = limits[above]
        is_open &= ~above
        left = n - int(limits[~is_open].sum())
    return quota


def largest_remainder(quota: Floats, limits: Counts, n_class_rows: Counts, n: int) -> list[int]:
    """Whole rows of quotas that sum to n: the parts do too, each within 1 of its quota.

    Of equal remainders the larger quota goes first, then the cluster of more rows, so that the
    order of the clusters matters only where two of them are alike. The quotas 2.6, 3.7, 3.7 have
    floors that sum to 8; the two rows that miss of 10 go to the second and the third cluster:
    2, 4, 4.
    """
    parts = np.minimum(np.floor(quota).astype(np.int64), limits)
    missing = n - int(parts.sum())
    if missing < 0:
        # n beyond 2**53 rounds up: take the surplus back from the smallest remainders
        parts[np.argsort(quota - parts, kind="stable")[:-missing]] -= 1
        missing = 0
    order = np.lexsort((-n_class_rows, -quota, parts - quota))
    while missing:
        # in one turn, but for the rounding of quotas at their limits
        turn = [cluster for cluster in order if parts[cluster] < limits[cluster]][:missing]
        parts[turn] += 1
        missing -= len(turn)
    return [int(part) for part in parts]


def linear_weights(kept: Kept) -> Floats:
    """imbalanced-learn's weights to the last bit while they are finite, else those by logarithm.

    Its distances of float32 rows are float32.
    """
    precision = np.float32 if np.dtype(kept.dtype) == np.float32 else np.float64
    rows = zip(kept.mean_distance.astype(precision), kept.exponent, kept.n_class_rows, strict=True)
    with np.errstate(all="ignore"):
        # Python's numbers leave d in its precision, where numpy's would widen a float32
        sparsity = np.array([d ** float(e) / int(m) for d, e, m in rows])
        weights = sparsity / sparsity.sum()
    finite = np.isfinite(weights).all()
    return np.asarray(weights) if finite else weights_from_log(log_weights(kept))


def share_by_ceilings(kept: Kept, n: int) -> Shares:
    """imbalanced-learn's ``ceil(n * weight)``: up to one row too many for each cluster."""
    weights = linear_weights(kept)
    # numpy's int: with Python's, the product with a float32 weight is rounded to float32
    return Shares(weights, [math.ceil(np.int64(n) * weight) for weight in weights])
