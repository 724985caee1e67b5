"""Groups beyond `exact_rows`: sampled means and approximate neighbours, against exact searches."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import numpy as np
import pytest
from dask.order import order
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.errors import LowRecallWarning
from dask_kmsmote.graph.dask.tasks import Tasks, _flat_graph
from dask_kmsmote.graph.density import chain
from dask_kmsmote.graph.density import search as approximate
from dask_kmsmote.graph.gather import Group
from dask_kmsmote.kernels.groups import picking
from dask_kmsmote.kernels.groups.pieces import GroupRows
from dask_kmsmote.kernels.neighbors import cells, forest, recall
from dask_kmsmote.kernels.neighbors.distances import nothing_found
from dask_kmsmote.kernels.rows.metric import Kinds, Metric


def true_squared(rows, k):
    return NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(rows).kneighbors()[0] ** 2


def rows_of(kind, m, n_features, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "grid":
        return rng.integers(0, 3, (m, n_features)).astype(float)
    rows = rng.normal(size=(m, n_features))
    return rows * 1e-3 + 1e6 if kind == "far" else rows


def check_lists(rows, near, k):
    """Every list has k other rows, once each, nearest first, with their true distances."""
    own = np.arange(len(rows))[:, np.newaxis]
    assert near.indices.shape == (len(rows), k)
    assert ((near.indices >= 0) & (near.indices < len(rows)) & (near.indices != own)).all()
    assert all(len(set(row)) == k for row in near.indices.tolist())
    squared = ((rows[:, np.newaxis] - rows[near.indices]) ** 2).sum(axis=2)
    np.testing.assert_allclose(near.squared, squared, rtol=1e-12)
    assert (np.diff(near.squared, axis=1) >= 0).all()


def found_share(near, limits):
    return np.mean(near.squared <= limits[:, -1:] * (1 + 1e-9))


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("n_features", [1, 4, 5, 18])
@pytest.mark.parametrize("kind", ["normal", "grid", "far"])
def test_near_rows(kind, n_features, k):
    rows = rows_of(kind, 5000, n_features)
    near = forest.near_rows(rows, Kinds(n_features), k, 8, np.random.default_rng(1))
    check_lists(rows, near, k)
    share = found_share(near, true_squared(rows, k))
    assert share == 1 if n_features <= forest.EXACT_FEATURES else share > 0.9


def test_more_trees_find_more():
    rows = rows_of("normal", 10_000, 18)
    limits = true_squared(rows, 2)
    shares = [
        found_share(forest.near_rows(rows, Kinds(18), 2, n, np.random.default_rng(0)), limits)
        for n in (1, 4, 12)
    ]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.95


def test_leaves_are_halves():
    leaves = forest.grow(rows_of("grid", 5000, 2), Kinds(2), 700, np.random.default_rng(0))
    assert sorted(np.concatenate(leaves).tolist()) == list(range(5000))
    assert {len(leaf) for leaf in leaves} == {625}


@given(st.integers(2, 60), st.sampled_from([1, 2, 5, 1000]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_halves_are_of_the_lower_and_the_higher(m, n_values, seed):
    rng = np.random.default_rng(seed)
    node, along = np.sort(rng.choice(500, m, replace=False)), rng.integers(0, n_values, m) / 7
    low, high = forest.halve(node, along)
    # equal ones in the order of the rows
    by_place = node[np.argsort(along, kind="stable")]
    assert low.tolist() == sorted(by_place[: m // 2].tolist())
    assert high.tolist() == sorted(by_place[m // 2 :].tolist())


def test_improve_keeps_each_row_once():
    nearest = nothing_found(3, 2)
    for squared, indices in (([4.0, 9.0], [7, 8]), ([4.0, 5.0], [7, 6]), ([1.0, np.inf], [5, -1])):
        found = type(nearest)(np.array([squared]), np.array([indices]))
        forest.improve(nearest, found, np.array([1]))
    assert nearest.indices.tolist() == [[-1, -1], [5, 7], [-1, -1]]
    assert nearest.squared[1].tolist() == [1.0, 4.0]


@pytest.mark.parametrize("kind", ["normal", "grid", "same"])
def test_cells_take_every_row_and_about_as_many(kind):
    rows = np.ones((4000, 3)) if kind == "same" else rows_of(kind, 4000, 3)
    found = cells.learn_cells(rows[::10], Kinds(3), 8, np.random.default_rng(0))
    ranges = [np.arange(a, a + 1000) for a in (0, 1000, 2000, 3000)]
    parts = [
        cells.route(cells.Points(rows[at], at, np.full(1000, 2.0)), found, range(8), Metric())
        for at in ranges
    ]
    numbers = [np.concatenate([part[cell].numbers for part in parts]) for cell in range(8)]
    assert sorted(np.concatenate(numbers).tolist()) == list(range(4000))
    assert min(map(len, numbers)) > 100
    for part in parts:
        for cell in part:
            np.testing.assert_array_equal(cell.rows, rows[cell.numbers])
            assert (cell.bounds == 2).all()
            assert len(cell.bounds) == len(cell.numbers)


def test_recall_counts_what_is_near_enough():
    rows = rows_of("grid", 3000, 3)
    numbers = np.arange(3000)
    halves = [GroupRows(rows[at], at) for at in (numbers[:1400], numbers[1400:])]
    chosen = np.array([2900, 3, 1500])
    limits = recall.true_limits(
        [recall.squared_to_nearest(rows[chosen], half, 2, Metric()) for half in halves]
    )
    np.testing.assert_allclose(limits, true_squared(rows, 2)[chosen, 1])
    near = nothing_found(3000, 2)
    near.squared[3] = limits[1], limits[1] * 1.001 + 0.001
    assert recall.count_found(near, chosen, limits) == 1


@given(st.integers(2, 40), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_pairs_are_of_different_rows_and_all_drawn(m, seed):
    pairs = picking.draw_pairs(m, 40 * m * m, np.random.default_rng(seed))
    counts = np.bincount(pairs[0] * m + pairs[1], minlength=m * m).reshape(m, m)
    assert (np.diag(counts) == 0).all()
    assert (counts[~np.eye(m, dtype=bool)] > 0).all()


def test_moments_of_parts():
    rows = rows_of("normal", 500, 6)
    rng = np.random.default_rng(0)
    drawn = [picking.draw_pairs(500, n, rng) for n in (1, 700, 4000)]
    mean, error = picking.join_moments([picking.measure_moments(rows, p, Metric()) for p in drawn])
    distances = np.concatenate([np.linalg.norm(rows[p[0]] - rows[p[1]], axis=1) for p in drawn])
    assert mean == pytest.approx(distances.mean())
    assert error == pytest.approx(distances.std(ddof=1) / np.sqrt(4701))


def two_classes(m, n_features, seed=0):
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal(size=(m, n_features)), rng.normal(9, 1, (m + 999, n_features))])
    y = np.repeat([1, 0], [m, m + 999])
    order = rng.permutation(len(X))
    return X[order], y[order]


def check_against_exact(X, y, sampler, k=2):
    """The report's mean and recall are true, and parents are near rows."""
    (group,) = sampler.report_[sampler.report_.kept].to_dict("records")
    own, X = np.flatnonzero(y == 1), X / sampler.scale_
    mean = pdist(X[own]).mean()
    assert group["mean_distance_se"] > 0
    assert abs(group["mean_distance"] - mean) < 5 * group["mean_distance_se"]
    assert group["mean_distance_se"] < 0.01 * mean
    assert 0.95 <= group["neighbor_recall"] <= 1
    limits = dict(zip(own.tolist(), true_squared(X[own], k)[:, -1].tolist(), strict=True))
    parents = sampler.provenance_.compute()
    assert (y[parents.base_row] == 1).all()
    squared = ((X[parents.base_row] - X[parents.neighbor_row]) ** 2).sum(axis=1)
    limit = np.array([limits[row] for row in parents.base_row.tolist()])
    assert np.mean(squared <= limit * (1 + 1e-9)) > 0.94


