"""What a plan warns of before rows are made, each with what mends it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from ..errors import (
    ConcentrationWarning,
    FewNeighborsWarning,
    LowRecallWarning,
    ManyCategoriesWarning,
    PlanWarning,
    UnscaledWarning,
)
from .groups import Features, FeatureSpread, GroupPlan, by_class
from .strategy import Label

RECALL = 0.95  # of an approximate search, wanted of the k nearest
_MOST_RATIO = 50.0  # new rows per row of a cluster, over the average of the class
_FEWEST_ORIGINALS = 30  # behind half of the new rows of a class
_MOST_SPREAD = 30.0  # of standard deviations: the narrow feature is a thousandth of a square
_MOST_CATEGORIES = 10_000  # of a feature, beyond which they look like an id
_FEW_CATEGORIES = 100  # which never do
_ROWS_OF_CATEGORY = 10  # on average, below which more of them do
_NAMED = 5  # clusters


class Advice(NamedTuple):
    """One thing to look at.

    Attributes
    ----------
    category
        Class of the warning.
    message
        A sentence on what there is, and what mends it.
    """

    category: type[PlanWarning]
    message: str


def advise(
    groups: Sequence[GroupPlan],
    counts: Mapping[Label, int],
    k: int,
    max_ratio: float | None,
    features: Features,
) -> tuple[Advice, ...]:
    """Advice on a plan.

    Parameters
    ----------
    groups, counts
        What is made of each class in each cluster, and rows of each class.
    k, max_ratio
        Neighbours asked for, and the bound in force.
    features
        What they are; their spread, if that matters.
    """
    found = _unscaled(features.spread) + _many_categories(features, sum(counts.values()))
    for label, mine in by_class(groups).items():
        kept = [group for group in mine if group.kept]
        found += _above_average(kept)
        found += _few_originals(kept, counts[label], max_ratio)
        found += _few_neighbors(kept, k)
        found += _low_recall(kept)
    return tuple(found)


def average_ratio(kept: Sequence[GroupPlan]) -> float:
    """New rows per row of the class in its kept clusters."""
    return sum(g.n_synthetic for g in kept) / max(1, sum(g.n_class_rows for g in kept))


def originals_behind_half(kept: Sequence[GroupPlan]) -> int:
    """Least originals that half of the new rows are made from, as base rows.

    Rows of a cluster are drawn alike. Of 90 new rows from 3 originals and 10 from 100, the first 50
    come from 3 * 50 / 90 originals: from 2 of them.
    """
    left, originals = Fraction(sum(group.n_synthetic for group in kept), 2), Fraction(0)
    for group in sorted(kept, key=lambda group: -group.new_rows_per_row):
        if left <= 0 or not group.n_synthetic:
            break
        covered = min(left, Fraction(group.n_synthetic))
        originals += covered * Fraction(group.n_class_rows, group.n_synthetic)
        left -= covered
    return math.ceil(originals)


def _above_average(kept: Sequence[GroupPlan]) -> list[Advice]:
    average = average_ratio(kept)
    above = [group for group in kept if group.new_rows_per_row > _MOST_RATIO * average]
    if not above:
        return []
    top = max(above, key=lambda group: group.new_rows_per_row)
    message = (
        f"Cluster {top.cluster_id} gets {top.n_synthetic:,} new rows for its {top.n_class_rows:,} "
        f"rows of class {top.class_label!r}: {top.new_rows_per_row:,.4g} for each, "
        f"{top.new_rows_per_row / average:,.4g} times the average of the class"
        f"{_and_more(len(above) - 1)}. max_ratio=2.0 bounds them (not with compat)."
    )
    return [Advice(ConcentrationWarning, message)]


def _few_originals(kept: Sequence[GroupPlan], n_rows: int, max_ratio: float | None) -> list[Advice]:
    n, behind = sum(group.n_synthetic for group in kept), originals_behind_half(kept)
    # half of fewer new rows can't come from more, however they are made
    if n < 2 * _FEWEST_ORIGINALS or behind >= _FEWEST_ORIGINALS:
        return []
    message = (
        f"Half of the {n:,} new rows of class {kept[0].class_label!r} come from {behind} of its "
        f"{n_rows:,} rows: "
        f"{_more_originals(sum(group.n_class_rows for group in kept), n_rows, max_ratio)}."
    )
    return [Advice(ConcentrationWarning, message)]


def _more_originals(n_kept: int, n_rows: int, max_ratio: float | None) -> str:
    # used alike, half of 59 rows are 30
    enough = 2 * _FEWEST_ORIGINALS - 1
    if n_rows < enough:
        return (
            f"no setting makes a class so small more varied. Add rows of it, or ask for fewer than "
            f"{2 * _FEWEST_ORIGINALS} new ones (sampling_strategy)"
        )
    if n_kept < enough:
        return (
            f"its kept clusters hold {n_kept:,} of them; cluster_balance_threshold=0.0 or fewer "
            "clusters (kmeans_estimator) keep more"
        )
    if max_ratio is None:
        return "max_ratio=2.0 bounds how often a row is used (not with compat)"
    return "max_ratio=1.0 uses all rows of its kept clusters alike"


def _few_neighbors(kept: Sequence[GroupPlan], k: int) -> list[Advice]:
    few = [group for group in kept if group.n_class_rows <= k]
    if not few:
        return []
    named = ", ".join(f"{g.cluster_id} ({g.n_class_rows} rows)" for g in few[:_NAMED])
    least = min(group.n_class_rows for group in few)
    message = (
        f"Class {few[0].class_label!r} has {k} rows or fewer in {len(few)} of its {len(kept)} kept "
        f"clusters: {named}{', ...' if len(few) > _NAMED else ''}. There each row is joined to all "
        f"others, not to k_neighbors={k}. k_neighbors={least - 1}, or fewer clusters "
        "(kmeans_estimator), treat all alike."
    )
    return [Advice(FewNeighborsWarning, message)]


def _low_recall(kept: Sequence[GroupPlan]) -> list[Advice]:
    return [
        Advice(
            LowRecallWarning,
            f"The approximate search found {group.neighbor_recall:.1%} of the nearest rows of "
            f"class {group.class_label!r} in cluster {group.cluster_id}, which has "
            f"{group.n_class_rows} rows. For all of them pass exact_rows=None (all pairs), more "
            "clusters, or a search of your own as k_neighbors.",
        )
        for group in kept
        if group.neighbor_recall < RECALL
    ]


def _unscaled(spread: FeatureSpread | None) -> list[Advice]:
    if spread is None or spread.widest_spread <= _MOST_SPREAD * spread.narrowest_spread:
        return []
    message = (
        f"The standard deviation of feature {spread.widest} is {spread.widest_spread:.3g}, that of "
        f"{spread.narrowest} {spread.narrowest_spread:.3g}: distances follow the widest alone. "
        'scale="standard" measures each in its own (with compat, scale the features first, e.g. '
        "with StandardScaler of dask_ml.preprocessing)."
    )
    return [Advice(UnscaledWarning, message)]


def _many_categories(features: Features, n_rows: int) -> list[Advice]:
    like_ids = [
        (name, n)
        for name, n in features.n_categories
        if n > _MOST_CATEGORIES or (n > _FEW_CATEGORIES and n * _ROWS_OF_CATEGORY > n_rows)
    ]
    if not like_ids:
        return []
    listed = ", ".join(f"{name} ({n:,} in {n_rows:,} rows)" for name, n in like_ids)
    names = [name for name, _ in like_ids]
    message = (
        f"So many categories look like those of an id: {listed}. Most rows differ in it, and new "
        f"rows repeat it. passthrough={[*features.passthrough, *names]!r} takes such columns "
        f"along, null in new rows; or drop them: X = X.drop(columns={names!r})."
    )
    return [Advice(ManyCategoriesWarning, message)]


def _and_more(n: int) -> str:
    return f" (and {n} clusters more)" if n > 1 else " (and 1 cluster more)" if n else ""
