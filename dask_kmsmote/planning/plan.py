"""The decision, before a single row is made: who gets how many rows, and why.

A plan lists every cluster of every class to generate, by class label and then by cluster: that is
the order of the synthetic rows. Where a class of cluster 0, 1, 2 gets 5, 0, 7 rows, in blocks of
at most 4, the blocks are

    group  0     0     2     2
    block  0     1     0     1
    rows   0-3   4     0-3   4-6
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .advice import Advice, advise
from .cuts import cut
from .display import Display, as_html, as_text, class_tables
from .groups import ClusteringSummary, Features, GroupPlan
from .strategy import Label

_PLAN_VERSION = 5


class BlockPlan(NamedTuple):
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
        Columns of X that are features.
    block_rows
        Most rows of one output block.
    clustering
        How the clusters were learned.
    row_bytes
        Bytes of the features of one row, dense.
    scale
        "standard", where distances are in standard deviations of the features; None, where they
        are in units of X.
    count_exponent, max_ratio
        Of the rows of a group in its weight, and the bound on new rows per row, over the average
        of the class; None: none.
    features
        How many there are of each kind, and what is said of them.
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
    scale: str | None = None
    count_exponent: float = -1.0
    max_ratio: float | None = None
    features: Features = field(default_factory=Features)
    version: int = _PLAN_VERSION

    @property
    def n_rows(self) -> int:
        """Rows of the input."""
        return sum(n for _, n in self.class_counts)

    @property
    def n_synthetic(self) -> int:
        """Rows to make."""
        return sum(group.n_synthetic for group in self.groups)

    @property
    def n_categorical(self) -> int:
        """Features of categories."""
        return self.features.n_categorical

    @property
    def n_bytes(self) -> int:
        """Bytes of the features of the result, originals included, dense and in memory."""
        return (self.n_rows + self.n_synthetic) * self.row_bytes

    def blocks(self) -> Iterator[BlockPlan]:
        """Output blocks, in output order."""
        for number, group in enumerate(self.groups):
            for block, (start, stop) in enumerate(cut(group.n_synthetic, self.block_rows)):
                yield BlockPlan(group=number, block=block, start=start, n_rows=stop - start)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, numbers and strings; NaN becomes None."""
        groups = [group.to_dict() for group in self.groups]
        own = asdict(self) | {"groups": groups, "warnings": list(self.warnings)}
        plain: dict[str, Any] = as_plain(own)
        return plain

    def to_json(self, *, indent: int | None = None) -> str:
        """`to_dict` as strict JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What to look at before rows are made, and of which kind it is."""
        counts = dict(self.class_counts)
        is_scaled = self.scale is not None
        features = replace(self.features, spread=None) if is_scaled else self.features
        return advise(self.groups, counts, self.k_neighbors, self.max_ratio, features)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to look at before rows are made, and what would mend it."""
        return tuple(found.message for found in self.advice)

    def _display(self) -> Display:
        title = (
            f"SamplingPlan: {self.n_rows:,} rows + {self.n_synthetic:,} synthetic, "
            f"{self.n_features} features{self._kinds()}"
        )
        facts = (
            f"{self.clustering.n_clusters} clusters ({self.clustering.estimator}), "
            f"k_neighbors={self.k_neighbors}, exponent {self._exponents()}, "
            f"count_exponent={self.count_exponent:g}, max_ratio={self.max_ratio}, "
            f"distances in {'units of X' if self.scale is None else 'standard deviations'}, "
            f"compat={self.compat}, seed {self.seed}, about {_format_bytes(self.n_bytes)} in all"
        )
        counts, amounts = dict(self.class_counts), dict(self.amounts)
        tables = class_tables(counts, amounts, self.groups, self.max_ratio)
        return Display(title=title, facts=facts, tables=tables, warnings=self.warnings)

    def _kinds(self) -> str:
        found = self.features
        missing = f", {found.n_missing:,} values missing" if found.n_missing else ""
        if not found.n_categorical:
            return missing
        categories = sum(n for _, n in found.n_categories)
        return (
            f" ({found.n_numeric} numeric, {found.n_categorical} categorical with {categories:,} "
            f"categories, any two at a distance of {found.categorical_weight:.4g}){missing}"
        )

    def _exponents(self) -> str:
        found = sorted({group.exponent for group in self.groups if group.kept})
        if not found:
            return "-"
        return " to ".join(f"{value:.4g}" for value in dict.fromkeys((found[0], found[-1])))

    def to_text(self, *, warnings: bool = True) -> str:
        """What `print` shows, with the warnings or without."""
        display = self._display()
        return as_text(display if warnings else replace(display, warnings=()))

    def __str__(self) -> str:
        return self.to_text()

    # what a terminal shows of a value
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self._display())


class Region(NamedTuple):
    """Synthetic rows of one class: rows [start, stop), counted behind the originals.

    `class_code` is the number of the class in the plan's `class_counts`.
    """

    class_code: int
    start: int
    stop: int


def synthetic_regions(plan: SamplingPlan) -> list[Region]:
    """A region for each class that has synthetic rows, in the plan's order.

    Of 100 originals, with 30 new rows of class 1 and 20 of class 2: [100, 130) and [130, 150).
    """
    codes = {label: code for code, (label, _) in enumerate(plan.class_counts)}
    made: dict[int, int] = {}
    for group in plan.groups:
        code = codes[group.class_label]
        made[code] = made.get(code, 0) + group.n_synthetic
    # groups are in the order of the classes, so the rows of each class are one region
    stops = accumulate(made.values(), initial=plan.n_rows)
    return [
        Region(code, start, start + n)
        for (code, n), start in zip(made.items(), stops, strict=False)
        if n
    ]


def groups_at(plan: SamplingPlan, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number in `plan.groups` of some synthetic rows, counted behind the originals."""
    # 100 originals, and groups of 5, 0, 7: stops 105 105 112, so row 105 is of the third
    stops = plan.n_rows + np.cumsum([group.n_synthetic for group in plan.groups])
    return np.searchsorted(stops, rows, side="right").astype(np.int64)


def _format_bytes(n: int) -> str:
    size, unit = float(n), 0
    while size >= 1024 and unit < 5:
        size, unit = size / 1024, unit + 1
    return f"{size:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"


def as_plain(value: Any) -> Any:
    """Lists, dicts, numbers and strings of a value; NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return as_plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has neither NaN nor infinity
    return value if value is None or isinstance(value, bool | int | str) else str(value)
