"""How far the mean distance of some rows may be from that of the group that they are drawn from.

The mean of all pairs of m rows is a U-statistic: a pair shares its rows with others, so its error
falls as 1 / m and not as 1 / pairs. The jackknife (Sen 1960) has it from the mean distances h of
each of n rows to the others, ``4 (n - 1) / (n (n - 2)^2) * sum((h - mean(h))^2)``, as a square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from ..groups.picking import Picked, join_picked
from ..rows.metric import Metric

_LEAST = 3  # rows: of two, both are as far from the other


def error_of_mean(parts: Sequence[Picked], m: int, metric: Metric) -> float:
    """Standard error of the mean distance of m rows, from some of them; infinite for two.

    Parameters
    ----------
    parts
        Rows drawn from the m, as blocks hold them.
    m
        Rows whose mean was measured.
    metric
        What distances are measured in.
    """
    points = metric.points(join_picked(parts).rows)
    n = len(points)
    if n < _LEAST:
        return math.inf
    kinds = metric.kinds(points.shape[1])
    numbers, codes = points[:, : kinds.n_numbers], points[:, kinds.n_numbers :]
    # an overflow shows in the mean, and is refused there
    with np.errstate(over="ignore", invalid="ignore"):
        squared = cdist(numbers, numbers, "sqeuclidean")
        if codes.shape[1]:
            squared += kinds.penalty * codes.shape[1] * cdist(codes, codes, "hamming")
        means = np.sqrt(squared).sum(axis=1) / (n - 1)
        square = 4 * (n - 1) / (n * (n - 2) ** 2) * ((means - means.mean()) ** 2).sum()
    return float(np.sqrt(square * n / m))
