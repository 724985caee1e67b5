"""The data of the benchmarks: a seeded mixture of Gaussians, as a whole or chunk by chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
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
