"""The data of the benchmarks: a seeded mixture of Gaussians, as a whole or chunk by chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLOUDS = 12
RICH = 4  # clouds that hold 80 % of the minority
IMBALANCE = 16


def mixture(n: int, n_features: int, seed: int = 0, part: int = 0) -> tuple[Any, NDArray[np.int8]]:
    """Rows and labels: 12 Gaussians of unequal scales, majority to minority 16:1.

    Parameters
    ----------
    n, n_features
        Rows and columns.
    seed
        Of the clouds.
    part
        Of the rows drawn from them, so that chunks differ.
    """
    shape = np.random.default_rng(seed)
    centers = shape.normal(0, 4, (CLOUDS, n_features))
    scales = shape.uniform(0.5, 2, CLOUDS)
    rng = np.random.default_rng([seed, part])
    y = (rng.random(n) < 1 / (IMBALANCE + 1)).astype(np.int8)
    cloud = rng.integers(0, CLOUDS, n)
    rich = (y == 1) & (rng.random(n) < 0.8)
    cloud[rich] = rng.integers(0, RICH, int(rich.sum()))
    X = centers[cloud] + rng.normal(0, 1, (n, n_features)) * scales[cloud, np.newaxis]
    return X, y


KINDS = ["books", "fuel", "travel", "phones", "games", "rings", "food", "power", "drugs", "market"]
PLACES = [f"place {number:02d}" for number in range(20)]


def payments(n: int, part: int = 0) -> pd.DataFrame:
    """A table as users have it: ids, dates, amounts, categories, booleans and missing values.

    Every 300th row is of class 1, which has other amounts, places and kinds.
    """
    rng = np.random.default_rng([1, part])
    fraud = rng.random(n) < 1 / 300
    ages, ways = (rng.exponential(np.where(fraud, a, b)) for a, b in ((200, 1200), (400, 30)))
    ages[rng.random(n) < 0.05] = np.nan
    ways[rng.random(n) < 0.08] = np.nan
    kind = np.where(fraud, rng.choice(6, n), rng.choice(10, n))
    place = np.where(fraud, 8 + rng.integers(0, 6, n), rng.integers(0, 20, n))
    start = pd.Timestamp("2026-01-01") + pd.Timedelta(days=part)
    amount = np.exp(rng.normal(3.5, 1.2, n)) * np.where(fraud, rng.choice([1, 8, 30], n), 1)
    return pd.DataFrame({
        "id": [f"{part:04d}-{row:07d}" for row in range(n)],
        "at": start + pd.to_timedelta(np.sort(rng.integers(0, 86400, n)), unit="s"),
        "amount": amount.round(2),
        "balance": np.exp(rng.normal(8.5, 1.5, n)).round(2),
        "n_items": rng.poisson(np.where(fraud, 2, 4)).astype("int16"),
        "n_before": rng.poisson(np.where(fraud, 9, 2)).astype("int32"),
        "account_days": ages,
        "distance": ways,
        "kind": pd.Categorical.from_codes(kind, KINDS),
        "place": np.array(PLACES)[place],
        "is_online": rng.random(n) < np.where(fraud, 0.8, 0.4),
        "has_chip": rng.random(n) < np.where(fraud, 0.1, 0.7),
        "is_fraud": fraud.astype("int8"),
    })  # fmt: skip