SMALL_BLOCKS = pytest.mark.parametrize("small_blocks", [False, True])


@SMALL_BLOCKS
@pytest.mark.parametrize("n_features", [3, 12])
def test_sampler(monkeypatch, n_features, small_blocks):
    if small_blocks:
        monkeypatch.setattr(pipeline, "GROUP_BYTES", 900 * n_features * 8)
        monkeypatch.setattr(forest, "LEAF_ROWS", 300)
        monkeypatch.setattr(approximate, "LEAF_ROWS", 1)  # never all pairs instead
    X, y = two_classes(6000, n_features)
    params = {"random_state": 3, "kmeans_estimator": 2, "exact_rows": 1000}
    sampler = KMeansSMOTE(**params)
    expected = [part.tobytes() for part in sampler.fit_resample(X, y)]
    check_against_exact(X, y, sampler)
    report = sampler.report_.to_csv()
    for chunks, scheduler in ((7000, "threads"), (999, "synchronous"), (13_000, "threads")):
        again = KMeansSMOTE(**params)
        with dask.config.set(scheduler=scheduler):
            on_dask = da.from_array(X, chunks=(chunks, -1)), da.from_array(y, chunks=chunks)
            result = dask.compute(*again.fit_resample(*on_dask))
        assert [part.tobytes() for part in result] == expected
        assert again.report_.to_csv() == report
    assert again.plan_ == sampler.plan_
    assert "+-" in str(sampler.plan_)


