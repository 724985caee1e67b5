"""Which clusters are kept for a class, and why the others are not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import NoClusterError
from .strategy import Label

Table = NDArray[np.int64]

EMPTY, BELOW, FEW = "empty", "below threshold", "too few rows"


class ClusterChoice(NamedTuple):
    """One cluster seen from one class; `reason` is empty where the cluster is kept."""

    cluster_id: int
    n_rows: int
    n_class_rows: int
    class_share: float
    reason: str


def auto_thresholds(
    counts: Mapping[Label, int], amounts: Mapping[Label, int], compat: bool
) -> dict[Label, float]:
    """Threshold of each class to generate.

    Its share of all rows; with `compat`, half its share of the rows to generate.
    """
    wanted = {label: n for label, n in amounts.items() if n > 0}
    if compat:
        total = sum(wanted.values())
        return {label: n / total / 2 for label, n in wanted.items()}
    total = sum(counts.values())
    return {label: counts[label] / total for label in wanted}


def choose_clusters(
    table: Table, column: int, threshold: float | None, n_neighbors: int, compat: bool
) -> list[ClusterChoice]:
    """Judge every cluster for one class.

    Parameters
    ----------
    table
        Rows by cluster and class, shape (n_clusters, n_classes).
    column
        The class.
    threshold
        Least share of the class in a kept cluster; None compares with its share of all rows, in
        integers, so that some cluster always reaches it.
    n_neighbors
        Least rows of the class in a kept cluster: k + 1.
    compat
        Judge by imbalanced-learn's float product, which loses some clusters of k + 1 rows.
    """
    total, class_total = int(table.sum()), int(table[:, column].sum())
    choices = []
    for cluster_id, row in enumerate(table):
        n, m = int(row.sum()), int(row[column])
        share = m / n if n else math.nan
        if n == 0:
            reason = EMPTY
        elif (m * total < class_total * n) if threshold is None else share < threshold:
            reason = BELOW
        elif (share * n if compat else m) < n_neighbors:
            reason = FEW
        else:
            reason = ""
        choices.append(ClusterChoice(cluster_id, n, m, share, reason))
    return choices


def require_kept(
    choices: list[ClusterChoice], label: Label, threshold: float, n_neighbors: int
) -> None:
    """Raise `NoClusterError`, with the numbers that would keep a cluster, where none is kept."""
    if any(not choice.reason for choice in choices):
        return
    large_enough = [c for c in choices if c.n_class_rows >= n_neighbors]
    if large_enough:
        best = max(large_enough, key=lambda c: c.class_share)
        head = "The best share there is"
    else:
        best = max(choices, key=lambda c: (c.n_class_rows > 1, c.reason == FEW, c.n_class_rows))
        head = "No cluster has as many rows; the nearest to it"
    raise NoClusterError(
        f"No clusters found with sufficient samples of class {label!r}: a cluster is kept if at "
        f"least {threshold:.6g} of its rows (cluster_balance_threshold) and at least "
        f"{n_neighbors} rows (k_neighbors + 1) are of the class. {head}: {best.class_share:.6g}, "
        f"in cluster {best.cluster_id} with {best.n_rows} rows, {best.n_class_rows} of them of "
        f"the class. {_mend(best, threshold, n_neighbors)}"
    )


def _mend(best: ClusterChoice, threshold: float, n_neighbors: int) -> str:
    mends = []
    if best.class_share < threshold:
        mends.append(f"cluster_balance_threshold={math.floor(best.class_share * 1e6) / 1e6:g}")
    if best.reason == FEW or best.n_class_rows < n_neighbors:
        # one less even at k + 1 rows: imbalanced-learn's float product loses some such clusters
        k = min(best.n_class_rows, n_neighbors - 1) - 1
        if k < 1:
            return "Fewer clusters (kmeans_estimator) would bring its rows together."
        mends.append(f"k_neighbors={k}")
    return f"{' and '.join(mends)} or lower would keep it; so may fewer clusters."
