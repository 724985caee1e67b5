"""The error of a mean distance, beside how far means of many samples really lie apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from dask_kmsmote.kernels.groups.picking import Picked
from dask_kmsmote.kernels.neighbors.jackknife import error_of_mean
from dask_kmsmote.kernels.rows.metric import Metric, indicate


def picked(rows):
    # as two blocks hold them
    half = len(rows) // 2
    numbers = np.arange(len(rows))
    return [Picked(numbers[:half], rows[:half]), Picked(numbers[half:], rows[half:])]


@pytest.mark.parametrize("n", [40, 150])
@pytest.mark.parametrize("kind", ["normal", "two clouds", "skewed"])
def test_it_is_how_far_means_of_samples_lie_apart(kind, n):
    rng = np.random.default_rng(0)

    def draw():
        rows = rng.normal(size=(n, 4))
        if kind == "two clouds":
            rows[rng.random(n) < 0.2] += 4
        return np.exp(0.5 * rows) if kind == "skewed" else rows

    samples = [draw() for _ in range(1000)]
    found = np.mean([error_of_mean(picked(rows), n, Metric()) ** 2 for rows in samples])
    really = np.var([pdist(rows).mean() for rows in samples])
    assert found == pytest.approx(really, rel=0.2)


def test_of_some_rows_it_is_that_of_all():
    rows = np.random.default_rng(0).normal(size=(4000, 3))
    all_rows = error_of_mean(picked(rows), 4000, Metric())
    assert error_of_mean(picked(rows[:1000]), 4000, Metric()) == pytest.approx(all_rows, rel=0.1)


def test_categories_and_scales_count_as_in_the_metric():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(0, 5, 200), rng.integers(0, 3, 200)])
    metric = Metric(
        scales=np.array([5.0, 1.0]), weight=2.0, indicators=indicate([np.array([9, 9, 9])])
    )
    # three indicators of 2 / sqrt(2) are 2 apart
    plain = np.column_stack([rows[:, 0] / 5, np.eye(3)[rows[:, 1].astype(int)] * np.sqrt(2)])
    expected = error_of_mean(picked(plain), 200, Metric())
    assert error_of_mean(picked(rows), 200, metric) == pytest.approx(expected)


def test_two_rows_do_not_tell():
    assert error_of_mean(picked(np.eye(2)), 2, Metric()) == math.inf
    assert error_of_mean(picked(np.ones((5, 2))), 5, Metric()) == 0