def to_float32(X):
    return X.astype(np.float32)


def to_integers(X):
    return np.round(100 * X).astype(np.int32)


@pytest.mark.parametrize("convert", [to_float32, to_integers, sparse.csc_matrix])
def test_many_blocks_of_any_type_by_levels_or_not(monkeypatch, convert):
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 300 * 8 * 8)
    monkeypatch.setattr(forest, "LEAF_ROWS", 100)
    monkeypatch.setattr(approximate, "LEAF_ROWS", 1)
    X, y = two_classes(6000, 8)
    X = convert(X)
    dense = X.toarray() if sparse.issparse(X) else X
    results = []
    for parts in (16, 2):
        monkeypatch.setattr(chain, "PARTS", parts)
        sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, k_neighbors=7, exact_rows=1000)
        made, _ = sampler.fit_resample(X, y)
        check_against_exact(dense.astype(float), y, sampler, k=7)
        results.append((made.toarray() if sparse.issparse(made) else made).tobytes())
    assert results[0] == results[1]


def group_of(n_blocks, n_features=18, block_rows=1000):
    tasks = Tasks("test")
    blocks = [tasks("block", abs, 0) for _ in range(n_blocks)]
    group = Group(
        key=(1, 0),
        n_rows=block_rows * n_blocks,
        size=block_rows,
        n_features=n_features,
        blocks=blocks,
    )
    metric = tasks("metric", Metric)
    large = approximate.LargeGroup(group=group, metric=metric, k=2, seed=0)
    approximate._probe(tasks, large)
    return tasks, large


def tasks_of_a_chain(n_blocks):
    tasks, large = group_of(n_blocks)
    parts = approximate._points(tasks, large)
    founds = approximate._chain(tasks, large, parts, 0, 2)
    return len(_flat_graph([part for found in founds for part in found]))


@pytest.mark.parametrize(
    ("n_blocks", "of_each"), [(4, 10), (16, 23), (64, 28), (256, 36), (1024, 36)]
)
def test_tasks_of_a_chain_grow_with_the_blocks(n_blocks, of_each):
    assert tasks_of_a_chain(n_blocks) <= of_each * n_blocks


@pytest.mark.parametrize("n_blocks", [4, 16, 64])
def test_chains_of_a_round_take_turns_in_memory(n_blocks):
    tasks, large = group_of(n_blocks)
    large.n_trees, large.recall = 2, 0.2
    large.nearest = [tasks("known", abs, 0) for _ in large.ranges]
    approximate._grow(tasks, large)
    assert large.n_trees > 20
    graph = _flat_graph(large.nearest)
    needed = {key: task.dependencies for key, task in graph.items()}
    waiting = Counter(part for parts in needed.values() for part in parts)
    held = most = 0
    place = order(dict(graph))
    for key in sorted(graph, key=place.get):
        held += "density-route" in key[0]
        most = max(most, held)
        for part in needed[key]:
            waiting[part] -= 1
            held -= waiting[part] == 0 and "density-route" in part[0]
    # a chain routes each block once, and once more the runs that are parted again
    assert most <= 2 * n_blocks + 16


