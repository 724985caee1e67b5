"""What a plan shows: the same title, facts, warnings and tables as text and as HTML.

`Display` holds what is shown, made once from the plan; `as_text` is for terminals and logs,
`as_html` for notebooks: no script, no asset, and the page's own colours, dark or light.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from textwrap import fill

from .advice import average_ratio
from .groups import GroupPlan, by_class
from .strategy import Label

_COLUMNS = (
    "cluster",
    "rows",
    "class rows",
    "share",
    "mean distance",
    "weight",
    "new rows",
    "new rows per row",
)
WIDTH = 100  # of a terminal
FRAME = "font-size:.9em;line-height:1.4;color:inherit"
SCROLL = "overflow-x:auto"  # a narrow page scrolls to the side; all rows are there
CELL = "text-align:right;padding:.1em .6em;border:0;background:none;white-space:nowrap"
LEFT = CELL.replace("right", "left", 1)
_DIM = ";opacity:.6"
_BAR = (
    "display:inline-block;height:.6em;background:currentColor;opacity:.45;"
    "vertical-align:baseline;width:{width:.2f}em"
)
_BAR_EMS = 5.0
_GIANT = 20.0  # times the median: beside it the others would be lines
HEAD = "border-bottom:1px solid currentColor;font-weight:600"
_MOST_LINES = 50  # of a class; the report has them all


@dataclass(frozen=True)
class _ClusterLine:
    """One cluster: cells under `_COLUMNS`, and why it was not kept, or what is said of it.

    `bar` is the length of the bar of its new rows, from 0 to 1.
    """

    cells: tuple[str, ...]
    note: str
    kept: bool
    bar: float


@dataclass(frozen=True)
class _ClassTable:
    """One class: its heading, its clusters, those of most new rows first, and the rest in words.

    `bars` says what the bars show.
    """

    heading: str
    bars: str
    lines: tuple[_ClusterLine, ...]
    rest: str


@dataclass(frozen=True)
class Display:
    """All of a plan that is shown."""

    title: str
    facts: str
    tables: tuple[_ClassTable, ...]
    warnings: tuple[str, ...]


def class_tables(
    counts: Mapping[Label, int],
    amounts: Mapping[Label, int],
    groups: Sequence[GroupPlan],
    max_ratio: float | None,
) -> tuple[_ClassTable, ...]:
    """A table for each class to generate."""
    judged = by_class(groups)
    return tuple(
        _table(label, counts[label], amount, judged[label], max_ratio)
        for label, amount in amounts.items()
        if amount > 0
    )


def _table(
    label: Label, n_rows: int, amount: int, groups: Sequence[GroupPlan], max_ratio: float | None
) -> _ClassTable:
    kept = [group for group in groups if group.kept]
    average = average_ratio(kept)
    heading = (
        f"class {label!r}: {n_rows:,} rows + {amount:,} to make, {len(kept)} of {len(groups)} "
        f"clusters kept{_from_share(groups[0].threshold)}, {average:,.4g} new rows per row in them"
    )
    ranked = sorted(groups, key=lambda group: (-group.n_synthetic, -group.n_class_rows))
    shown, left_out = ranked[:_MOST_LINES], ranked[_MOST_LINES:]
    sizes = [group.n_synthetic for group in kept]
    is_log = max(sizes) > _GIANT * max(1.0, median(sizes))
    bars = [_bar(group.n_synthetic, max(sizes), is_log=is_log) for group in shown]
    most = math.inf if max_ratio is None else max_ratio * average
    lines = tuple(_line(group, bar, most) for group, bar in zip(shown, bars, strict=True))
    scale = "new rows, log scale" if is_log else "new rows to scale"
    return _ClassTable(heading, scale, lines, _rest(left_out))


def _from_share(threshold: float) -> str:
    # of one cluster alone there is nothing to choose
    return f" (share >= {threshold:.4g})" if math.isfinite(threshold) else ""


def _bar(n: int, top: int, *, is_log: bool) -> float:
    # of 10 beside 1,000,000 a hundred-thousandth; on a log scale, about a sixth
    return math.log1p(n) / math.log1p(top) if is_log else n / max(1, top)


def _rest(groups: Sequence[GroupPlan]) -> str:
    if not groups:
        return ""
    n_kept = sum(group.kept for group in groups)
    made = sum(group.n_synthetic for group in groups)
    return f"{len(groups)} more clusters, {n_kept} of them kept: {made:,} new rows (see report_)"


def _line(group: GroupPlan, bar: float, most: float) -> _ClusterLine:
    """The line of a cluster, which may make so many new rows per row."""
    judged = (
        str(group.cluster_id),
        f"{group.n_rows:,}",
        f"{group.n_class_rows:,}",
        f"{group.class_share:.4g}",
    )
    if not group.kept:
        cells = (*judged, "", "", "", "")
        return _ClusterLine(cells=cells, note=group.reason, kept=False, bar=0.0)
    notes = [group.reason] if group.reason else []
    if group.n_synthetic + 1 > most * group.n_class_rows:
        notes.append("at max_ratio")
    if group.mean_distance_se > 0:
        notes.append(f"mean distance +- {group.mean_distance_se:.2g}")
    if group.neighbor_recall < 1:
        notes.append(f"neighbours' recall {group.neighbor_recall:.3g}")
    cells = (
        *judged,
        f"{group.mean_distance:.5g}",
        f"{group.weight:.4g}",
        f"{group.n_synthetic:,}",
        f"{group.new_rows_per_row:,.4g}",
    )
    return _ClusterLine(cells=cells, note=", ".join(notes), kept=True, bar=bar)


def as_text(display: Display) -> str:
    """Title, facts, a table for each class, warnings."""
    parts = [display.title, fill(display.facts, WIDTH)]
    for table in display.tables:
        parts += _text_table(table)
    parts += [fill(f"Warning: {warning}", WIDTH) for warning in display.warnings]
    return "\n".join(parts)


def _text_table(table: _ClassTable) -> list[str]:
    rows = text_table([_COLUMNS, *(line.cells for line in table.lines)])
    notes = ["", *(line.note for line in table.lines)]
    lines = [f"{row}  {note}".rstrip() for row, note in zip(rows, notes, strict=True)]
    rest = [f"  {table.rest}"] if table.rest else []
    return [fill(table.heading, WIDTH), *lines, *rest]


def text_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells, those of a column below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(["", *(cell.rjust(width) for cell, width in zip(row, widths, strict=True))])
        for row in rows
    ]


def as_html(display: Display) -> str:
    """Title, facts, warnings, and a table for each class that can be folded."""
    warnings = "".join(
        f'<div style="border-left:.3em solid currentColor;padding-left:.6em;margin:.3em 0">'
        f"<b>Warning:</b> {escape(warning)}</div>"
        for warning in display.warnings
    )
    tables = "".join(_html_table(table) for table in display.tables)
    return (
        f'<div style="{FRAME}"><b>{escape(display.title)}</b><div>{escape(display.facts)}</div>'
        f"{warnings}{tables}</div>"
    )


def _html_table(table: _ClassTable) -> str:
    head = "".join(
        f'<th scope="col" style="{CELL};{HEAD}">{escape(name)}</th>' for name in _COLUMNS
    )
    head += f'<th scope="col" style="{LEFT};{HEAD}">{escape(table.bars)}</th>'
    body = "".join(_html_row(line) for line in table.lines)
    rest = f"<div>{escape(table.rest)}</div>" if table.rest else ""
    return (
        # escaped, as labels are the user's: no markup in them reaches the page
        f'<details open style="margin:.4em 0"><summary>{escape(table.heading)}</summary>'
        f'<div style="{SCROLL}"><table style="border-collapse:collapse;margin:.2em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}</details>"
    )


def _html_row(line: _ClusterLine) -> str:
    style = CELL if line.kept else CELL + _DIM
    # why none are made stands where the numbers would, so that the table stays narrow
    given = [cell for cell in line.cells if cell]
    cells = "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in given)
    if not line.kept:
        span = len(line.cells) - len(given) + 1
        reason = f'<td colspan="{span}" style="{LEFT}{_DIM}">{escape(line.note)}</td>'
        return f"<tr>{cells}{reason}</tr>"
    bar = f'<span style="{_BAR.format(width=_BAR_EMS * line.bar)}"></span> '
    return f'<tr>{cells}<td style="{LEFT}">{bar}{escape(line.note)}</td></tr>'
