"""The plot of a search: its artists hold what the table says."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from dask_kmsmote import plots

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


class Scores:
    """What is drawn of a search: "none" fails, or scores 0.5; each of the grid is worse by 0.01."""

    metrics = ("AUPRC", "Brier")

    def __init__(self, n_grid, best, *, none_failed=False):
        self.n_grid, self._best, self.none_failed = n_grid, best, none_failed

    def best(self, metric=None):
        return self._best

    def table(self, metric=None):
        names = [
            "none",
            "SMOTE",
            *(f"KMeansSMOTE(k={n}, {'long ' * 20})" for n in range(self.n_grid)),
        ]
        means = [
            np.nan if self.none_failed else 0.5,
            0.45,
            *(0.4 - 0.01 * n for n in range(self.n_grid)),
        ]
        means[1:2] = [np.nan] if metric == "Brier" else means[1:2]
        table = pd.DataFrame({"candidate": names, "mean": means, "standard_error": 0.02})
        return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


@pytest.mark.parametrize("metric", [None, "AUPRC", "Brier"])
@pytest.mark.parametrize("n_grid", [0, 3, 40])
@pytest.mark.parametrize("none_failed", [False, True])
def test_candidate_scores_are_the_means_with_their_errors(n_grid, metric, none_failed):
    best = "KMeansSMOTE(k=39, " + "long " * 20 + ")" if n_grid == 40 else "none"
    scores = Scores(n_grid, best, none_failed=none_failed)
    ax = plots.candidate_scores(scores, metric)
    table = scores.table(metric).dropna().set_index("candidate")
    always = [name for name in ("none", "SMOTE") if name in table.index]
    assert len(ax.containers) == min(len(table), 25)
    means = [float(own[0].get_xdata()[0]) for own in ax.containers]
    assert means == sorted(means, reverse=True)
    for name in {*always, best} & {*table.index}:
        assert table.loc[name, "mean"] in means
    for own in ax.containers:
        (low, high), _ = own[2][0].get_segments()[0].T
        mean, place = float(own[0].get_xdata()[0]), float(own[0].get_ydata()[0])
        assert (low, high) == pytest.approx((mean - 0.02, mean + 0.02))
        assert place == means.index(mean)
    # the first is on top
    assert ax.yaxis_inverted()
    filled = {own[0].get_color() for own in ax.containers}
    assert len(filled) == min(len(means), 2 if best in table.index else 1)
    dotted = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    assert dotted == ([] if none_failed else [0.5])
    # whole, in lines: names that begin alike can be told apart
    labels = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    assert set(labels) <= {*table.index}
    assert ax.get_xlabel().startswith(metric or "AUPRC")


def test_a_search_is_drawn_on_axes_that_are_given():
    _, ax = plt.subplots()
    assert plots.candidate_scores(Scores(3, "none"), ax=ax) is ax
