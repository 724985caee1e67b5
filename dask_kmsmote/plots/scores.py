"""A picture of a search: what each candidate scores, and how sure that is."""

from __future__ import annotations

from textwrap import fill
from typing import Any, Protocol

import pandas as pd

from .style import COLORS, DARK, GREY, axes_of

_MOST = 25  # candidates, so that their names can be read
_LINE = 50  # signs of a name's line


class Compared(Protocol):
    """What is drawn of a search's result."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the scores."""

    def table(self, metric: str | None = None) -> pd.DataFrame:
        """The candidates by a score, the best first."""

    def best(self, metric: str | None = None) -> str:
        """The candidate that is best, or "none"."""


def candidate_scores(result: Compared, metric: str | None = None, ax: Any = None) -> Any:
    """Means of the candidates with intervals of one standard error, the best on top.

    Parameters
    ----------
    result
        What `dask_kmsmote.search` returned.
    metric
        A score's name; the first where None.
    ax : matplotlib.axes.Axes, optional
        Drawn on; made if None.

    Returns
    -------
    matplotlib.axes.Axes
        The 25 best and those that are always tried, "none" with a line through all; what `best`
        names is filled. The error of a difference is smaller than that of its two means: see
        `table`.

    Raises
    ------
    MissingPackageError
        matplotlib is not installed.
    """
    ax = axes_of(ax)
    name, best = metric or result.metrics[0], result.best(metric)
    table = result.table(metric).dropna(subset="mean")
    always = ~table["candidate"].str.startswith("KMeansSMOTE")
    chosen = always | (table["candidate"] == best)
    chosen |= table.index.isin(table.index[~chosen][: max(0, _MOST - int(chosen.sum()))])
    shown = table[chosen].reset_index(drop=True)
    for place, line in shown.iterrows():
        color = COLORS[0] if line["candidate"] == best else GREY
        ax.errorbar(
            line["mean"], place, xerr=line["standard_error"], fmt="o", color=color, ecolor=DARK
        )
    none = table.loc[table["candidate"] == "none", "mean"]
    if len(none):
        ax.axvline(none.iloc[0], color=DARK, linestyle=":", linewidth=1)
    names = [fill(own, _LINE) for own in shown["candidate"]]
    ax.set_yticks(range(len(shown)), names, fontsize=6)
    ax.invert_yaxis()
    ax.set_xlabel(f"{name}, mean ± standard error")
    ax.set_title(fill(f"{name}: {best}", _LINE), loc="left", fontsize=9)
    return ax