@given(
    st.integers(2, 14).map(lambda n: 1 / n),
    st.sampled_from([1, 2, 3]),
    st.integers(0, 3),
    st.integers(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_few_rounds_where_trees_find_the_same_share(share, n_blocks, fading, noisy):
    _, large = group_of(n_blocks, block_rows=400_000)
    rng, rounds = np.random.default_rng(n_blocks), 0
    while not large.done:
        chains = large.chains
        edges = [large.n_trees, *(stop for _, stop in chains)]
        assert [start for start, _ in chains] == edges[:-1]  # one behind the other
        large.n_trees = edges[-1]
        # later trees find less, as what is left is harder to find
        trees = large.n_trees ** (1 - 0.01 * fading)
        large.recall = 1 - (1 - share) ** trees + noisy * rng.normal(0, 0.003)
        rounds += 1
    assert large.n_trees <= approximate.MAX_TREES
    assert rounds <= 3
    assert large.recall > 0.95 or large.n_trees == approximate.MAX_TREES


@pytest.mark.parametrize("kind", ["normal", "grid", "far"])
@pytest.mark.parametrize("k", [1, 3])
def test_bounds_leave_out_what_is_no_nearer(kind, k):
    rows = rows_of(kind, 3000, 8)
    first = forest.near_rows(rows, Kinds(8), k, 2, np.random.default_rng(0))
    bounds = first.squared[:, -1]
    near = forest.near_rows(rows, Kinds(8), k, 3, np.random.default_rng(1), bounds)
    unbounded = forest.near_rows(rows, Kinds(8), k, 3, np.random.default_rng(1))
    nothing = near.indices < 0
    assert (
        near.squared[nothing] == np.broadcast_to(bounds[:, np.newaxis], near.squared.shape)[nothing]
    ).all()
    assert (near.squared[~nothing] < np.repeat(bounds, (~nothing).sum(axis=1))).all()
    together = []
    for later in (near, unbounded):
        merged = type(first)(first.squared.copy(), first.indices.copy())
        forest.improve(merged, later, np.arange(3000))
        together.append(merged)
    np.testing.assert_array_equal(*[merged.squared for merged in together])
    check_lists(rows, together[0], k)


@pytest.mark.parametrize("n_blocks", [3, 20, 70])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_lists_make_no_more_bytes_than_a_block(n_blocks, k):
    _, large = group_of(n_blocks)
    large.k = k
    size = large.group.size
    assert large.ranges[0][0] == 0
    assert large.ranges[-1][1] == large.group.n_rows
    for start, stop in large.ranges:
        assert start % size == 0  # whole blocks
        assert (stop - start) * 16 * k <= max(size * 18 * 8, size * 16 * k)


def test_many_blocks_on_a_cluster(monkeypatch):
    X, y = two_classes(3000, 8)
    params = {"random_state": 0, "kmeans_estimator": 2, "exact_rows": 500}
    expected = [part.tobytes() for part in KMeansSMOTE(**params).fit_resample(X, y)]
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        on_dask = da.from_array(X, chunks=(999, -1)), da.from_array(y, chunks=999)
        alone = dask.compute(*KMeansSMOTE(**params).fit_resample(*on_dask))
        monkeypatch.setattr(pipeline, "GROUP_BYTES", 300 * 8 * 8)
        monkeypatch.setattr(approximate, "LEAF_ROWS", 1)
        sampler = KMeansSMOTE(**params)
        dask.compute(*sampler.fit_resample(*on_dask))
        check_against_exact(X, y, sampler)
    assert [part.tobytes() for part in alone] == expected


def test_equal_rows_of_few_features_take_no_quadratic_time(monkeypatch):
    def refuse(*_):
        raise AssertionError("k-d tree")

    monkeypatch.setattr(forest, "KDTree", refuse)
    X, y = two_classes(20_000, 4)
    X = np.round(X)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, exact_rows=1000)
    sampler.fit_resample(X, y)
    assert sampler.report_[sampler.report_.kept].neighbor_recall.min() >= 0.95


@SMALL_BLOCKS
def test_sparse(monkeypatch, small_blocks):
    if small_blocks:
        monkeypatch.setattr(pipeline, "GROUP_BYTES", 900 * 6 * 8)
        monkeypatch.setattr(approximate, "LEAF_ROWS", 1)
    X, y = two_classes(3000, 6)
    params = {"random_state": 0, "kmeans_estimator": 2, "exact_rows": 500}
    sampler = KMeansSMOTE(**params)
    X_resampled, _ = sampler.fit_resample(sparse.csr_matrix(X), y)
    check_against_exact(X, y, sampler)
    assert X_resampled.shape == (7998, 6)


@pytest.mark.parametrize("kind", ["same", "grid"])
@SMALL_BLOCKS
def test_duplicates(monkeypatch, kind, small_blocks):
    if small_blocks:
        monkeypatch.setattr(pipeline, "GROUP_BYTES", 900 * 6 * 8)
        monkeypatch.setattr(approximate, "LEAF_ROWS", 1)
    X, y = two_classes(3000, 6)
    X[y == 1] = 1.0 if kind == "same" else np.round(X[y == 1])
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, exact_rows=500)
    X_resampled, y_resampled = sampler.fit_resample(X, y)
    assert np.bincount(y_resampled).tolist() == [3999, 3999]
    assert np.isfinite(X_resampled).all()
    (recall_found,) = sampler.report_[sampler.report_.kept].neighbor_recall
    assert recall_found >= 0.95


