"""From the scores of all folds to weighted ranks, and to paired differences from a reference.

The unit of a difference is the set: a method's scores on it are averaged over folds, repetitions
and classifiers, the reference's are subtracted, and mean and standard error are over sets.
Ranks are taken in each case, a set and a classifier, as in `ranking`. A set has a weight, see
`families`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ranking import CASE, DECIMALS


def weighted_mean(values: pd.DataFrame, weights: np.ndarray) -> pd.Series:
    """Mean of each column: ``sum(w * x) / sum(w)`` over rows."""
    return values.mul(weights, axis=0).sum() / weights.sum()


def standard_error(values: pd.DataFrame, weights: np.ndarray) -> pd.Series:
    """Standard error of each weighted mean: ``sqrt(sum(w ** 2 * (x - mean) ** 2)) / sum(w)``.

    It is 0 of one row, which says nothing.
    """
    deviations = (values - weighted_mean(values, weights)).mul(weights, axis=0)
    return np.sqrt(deviations.pow(2).sum()) / weights.sum()


def average_by_set(records: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Mean over folds, repetitions and classifiers: columns `set, method, metric, score`."""
    means = records.groupby(["set", "method"], sort=False)[metrics].mean().reset_index()
    return means.melt(["set", "method"], var_name="metric", value_name="score")


def compare_all(
    records: pd.DataFrame,
    metrics: list[str],
    weights: Mapping[str, float],
    references: Iterable[str],
) -> pd.DataFrame:
    """Compare every method by every metric.

    Parameters
    ----------
    records
        Columns `set, classifier, repetition, fold, method` and the metrics.
    metrics
        Columns to compare by.
    weights
        Of the sets, by name.
    references
        Methods that differences are from.

    Returns
    -------
    DataFrame
        Columns `metric, method, rank, score`, and for each reference `over NAME` and `error over
        NAME`: the mean difference from it and the standard error of that.
    """
    parts = {metric: _compare(records, metric, weights, references) for metric in metrics}
    return pd.concat(parts, names=["metric", "method"]).reset_index()


def _compare(
    records: pd.DataFrame, metric: str, weights: Mapping[str, float], references: Iterable[str]
) -> pd.DataFrame:
    by_case = records.pivot_table(metric, CASE, "method", sort=False)
    ranks = by_case.round(DECIMALS).rank(axis=1, ascending=False)
    by_set = records.pivot_table(metric, "set", "method", sort=False)
    of_cases = ranks.index.get_level_values("set").map(weights).to_numpy()
    of_sets = by_set.index.map(weights).to_numpy()
    columns = {"rank": weighted_mean(ranks, of_cases), "score": weighted_mean(by_set, of_sets)}
    for reference in references:
        differences = by_set.sub(by_set[reference], axis=0)
        columns[f"over {reference}"] = weighted_mean(differences, of_sets)
        columns[f"error over {reference}"] = standard_error(differences, of_sets)
    return pd.DataFrame(columns)
