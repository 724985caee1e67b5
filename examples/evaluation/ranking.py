"""From the scores of all folds to mean ranks and mean gains.

A case is a set and a classifier. In each case the methods are ranked by their mean score over all
folds, 1 the best, equals sharing the mean of their ranks; the gain is the mean score less that of
no sampling. Both are averaged over cases.

A tuned method has many candidates. Two rules choose among them, by each metric on its own:

`other folds`
    For each test fold the candidate with the best mean over the other folds of the same
    repetition: the test fold has no say in the choice, but its rows were in the training sets of
    the scores that choose. It costs no fits, as an inner cross-validation would.
`best`
    The paper's: the candidate with the best mean over all folds, test folds. It flatters, and the
    more so the larger the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

CASE = ["set", "classifier"]
RULES = ["other folds", "best"]
DECIMALS = 12  # closer means are equal


class Chosen(NamedTuple):
    """Scores by one metric after a rule has chosen, and whether the chosen refused the data.

    Both: a row per set, classifier, repetition and fold, a column per method.
    """

    scores: pd.DataFrame
    refused: pd.DataFrame


def tune(records: pd.DataFrame, metric: str, rule: str) -> Chosen:
    """Choose a candidate of every method, in every case and fold.

    Parameters
    ----------
    records
        Columns `set, classifier, repetition, fold, method, candidate, fault` and the metric.
    metric
        The column to choose by.
    rule
        One of `RULES`.
    """
    by_fold = records.pivot(
        index=[*CASE, "repetition", "fold"],
        columns=["method", "candidate"],
        values=[metric, "fault"],
    )
    scores, refused = by_fold[metric].astype(float), by_fold["fault"] != ""
    rows = np.arange(len(by_fold))
    chosen = {method: choose(scores[method], rule) for method in records["method"].unique()}
    return Chosen(
        *(
            pd.DataFrame(
                {method: table[method].to_numpy()[rows, at] for method, at in chosen.items()},
                index=by_fold.index,
            )
            for table in (scores, refused)
        )
    )


def choose(scores: pd.DataFrame, rule: str) -> np.ndarray:
    """Column of the chosen candidate in each row, the first of equals.

    Parameters
    ----------
    scores
        Of one method: index (set, classifier, repetition, fold), a column per candidate.
    rule
        One of `RULES`.

    Returns
    -------
    ndarray of int, shape (n_rows,)
    """
    if rule == "best":
        means = scores.groupby(CASE).transform("mean")
    else:
        # a constant factor from the mean over the other folds
        means = scores.groupby([*CASE, "repetition"]).transform("sum") - scores
    return means.to_numpy().round(DECIMALS).argmax(axis=1)


def rank(means: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Mean rank and mean gain of each method.

    Parameters
    ----------
    means
        Mean scores: a row per case, a column per method.
    baseline
        The method that gains are over.

    Returns
    -------
    DataFrame
        Index method; columns `rank` (1 the best) and `gain`.
    """
    ranks = means.round(DECIMALS).rank(axis=1, ascending=False)
    return pd.DataFrame({"rank": ranks.mean(), "gain": means.sub(means[baseline], axis=0).mean()})


def rank_by_classifier(chosen: Chosen, baseline: str) -> pd.DataFrame:
    """Rank over the cases of all classifiers ("all") and of each.

    Returns
    -------
    DataFrame
        Columns `classifier, method, rank, gain, refused`: the last is the share of folds where
        the chosen candidate refused the data.
    """
    means = chosen.scores.groupby(CASE).mean()
    names = means.index.get_level_values("classifier")
    parts = {}
    for classifier in ["all", *names.unique()]:
        mask = np.full(len(means), True) if classifier == "all" else names == classifier
        refused = chosen.refused.groupby(CASE).mean()[mask].mean()
        parts[classifier] = rank(means[mask], baseline).assign(refused=refused)
    return pd.concat(parts, names=["classifier", "method"]).reset_index()


def compare(chosen: Chosen, one: str, other: str) -> dict[str, float]:
    """Cases in which a method scores higher, equal and lower than another, and the mean gain."""
    means = chosen.scores.groupby(CASE).mean()
    gain = (means[one] - means[other]).round(DECIMALS)
    return {
        "higher": int((gain > 0).sum()),
        "equal": int((gain == 0).sum()),
        "lower": int((gain < 0).sum()),
        "gain": float(gain.mean()),
    }
