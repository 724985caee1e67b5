"""The decision, before a single row is made: who gets how many rows, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from numpy.typing import DTypeLike

from ..errors import ParameterError
from . import advice
from . import allocate as allocation
from . import html
from . import text
from .groups import ClusteringSummary, FeatureSpread, GroupPlan
from .cuts import cut
from .plain import build, parse
from .display import Sheet, class_tables
from .strategy import Label

PLAN_VERSION = 3


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
    row_bytes
        Bytes of the features of one row, dense.
    spread
        How far the scales of the features lie apart; None where fewer than two features vary in
        the sample of rows.
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
    row_bytes: int
    spread: FeatureSpread | None = None
    version: int = PLAN_VERSION

    @property
    def n_rows(self) -> int:
        """Rows of the input."""
        return sum(n for _, n in self.class_counts)

    @property
    def n_synthetic(self) -> int:
        """Rows to make."""
        return sum(group.n_synthetic for group in self.groups)

    @property
    def n_bytes(self) -> int:
        """Bytes of the features of the result, originals included, dense and in memory."""
        return (self.n_rows + self.n_synthetic) * self.row_bytes

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
        version = content.get("version") if isinstance(content, dict) else None
        if version != PLAN_VERSION:
            raise ParameterError(
                f"This is not a plan of version {PLAN_VERSION}. Make the plan again with "
                "KMeansSMOTE.fit(X, y)."
            )
        plan: SamplingPlan = build(cls, content, "The plan")
        if plan.block_rows < 1:
            raise ParameterError("The plan has blocks of 0 rows: they have 1 or more.")
        known = dict(plan.class_counts).keys()
        strange = [label for label, _ in plan.amounts if label not in known]
        strange += [group.class_label for group in plan.groups if group.class_label not in known]
        if strange:
            raise ParameterError(f"The plan has no count of the class {strange[0]!r}.")
        return replace(plan, groups=tuple(_with_threshold(group) for group in plan.groups))

    @classmethod
    def from_json(cls, text: str) -> SamplingPlan:
        """The plan that `to_json` wrote.

        Raises
        ------
        ParameterError
            The text is no JSON, or not a plan of this version.
        """
        return cls.from_dict(parse(text))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to look at before rows are made, and what would mend it."""
        return advice.warnings_of(self.groups, self.spread)

    def _sheet(self) -> Sheet:
        title = (
            f"SamplingPlan: {self.n_rows:,} rows + {self.n_synthetic:,} synthetic, "
            f"{self.n_features} features"
        )
        facts = (
            f"{self.clustering.n_clusters} clusters ({self.clustering.estimator}), "
            f"k_neighbors={self.k_neighbors}, exponent {self._exponents()}, compat={self.compat}, "
            f"seed {self.seed}, about {format_bytes(self.n_bytes)} in all"
        )
        tables = class_tables(dict(self.class_counts), dict(self.amounts), self.groups)
        return Sheet(title, facts, tables, self.warnings)

    def _exponents(self) -> str:
        found = sorted({group.exponent for group in self.groups if group.kept})
        if not found:
            return "-"
        return " to ".join(f"{value:.4g}" for value in dict.fromkeys((found[0], found[-1])))

    def __str__(self) -> str:
        return text.render(self._sheet())

    # what a terminal shows of a value
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html.render(self._sheet())


def format_bytes(n: int) -> str:
    """Bytes in a unit that fits."""
    size, unit = float(n), 0
    while size >= 1024 and unit < 5:
        size, unit = size / 1024, unit + 1
    return f"{size:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"


def _with_threshold(group: GroupPlan) -> GroupPlan:
    # only one number of a plan may be infinite
    return replace(group, threshold=-math.inf) if math.isnan(group.threshold) else group


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
