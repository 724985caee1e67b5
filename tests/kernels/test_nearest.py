"""The nearest centre of each row: bit for bit what numpy finds from the differences themselves."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from dask_kmsmote.kernels.clusters import nearest
from dask_kmsmote.kernels.clusters.nearest import nearest_center
from dask_kmsmote.kernels.rows.metric import Metric, indicate

PLAIN = Metric()
KINDS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "ties": lambda rng, shape: rng.integers(0, 3, shape) * 0.1,
    "near ties": lambda rng, shape: 1 + rng.integers(0, 9, shape) * np.finfo(np.float32).eps / 8,
    "far": lambda rng, shape: 1e8 + rng.normal(size=shape),
    "very far": lambda rng, shape: 1e15 + rng.integers(0, 9, shape),
    "wide": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-9, 10, shape),
    "widest": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-300, 300, shape),
    "huge": lambda rng, shape: rng.normal(size=shape) * 1e154,
    "largest": lambda rng, shape: rng.choice([-1.7e308, 0.0, 1.7e308], shape),
    "tiny": lambda rng, shape: rng.normal(size=shape) * 1e-160,
    "denormal": lambda rng, shape: rng.integers(-5, 5, shape) * 5e-324,
    "tiny in 32 bits": lambda rng, shape: rng.normal(size=shape) * 1e-30,
    "denormal in 32 bits": lambda rng, shape: rng.integers(-5, 5, shape) * 1e-45,
    "huge in 32 bits": lambda rng, shape: rng.normal(size=shape) * 1e25,
    "one": lambda rng, shape: np.ones(shape),
    "infinite": lambda rng, shape: rng.choice([-np.inf, 1.0, 2.0, np.inf], shape),
    "not finite": lambda rng, shape: rng.choice([np.nan, -np.inf, 1.0, 2.0, 3.0], shape),
}


def by_differences(rows, centers, metric=PLAIN):
    """Labels and inertia by numpy: sums feature by feature, the lower centre of equal ones."""
    n_features = rows.shape[1]
    n_numbers = n_features - metric.indicators.n_categorical
    codes, number, firsts = metric.indicators
    squared = np.zeros((len(rows), len(centers)))
    with np.errstate(all="ignore"):
        for f in range(n_numbers):
            column = rows[:, f].astype(np.float64)
            column = np.where(np.isnan(column), metric.fills_of(n_features)[f], column)
            squared += (column[:, None] / metric.scales_of(n_features)[f] - centers[:, f]) ** 2
        for f in range(metric.indicators.n_categorical):
            low, high = firsts[f : f + 2]
            own = metric.height * np.eye(high - low)
            apart = own[:, None] - centers[:, n_numbers + low : n_numbers + high]
            indicator = number[codes[f] + rows[:, n_numbers + f].astype(int)] - low
            squared += (apart**2).sum(axis=2)[indicator]
        labels = np.zeros(len(rows), dtype=np.int32)
        least = squared[:, 0].copy()
        for cluster in range(1, len(centers)):
            nearer = squared[:, cluster] < least
            labels[nearer], least[nearer] = cluster, squared[nearer, cluster]
        # a sum in row order, as numpy's own is not
        return labels, np.cumsum(least)[-1] if len(least) else 0.0


def check(rows, centers, metric=PLAIN, like=None):
    expected, total = by_differences(rows, centers, metric)
    # with the screen, and without it
    for few in (-1, 2**60):
        with mock.patch.object(nearest, "_FEW_PAIRS", few):
            labels, inertia = nearest_center(rows if like is None else like, centers, metric)
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(inertia, total)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("of_centers", KINDS)
@pytest.mark.parametrize("of_rows", KINDS)
def test_rows_and_centres_of_all_kinds(of_rows, of_centers, dtype):
    rng = np.random.default_rng(0)
    for m, n_features, n_clusters in [(300, 1, 3), (600, 5, 9), (20, 18, 2), (7, 4, 1)]:
        with np.errstate(all="ignore"):
            rows = KINDS[of_rows](rng, (m, n_features)).astype(dtype)
        check(rows, KINDS[of_centers](rng, (n_clusters, n_features)))
        # rows at the centres, and between two of them
        centers = KINDS[of_centers](rng, (n_clusters, n_features))
        with np.errstate(all="ignore"):
            pairs = centers[rng.integers(0, n_clusters, (2, m))] / 2
            check((pairs[0] + pairs[1]).astype(dtype), centers)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(list(KINDS)),
    st.integers(0, 600),
    st.integers(0, 7),
    st.lists(st.integers(1, 40), max_size=3),
    st.integers(1, 12),
    st.integers(-20, 20),
)
@settings(max_examples=150, deadline=None)
def test_any_table(seed, kind, m, n_numbers, sizes, n_clusters, power):
    rng = np.random.default_rng(seed)
    n_numbers = n_numbers or int(not sizes)
    numbers = KINDS[kind](rng, (m, n_numbers))
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    codes = [rng.integers(0, size, m) for size in sizes]
    indicators = indicate(
        [np.bincount(own, minlength=n) for own, n in zip(codes, sizes, strict=True)]
    )
    rows, n_features = np.column_stack([numbers, *codes]), n_numbers + len(sizes)
    scales, fills = 10.0 ** rng.integers(-3, 3, n_features), rng.normal(size=n_features)
    metric = Metric(scales, fills, 2.0**power, indicators)
    centers = np.hstack(
        [
            KINDS[kind](rng, (n_clusters, n_numbers)),
            metric.height * rng.integers(0, 3, (n_clusters, indicators.width)) / 2,
        ]
    )
    centers = centers[rng.integers(0, n_clusters, n_clusters)]  # some of them twice
    check(rows, centers, metric)


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, 1e60])
@pytest.mark.parametrize("place", ["number", "indicator"])
def test_a_centre_that_is_no_number_or_too_large(where, value, place):
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.normal(size=(300, 2)), rng.integers(0, 3, 300)])
    metric = Metric(weight=1.0, indicators=indicate([np.array([5, 5, 5])]))
    centers = rng.normal(size=(3, 5))
    centers[where, 0 if place == "number" else 3] = value
    check(rows, centers, metric)


@pytest.mark.parametrize("n_features", [1, 3, 4, 5, 700, 20_000])
def test_narrow_and_wide_rows(n_features):
    rng = np.random.default_rng(3)
    check(rng.normal(size=(70, n_features)), rng.normal(size=(4, n_features)))


@pytest.mark.parametrize("make", [np.asfortranarray, sparse.csr_array, sparse.csc_matrix])
def test_pieces_of_rows_are_the_rows(make, monkeypatch):
    rng = np.random.default_rng(4)
    rows, centers = np.rint(rng.normal(size=(900, 6))), rng.normal(size=(5, 6))
    monkeypatch.setattr("dask_kmsmote.kernels.rows.blocks._PIECE_BYTES", 6 * 8 * 100)
    check(rows, centers, like=make(rows))


@pytest.mark.parametrize("kind", ["normal", "far", "tiny in 32 bits", "huge in 32 bits", "uneven"])
def test_the_screen_leaves_few_rows_open(kind):
    rng = np.random.default_rng(5)
    make = KINDS.get(kind, lambda rng, shape: rng.lognormal(0, 2, shape))
    rows, centers = make(rng, (20_000, 18)), make(rng, (50, 18))
    # a far centre makes no others doubtful
    centers[7] *= 1e6
    settle, n_open = nearest._settle, []

    def counting(*args):
        n_open.append(np.count_nonzero(args[-2] < 0))
        return settle(*args)

    with mock.patch.object(nearest, "_settle", counting):
        nearest_center(rows, centers, PLAIN)
    assert sum(n_open) < len(rows) // 100
