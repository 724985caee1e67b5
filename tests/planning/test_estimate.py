"""Tables of all rows from those of some: their sums, what stays as it is, how often bounds hold."""

from __future__ import annotations

import numpy as np
import pytest

from dask_kmsmote.planning.estimate import LEVEL, whole_tables


def test_columns_sum_to_the_rows_of_their_classes():
    table = np.array([[120, 3], [150, 0], [30, 1]])
    first, *drawn = whole_tables(table, [6000, 10], np.random.default_rng(0))
    assert first[:, 0].tolist() == [2400, 3000, 600]
    assert first[:, 1].tolist() == [8, 0, 2]
    assert all(own.sum(axis=0).tolist() == [6000, 10] for own in drawn)
    assert min(own.min() for own in drawn) >= 0


def test_a_class_of_which_all_rows_are_sampled_is_known():
    table = np.array([[50, 7], [50, 5]])
    for own in whole_tables(table, [1000, 12], np.random.default_rng(0)):
        assert own[:, 1].tolist() == [7, 5]


@pytest.mark.parametrize(
    ("shares", "n", "m"),
    [((0.5, 0.3, 0.2), 20_000, 1_000), ((0.9, 0.08, 0.02), 20_000, 300),
     ((0.25,) * 4, 400, 300), ((0.6, 0.38, 0.01, 0.01), 100_000, 100)],
)  # fmt: skip
def test_intervals_hold_as_often_as_they_say(shares, n, m):
    rng = np.random.default_rng(1)
    whole = (np.array(shares) * n).astype(np.int64)
    held = []
    for _ in range(150):
        sampled = rng.multivariate_hypergeometric(whole, m)
        _, *drawn = whole_tables(sampled[:, np.newaxis], [n], rng)
        low, high = np.quantile([own[:, 0] for own in drawn], [0.05, 0.95], axis=0)
        held.append((low <= whole) & (whole <= high))
    assert abs(np.mean(held) - LEVEL) < 0.05
