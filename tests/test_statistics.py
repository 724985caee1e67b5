"""What is drawn is as random as it is said to be; the oracle is the distribution.

Seeds are fixed, so a test fails always or never. A right generator would fail one test for one
choice of seeds in 5,000 (`LEVEL` on either side: what is too even is not random either); sample
sizes are such that small faults have probabilities far below that.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import stats

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.graph import clustering
from dask_kmsmote.kernels import seeding

LEVEL = 1e-4


def check_chi_square(statistic, freedom):
    assert stats.chi2.sf(statistic, freedom) > LEVEL
    assert stats.chi2.cdf(statistic, freedom) > LEVEL


def check_even(counts):
    """As many draws in each cell as in any other."""
    expected = counts.sum() / counts.size
    check_chi_square(((counts - expected) ** 2).sum() / expected, counts.size - 1)


def check_inclusion(counts, share, size=1):
    """Rows that samples without replacement took, `size` numbered together, a share of all."""
    expected = counts.sum() / counts.size
    spread = ((counts - expected) ** 2).sum() / (expected * (1 - share))
    check_chi_square(spread * (1 - 1 / (counts.size * size)), counts.size - 1)


def check_subsets(samples, n, size):
    """Every subset, so every row and every pair of rows, is as likely as any other."""
    taken = Counter(tuple(sample.tolist()) for sample in samples)
    subsets = list(combinations(range(n), size))
    assert set(taken) <= set(subsets)
    check_even(np.array([taken[subset] for subset in subsets]))


def test_sampled_rows_are_any_subset():
    check_subsets([seeding.sample_rows(7, 3, seed, 0) for seed in range(30_000)], 7, 3)


def test_many_sampled_rows_are_from_everywhere():
    n, size, runs = 20_000, 10_000, 100  # numpy draws more than n / 20 rows in another way
    samples = [seeding.sample_rows(n, size, seed, 0) for seed in range(runs)]
    counts = np.bincount(np.concatenate(samples), minlength=n)
    check_inclusion(counts, size / n)
    check_inclusion(counts.reshape(200, -1).sum(axis=1), size / n, size=n // 200)
    adjacent = sum(np.count_nonzero(np.diff(sample) == 1) for sample in samples)
    expected = size * (size - 1) / n  # n - 1 pairs of adjacent rows
    assert abs(adjacent / runs / expected - 1) < 0.005


def test_samples_of_samples_are_any_subset():
    def sample(seed):
        rows = np.arange(9)
        for level, size in enumerate((7, 5, 3)):
            rows = rows[seeding.sample_rows(len(rows), size, seed, level)]
        return rows

    check_subsets([sample(seed) for seed in range(15_000)], 9, 3)


def test_samples_that_kmeans_starts_from_have_streams_of_their_own(monkeypatch):
    used, stream = [], seeding.stream
    monkeypatch.setattr(seeding, "stream", lambda *key: used.append(key) or stream(*key))
    monkeypatch.setattr(clustering, "refining_size", lambda *_: 6)
    monkeypatch.setattr(clustering, "start_size", lambda _: 3)
    X, y = np.arange(12.0)[:, np.newaxis], np.repeat([0, 1], [8, 4])
    # without a seed of its own, the clusterer has the sampler's
    kmeans = DaskKMeans(1, max_iter=1)
    KMeansSMOTE(random_state=5, kmeans_estimator=kmeans, learning_rows=9).fit(X, y)
    samples = [key for key in used if key[1] == seeding.SAMPLE]
    assert len(samples) == len(set(samples)) == 3
