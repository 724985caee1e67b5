"""From imbalanced-learn's KMeansSMOTE to this one: first the same rows, then the defaults.

    python examples/compare_imbalanced_learn.py

On the flights of 2013 (see flights.py): 336,776 rows, 2.5 % of them cancelled. imbalanced-learn is
given their numbers alone, filled and standardised; the defaults here take the table as it is.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from flights import load_flights
from imblearn.over_sampling import KMeansSMOTE as InMemoryKMeansSMOTE
from sklearn.preprocessing import StandardScaler

from dask_kmsmote import KMeansSMOTE


def timed(sampler: Any, X: pd.DataFrame, y: pd.Series) -> tuple[pd.DataFrame, pd.Series, float]:
    """Resampled rows, their labels, and seconds."""
    start = perf_counter()
    X_resampled, y_resampled = sampler.fit_resample(X, y)
    return X_resampled, y_resampled, perf_counter() - start


def compare() -> None:
    """Print the three steps."""
    frame = load_flights()
    y = frame.pop("cancelled")
    numbers = frame.select_dtypes("number").fillna(frame.median(numeric_only=True))
    X = pd.DataFrame(StandardScaler().fit_transform(numbers), columns=numbers.columns)
    n = len(y)

    print("1. imbalanced-learn, its defaults")
    try:
        InMemoryKMeansSMOTE(random_state=0).fit_resample(X, y)
    except RuntimeError as error:
        print(f"   RuntimeError: {error}")

    print("2. the same parameters here, with compat: the same rows")
    given = {"random_state": 0, "cluster_balance_threshold": 0.03, "kmeans_estimator": 20}
    X_theirs, y_theirs, theirs = timed(InMemoryKMeansSMOTE(**given), X, y)
    same = KMeansSMOTE(**given, compat="imbalanced-learn")
    X_ours, y_ours, ours = timed(same, X, y)
    np.testing.assert_allclose(X_ours, X_theirs, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(y_ours, y_theirs)
    print(f"   {len(X_ours):,} rows, equal; {theirs:.1f} s there, {ours:.1f} s here")
    made = (y_ours.to_numpy()[n:] == 1).sum()
    print(f"   asked for {same.sampling_strategy_[1]:,}, made {made:,}: rounded up per cluster")

    print("3. the defaults here, on the table as it is: text, missing weather, a date that is kept")
    of_table = {"missing": "keep", "passthrough": ["time_hour"]}
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=20, **of_table)
    _, y_default, seconds = timed(sampler, frame, y)
    print(f"   {seconds:.1f} s; classes {np.bincount(y_default).tolist()}")

    print("4. what changed, by cluster: rows made, and how many for each original")
    columns = ["kept", "n_class_rows", "exponent", "weight", "n_synthetic", "new_rows_per_row"]
    tables = {
        name: fitted.report_.set_index("cluster_id").query("kept")[columns[1:]]
        for name, fitted in (("compat", same), ("default", sampler))
    }
    for name, table in tables.items():
        share = table["n_synthetic"].max() / table["n_synthetic"].sum()
        print(f"\n   {name}: {len(table)} clusters kept, the largest gets {share:.0%}")
        print(table.round(4).to_string())


if __name__ == "__main__":
    compare()
