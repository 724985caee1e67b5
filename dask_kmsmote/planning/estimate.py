"""The plan of all rows, estimated from some of them, and how far off it may be.

Labels are counted on all rows, so what is made of each class is exact. Which share of a class lies
in which cluster is known of the sampled rows: of 300 that stand for 6,000, and lie in three
clusters as 120, 150 and 30, the whole is taken to have 2,400, 3,000 and 600.

How far off that may be is found by drawing. What the shares may be, given the sample, is a
Dirichlet distribution, narrowed as the sample is a part of the whole; mean distances have their
standard errors. Of each draw the plan is made anew, by the same choice and the same shares, and an
interval holds the middle 90 % of what came out. So it has what no formula has: bounds on new rows,
and clusters that are close to their threshold.

The clusters are learned from the sample, too, and would be others with other rows. Parts of the
sample, each in clusters that are moved to its own rows, lie farther apart than by chance alone: the
draws are widened by as much.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .allocate import largest_remainder
from .display import WIDTH, text_table
from .groups import GroupPlan
from .plan import SamplingPlan, as_plain
from .strategy import Label

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEVEL = 0.9  # of intervals
N_DRAWS = 200
_COLUMNS = ("cluster", "rows", "class rows", "share", "mean distance", "new rows", "kept")


class Interval(NamedTuple):
    """Where a number is, in 90 % of samples."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GroupBounds:
    """Where the numbers of a group are, as `GroupPlan` has them.

    Attributes
    ----------
    class_label, cluster_id
        The group.
    n_rows, n_class_rows, class_share
        Of the cluster.
    mean_distance, n_synthetic
        NaN and 0 where no draw keeps the group.
    kept
        Share of the draws that keep it.
    """

    class_label: Label
    cluster_id: int
    n_rows: Interval
    n_class_rows: Interval
    class_share: Interval
    mean_distance: Interval
    n_synthetic: Interval
    kept: float


