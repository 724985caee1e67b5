"""Choose: which clusters are kept for a class, and why the others are not.

A cluster is kept for a class if the class has a large enough share of its rows (the threshold) and
rows enough: two, or k + 1 where a recipe wants all k neighbours. What "large enough" and "enough"
mean exactly is a recipe's (`ClusterRules`); the order of the questions, and the words for the
answers, are the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import NoClusterError, ParameterError
from .groups import GroupKey, GroupPlan
from .strategy import Label

_Counts = Mapping[Label, int]

_EMPTY, _BELOW, _FEW = "empty", "below threshold", "too few rows"
FEWER_NEIGHBORS = "fewer neighbours"  # of a kept cluster


class Standing(NamedTuple):
    """One cluster seen from one class, in rows.

    Attributes
    ----------
    n_rows, n_class_rows
        Rows of the cluster, and those of the class among them.
    total, class_total
        The same of all clusters together.
    """

    n_rows: int
    n_class_rows: int
    total: int
    class_total: int

    @property
    def share(self) -> float:
        """Share of the class in the cluster; NaN where that is empty."""
        return self.n_class_rows / self.n_rows if self.n_rows else math.nan


@dataclass(frozen=True)
class ClusterRules:
    """What a recipe decides about clusters.

    Attributes
    ----------
    auto_thresholds
        The threshold of each class to generate, from rows by class and rows to make.
    least_rows
        Least rows of a class in a kept cluster, from a row and its neighbours: k + 1.
    is_below
        Whether a cluster is below a threshold, and whether that was "auto".
    has_too_few
        Whether a cluster has fewer rows of the class than that.
    """

    auto_thresholds: Callable[[_Counts, _Counts], dict[Label, float]]
    least_rows: Callable[[int], int]
    is_below: Callable[[Standing, float, bool], bool]
    has_too_few: Callable[[Standing, int], bool]


@dataclass(frozen=True)
class Choice:
    """Every cluster of every class to generate, judged.

    Attributes
    ----------
    groups
        In output order, by class and then by cluster; not yet with weights and counts.
    thresholds
        By class.
    """

    groups: tuple[GroupPlan, ...]
    thresholds: dict[Label, float]

    @property
    def kept(self) -> list[int]:
        """Numbers of the groups that are kept."""
        return [number for number, group in enumerate(self.groups) if group.kept]

    def kept_keys(self, classes: Sequence[Label]) -> list[GroupKey]:
        """Class and cluster of the groups that are kept, of all classes in order."""
        code_of = {label: code for code, label in enumerate(classes)}
        return [(code_of[own.class_label], own.cluster_id) for own in self.groups if own.kept]


def choose(
    table: NDArray[np.int64],
    counts: _Counts,
    amounts: _Counts,
    n_neighbors: int,
    threshold: float | str,
    rules: ClusterRules,
) -> Choice:
    """Judge every cluster of every class to generate.

    Parameters
    ----------
    table
        Rows by cluster and class, shape (n_clusters, n_classes).
    counts, amounts
        Rows of each class, and rows to make, both in label order.
    n_neighbors
        A row and its neighbours: k + 1.
    threshold
        Least share of the class in a kept cluster, or "auto".
    rules
        Those of a recipe.

    Raises
    ------
    NoClusterError
        None is kept for some class: with the numbers that would keep one.
    """
    automatic = threshold == "auto"
    # asked for even where one is given: its labels are the classes that have rows to make
    thresholds = rules.auto_thresholds(counts, amounts)
    wanted = [label for label, amount in amounts.items() if amount > 0]
    if set(thresholds) != set(wanted):
        raise ParameterError(
            f"The recipe gave thresholds of the classes {list(thresholds)}: it must give one for "
            f"each of {wanted}."
        )
    if not automatic:
        thresholds = dict.fromkeys(thresholds, float(threshold))
    if len(table) == 1:  # all rows are in one cluster: there is nothing to choose
        automatic, thresholds = False, dict.fromkeys(thresholds, -math.inf)
    groups: list[GroupPlan] = []
    for column, label in enumerate(counts):
        if label in thresholds:
            judged = _judge(table, column, label, n_neighbors, thresholds[label], automatic, rules)
            _require_kept(judged, rules.least_rows(n_neighbors), rules)
            groups += judged
    return Choice(tuple(groups), thresholds)


def _judge(
    table: NDArray[np.int64],
    column: int,
    label: Label,
    n_neighbors: int,
    threshold: float,
    automatic: bool,
    rules: ClusterRules,
) -> list[GroupPlan]:
    total, class_total = int(table.sum()), int(table[:, column].sum())
    least = rules.least_rows(n_neighbors)
    groups = []
    for cluster_id, row in enumerate(table):
        standing = Standing(
            n_rows=int(row.sum()),
            n_class_rows=int(row[column]),
            total=total,
            class_total=class_total,
        )
        reason = ""
        # asked first, as the share of no rows is NaN, which is below nothing
        if standing.n_rows == 0:
            reason = _EMPTY
        elif rules.is_below(standing, threshold, automatic):
            reason = _BELOW
        elif rules.has_too_few(standing, least):
            reason = _FEW
        kept = not reason
        if kept and standing.n_class_rows < n_neighbors:
            reason = FEWER_NEIGHBORS
        groups.append(
            GroupPlan(
                class_label=label,
                cluster_id=cluster_id,
                n_rows=standing.n_rows,
                n_class_rows=standing.n_class_rows,
                class_share=standing.share,
                threshold=threshold,
                kept=kept,
                reason=reason,
            )
        )
    return groups


def shares_of_all(counts: _Counts, amounts: _Counts) -> dict[Label, float]:
    """Each class's share of all rows: some cluster always reaches it."""
    total = sum(counts.values())
    return {label: counts[label] / total for label, n in amounts.items() if n > 0}