def test_exact_up_to_the_limit_and_with_none():
    X, y = two_classes(1000, 6)
    for exact_rows in (1000, None):
        sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, exact_rows=exact_rows)
        (group,) = sampler.fit(X, y).report_.query("kept").to_dict("records")
        assert (group["mean_distance_se"], group["neighbor_recall"]) == (0, 1)
        assert group["mean_distance"] == pytest.approx(
            pdist(X[y == 1] / sampler.scale_).mean(), rel=1e-12
        )
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, exact_rows=999).fit(X, y)
    assert sampler.report_.query("kept").mean_distance_se.iloc[0] > 0


def test_always_exact_with_compat():
    X, y = two_classes(1000, 6)
    sampler = KMeansSMOTE(
        random_state=0, kmeans_estimator=2, exact_rows=10, compat="imbalanced-learn"
    )
    assert sampler.fit(X, y).report_.query("kept").mean_distance_se.iloc[0] == 0


def test_own_search_keeps_its_neighbors():
    X, y = two_classes(1000, 6)
    sampler = KMeansSMOTE(
        random_state=0,
        kmeans_estimator=2,
        exact_rows=10,
        k_neighbors=NearestNeighbors(n_neighbors=3),
    )
    sampler.fit_resample(X, y)
    (group,) = sampler.report_.query("kept").to_dict("records")
    assert group["mean_distance_se"] > 0
    assert np.isnan(group["neighbor_recall"])


def test_warns_where_trees_find_too_little(monkeypatch):
    monkeypatch.setattr(approximate, "MAX_TREES", 4)
    monkeypatch.setattr(approximate, "LEAF_ROWS", 1)
    monkeypatch.setattr(forest, "LEAF_ROWS", 30)
    X, y = two_classes(3000, 12)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, exact_rows=500)
    with pytest.warns(LowRecallWarning, match=r"class 1 in cluster \d, which has 3000 rows"):
        sampler.fit(X, y)
    assert sampler.report_.query("kept").neighbor_recall.iloc[0] < 0.95


def test_all_pairs_where_trees_would_cost_more(monkeypatch):
    monkeypatch.setattr(forest, "LEAF_ROWS", 60)
    monkeypatch.setattr(approximate, "LEAF_ROWS", 10**6)
    X, y = two_classes(3000, 60)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, exact_rows=500).fit(X, y)
    (group,) = sampler.report_.query("kept").to_dict("records")
    assert (group["mean_distance_se"], group["neighbor_recall"]) == (0, 1)


@pytest.mark.parametrize("n_features", [3, 6])
@pytest.mark.parametrize("n_huge", [1, 1500])
def test_overflow_is_refused(n_features, n_huge):
    X, y = two_classes(1500, n_features)
    X[np.flatnonzero(y == 1)[:n_huge]] *= 1e200
    one = FrozenEstimator(KMeans(1, n_init=1).fit(np.zeros((2, n_features))))
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=one, exact_rows=500)
    with pytest.raises(ValueError, match="overflow"):
        sampler.fit(X, y)


@pytest.mark.parametrize("exact_rows", [0, -1, 2.5, "auto"])
def test_bad_limit(exact_rows, imbalanced):
    with pytest.raises(ValueError, match="exact_rows"):
        KMeansSMOTE(exact_rows=exact_rows).fit(*imbalanced)
