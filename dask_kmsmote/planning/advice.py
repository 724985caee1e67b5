"""What a plan warns of before rows are made, each with a hint."""

from __future__ import annotations

from collections.abc import Sequence

from .groups import FeatureSpread, GroupPlan

_LARGE_WEIGHT = 0.9
_LARGE_RATIO = 1000.0  # of standard deviations: the narrow feature is a millionth of a square


def warnings_of(groups: Sequence[GroupPlan], spread: FeatureSpread | None) -> tuple[str, ...]:
    """Sentences on clusters that take nearly all, and on features of unlike scales."""
    labels = dict.fromkeys(group.class_label for group in groups)
    by_class = [[group for group in groups if group.class_label == label] for label in labels]
    found = [warning for mine in by_class for warning in _concentration(mine)]
    return tuple(found + _unlike_scales(spread))


def _concentration(groups: Sequence[GroupPlan]) -> list[str]:
    top = max(groups, key=lambda group: group.weight)
    if len(groups) == 1 or top.weight <= _LARGE_WEIGHT:
        return []
    n_kept = sum(group.kept for group in groups)
    hint = (
        "a lower cluster_balance_threshold or k_neighbors keeps more clusters"
        if n_kept == 1
        else f"a density_exponent nearer to 0 (now {top.exponent:.4g}) shares them more evenly"
    )
    warning = (
        f"Cluster {top.cluster_id} gets {top.weight:.1%} of the new rows of class "
        f"{top.class_label!r} ({n_kept} of {len(groups)} clusters are kept): {hint}."
    )
    return [warning]


def _unlike_scales(spread: FeatureSpread | None) -> list[str]:
    if spread is None or spread.widest_spread <= _LARGE_RATIO * spread.narrowest_spread:
        return []
    warning = (
        f"The standard deviation of feature {spread.widest} is {spread.widest_spread:.3g}, that of "
        f"{spread.narrowest} {spread.narrowest_spread:.3g}: distances follow the widest alone. "
        "Scale the features first, e.g. with StandardScaler of dask_ml.preprocessing."
    )
    return [warning]
