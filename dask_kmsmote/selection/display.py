"""What a result shows, the same as text and as HTML, in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..planning.display import CELL, FRAME, HEAD, LEFT, SCROLL, WIDTH
from .candidates import KMEANS, NONE

if TYPE_CHECKING:
    from .result import Fault, Mean, SearchResult

_SHOWN = 10  # settings of a grid
_NAME = 44  # signs of a name on one line with its cells


class Line(NamedTuple):
    """A candidate, and a cell for each score."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Display:
    """All of a result that is shown."""

    title: str
    facts: str
    advice: tuple[str, ...]
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    rest: str
    faults: tuple[str, ...]


def display_of(result: SearchResult) -> Display:
    """What is shown of a result."""
    facts, n = result.facts, len(result.candidates)
    sampled = f" of {facts.n_all:,}" if facts.n_rows < facts.n_all else ""
    title = f"Does over-sampling help? {n} candidates on {facts.n_rows:,}{sampled} rows"
    done = f"{result.n_folds} folds"
    if not result.is_complete:
        done = f"interrupted: {result.n_folds} of {facts.n_planned} folds"
    line = (
        f"{done}, {facts.n_clusterings} clusterings, {facts.seconds:.1f} s, seed {facts.seed}; "
        "mean ± standard error, marked where better (+) or worse (-) than none by more than the "
        "error of the difference"
    )
    shown = _shown(result)
    return Display(
        title=title,
        facts=line,
        advice=result.advice,
        head=("candidate", *result.metrics),
        lines=tuple(_lines(result, shown)),
        rest=_rest(result, n - len(shown)),
        faults=tuple(_failures(result)),
    )


def _shown(result: SearchResult) -> list[int]:
    """Numbers of the candidates that are shown, the best by the first score first."""
    ranked = [result.number_of(name) for name in result.table()["candidate"]]
    wanted = {n for n, own in enumerate(result.candidates) if own.kind != KMEANS}
    wanted |= {result.number_of(result.best(name)) for name in result.metrics}
    wanted |= set([n for n in ranked if n not in wanted][:_SHOWN])
    return [n for n in ranked if n in wanted]


def _lines(result: SearchResult, shown: Sequence[int]) -> list[Line]:
    lines = []
    for number in shown:
        cells = [_cell_of(result, number, place) for place in range(len(result.scores))]
        lines.append(Line(result.candidates[number].name, tuple(cells)))
        if result.candidates[number].kind == NONE and not np.isnan(result.moved).all():
            lines.append(Line("none, best threshold", tuple(_moved_cells(result))))
    return lines


def _cell_of(result: SearchResult, number: int, place: int) -> str:
    mean = result.mean_of(result.values[number, :, place])
    if math.isnan(mean.value):
        return "failed"
    over = result.over(number, result.number_of(NONE), place)
    gain = result.scores[place].sign * over.value
    mark = "+" if gain > over.error else "-" if -gain > over.error else " "
    return f"{_cell(mean)}{mark}"


def _moved_cells(result: SearchResult) -> list[str]:
    means = [result.mean_of(result.moved[:, place]) for place in range(len(result.scores))]
    return ["" if math.isnan(mean.value) else f"{_cell(mean)} " for mean in means]


def _rest(result: SearchResult, n: int) -> str:
    return f"{n} more in table(), by {result.metrics[0]} below those of the grid here" if n else ""


def _failures(result: SearchResult) -> list[str]:
    by_name: dict[str, list[Fault]] = {}
    for own in result.faults:
        by_name.setdefault(own.candidate, []).append(own)
    return [
        f"{name} failed on {len(own)} of {result.n_folds} folds, and has no mean. "
        f"Fold {own[0].fold}: {own[0].message}"
        for name, own in by_name.items()
    ]


def _cell(mean: Mean) -> str:
    error = "" if math.isnan(mean.error) else f"±{mean.error:.3f}".replace("0.", ".")
    return f"{mean.value:.3f}{error}"


def as_text(display: Display) -> str:
    """For terminals."""
    head = Line(display.head[0], display.head[1:])
    columns = zip(*(own.cells for own in (head, *display.lines)), strict=True)
    widths = [max(map(len, column)) for column in columns]
    paragraphs = [fill(text, WIDTH) for text in (*display.advice, *display.faults)]
    table = [_as_text(own, widths) for own in (head, *display.lines)]
    return "\n".join(
        [display.title, fill(display.facts, WIDTH), "", *paragraphs, "", *table, display.rest]
    ).rstrip()


def _as_text(line: Line, widths: list[int]) -> str:
    cells = "  ".join(cell.rjust(width) for cell, width in zip(line.cells, widths, strict=True))
    # a long name has a line of its own
    gap = "\n" + " " * _NAME if len(line.name) > _NAME else " " * (_NAME - len(line.name))
    return f"{line.name}{gap}  {cells}".rstrip()


def as_html(display: Display) -> str:
    """For notebooks: no script, no asset."""
    paragraphs = "".join(
        f"<div>{escape(text)}</div>" for text in (*display.advice, *display.faults)
    )
    head = "".join(
        f'<th style="{CELL if place else LEFT};{HEAD}">{escape(text)}</th>'
        for place, text in enumerate(display.head)
    )
    rows = "".join(_as_html(own) for own in display.lines)
    return (
        f'<div style="{FRAME}"><div><strong>{escape(display.title)}</strong></div>'
        f"<div>{escape(display.facts)}</div>{paragraphs}"
        f'<div style="{SCROLL}"><table style="border-collapse:collapse"><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div><div>{escape(display.rest)}</div></div>"
    )


def _as_html(line: Line) -> str:
    cells = "".join(f'<td style="{CELL}">{escape(cell)}</td>' for cell in line.cells)
    return f'<tr><td style="{LEFT}">{escape(line.name)}</td>{cells}</tr>'
