"""Tables of all rows from those of some: their sums, what stays as it is, how often bounds hold."""

from __future__ import annotations

import numpy as np
import pytest

from dask_kmsmote.planning.estimate import LEVEL, whole_tables


def parts_of(table, n_parts=20):
    """Parts that have the shares of the sample, as where no centre moves."""
    return np.repeat(table[np.newaxis], n_parts, axis=0)


def test_columns_sum_to_the_rows_of_their_classes():
    table = np.array([[120, 3], [150, 0], [30, 1]])
    first, *drawn = whole_tables(table, parts_of(table), [6000, 10], np.random.default_rng(0))
    assert first[:, 0].tolist() == [2400, 3000, 600]
    assert first[:, 1].tolist() == [8, 0, 2]
    assert all(own.sum(axis=0).tolist() == [6000, 10] for own in drawn)
    assert min(own.min() for own in drawn) >= 0


def test_a_class_of_which_all_rows_are_sampled_is_known():
    table = np.array([[50, 7], [50, 5]])
    for own in whole_tables(table, parts_of(table), [1000, 12], np.random.default_rng(0)):
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
        table = sampled[:, np.newaxis]
        _, *drawn = whole_tables(table, parts_of(table), [n], rng)
        low, high = np.quantile([own[:, 0] for own in drawn], [0.05, 0.95], axis=0)
        held.append((low <= whole) & (whole <= high))
    assert abs(np.mean(held) - LEVEL) < 0.05


@pytest.mark.parametrize("excess", [1, 2, 4])
def test_parts_that_lie_apart_widen_the_draws(excess):
    rng = np.random.default_rng(0)
    table, shares = np.array([[600], [400]]), rng.normal(0.6, 0.05 * excess, 400)
    # of 96 rows a share of 0.6 has the standard error 0.05
    first = np.rint(96 * shares).astype(np.int64)
    parts = np.stack([first, 96 - first], axis=1)[:, :, np.newaxis]
    _, *drawn = whole_tables(table, parts, [10**6], rng)
    expected = 10**6 * np.sqrt(0.24 / 1000) * excess
    assert np.std([own[0, 0] for own in drawn]) == pytest.approx(expected, rel=0.15)
