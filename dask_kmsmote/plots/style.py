"""Axes, marks and colours: classes differ by the shape of their marks, so grey is enough."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from ..errors import MissingPackageError

# 5 of them and 7 colours: of 35 classes no two have both alike
SHAPES = ("o", "^", "s", "D", "v")
# Okabe and Ito's, told apart with any colour vision; neighbours differ in lightness too
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#666666")
LINES = ("--", ":", "-.", (0, (6, 2)), (0, (3, 1, 1, 1, 1, 1)))
GREY, DARK = "#B0B0B0", "#202020"


def axes_of(ax: Any) -> Any:
    """The axes given, or new ones.

    Raises
    ------
    MissingPackageError
        matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError(
            "Plots need matplotlib: pip install 'dask-kmsmote[viz]'."
        ) from error
    return plt.subplots(figsize=(6.4, 4.4), layout="constrained")[1] if ax is None else ax


def repeated(values: tuple[Any, ...], n: int) -> list[Any]:
    """N values, from the start again where there are too few."""
    return list(islice(cycle(values), n))


def count_rows(axis: Any, ticks: Sequence[float] | None = None) -> None:
    """Whole numbers with separators along an axis, at some ticks or at a few."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, StrMethodFormatter

    few = MaxNLocator(nbins=6, integer=True)
    axis.set_major_locator(few if ticks is None else FixedLocator(ticks))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def below(ax: Any, points: float) -> Any:
    """The axes' own coordinates, moved down by some points."""
    from matplotlib.transforms import offset_copy

    return offset_copy(ax.transData, ax.figure, y=-points, units="points")


def add_legend(ax: Any, loc: str = "best", n_columns: int = 1) -> None:
    """A small legend inside the axes: outside it would cover what stands beside them."""
    ax.legend(loc=loc, ncols=n_columns, fontsize=8, framealpha=0.85)
