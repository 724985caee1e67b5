"""A plan as HTML for notebooks: no script, no asset, and the page's own colours, dark or light."""

from __future__ import annotations

from html import escape

from .display import COLUMNS, Line, Sheet, Table

FRAME = "font-size:.9em;line-height:1.4;color:inherit"
SCROLL = "max-height:26em;overflow:auto"
CELL = "text-align:right;padding:.1em .7em;border:0;background:none;white-space:nowrap"
LEFT = CELL.replace("right", "left", 1)
DIM = ";opacity:.6"
BAR = (
    "display:inline-block;height:.6em;margin-left:.5em;background:currentColor;opacity:.45;"
    "vertical-align:baseline;width:{width:.2f}em"
)
BAR_EMS = 4.0
HEAD = "border-bottom:1px solid currentColor;font-weight:600"


def render(sheet: Sheet) -> str:
    """Title, facts, warnings, and a table for each class that can be folded."""
    warnings = "".join(
        f'<div style="border-left:.3em solid currentColor;padding-left:.6em;margin:.3em 0">'
        f"<b>Warning:</b> {escape(warning)}</div>"
        for warning in sheet.warnings
    )
    tables = "".join(_table(table) for table in sheet.tables)
    return (
        f'<div style="{FRAME}"><b>{escape(sheet.title)}</b><div>{escape(sheet.facts)}</div>'
        f"{warnings}{tables}</div>"
    )


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col" style="{CELL};{HEAD}">{escape(name)}</th>' for name in (*COLUMNS, "")
    )
    body = "".join(_row(line) for line in table.lines)
    rest = f"<div>{escape(table.rest)}</div>" if table.rest else ""
    return (
        f'<details open style="margin:.4em 0"><summary>{escape(table.heading)}</summary>'
        f'<div style="{SCROLL}"><table style="border-collapse:collapse;margin:.2em 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}</details>"
    )


def _row(line: Line) -> str:
    style = CELL if line.kept else CELL + DIM
    cells = "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in line.cells)
    bar = ""
    if line.kept:
        bar = f'<span style="{BAR.format(width=BAR_EMS * line.weight)}"></span> '
    note = f'<td style="{LEFT}{"" if line.kept else DIM}">{bar}{escape(line.note)}</td>'
    return f"<tr>{cells}{note}</tr>"