def half_shares_to_make(
    counts: _Counts,  # noqa: ARG001 - a rule's
    amounts: _Counts,
) -> dict[Label, float]:
    """Half of each class's share of the rows to make: imbalanced-learn's rule."""
    total = sum(amounts.values())
    return {label: n / total / 2 for label, n in amounts.items() if n > 0}


def is_below_share(standing: Standing, threshold: float, automatic: bool) -> bool:
    """Whether the share is less; an automatic one is compared with the class's of all, in integers.

    A class of 3 rows in 9 that has 1 row in a cluster of 3 is not below its own share, whatever the
    two quotients round to: 1 * 9 < 3 * 3 does not hold.
    """
    if automatic:
        return standing.n_class_rows * standing.total < standing.class_total * standing.n_rows
    return standing.share < threshold


def is_below_number(
    standing: Standing,
    threshold: float,
    automatic: bool,  # noqa: ARG001 - a rule's
) -> bool:
    """Whether the share is less than the number, wherever that came from."""
    return standing.share < threshold


def two_rows(n_neighbors: int) -> int:  # noqa: ARG001 - a rule's
    """A row and one neighbour: fewer than k + 1 rows are joined among themselves."""
    return 2


def all_neighbors(n_neighbors: int) -> int:
    """A row and all k neighbours."""
    return n_neighbors


def has_too_few(standing: Standing, least: int) -> bool:
    """Whether the class has fewer rows than that in the cluster."""
    return standing.n_class_rows < least


def has_too_few_by_product(standing: Standing, least: int) -> bool:
    """imbalanced-learn's product of floats, which loses some clusters: (3 / 47) * 47 < 3."""
    return standing.share * standing.n_rows < least


def _require_kept(groups: list[GroupPlan], least: int, rules: ClusterRules) -> None:
    if any(group.kept for group in groups):
        return
    large_enough = [group for group in groups if group.n_class_rows >= least]
    if large_enough:
        best = max(large_enough, key=lambda group: group.class_share)
        head = "The best share there is"
    else:
        # the least to change: two rows, as no k helps one alone; a share that is large enough, so
        # that k alone would do; the most rows, for the largest k
        best = max(groups, key=lambda g: (g.n_class_rows > 1, g.reason == _FEW, g.n_class_rows))
        head = "No cluster has as many rows; the nearest to it"
    raise NoClusterError(
        f"No clusters found with sufficient samples of class {best.class_label!r}: a cluster is "
        f"kept if at least {best.threshold:.6g} of its rows (cluster_balance_threshold) and at "
        f"least {least} rows {_of_what(least)} are of the class. {head}: "
        f"{best.class_share:.6g}, in cluster {best.cluster_id} with {best.n_rows} rows, "
        f"{best.n_class_rows} of them of the class. {_hint(best, least, rules)}"
    )


def _of_what(least: int) -> str:
    return "(k_neighbors + 1)" if least > 2 else "(one and a neighbour)"


def _hint(best: GroupPlan, least: int, rules: ClusterRules) -> str:
    hints = []
    if best.class_share < best.threshold:
        # rounded down: a threshold above the share, by the last digit, would not keep it
        hints.append(f"cluster_balance_threshold={math.floor(best.class_share * 1e6) / 1e6:g}")
    # of a cluster that both keep out, the reason names one
    if rules.has_too_few(Standing(best.n_rows, best.n_class_rows, 0, 0), least):
        # rows as imbalanced-learn's float product has them: (3 / 47) * 47 is less than 3
        k = min(math.floor(best.class_share * best.n_rows), least - 1) - 1
        if k < 1:
            return "Fewer clusters (kmeans_estimator) would bring its rows together."
        hints.append(f"k_neighbors={k}")
    return f"{' and '.join(hints)} or lower would keep it; so may fewer clusters."
