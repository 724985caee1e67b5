"""What is drawn is as random as it is said to be; the oracle is the distribution.

Seeds are fixed, so a test fails always or never. A right generator would fail one test for one
choice of seeds in 5,000 (`LEVEL` on either side: what is too even is not random either); sample
sizes are such that small faults have probabilities far below that.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import stats
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.graph.clustering import clusterer
from dask_kmsmote.graph.clustering import learn as clustering
from dask_kmsmote.graph.density import measure as density
from dask_kmsmote.graph.density import search as approximate
from dask_kmsmote.kernels import seeding
from dask_kmsmote.kernels.groups import picking
from dask_kmsmote.kernels.neighbors import forest
from dask_kmsmote.planning import allocate as allocation

LEVEL = 1e-4
COLUMNS = ["mean_distance", "mean_distance_se", "weight", "n_synthetic"]


class Sampled(NamedTuple):
    """By sample and cluster, but the exact means and the sizes, which are by cluster."""

    mean: np.ndarray
    error: np.ndarray
    weight: np.ndarray
    made: np.ndarray
    exact: np.ndarray
    sizes: tuple[int, ...]


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
    check_subsets([seeding.sample_rows(7, 3, seed, 0) for seed in range(14_000)], 7, 3)


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

    check_subsets([sample(seed) for seed in range(6000)], 9, 3)


def test_samples_that_kmeans_starts_from_have_streams_of_their_own(monkeypatch):
    used, stream = [], seeding.stream
    monkeypatch.setattr(seeding, "stream", lambda *key: used.append(key) or stream(*key))
    monkeypatch.setattr(clusterer, "refining_size", lambda *_: 6)
    monkeypatch.setattr(clusterer, "start_size", lambda _: 3)
    monkeypatch.setattr(clustering, "start_size", lambda _: 3)
    X, y = np.arange(12.0)[:, np.newaxis], np.repeat([0, 1], [8, 4])
    # without a seed of its own, the clusterer has the sampler's
    kmeans = DaskKMeans(1, max_iter=1)
    KMeansSMOTE(random_state=5, kmeans_estimator=kmeans, learning_rows=9).fit(X, y)
    samples = [key for key in used if key[1] == seeding.SAMPLE]
    assert len(samples) == len(set(samples)) == 3


def check_independent(one, other, bins=10):
    """Two columns of numbers in [0, 1), neither of which tells of the other."""
    cells = np.floor(one * bins).astype(int) * bins + np.floor(other * bins).astype(int)
    counts = np.bincount(cells, minlength=bins**2).reshape(bins, bins)
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    test = stats.chi2_contingency(counts)
    check_chi_square(test.statistic, test.dof)


def check_mean(values, expected=0.0):
    assert stats.ttest_1samp(values, expected).pvalue > LEVEL


def check_uncorrelated(columns):
    """Rows of an array that are drawn apart: no two, and not all together."""
    n, size = columns.shape
    r = np.corrcoef(columns)[np.triu_indices(n, 1)]
    one = 2 * stats.norm.sf(abs(r).max() * np.sqrt(size))
    assert one * len(r) > LEVEL
    scaled = size * r**2  # of mean 1 and variance 2, but for terms of 1 / size
    assert abs(scaled.mean() - 1) < 4 * np.sqrt(2 / len(r)) + 2 / size


def frozen(centers):
    """A clusterer that is not learned: nearest of the centres."""
    kmeans = KMeans(len(centers), init=centers, n_init=1, max_iter=1)
    return FrozenEstimator(kmeans.fit(centers))


M, K, N_DRAWN = 300, 3, 1_000_000


@pytest.fixture(scope="module")
def drawn():
    """A million choices of one group of 300 rows in 100 blocks: base, column and gap."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2 * M + 1, 2)), np.repeat([1, 0], [M, M + 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "OUTPUT_BYTES", N_DRAWN // 100 * 2 * 8)
        sampler = KMeansSMOTE(
            random_state=0,
            kmeans_estimator=1,
            k_neighbors=K,
            sampling_strategy={1: M + N_DRAWN},
        ).fit(X, y)
    assert len(list(sampler.plan_.blocks())) == 100
    parents = sampler.provenance_.compute()
    base = parents.base_row.to_numpy()
    near = (
        NearestNeighbors(n_neighbors=K)
        .fit(X[:M] / sampler.scale_)
        .kneighbors(return_distance=False)
    )
    found = near[base] == parents.neighbor_row.to_numpy()[:, np.newaxis]
    assert (found.sum(axis=1) == 1).all()
    return base, found.argmax(axis=1), parents.gap.to_numpy()


