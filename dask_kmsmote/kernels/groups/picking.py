"""Rows of a group by their numbers, brought together from the blocks that hold them.

A group of more rows than a block has its rows 0 ... m - 1 in several blocks. What asks for some of
them sends the numbers to every block, and gets each row once, however often it was asked for:

    blocks        rows 0-3        rows 4-7
    wanted        5 1 5 0
    picked        0 1             5
    together      numbers 0 1 5, and wanted stands in them at 2 1 2 0

Sampled pairs, whose distances estimate a group's mean distance, are picked in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..rows.blocks import Ints, Rows, stack, take
from ..rows.metric import Metric
from ..seeding import stream
from .pieces import GroupRows


class Picked(NamedTuple):
    """Some rows of a group, each once, and their numbers, ascending."""

    numbers: Ints
    rows: Any


def pick(block: GroupRows, wanted: Ints, start: int) -> Picked:
    """Those of the wanted rows that a block holds; it begins at row `start` of the group.

    Parameters
    ----------
    block, start
        The block.
    wanted
        Numbers in the group, of any shape, some perhaps twice.
    """
    n_rows = block.rows.shape[0]
    held = np.zeros(n_rows, dtype=np.bool_)
    # marks, as a sort of 100,000 numbers takes 50 times as long
    inside = wanted - start
    held[inside[(inside >= 0) & (inside < n_rows)]] = True
    own = np.flatnonzero(held)
    return Picked(own + start, take(block.rows, own))


def join_picked(parts: Sequence[Picked]) -> Picked:
    """What was picked in all blocks, in their order."""
    # blocks hold ascending runs of numbers, so the joined numbers ascend too
    numbers = np.concatenate([part.numbers for part in parts])
    return Picked(numbers, stack([part.rows for part in parts]))


def index_in(picked: Picked, wanted: Ints) -> Ints:
    """Where the wanted rows stand among the picked ones, all of which are there."""
    # a table by number, 4 bytes for each row of the group: a search takes 50 times as long
    size = int(picked.numbers[-1]) + 1 if len(picked.numbers) else 0
    index_of = np.empty(size, dtype=np.int32 if size < 2**31 else np.int64)
    index_of[picked.numbers] = np.arange(len(picked.numbers))
    return index_of[wanted].astype(np.int64)


def pick_in_order(parts: Sequence[Picked], wanted: Ints, metric: Metric) -> Any:
    """Points of the wanted rows, in their order, from what was picked in all blocks."""
    picked = join_picked(parts)
    return metric.points(take(picked.rows, index_in(picked, wanted)))


class Moments(NamedTuple):
    """Number of distances, their mean, and the sum of squared deviations from it."""

    n: int
    mean: float
    deviation: float


def draw_pairs(m: int, n: int, rng: np.random.Generator) -> Ints:
    """N pairs of different rows of m, each pair equally likely, with replacement; shape (2, n).

    The second is as many rows behind the first as a number in 1 ... m - 1, around the end: of m = 3
    rows, first 2 and a step of 2 give second (2 + 2) % 3 = 1, and never 2 itself.
    """
    first = rng.integers(0, m, n)
    return np.stack([first, (first + rng.integers(1, m, n)) % m])


def sample_pairs(m: int, n: int, seed: int, key: tuple[int, ...]) -> Ints:
    """Pairs of a group of m rows, from their own stream."""
    return draw_pairs(m, n, stream(seed, *key))


def measure_own_pairs(
    block: GroupRows, m: int, n: int, seed: int, key: tuple[int, ...], metric: Metric
) -> Moments:
    """Moments of sampled pairs of a group that is held in one block."""
    return measure_moments(block.rows, sample_pairs(m, n, seed, key), metric)


def measure_picked_pairs(parts: Sequence[Picked], pairs: Ints, metric: Metric) -> Moments:
    """Moments of sampled pairs from their rows in all blocks."""
    picked = join_picked(parts)
    return measure_moments(picked.rows, index_in(picked, pairs), metric)


def measure_moments(rows: Rows, pairs: Ints, metric: Metric) -> Moments:
    """Of the distances between the paired rows."""
    # an overflow shows in the mean, and is refused there
    with np.errstate(over="ignore", invalid="ignore"):
        difference = metric.filled(take(rows, pairs[0])) - metric.filled(take(rows, pairs[1]))
        difference /= metric.scales_of(difference.shape[1])
        categories = difference[:, metric.kinds(difference.shape[1]).n_numbers :]
        categories[:] = metric.weight * (categories != 0)
        distances = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        mean = float(distances.mean())
        # about the mean: a difference of large sums of squares would lose a small spread
        return Moments(len(distances), mean, float(((distances - mean) ** 2).sum()))


def join_moments(parts: Sequence[Moments]) -> tuple[float, float]:
    """Mean of all, and its standard error ``sd / sqrt(n)``.

    The deviations of two parts about their own means add up to that about the common mean, once
    each mean's distance from it is counted for its n rows (Chan, Golub, LeVeque 1979).
    """
    n = sum(part.n for part in parts)
    mean = sum(part.n * part.mean for part in parts) / n
    deviation = sum(part.deviation + part.n * (part.mean - mean) ** 2 for part in parts)
    return mean, float(np.sqrt(deviation / max(n - 1, 1) / n))
