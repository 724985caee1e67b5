"""What a plan is made of: how clusters were learned, and what each class gets in each cluster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from .strategy import Label

# of a group: the number of its class among all, so that streams which are keyed by it do not change
# with the classes that are targeted, and its cluster
GroupKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClusteringSummary:
    """How the clusters were learned.

    Attributes
    ----------
    estimator
        Name of the clusterer's class.
    n_clusters
        Clusters asked for; some may be empty.
    n_learning_rows
        Rows it learned from.
    n_start_rows
        Rows of the sample that the starting centres, if none were given, and the variance of the
        data come from; 0 where the clusterer makes no passes.
    n_iter
        Passes over the rows; 0 where the clusterer does not say.
    center_shifts
        Squared distance that the centres moved in each pass together, in the metric.
    converged
        Whether the last shift was within the tolerance; None where the clusterer does not say.
    """

    estimator: str
    n_clusters: int
    n_learning_rows: int
    n_start_rows: int = 0
    n_iter: int = 0
    center_shifts: tuple[float, ...] = ()
    converged: bool | None = None


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What one class gets in one cluster, and why.

    Attributes
    ----------
    class_label, cluster_id
        The group.
    n_rows, n_class_rows, class_share
        Rows of the cluster, those of the class, and their quotient (NaN for an empty cluster).
    threshold
        Least share in a kept cluster.
    kept, reason
        Whether rows are made here; if not, "below threshold", "too few rows" or "empty". Of a kept
        group of k rows of the class or fewer, "fewer neighbours": each is joined to all others.
    mean_distance, mean_distance_se
        Mean Euclidean distance of all pairs of the group's rows, and its standard error (0 where
        all pairs were measured); NaN where not kept. In the metric: standard deviations of the
        features, or units of X where they are not scaled.
    exponent, weight
        Exponent of the mean distance in the weight, and share of the class's new rows before any
        is cut by the bound.
    n_synthetic
        Rows to make.
    neighbor_recall
        Share of the nearest rows that are among the neighbours: 1 where all pairs were looked at;
        as measured on a sample where the search was approximate; NaN where not kept, and where
        the user's own object searched.
    """

    class_label: Label
    cluster_id: int
    n_rows: int
    n_class_rows: int
    class_share: float
    threshold: float
    kept: bool
    reason: str
    mean_distance: float = math.nan
    mean_distance_se: float = math.nan
    exponent: float = math.nan
    weight: float = 0.0
    n_synthetic: int = 0
    neighbor_recall: float = math.nan

    @property
    def new_rows_per_row(self) -> float:
        """Rows to make for each row of the class that is here; 0 where none are made."""
        return self.n_synthetic / self.n_class_rows if self.n_synthetic else 0.0

    def to_dict(self) -> dict[str, Any]:
        """All of it by name."""
        return asdict(self) | {"new_rows_per_row": self.new_rows_per_row}

    def __eq__(self, other: object) -> bool:
        # since Python 3.13 a dataclass compares field by field, and NaN is not NaN
        return self._key() == other._key() if isinstance(other, GroupPlan) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        values = (getattr(self, name) for name in self.__slots__)
        return tuple(None if _is_nan(value) else value for value in values)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


# of a table of groups, which may have none
GROUP_COLUMNS = (*(field.name for field in fields(GroupPlan)), "new_rows_per_row")


def neighbors_in(n_class_rows: int, k: int) -> int:
    """Neighbours of each row of a group of two or more: k, or all others where they are fewer."""
    return min(k, n_class_rows - 1)


def by_class(groups: Sequence[GroupPlan]) -> dict[Label, list[GroupPlan]]:
    """The groups of each class, in their order."""
    found: dict[Label, list[GroupPlan]] = {}
    for group in groups:
        found.setdefault(group.class_label, []).append(group)
    return found


@dataclass(frozen=True, slots=True)
class Features:
    """What the features are.

    Attributes
    ----------
    n_numeric
        Features of numbers.
    n_categories
        Of each feature of categories its name, and how many there are.
    categorical_weight
        Distance of two different categories; 0 where there are none.
    n_missing
        Values that are missing.
    passthrough
        Columns that are taken along already.
    spread
        How far the scales of the numbers lie apart; None where fewer than two vary in the sample of
        rows.
    """

    n_numeric: int = 0
    n_categories: tuple[tuple[str, int], ...] = ()
    categorical_weight: float = 0.0
    n_missing: int = 0
    passthrough: tuple[str, ...] = ()
    spread: FeatureSpread | None = None

    @property
    def n_categorical(self) -> int:
        """Features of categories."""
        return len(self.n_categories)


@dataclass(frozen=True, slots=True)
class FeatureSpread:
    """How far the scales of the features lie apart, on a sample; constant features are left out.

    Attributes
    ----------
    widest, narrowest
        Names of the features, or their numbers.
    widest_spread, narrowest_spread
        Their standard deviations, in units of X.
    """

    widest: str
    widest_spread: float
    narrowest: str
    narrowest_spread: float
