"""Pictures of a plan: who gets rows, and why. They compute nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from ..errors import ParameterError
from ..planning.groups import GroupPlan
from ..planning.plan import SamplingPlan, synthetic_regions
from .style import (
    COLORS,
    DARK,
    GREY,
    LINES,
    SHAPES,
    add_legend,
    axes_of,
    below,
    count_rows,
    repeated,
)

_NAMED_BARS = 10  # classes whose numbers are written above their bars
_NAMED_CLUSTERS = 8
_GIANT = 20.0  # times the median: beside it the others would lie on the axis
_STRIP_POINTS = (
    6  # clusters that are not kept make 0 rows: a strip for each class, one below another
)
_MOST_CLASSES = len(SHAPES)


def class_balance(plan: SamplingPlan, ax: Any = None) -> Any:
    """Rows of each class: what there is, and what is made on top of it.

    Parameters
    ----------
    plan
        A sampler's `plan_`.
    ax : matplotlib.axes.Axes, optional
        Drawn on; made if None.

    Returns
    -------
    matplotlib.axes.Axes
        By class, a plain bar of originals and a hatched one of synthetic rows on top.

    Raises
    ------
    MissingPackageError
        matplotlib is not installed.
    """
    ax = axes_of(ax)
    before = [n for _, n in plan.class_counts]
    made = [0] * len(before)
    for region in synthetic_regions(plan):
        made[region.class_code] = region.stop - region.start
    codes = range(len(before))
    ax.bar(codes, before, color=GREY, edgecolor=DARK, label="original")
    ax.bar(
        codes, made, bottom=before, color="white", edgecolor=DARK, hatch="///", label="synthetic"
    )
    heights = [sum(both) for both in zip(before, made, strict=True)]
    if len(before) <= _NAMED_BARS:
        for code, height in enumerate(heights):
            text = f"{before[code]:,}" + (f"\n+ {made[code]:,}" if made[code] else "")
            _write(ax, text, (code, height), (0, 3), ha="center")
    labels = [str(label) for label, _ in plan.class_counts]
    crowded = sum(len(label) + 2 for label in labels) > 60
    ax.set_xticks(codes, labels, rotation=90 if crowded else 0)
    ax.set(xlabel="class", ylabel="rows", ylim=(0, 1.35 * max(heights)))
    ax.set_title("Rows by class", loc="left")
    count_rows(ax.yaxis)
    add_legend(ax, "upper left", 2)
    return ax


def cluster_allocation(plan: SamplingPlan, ax: Any = None, *, class_label: Any = None) -> Any:
    """Share of a class in each cluster against the threshold, and the rows made there.

    Parameters
    ----------
    plan
        A sampler's `plan_`.
    ax : matplotlib.axes.Axes, optional
        Drawn on; made if None.
    class_label
        The class to show; None means all to generate, of more than five those with the most rows
        to make.

    Returns
    -------
    matplotlib.axes.Axes
        A mark for each class and cluster that is not empty, filled where rows are made; a line at
        the threshold of each class; the numbers of the clusters with the most rows. An axis is
        logarithmic where one cluster has more than 20 times what half of the others have.

    Raises
    ------
    ParameterError
        No rows are to be made, or none of `class_label`.
    MissingPackageError
        matplotlib is not installed.
    """
    shown, n_classes = _classes_shown(plan, class_label)
    ax = axes_of(ax)
    marks = [repeated(values, len(shown)) for values in (SHAPES, COLORS, LINES)]
    for strip, (label, shape, color, line) in enumerate(zip(shown, *marks, strict=True)):
        mine = [g for g in plan.groups if g.class_label == label and g.n_rows]
        kept = [g for g in mine if g.kept]
        left = [g for g in mine if not g.kept]
        _mark(ax, left, shape, s=24, facecolors="none", edgecolors=color, linewidths=0.8,
              transform=below(ax, strip * _STRIP_POINTS))  # fmt: skip
        _mark(ax, kept, shape, s=36, facecolors=color, edgecolors=DARK, linewidths=0.5, zorder=3)
        threshold, text = mine[0].threshold, f"class {label}: {len(kept)} of {len(mine)} kept"
        if math.isfinite(threshold):
            text += f", threshold {threshold:.3g}"
            ax.axvline(threshold, color=color, linestyle=line, linewidth=1.2)
        # nothing drawn: an entry of the legend that shows mark and line together
        ax.plot([], [], color=color, marker=shape, linestyle=line, linewidth=1.2, label=text)
    ax.plot([], [], color=DARK, marker="o", linestyle="", fillstyle="none", label="not kept")
    groups = [g for g in plan.groups if g.class_label in shown and g.n_rows]
    shares = _Axis.of([g.class_share for g in groups])
    rows = _Axis.of([g.n_synthetic for g in groups])
    for group in _named(groups, shares, rows):
        _write(ax, str(group.cluster_id), (group.class_share, group.n_synthetic), (5, 3))
    part = "" if len(shown) == n_classes else f", {len(shown)} of {n_classes} classes"
    ax.set_title(f"Rows made by cluster (number: cluster_id){part}", loc="left")
    ax.set(xlabel="share of the class in the cluster's rows", ylabel="rows made")
    shares.draw(ax, "x", 0.0)
    rows.draw(ax, "y", 0.05 + 0.03 * len(shown))
    add_legend(ax)
    return ax


def _classes_shown(plan: SamplingPlan, class_label: Any) -> tuple[list[Any], int]:
    made: dict[Any, int] = {}
    for group in plan.groups:
        made[group.class_label] = made.get(group.class_label, 0) + group.n_synthetic
    if not made:
        raise ParameterError("The plan makes no rows, so there is no cluster to show.")
    if class_label is None:
        most = sorted(made, key=lambda label: -made[label])[:_MOST_CLASSES]
        return [label for label in made if label in most], len(made)
    if class_label not in made:
        raise ParameterError(
            f"No rows are to be made of class {class_label!r}: class_label is one of {list(made)}."
        )
    return [class_label], len(made)


class _Axis(NamedTuple):
    """A linear axis from 0; logarithmic, where one cluster dwarfs the others.

    Attributes
    ----------
    top
        The largest value.
    linear
        Up to which a logarithmic axis is linear, as values may be 0; None of a linear axis.
    """

    top: float
    linear: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> _Axis:
        """The axis that shows clusters of some values."""
        some = [value for value in values if value > 0]
        is_log = bool(some) and max(some) > _GIANT * median(some)
        return cls(max(some, default=1.0), float(min(some)) if is_log else None)

    @property
    def size(self) -> float:
        """Decades from 0 to the top; the top itself of a linear axis."""
        return self._at(self.top)

    def _at(self, value: float) -> float:
        if self.linear is None:
            return value
        # matplotlib's symlog: 0 to `linear` takes as much as a decade
        least = value / self.linear
        return 1 + math.log10(least) if least > 1 else least

    def place(self, value: float) -> float:
        """Where a value is drawn: 0 to 1."""
        return self._at(value) / self.size

    def draw(self, ax: Any, name: str, margin: float) -> None:
        """Set scale, limits and ticks of "x" or "y", with a margin below 0."""
        axis, limit = getattr(ax, f"{name}axis"), getattr(ax, f"set_{name}lim")
        if self.linear is None:
            limit(-margin * self.top, 1.12 * self.top)
        else:
            getattr(ax, f"set_{name}scale")("symlog", linthresh=self.linear)
            limit(-margin * self.size * self.linear, self.top * 10 ** (0.12 * self.size))
        if name == "y":
            ticks = None if self.linear is None else [n for n in axis.get_ticklocs() if n >= 0]
            count_rows(axis, ticks)


def _named(groups: Sequence[GroupPlan], shares: _Axis, rows: _Axis) -> list[GroupPlan]:
    """Those with the most rows, without any that another one's number would cover."""
    named: list[GroupPlan] = []
    for group in sorted(groups, key=lambda g: -g.n_synthetic)[:_NAMED_CLUSTERS]:
        crowded = any(
            abs(shares.place(group.class_share) - shares.place(g.class_share)) < 0.08
            and abs(rows.place(group.n_synthetic) - rows.place(g.n_synthetic)) < 0.06
            for g in named
        )
        if group.n_synthetic and not crowded:
            named.append(group)
    return named


def _mark(ax: Any, groups: Sequence[GroupPlan], shape: str, **style: Any) -> None:
    x, y = [g.class_share for g in groups], [g.n_synthetic for g in groups]
    style.setdefault("transform", ax.transData)
    ax.scatter(x, y, marker=shape, **style)


def _write(
    ax: Any, text: str, at: tuple[float, float], offset: tuple[int, int], **how: Any
) -> None:
    ax.annotate(text, at, xytext=offset, textcoords="offset points", fontsize=8, va="bottom", **how)
