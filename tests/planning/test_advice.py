"""What a plan warns of: when, as what, and that the mend it names runs and mends."""

from __future__ import annotations

import math
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import (
    ConcentrationWarning,
    FewNeighborsWarning,
    LowRecallWarning,
    PlanWarning,
    UnscaledWarning,
)
from dask_kmsmote.planning.advice import advise, originals_behind_half
from dask_kmsmote.planning.display import as_html, as_text, class_tables
from dask_kmsmote.planning.groups import Features, FeatureSpread, GroupPlan
from dask_kmsmote.planning.plan import Display

quick = settings(max_examples=200, deadline=None)


def groups_of(*sizes, **common):
    """Kept clusters of so many rows of a class and new rows."""
    return [
        GroupPlan("rare", place, 2 * m, m, 0.5, 0.1, True, "", 1.5, n_synthetic=n, **common)
        for place, (m, n) in enumerate(sizes)
    ]


def advice_on(groups, n_rows=10_000, k=2, max_ratio=None, spread=None):
    features = Features(2, spread=spread)
    return advise(groups, {"common": 10**6, "rare": n_rows}, k, max_ratio, features)


def test_originals_behind_half_by_hand():
    assert originals_behind_half(groups_of((3, 90), (100, 10))) == 2  # 3 * 50 / 90
    # 30 from 3 rows, then 20 of the 60 from 100
    assert originals_behind_half(groups_of((3, 30), (100, 60), (50, 10))) == 37  # 3 + 100 / 3
    # a third of 90 as a float is a little less than 30
    assert originals_behind_half(groups_of((60, 1000))) == 30
    assert originals_behind_half(groups_of((7, 0))) == 0


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 300)), min_size=1, max_size=6))
@quick
def test_no_originals_are_behind_more(sizes):
    # every row of a cluster gets the same share: no choice of rows covers half with fewer
    shares = sorted((n / m for m, n in sizes for _ in range(m)), reverse=True)
    half = sum(n for _, n in sizes) / 2
    covered = np.concatenate([[0], np.cumsum(shares)])
    at = int(np.searchsorted(covered, half - 1e-9))
    exact = 0 if half == 0 else at - (covered[at] - half) / shares[at - 1]
    assert originals_behind_half(groups_of(*sizes)) == math.ceil(exact - 1e-6)


@pytest.mark.parametrize(("n", "warned"), [(9000, False), (20_000, True)])
def test_a_cluster_far_above_the_average(n, warned):
    groups = groups_of((100, n), (10_000, 10_000), (1, 2))
    # 47.8 and 67.3 times the average of (n + 10,002) / 10,101
    found = [a for a in advice_on(groups) if "times the average" in a.message]
    assert bool(found) == warned
    if found:
        assert found[0].category is ConcentrationWarning
        assert "Cluster 0" in found[0].message
        assert "max_ratio=2.0" in found[0].message


@pytest.mark.parametrize(
    ("sizes", "n_rows", "mend"),
    [
        ([(40, 4000)], 40, "sampling_strategy"),
        ([(20, 4000)], 900, "cluster_balance_threshold=0.0"),
        ([(10, 8000), (900, 900)], 910, "max_ratio=2.0"),
        ([(70, 700)], 70, None),
        ([(59, 700)], 59, None),
        ([(58, 700)], 58, "Add rows"),
        # of so few new rows, no more than 29 can be behind half
        ([(20, 59)], 20, None),
        ([(20, 1), (10, 1)], 900, None),
        ([(70, 0)], 70, None),
    ],
)
def test_few_originals_behind_half(sizes, n_rows, mend):
    found = [a for a in advice_on(groups_of(*sizes), n_rows) if "Half of" in a.message]
    assert bool(found) == (mend is not None)
    if found:
        assert found[0].category is ConcentrationWarning
        assert mend in found[0].message


def test_other_kinds():
    few = advice_on(groups_of((2, 5), (90, 200), (3, 8)), k=4)
    assert [a.category for a in few] == [FewNeighborsWarning]
    assert "in 2 of its 3 kept clusters: 0 (2 rows), 2 (3 rows)" in few[0].message
    assert "k_neighbors=1" in few[0].message
    recall = advice_on(groups_of((90_000, 200), neighbor_recall=0.93))
    assert [a.category for a in recall] == [LowRecallWarning]
    spread = FeatureSpread("amount", 310.0, "rate", 10.0)
    (unscaled,) = advice_on(groups_of((90, 200)), spread=spread)
    assert unscaled.category is UnscaledWarning
    assert "amount" in unscaled.message
    assert 'scale="standard"' in unscaled.message
    assert not advice_on(groups_of((90, 200)), spread=spread.__class__("a", 290.0, "b", 10.0))


