"""Categories in the kernels, against the indicators that they stand for and against numpy."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from dask_kmsmote.kernels.clusters import assignment
from dask_kmsmote.kernels.groups import picking
from dask_kmsmote.kernels.groups.pieces import GroupRows
from dask_kmsmote.kernels.making import drawing, interpolation
from dask_kmsmote.kernels.neighbors import cells, density, distances, forest, recall
from dask_kmsmote.kernels.rows.metric import MOST_INDICATORS, Metric, indicate

quick = settings(max_examples=60, deadline=None)


def some_rows(rng, n, n_numbers, sizes, missing=0.0):
    numbers = rng.normal(size=(n, n_numbers)) * 10.0 ** rng.integers(-1, 2, n_numbers)
    numbers[rng.random(numbers.shape) < missing] = np.nan
    codes = [rng.integers(0, size, n) for size in sizes]
    return np.column_stack([numbers, *codes]).astype(float)


def some_metric(rng, rows, n_numbers, weight, *, scaled=True):
    """The metric of rows whose categories may have more codes than are there."""
    counts = [np.bincount(c.astype(int), minlength=3) for c in rows[:, n_numbers:].T]
    padding = np.ones(rows.shape[1] - n_numbers)
    scales = np.concatenate([rng.uniform(0.5, 4, n_numbers), padding])
    fills = np.concatenate([rng.normal(size=n_numbers), padding])
    return Metric(scales if scaled else None, fills, weight, indicate(counts))


def with_indicators(rows, metric, n_numbers):
    """All categories as indicators, weight / sqrt(2) high: what distances are to be those of."""
    numbers = np.where(np.isnan(rows), metric.fills, rows)[:, :n_numbers]
    numbers = numbers / metric.scales_of(rows.shape[1])[:n_numbers]
    codes = rows[:, n_numbers:].astype(int)
    return np.hstack(
        [numbers, *(metric.weight / np.sqrt(2) * np.eye(c.max() + 1)[c] for c in codes.T)]
    )


CASES = list(itertools.product([0, 1, 5], [(2,), (3, 7, 2)], [0.0, 0.7, 30.0]))


@pytest.mark.parametrize(("n_numbers", "sizes", "weight"), CASES)
@pytest.mark.parametrize("scaled", [True, False])
def test_all_pairs_are_those_of_indicators(n_numbers, sizes, weight, scaled):
    rng = np.random.default_rng(n_numbers)
    rows = some_rows(rng, 300, n_numbers, sizes, missing=0.1)
    metric = some_metric(rng, rows, n_numbers, weight, scaled=scaled)
    apart = cdist(*[with_indicators(rows, metric, n_numbers)] * 2)
    # in two ranges, of one block and of two
    blocks = [GroupRows(rows[:200], np.arange(200)), GroupRows(rows[200:], np.arange(200, 300))]
    ranges = [density.Range(0, 200, 0), density.Range(200, 300, 200)]
    pairs = [
        density.measure_pairs(blocks[i], blocks[j], ranges[i]._replace(offset=0),
                              ranges[j]._replace(offset=0), 4, metric)
        for i, j in [(0, 0), (0, 1), (1, 1)]
    ]  # fmt: skip
    own = [density.collect_range(r._replace(offset=0), [p for p in pairs
           if r._replace(offset=0) in (p.left, p.right)]) for r in ranges]  # fmt: skip
    found = density.from_pairs(own, 300)
    upper = apart[np.triu_indices(300, 1)]
    assert found.mean_distance == pytest.approx(upper.mean(), rel=1e-9)
    np.fill_diagonal(apart, np.inf)
    nearest = np.sort(apart, axis=1)[:, :4]
    mine = np.take_along_axis(apart, found.neighbors, axis=1)
    np.testing.assert_allclose(mine, nearest, rtol=1e-9, atol=1e-12)
    assert all(len(set(own)) == 4 for own in found.neighbors.tolist())


@pytest.mark.parametrize("n_numbers", [0, 2, 6])
def test_sampled_pairs_have_the_distances_of_indicators(n_numbers):
    rng = np.random.default_rng(1)
    rows = some_rows(rng, 200, n_numbers, (4, 9), missing=0.1)
    metric = some_metric(rng, rows, n_numbers, 1.7)
    pairs = picking.draw_pairs(200, 5000, rng)
    encoded = with_indicators(rows, metric, n_numbers)
    expected = np.linalg.norm(encoded[pairs[0]] - encoded[pairs[1]], axis=1)
    before = rows.tobytes()
    found = picking.measure_moments(rows, pairs, metric)
    assert found.mean == pytest.approx(expected.mean(), rel=1e-9)
    assert found.deviation == pytest.approx(((expected - expected.mean()) ** 2).sum(), rel=1e-6)
    assert rows.tobytes() == before


@pytest.mark.parametrize("n_numbers", [1, 2, 6])
@pytest.mark.parametrize("weight", [1e-3, 1.0, 40.0])
def test_trees_find_near_rows_of_categories(n_numbers, weight):
    rng = np.random.default_rng(2)
    rows = some_rows(rng, 6000, n_numbers, (5, 20, 2))
    metric = some_metric(rng, rows, n_numbers, weight)
    points = metric.points(rows)
    near = forest.near_rows(points, metric.kinds(points.shape[1]), 5, 12, rng)
    apart = cdist(*[with_indicators(rows, metric, n_numbers)] * 2, "sqeuclidean")
    np.testing.assert_allclose(
        near.squared, np.take_along_axis(apart, near.indices, axis=1), rtol=1e-9, atol=1e-12
    )
    np.fill_diagonal(apart, np.inf)
    limits = np.sort(apart, axis=1)[:, 4:5]
    assert np.mean(near.squared <= limits * (1 + 1e-9)) > 0.9


def test_near_rows_of_categories_alone():
    rng = np.random.default_rng(3)
    rows = some_rows(rng, 5000, 0, (6, 6, 6))
    metric = some_metric(rng, rows, 0, 1.0)
    near = forest.near_rows(metric.points(rows), metric.kinds(3), 3, 12, rng)
    # 216 kinds of rows, some 23 of each
    assert np.mean(near.squared[:, 2] == 0) > 0.9


def test_projections_are_those_of_indicators():
    rng = np.random.default_rng(4)
    rows = some_rows(rng, 400, 3, (4, 9))
    metric = some_metric(rng, rows, 3, 1.3)
    points, encoded = metric.points(rows), with_indicators(rows, metric, 3)
    along = forest.project(points, metric.kinds(5), np.arange(400), points[7], points[11])
    np.testing.assert_allclose(along, encoded @ (encoded[11] - encoded[7]), rtol=1e-9, atol=1e-12)


def test_cells_take_rows_of_one_kind_together():
    rng = np.random.default_rng(5)
    rows = some_rows(rng, 4000, 0, (2, 2, 2))
    metric = some_metric(rng, rows, 0, 1.0)
    points = metric.points(rows)
    found = cells.learn_cells(points[::10], metric.kinds(3), 4, rng)
    whole = cells.Points(points, np.arange(4000), np.zeros(4000))
    parts = cells.route(whole, found, range(4), metric)
    assert sorted(np.concatenate([p.numbers for p in parts]).tolist()) == list(range(4000))
    assert min(len(part.numbers) for part in parts) > 100


def test_probes_know_categories():
    rng = np.random.default_rng(6)
    rows = some_rows(rng, 500, 2, (3, 5), missing=0.1)
    metric = some_metric(rng, rows, 2, 0.8)
    block = GroupRows(rows, np.arange(500))
    found = recall.squared_to_nearest(metric.points(rows[:20]), block, 3, metric)
    encoded = with_indicators(rows, metric, 2)
    apart = np.sort(cdist(encoded[:20], encoded, "sqeuclidean"), axis=1)[:, :4]
    np.testing.assert_allclose(found, apart, rtol=1e-9, atol=1e-12)


# clusters


@pytest.mark.parametrize(("n_numbers", "sizes"), [(0, (3, 2)), (4, (5,)), (2, (60, 3))])
def test_the_nearest_center_is_that_of_coordinates(n_numbers, sizes):
    rng = np.random.default_rng(7)
    rows = some_rows(rng, 700, n_numbers, sizes, missing=0.1)
    metric = some_metric(rng, rows, n_numbers, 0.9)
    coordinates = metric.coordinates(rows)
    assert coordinates.shape[1] == n_numbers + sum(min(size, MOST_INDICATORS) for size in sizes)
    centers = coordinates[rng.choice(700, 9, replace=False)] + rng.normal(0, 0.1, (9, 1))
    labels, inertia = assignment.nearest_center(rows, centers, metric)
    squared = cdist(coordinates, centers, "sqeuclidean")
    np.testing.assert_array_equal(labels, squared.argmin(axis=1))
    assert inertia == pytest.approx(squared.min(axis=1).sum(), rel=1e-9)


def test_rare_categories_share_an_indicator():
    counts = np.arange(100)[::-1].copy()
    found = indicate([np.array([5, 9]), counts])
    assert found.width == 2 + MOST_INDICATORS
    own = found.number[2:] - 2
    assert own[:31].tolist() == list(range(31))
    assert set(own[31:]) == {31}
    # of equal counts, the lower codes
    alike = indicate([np.ones(40, dtype=int)])
    assert alike.number.tolist() == [*range(31), *[31] * 9]
    assert indicate([np.array([5, 9, 1, 7])]).number.tolist() == [0, 1, 2, 3]
    # nothing is missing: the last code has no rows
    nothing = indicate([np.array([5, 9, 0]), np.array([3, 0])])
    assert (nothing.width, nothing.number[:2].tolist()) == (3, [0, 1])


def test_different_categories_are_the_weight_apart():
    codes = np.arange(MOST_INDICATORS)[:, np.newaxis].astype(float)
    metric = Metric(weight=2.5, indicators=indicate([np.ones(MOST_INDICATORS, dtype=int)]))
    apart = cdist(*[metric.coordinates(codes)] * 2)
    np.testing.assert_allclose(apart, 2.5 * (1 - np.eye(MOST_INDICATORS)), atol=1e-12)


# votes


def draw_of(neighbors, ties, base=None):
    n = len(neighbors)
    return drawing.Draw(
        base=np.zeros(n, dtype=int) if base is None else base,
        neighbors=np.array(neighbors),
        chosen=np.zeros(n, dtype=int),
        gap=np.zeros(n),
        ties=ties,
    )


@given(st.data())
@quick
def test_a_vote_is_won_by_the_most_frequent(data):
    k, n_codes = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows = np.column_stack([rng.normal(size=30), rng.integers(0, n_codes, (30, 2))])
    rows = rows.astype(data.draw(st.sampled_from(["f4", "f8"])))
    draw = draw_of(rng.integers(0, 30, (50, k)), rng.integers(0, 2**64, 50, dtype=np.uint64))
    out = np.empty((50, 2), dtype=rows.dtype)
    interpolation.vote(rows, draw, out)
    for new, near in zip(out, draw.neighbors, strict=True):
        for feature in (0, 1):
            votes = Counter(rows[near, 1 + feature].tolist())
            assert votes[new[feature]] == max(votes.values())


def test_ties_are_drawn_alike_and_apart_for_each_feature():
    rows = np.column_stack([np.zeros(4), [0, 1, 2, 0], [5, 5, 6, 6]])
    n = 30_000
    ties = np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64)
    out = np.empty((n, 2))
    interpolation.vote(rows, draw_of([[0, 1, 2, 1, 0, 2]] * n, ties), out)
    # three alike; then 5 and 6 of 0, 1, 1, 0 and two times row 2: 5 has four votes of six
    shares = np.bincount(out[:, 0].astype(int), minlength=3) / n
    assert abs(shares - 1 / 3).max() < 0.015
    assert (out[:, 1] == 5).all()
    interpolation.vote(rows, draw_of([[0, 1, 2, 3]] * n, ties), out)
    assert (out[:, 0] == 0).all()  # two of four
    interpolation.vote(np.column_stack([rows, rows[:, 2]])[:, 1:], draw_of([[0, 2]] * n, ties),
                       three := np.empty((n, 3)))  # fmt: skip
    both = three[:, 1] == 5, three[:, 2] == 5
    assert abs(np.mean(both[0]) - 0.5) < 0.015
    # two features of the same values: settled apart
    assert abs(np.mean(both[0] == both[1]) - 0.5) < 0.015


def test_the_base_row_has_no_vote():
    rows = np.column_stack([np.arange(4.0), [9, 1, 1, 9]])
    draw = draw_of([[1, 2, 3]], np.zeros(1, dtype=np.uint64))
    out = np.empty((1, 1))
    interpolation.vote(rows, draw, out)
    assert out.tolist() == [[1]]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_numbers_are_missing_where_the_base_is(dtype):
    rows = np.array([[1.0, np.nan, 5.0], [3.0, 4.0, np.nan]], dtype=dtype)
    draw = drawing.Draw(
        base=np.array([0, 1]), neighbors=np.array([[1], [0]]), chosen=np.zeros(2, dtype=int),
        gap=np.array([0.5, 0.5]), ties=np.zeros(2, dtype=np.uint64),
    )  # fmt: skip
    made = interpolation.interpolate_nearest(rows, draw)
    np.testing.assert_array_equal(made, np.array([[2, np.nan, 5], [2, 4, np.nan]], dtype=dtype))


def test_pairs_of_equal_categories_keep_row_order():
    rows = np.zeros((50, 2))
    metric = Metric(weight=1.0, indicators=indicate([np.ones(3, dtype=int)] * 2))
    _, near = distances.pairs_diag(metric.points(rows), metric.kinds(2), 3)
    assert near.indices[10].tolist() == [0, 1, 2]
