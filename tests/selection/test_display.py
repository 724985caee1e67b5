"""Text and HTML hold the same cells, whatever a search found."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

from dask_kmsmote.selection.candidates import Candidate
from dask_kmsmote.selection.display import display_of
from dask_kmsmote.selection.result import Facts, Fault, SearchResult
from dask_kmsmote.selection.scoring import SCORES


def result_of(n_grid, failed=(), n_planned=6, long=""):
    rng = np.random.default_rng(0)
    grid = [
        Candidate(f"KMeansSMOTE(kmeans_estimator={n}{long}, <b>)", "KMeansSMOTE", {})
        for n in range(n_grid)
    ]
    always = [Candidate(name, name, {}) for name in ("none", "random", "SMOTE")]
    candidates = (*always, *grid)
    values = rng.random((len(candidates), 6, 3))
    values[list(failed)] = np.nan
    moved = np.full((6, 3), np.nan)
    moved[:, 1] = rng.random(6)
    faults = tuple(
        Fault(candidates[own].name, fold, "ValueError: <no & none>")
        for own in failed
        for fold in range(6)
    )
    scores = tuple(SCORES[name] for name in ("AUPRC", "F1", "log loss"))
    facts = Facts(500, 1000, n_planned, 12, 3.2, 5)
    apart = ~np.eye(6, dtype=bool)
    return SearchResult(candidates, scores, values, moved, apart, 0.25, faults, facts)


@pytest.mark.parametrize("n_grid", [0, 1, 9, 40])
@pytest.mark.parametrize("failed", [(), (1,), (2, 3)])
@pytest.mark.parametrize("long", ["", "0" * 80])
def test_text_and_html_hold_the_same_cells(n_grid, failed, long):
    failed = [own for own in failed if own < 3 + n_grid]
    result = result_of(n_grid, failed, long=long)
    text, html = str(result), result._repr_html_()
    cells = [unescape(own) for own in re.findall(r"<t[dh] [^>]*>(.*?)</t[dh]>", html)]
    table = text[text.index("\ncandidate ") :]
    words = " ".join(table.split())
    for cell in cells:
        assert " ".join(cell.split()) in words
    n_lines = len(re.findall("<tr>", html))
    assert len(cells) == 4 * n_lines
    shown = display_of(result)
    assert n_lines == len(shown.lines) + 1
    assert ("more in table()" in text) == ("more in table()" in html) == (n_grid == 40)
    plain = " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())
    for paragraph in (*result.advice, *shown.faults, shown.title, shown.facts):
        assert " ".join(paragraph.split()) in plain
        # where a line is too long it is broken within a word
        assert "".join(paragraph.split()) in "".join(text.split())
    assert "<b>" not in html


def test_each_cell_is_the_mean_and_its_mark():
    result = result_of(3)
    for line in display_of(result).lines:
        if line.name == "none, best threshold":
            assert [bool(own) for own in line.cells] == [False, True, False]
            continue
        for name, cell in zip(result.metrics, line.cells, strict=True):
            own = result.table(name).set_index("candidate").loc[line.name]
            assert cell.startswith(f"{own['mean']:.3f}±")
            gain = own["over_none"] * (-1 if name == "log loss" else 1)
            mark = cell[-1]
            assert mark == (
                "+" if gain > own["over_none_error"] else "-" if -gain > own["over_none_error"]
                else " "
            )  # fmt: skip


def test_those_that_are_always_tried_are_always_shown():
    names = [own.name for own in display_of(result_of(40)).lines]
    assert {"none", "random", "SMOTE", "none, best threshold"} < set(names)
    assert len(names) < 20


def test_an_interrupted_search_says_so():
    assert "interrupted: 6 of 10 folds" in str(result_of(2, n_planned=10))
    assert "interrupted" not in str(result_of(2))
    assert "500 of 1,000 rows" in str(result_of(2))