@dataclass(frozen=True)
class Estimate:
    """A plan, and from how many rows it was made.

    Attributes
    ----------
    plan
        Of all rows: what is made of each class is exact.
    n_sampled
        Rows that it was made from.
    bounds
        How far off it may be, by group; none where it was made from all rows.
    """

    plan: SamplingPlan
    n_sampled: int
    bounds: tuple[GroupBounds, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether it was made from all rows."""
        return self.n_sampled == self.plan.n_rows

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the plan, which say so where they are of a sample."""
        mark = "" if self.is_exact else "By a sample: "
        return tuple(mark + text for text in self.plan.warnings)

    def to_json(self) -> str:
        """The plan as strict JSON, and `sampled_rows`, `level` and `bounds`."""
        own = {
            "warnings": self.warnings,
            "sampled_rows": self.n_sampled,
            "level": LEVEL,
            "bounds": [_named(own) for own in self.bounds],
        }
        return json.dumps(self.plan.to_dict() | as_plain(own), allow_nan=False)

    def to_text(self, *, warnings: bool = True) -> str:
        """What the plan prints; of a sample, the intervals below it."""
        shown = [self.plan.to_text(warnings=False)]
        if not self.is_exact:
            shown += [fill(self._heading, WIDTH), *self._tables()]
        shown += [fill(f"Warning: {text}", WIDTH) for text in self.warnings if warnings]
        return "\n".join(shown)

    @property
    def _heading(self) -> str:
        return (
            f"Estimated from {self.n_sampled:,} of {self.plan.n_rows:,} rows. Rows of the classes "
            "and new rows of each are exact. Of its clusters all numbers above are estimates; in "
            f"{LEVEL:.0%} of samples they lie within:"
        )

    def _tables(self) -> list[str]:
        lines = []
        for label, amount in self.plan.amounts:
            mine = [own for own in self.bounds if own.class_label == label]
            if amount and mine:
                lines += [f"class {label!r}", *text_table([_COLUMNS, *map(_cells, mine)])]
        return lines


def _named(bounds: GroupBounds) -> dict[str, Any]:
    own = asdict(bounds)
    return {
        name: value._asdict() if isinstance(value, Interval) else value
        for name, value in own.items()
    }


def _cells(own: GroupBounds) -> tuple[str, ...]:
    kept = "" if own.kept == 0 else f"{own.kept:.0%}"
    made = ("", "")
    if own.kept:
        made = _between(own.mean_distance, ".4g"), _between(own.n_synthetic, ",.0f")
    return (
        str(own.cluster_id),
        _between(own.n_rows, ",.0f"),
        _between(own.n_class_rows, ",.0f"),
        _between(own.class_share, ".3g"),
        *made,
        kept,
    )


def _between(own: Interval, how: str) -> str:
    return f"{own.low:{how}} - {own.high:{how}}"


def whole_tables(
    table: Ints, parts: Ints, counts: Sequence[int], rng: np.random.Generator
) -> list[Ints]:
    """Rows of the whole by cluster and class: as estimated, then what they may be as well.

    Parameters
    ----------
    table
        Rows of the sample, shape (n_clusters, n_classes).
    parts
        The same of parts of the sample, in clusters of their own, shape (n_parts, n_clusters,
        n_classes).
    counts
        All rows of each class, of which the sample has some.
    rng
        Draws.
    """
    columns = [
        _columns(own, parts[:, :, code], n, rng)
        for code, (own, n) in enumerate(zip(table.T, counts, strict=True))
    ]
    return [np.stack(own, axis=1) for own in zip(*columns, strict=True)]


def _columns(sampled: Ints, parts: Ints, n: int, rng: np.random.Generator) -> list[Ints]:
    """Rows of one class by cluster: as estimated, and drawn."""
    m = int(sampled.sum())
    share = sampled / m
    # a prior of one row in all, shared evenly: intervals of small shares hold as often as they say
    drawn = rng.dirichlet(sampled + 1 / len(share), N_DRAWS)
    spread = (drawn - share) * np.sqrt(1 - m / n) * _excess(share, parts)
    moved = np.maximum(share + spread, 0)
    shares = [share, *(moved / moved.sum(axis=1, keepdims=True))]
    limits = np.full(len(share), n, dtype=np.int64)
    return [np.array(largest_remainder(n * own, limits, sampled, n)) for own in shares]


def _excess(share: Floats, parts: Ints) -> Floats:
    """How much farther apart the shares of parts lie than by chance, as their centres move, too."""
    sizes = parts.sum(axis=1, keepdims=True)
    by_chance = share * (1 - share) * len(parts)
    with np.errstate(divide="ignore", invalid="ignore"):
        # of n rows and the share p, n p (1 - p) is the variance of a count
        found = ((parts - sizes * share) ** 2 / sizes).sum(axis=0) / by_chance
    excess: Floats = np.sqrt(np.maximum(np.nan_to_num(found, nan=1.0, posinf=1.0), 1.0))
    return excess


def bounds_of(plans: Sequence[SamplingPlan]) -> tuple[GroupBounds, ...]:
    """How far off the groups of the first plan may be, by what was drawn."""
    return tuple(_bounds(own) for own in zip(*(plan.groups for plan in plans), strict=True))


def _bounds(groups: Sequence[GroupPlan]) -> GroupBounds:
    first, *drawn = groups

    def middle(name: str) -> Interval:
        values = np.array([getattr(group, name) for group in drawn], dtype=np.float64)
        values = values[~np.isnan(values)]
        if not len(values):
            return Interval(np.nan, np.nan)
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(float(low), float(high))

    return GroupBounds(
        class_label=first.class_label,
        cluster_id=first.cluster_id,
        n_rows=middle("n_rows"),
        n_class_rows=middle("n_class_rows"),
        class_share=middle("class_share"),
        mean_distance=middle("mean_distance"),
        n_synthetic=middle("n_synthetic"),
        kept=sum(group.kept for group in drawn) / len(drawn),
    )
