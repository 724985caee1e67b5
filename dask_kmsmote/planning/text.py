"""A plan as text, for terminals and logs."""

from __future__ import annotations

from textwrap import fill

from .display import COLUMNS, Sheet, Table

WIDTH = 100


def render(sheet: Sheet) -> str:
    """Title, facts, a table for each class, warnings."""
    parts = [sheet.title, sheet.facts]
    for table in sheet.tables:
        parts += _render_table(table)
    parts += [fill(f"Warning: {warning}", WIDTH) for warning in sheet.warnings]
    return "\n".join(parts)


def _render_table(table: Table) -> list[str]:
    rows = [COLUMNS, *(line.cells for line in table.lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    notes = ["", *(line.note for line in table.lines)]
    lines = [
        "  ".join(["", *(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), note])
        for row, note in zip(rows, notes, strict=True)
    ]
    rest = [f"  {table.rest}"] if table.rest else []
    return [table.heading, *(line.rstrip() for line in lines), *rest]