def giant_cluster(seed=0):
    """A far, sparse cluster of 4 rows beside a large dense one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3000, 4))
    y = (rng.random(3000) < 0.1).astype(int)
    X[:4], y[:4] = 500 + 90 * rng.normal(size=(4, 4)), 1
    return X, y


PAPER = {"count_exponent": -1, "max_ratio": None, "density_exponent": 4}


def test_warnings_are_python_warnings_that_point_to_the_caller():
    X, y = giant_cluster()
    with pytest.warns(ConcentrationWarning) as caught:
        plan = KMeansSMOTE(random_state=0, kmeans_estimator=2, **PAPER).fit(X, y).plan_
    assert [str(w.message) for w in caught] == list(plan.warnings)
    assert {w.filename for w in caught} == {__file__}
    with pytest.warns(ConcentrationWarning) as caught:
        KMeansSMOTE(random_state=0, kmeans_estimator=2, **PAPER).fit_resample(X, y)
    assert {w.filename for w in caught} == {__file__}


def test_warnings_can_be_errors_and_can_be_filtered():
    X, y = giant_cluster()
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, **PAPER)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PlanWarning)
        with pytest.raises(PlanWarning, match="Half of the"):
            sampler.fit_resample(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PlanWarning)
        sampler.fit_resample(X, y)


def test_the_named_mend_mends():
    X, y = giant_cluster()
    params = {"random_state": 0, "kmeans_estimator": 2, "cluster_balance_threshold": 0.0}
    plan = KMeansSMOTE(**params | PAPER).fit(X, y).plan_
    named = [m for m in plan.warnings if "times the average" in m]
    ratio = float(re.search(r"max_ratio=([\d.]+)", named[0])[1])
    mended = KMeansSMOTE(**params | PAPER | {"max_ratio": ratio}).fit(X, y).plan_
    assert not [m for m in mended.warnings if "average" in m or "Half" in m]


class Cells(HTMLParser):
    """Texts of the cells of each row of a table, and the widths of the bars."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.widths, self.styles = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        style = dict(attrs).get("style", "")
        self.styles.append(style)
        if tag == "tr":
            self.rows.append([])
            self.widths.append(0.0)
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "span":
            self.widths[-1] = float(re.search(r"width:([\d.]+)em", style)[1])

    def handle_data(self, data):
        if self.rows:
            self.rows[-1][-1:] = [data] if not self.rows[-1] else [self.rows[-1][-1] + data]


def shown(*sizes, max_ratio=None):
    groups = groups_of(*sizes)
    groups.append(GroupPlan("rare", len(groups), 9, 1, 1 / 9, 0.1, False, "too few rows"))
    amounts = {"rare": sum(n for _, n in sizes)}
    tables = class_tables({"rare": 500}, amounts, groups, max_ratio)
    return Display(title="T", facts="F", tables=tables, warnings=())


def test_a_plan_is_shown_by_new_rows_with_rows_per_row():
    display = shown((10, 20), (40, 400), (5, 60), max_ratio=2.0)
    text = as_text(display)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 105
    (head,) = [line for line in lines if "new rows per row" in line and "cluster " in line]
    at = lines.index(head)
    assert [line.split()[0] for line in lines[at + 1 : at + 5]] == ["1", "2", "0", "3"]
    assert lines[at + 1].split()[-1] == "10"
    assert "too few rows" in lines[at + 4]
    assert "480 to make, 3 of 4 clusters kept" in text
    assert "8.727 new rows per row" in text
    page = Cells(as_html(display))
    assert [row[0] for row in page.rows] == ["cluster", "1", "2", "0", "3"]
    assert page.rows[0][7:9] == ["new rows per row", "new rows to scale"]
    assert [row[7] for row in page.rows[1:4]] == ["10", "12", "2"]


def test_a_cluster_at_the_bound_says_so():
    text = as_text(shown((10, 40), (30, 40), max_ratio=2.0))
    assert "at max_ratio" in text
    assert text.count("at max_ratio") == 1


@pytest.mark.parametrize(
    ("giant", "scale"), [(900, "new rows to scale"), (10**7, "new rows, log scale")]
)
def test_bars_beside_a_giant_have_a_heading_and_stay_readable(giant, scale):
    page = Cells(as_html(shown((10, giant), (10, 100), (10, 80), (10, 60))))
    assert page.rows[0][8] == scale
    made = page.widths[1:5]
    assert made == sorted(made, reverse=True)
    assert made[0] == 5
    assert made[3] > 0.3
    assert page.widths[5] == 0
    assert page.rows[5][-1] == "too few rows"
    # nothing is cut off by a box that scrolls
    assert not any("max-height" in style for style in page.styles)
