"""The decision, before a single row is made: who gets how many rows, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from numpy.typing import DTypeLike

from ..errors import ParameterError
from . import allocation
from .layout import cut
from .strategy import Label

PLAN_VERSION = 2


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
        Rows of the sample that the starting centres come from; 0 where the start was given.
    n_iter
        Passes over the rows; 0 where the clusterer does not say.
    center_shifts
        Squared distance that the centres moved in each pass together, in squared units of X.
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
        Whether rows are made here; if not, "below threshold", "too few rows" or "empty".
    mean_distance, mean_distance_se
        Mean Euclidean distance of all pairs of the group's rows, in units of X, and its standard
        error (0 where all pairs were measured); NaN where not kept.
    exponent, weight
        Exponent of the mean distance in the sparsity, and share of the class's new rows.
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


class SynthesisBlock(NamedTuple):
    """One block of the output: rows [start, start + n_rows) of a group's synthetic rows."""

    group: int
    block: int
    start: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Everything that decides the synthetic rows, next to the data themselves.

    Attributes
    ----------
    class_counts
        Label and rows of each class, in label order.
    amounts
        Label and rows to make of each targeted class, in label order.
    groups
        Every cluster of every class to generate, in output order.
    k_neighbors
        Nearest neighbours that a base row is joined to.
    seed
        Root of every random stream.
    compat
        None or "imbalanced-learn".
    n_features
        Columns of X.
    block_rows
        Most rows of one output block.
    clustering
        How the clusters were learned.
    """

    class_counts: tuple[tuple[Label, int], ...]
    amounts: tuple[tuple[Label, int], ...]
    groups: tuple[GroupPlan, ...]
    k_neighbors: int
    seed: int
    compat: str | None
    n_features: int
    block_rows: int
    clustering: ClusteringSummary
    version: int = PLAN_VERSION

    @property
    def n_rows(self) -> int:
        """Rows of the input."""
        return sum(n for _, n in self.class_counts)

    @property
    def n_synthetic(self) -> int:
        """Rows to make."""
        return sum(group.n_synthetic for group in self.groups)

    def blocks(self) -> Iterator[SynthesisBlock]:
        """Output blocks, in output order."""
        for place, group in enumerate(self.groups):
            for block, (start, stop) in enumerate(cut(group.n_synthetic, self.block_rows)):
                yield SynthesisBlock(place, block, start, stop - start)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, numbers and strings; NaN becomes None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def to_json(self, *, indent: int | None = None) -> str:
        """`to_dict` as strict JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> SamplingPlan:
        """The plan that `to_dict` wrote.

        Raises
        ------
        ParameterError
            The content is not a plan of this version.
        """
        known = {field.name for field in fields(cls)}
        if set(content) != known or content["version"] != PLAN_VERSION:
            raise ParameterError(
                f"This is not a plan of version {PLAN_VERSION}: it has the entries "
                f"{sorted(content)}. Make the plan again with KMeansSMOTE.fit(X, y)."
            )
        clustering = dict(content["clustering"])
        clustering["center_shifts"] = tuple(clustering["center_shifts"])
        return cls(
            **content
            | {
                "class_counts": tuple((label, n) for label, n in content["class_counts"]),
                "amounts": tuple((label, n) for label, n in content["amounts"]),
                "groups": tuple(_group_from_dict(group) for group in content["groups"]),
                "clustering": ClusteringSummary(**clustering),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> SamplingPlan:
        """The plan that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    def __str__(self) -> str:
        head = (
            f"SamplingPlan: {self.n_rows} rows + {self.n_synthetic} synthetic, "
            f"{self.n_features} features, {self.clustering.n_clusters} clusters, "
            f"k_neighbors={self.k_neighbors}, compat={self.compat}"
        )
        lines = [head]
        for label, amount in self.amounts:
            mine = [group for group in self.groups if group.class_label == label]
            lines.append(
                f"class {label!r}: {dict(self.class_counts)[label]} rows + {amount} to make, "
                f"{sum(group.kept for group in mine)} of {len(mine)} clusters kept"
            )
            lines.extend(f"  {_describe(group)}" for group in mine)
        return "\n".join(lines)


_MISSING = ("class_share", "mean_distance", "mean_distance_se", "exponent", "neighbor_recall")


def _group_from_dict(content: dict[str, Any]) -> GroupPlan:
    numbers = {name: math.nan for name in _MISSING if content[name] is None}
    threshold = content["threshold"]
    return GroupPlan(
        **content | numbers | {"threshold": -math.inf if threshold is None else threshold}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _describe(group: GroupPlan) -> str:
    head = (
        f"cluster {group.cluster_id}: {group.n_class_rows} of {group.n_rows} rows "
        f"(share {group.class_share:.4g}, threshold {group.threshold:.4g})"
    )
    if not group.kept:
        return f"{head}: {group.reason}"
    approximate = f" +- {group.mean_distance_se:.2g}" if group.mean_distance_se > 0 else ""
    if group.neighbor_recall < 1:
        approximate += f", neighbors' recall {group.neighbor_recall:.3g}"
    return (
        f"{head}: mean distance {group.mean_distance:.6g}{approximate}, "
        f"weight {group.weight:.4g}, {group.n_synthetic} rows"
    )


def allocate(
    groups: Sequence[GroupPlan], amounts: dict[Label, int], precision: DTypeLike | None = None
) -> tuple[GroupPlan, ...]:
    """The same groups with weights and counts, from their mean distances.

    With a `precision`, by imbalanced-learn's arithmetic in it; else exact counts.
    """
    allocated: list[GroupPlan] = []
    for label, amount in amounts.items():
        mine = [group for group in groups if group.class_label == label]
        kept = [group for group in mine if group.kept]
        if not kept:
            continue
        columns = allocation.columns(
            [(group.mean_distance, group.exponent, group.n_class_rows) for group in kept]
        )
        if precision is not None:
            weights = allocation.linear_weights(*columns, precision)
            parts = allocation.allocate_ceiling(amount, weights)
        else:
            weights = allocation.weights_from_log(allocation.log_sparsity(*columns))
            parts = allocation.allocate_exactly(amount, weights)
        shares = iter(zip(weights, parts, strict=True))
        for group in mine:
            weight, part = next(shares) if group.kept else (0.0, 0)
            allocated.append(replace(group, weight=float(weight), n_synthetic=part))
    return tuple(allocated)