def test_gaps_are_uniform(drawn):
    _, _, gap = drawn
    test = stats.ks_1samp(gap, stats.uniform.cdf)
    assert LEVEL < test.pvalue < 1 - LEVEL
    assert len(np.unique(gap)) == N_DRAWN  # of 2 ** 53 numbers


def test_base_rows_and_neighbors_are_uniform(drawn):
    base, column, _ = drawn
    check_even(np.bincount(base, minlength=M))
    check_even(np.bincount(column, minlength=K))
    check_even(np.bincount(base * K + column, minlength=M * K))


def test_choices_are_independent(drawn):
    base, column, gap = drawn
    cell = base * K + column
    # twelve times the variance of a mean gap is one over the rows that it is of
    n = np.bincount(cell, minlength=M * K)
    mean = np.bincount(cell, gap, minlength=M * K) / n
    check_chi_square((12 * n * (mean - 0.5) ** 2).sum(), M * K)
    for one in (base / M, column / K, gap):
        check_independent(one, np.roll(one, 1))
        check_independent(one, np.roll(gap, 1))
        check_independent(one, np.roll(gap, N_DRAWN // 100))  # the block before
    check_independent(base / M, gap)
    check_independent(column / K, gap)
    check_independent(base / M, column / K)


def streams(n_clusters, seed, block=256):
    """Base rows (as shares of the group) and gaps of every whole block; a block in a row."""
    rng = np.random.default_rng(n_clusters)
    centers = 100.0 * np.arange(n_clusters)[:, np.newaxis]
    X = np.repeat(centers, 4 * 60, axis=0) + rng.normal(size=(4 * 60 * n_clusters, 1))
    y = np.tile(np.arange(4), 60 * n_clusters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "OUTPUT_BYTES", block * 8)
        sampler = KMeansSMOTE(
            random_state=seed,
            kmeans_estimator=frozen(centers),
            cluster_balance_threshold=0.0,
            density_exponent=0,
            sampling_strategy=dict.fromkeys(range(3), len(X) // 4 + 12 * n_clusters * block),
        ).fit(X, y)
    parents = sampler.provenance_.compute()
    base, gap = parents.base_row.to_numpy(), parents.gap.to_numpy()
    assert [b.n_rows for b in sampler.plan_.blocks()] == [block] * (3 * 12 * n_clusters)
    # each cluster has 240 consecutive rows, and every fourth is of a class
    return (base % 240 // 4 / 60).reshape(-1, block), gap.reshape(-1, block)


def test_streams_are_distinct_and_uncorrelated():
    runs = [streams(*of) for of in ((1, 0), (4, 1), (13, 2), (13, 3))]
    base, gap = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    assert len(base) == 3 * 12 * (1 + 4 + 13 + 13)
    assert len(np.unique(gap)) == gap.size
    check_uncorrelated(gap)
    check_uncorrelated(base)
    check_independent(base.ravel(), gap.ravel())


def test_streams_of_other_keys_differ():
    parts = (0, 1, 2, 10)
    keys = [key for n in (1, 2, 3, 4) for key in product(parts, repeat=n)]
    seeds = (0, 1, 2, 12, 2**31, 2**32 - 1, 2**32, 2**64, 2**128 - 1)
    drawn = np.array([seeding.stream(seed, *key).random(8) for seed in seeds for key in keys])
    assert len(np.unique(drawn)) == drawn.size
    test = stats.ks_1samp(drawn[:, 0], stats.uniform.cdf)
    assert LEVEL < test.pvalue < 1 - LEVEL
    check_uncorrelated(drawn.T)
    check_independent(drawn[1:, 0], drawn[:-1, 0])


def test_rounding_favors_no_cluster():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(5), 20_000)
    most, rows = np.full(5, 997), np.ones(5)
    parts = np.array([allocation.largest_remainder(997 * w, most, rows, 997) for w in weights])
    excess = parts - 997 * weights
    by_weight = np.take_along_axis(excess, np.argsort(weights, axis=1), axis=1)
    for place in range(5):
        check_mean(excess[:, place])
        check_mean(by_weight[:, place])


def test_sampled_pairs_are_uniform():
    pairs = picking.draw_pairs(12, 1_000_000, np.random.default_rng(0))
    counts = np.bincount(pairs[0] * 12 + pairs[1], minlength=144).reshape(12, 12)
    assert np.trace(counts) == 0
    check_even(counts[~np.eye(12, dtype=bool)])


def repeated(rows, n_classes):
    """Classes 1 ... n_classes of the same rows, and their labels."""
    return np.tile(rows, (n_classes, 1)), np.repeat(np.arange(1, n_classes + 1), len(rows))


@pytest.fixture(scope="module", params=[1, 2], ids=["one block", "two blocks"])
def sampled(request):
    """Reports of groups with sampled mean distances, and the exact ones, by cluster.

    Four clusters of 60 to 90 rows, the same in 60 classes: 60 or 120 samples of each.
    """
    rng, sizes = np.random.default_rng(1), (60, 70, 80, 90)
    centers = 1000.0 * np.arange(4)[:, np.newaxis] * np.ones(3)
    own = [center + rng.normal(size=(m, 3)) for center, m in zip(centers, sizes, strict=True)]
    X, y = repeated(np.concatenate(own), 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(density, "PAIR_BYTES", 1000 * 3 * 8)  # a group's pairs are of 2 to 5 parts
        patch.setattr(pipeline, "GROUP_BYTES", 90 // request.param * 3 * 8)
        reports = [
            KMeansSMOTE(
                random_state=seed,
                kmeans_estimator=frozen(centers),
                k_neighbors=NearestNeighbors(n_neighbors=3),
                cluster_balance_threshold=0.0,
                density_exponent=1,
                count_exponent=-1,
                max_ratio=None,
                scale=None,
                sampling_strategy=dict.fromkeys(range(1, 61), len(X) // 60 + 10_000),
                exact_rows=50,
            ).fit(X, y).report_
            for seed in range(2 // request.param)
        ]  # fmt: skip
    columns = np.array([report[COLUMNS].to_numpy().reshape(-1, 4, 4) for report in reports])
    mean, error, weight, made = np.moveaxis(columns.reshape(-1, 4, 4), 2, 0)
    return Sampled(mean, error, weight, made, np.array([pdist(part).mean() for part in own]), sizes)


def test_sampled_means_are_within_their_errors(sampled):
    z = (sampled.mean - sampled.exact) / sampled.error
    assert len(np.unique(z)) == z.size
    assert abs(z.mean()) * np.sqrt(z.size) < stats.norm.isf(LEVEL)
    within = np.count_nonzero(abs(z) < stats.norm.isf(0.025))
    assert stats.binomtest(within, z.size, 0.95).pvalue > LEVEL


def test_standard_errors_are_the_spread_of_sampled_means(sampled):
    variance = sampled.mean.var(axis=0, ddof=1) / (sampled.error**2).mean(axis=0)
    freedom = len(sampled.mean) - 1
    check_chi_square(freedom * variance.sum(), 4 * freedom)


def test_allocation_is_unbiased_over_seeds(sampled):
    sparsity = sampled.exact / sampled.sizes
    for place in range(4):
        check_mean(sampled.made[:, place], 10_000 * sparsity[place] / sparsity.sum())
        check_mean(sampled.made[:, place] - 10_000 * sampled.weight[:, place])


@pytest.mark.parametrize("n_blocks", [1, 2])
def test_reported_recall_is_within_its_error(monkeypatch, n_blocks):
    m, k, n_features, n_classes, n_probes = 1600, 2, 12, 30, 400
    rng = np.random.default_rng(2)
    # far rows last, whose nearest are found less often
    rows = rng.normal(size=(m, n_features)) * np.linspace(0.1, 2, m)[:, np.newaxis]
    X, y = repeated(rows, n_classes)
    monkeypatch.setattr(pipeline, "GROUP_BYTES", m // n_blocks * n_features * 8)
    monkeypatch.setattr(approximate, "PROBE_ROWS", n_probes)
    monkeypatch.setattr(approximate, "LEAF_ROWS", 1)  # never all pairs instead
    monkeypatch.setattr(forest, "LEAF_ROWS", 120)
    sampler = KMeansSMOTE(
        random_state=0,
        kmeans_estimator=frozen(np.zeros((1, n_features))),
        k_neighbors=k,
        sampling_strategy=dict.fromkeys(range(1, n_classes + 1), m + 16 * m * k),
        exact_rows=100,
    ).fit(X, y)
    rows = rows / sampler.scale_
    limits = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()[0][:, -1] * (1 + 1e-9)
    parents = sampler.provenance_.compute()
    # so many new rows show nearly every neighbour of every row
    pairs = np.unique(parents.base_row.to_numpy() * m + parents.neighbor_row.to_numpy() % m)
    base, neighbor = np.divmod(pairs, m)
    assert len(pairs) > (1 - 1e-5) * n_classes * m * k
    near = np.linalg.norm(rows[base % m] - rows[neighbor], axis=1) <= limits[base % m]
    share = (np.bincount(base, near) / np.bincount(base)).reshape(n_classes, m)
    error = share.std(axis=1) * np.sqrt((1 - n_probes / m) / n_probes)
    z = (sampler.report_.neighbor_recall.to_numpy() - share.mean(axis=1)) / error
    assert len(np.unique(z)) > n_classes / 2
    assert abs(z.mean()) * np.sqrt(n_classes) < stats.norm.isf(LEVEL)
    check_chi_square((z**2).sum(), n_classes)
