"""What a plan shows, whatever it is shown on: a title, facts, and a table for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .groups import GroupPlan
from .strategy import Label

COLUMNS = (
    "cluster",
    "rows",
    "class rows",
    "share",
    "threshold",
    "mean distance",
    "weight",
    "new rows",
)
MOST_LINES = 50  # of a class; the report has them all


@dataclass(frozen=True)
class Line:
    """One cluster: cells under `COLUMNS`, and why it was not kept, or how it was measured."""

    cells: tuple[str, ...]
    note: str
    kept: bool
    weight: float


@dataclass(frozen=True)
class Table:
    """One class: its heading, its clusters, and what is said of those left out."""

    heading: str
    lines: tuple[Line, ...]
    rest: str


@dataclass(frozen=True)
class Sheet:
    """All of a plan that is shown."""

    title: str
    facts: str
    tables: tuple[Table, ...]
    warnings: tuple[str, ...]


def class_tables(
    counts: Mapping[Label, int], amounts: Mapping[Label, int], groups: Sequence[GroupPlan]
) -> tuple[Table, ...]:
    """A table for each class to generate."""
    by_class = {
        label: [group for group in groups if group.class_label == label] for label in amounts
    }
    return tuple(
        _table(label, counts[label], amount, by_class[label])
        for label, amount in amounts.items()
        if amount > 0
    )


def _table(label: Label, n_rows: int, amount: int, groups: Sequence[GroupPlan]) -> Table:
    heading = (
        f"class {label!r}: {n_rows:,} rows + {amount:,} to make, "
        f"{sum(group.kept for group in groups)} of {len(groups)} clusters kept"
    )
    ranked = sorted(groups, key=lambda group: (-group.n_synthetic, -group.n_class_rows))
    shown, left_out = ranked[:MOST_LINES], ranked[MOST_LINES:]
    lines = tuple(_line(group) for group in sorted(shown, key=lambda group: group.cluster_id))
    return Table(heading, lines, _rest(left_out))


def _rest(groups: Sequence[GroupPlan]) -> str:
    if not groups:
        return ""
    n_kept = sum(group.kept for group in groups)
    made = sum(group.n_synthetic for group in groups)
    return f"{len(groups)} more clusters, {n_kept} of them kept: {made:,} new rows (see report_)"


def _line(group: GroupPlan) -> Line:
    judged = (
        str(group.cluster_id),
        f"{group.n_rows:,}",
        f"{group.n_class_rows:,}",
        f"{group.class_share:.4g}",
        f"{group.threshold:.4g}",
    )
    if not group.kept:
        return Line((*judged, "", "", ""), group.reason, kept=False, weight=0.0)
    notes = []
    if group.mean_distance_se > 0:
        notes.append(f"mean distance +- {group.mean_distance_se:.2g}")
    if group.neighbor_recall < 1:
        notes.append(f"neighbours' recall {group.neighbor_recall:.3g}")
    cells = (*judged, f"{group.mean_distance:.6g}", f"{group.weight:.4g}", f"{group.n_synthetic:,}")
    return Line(cells, ", ".join(notes), kept=True, weight=group.weight)
