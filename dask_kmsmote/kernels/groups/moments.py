"""Mean distance of a group from a seeded sample of its pairs, with the standard error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..rows.blocks import Rows, as_dense, take
from ..seeding import Choices


class Moments(NamedTuple):
    """Number of distances, their mean, and the sum of squared deviations from it."""

    n: int
    mean: float
    deviation: float


def draw_pairs(m: int, n: int, rng: np.random.Generator) -> Choices:
    """N pairs of different rows of m, each pair equally likely, with replacement."""
    first = rng.integers(0, m, n)
    second = (first + rng.integers(1, m, n)) % m
    return Choices(first, second, np.empty(0))


def measure_moments(left: Rows, right: Rows, pairs: Choices) -> Moments:
    """Of the distances between the paired rows."""
    # an overflow shows in the mean, and is refused there
    with np.errstate(over="ignore", invalid="ignore"):
        difference = as_dense(take(left, pairs.base)) - as_dense(take(right, pairs.neighbor))
        distances = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        mean = float(distances.mean())
        return Moments(len(distances), mean, float(((distances - mean) ** 2).sum()))


def join_moments(parts: Sequence[Moments]) -> tuple[float, float]:
    """Mean of all, and its standard error ``sd / sqrt(n)``."""
    n = sum(part.n for part in parts)
    mean = sum(part.n * part.mean for part in parts) / n
    deviation = sum(part.deviation + part.n * (part.mean - mean) ** 2 for part in parts)
    return mean, float(np.sqrt(deviation / max(n - 1, 1) / n))
