"""Arithmetic on one block, against scipy, scikit-learn and numpy; no Dask."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist, pdist
from sklearn.neighbors import NearestNeighbors

from dask_kmsmote.kernels import seeding
from dask_kmsmote.kernels.clusters import assignment
from dask_kmsmote.kernels.compiled import compiled
from dask_kmsmote.kernels.groups import picking, pieces
from dask_kmsmote.kernels.making import drawing, interpolation
from dask_kmsmote.kernels.neighbors import density, distances
from dask_kmsmote.kernels.rows.metric import Kinds, Metric

SHAPES = [(1, 1), (2, 3), (7, 1), (1023, 2), (1024, 5), (1025, 3), (2100, 4)]
FORMATS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]


def by_row_order(left, right, k, *, own=False):
    """The k nearest by numpy, equal distances in row order; -1 where there are too few."""
    squared = ((left[:, np.newaxis] - right[np.newaxis]) ** 2).sum(axis=2)
    if own:
        np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(squared, order, axis=1)
    order[np.isinf(found)] = -1
    missing = ((0, 0), (0, k - order.shape[1]))
    return (
        np.pad(found, missing, constant_values=np.inf),
        np.pad(order, missing, constant_values=-1),
    )


@pytest.mark.parametrize("k", [0, 1, 2, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_pairs_diag(shape, k):
    rows = np.random.default_rng(sum(shape)).normal(size=shape)
    total, (squared, indices) = distances.pairs_diag(rows, Kinds(rows.shape[1]), k)
    assert total == pytest.approx(pdist(rows).sum(), rel=1e-12)
    assert squared.shape == indices.shape == (shape[0], k)
    if 0 < k < shape[0]:
        expected = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()
        np.testing.assert_allclose(np.sqrt(squared), expected[0], rtol=1e-9)
        np.testing.assert_array_equal(indices, expected[1])
    elif k:
        assert (indices[:, shape[0] - 1 :] == -1).all()


@pytest.mark.parametrize("k", [0, 1, 3])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (1024, 1025), (1500, 30), (30, 1500)])
def test_pairs_block(sizes, k):
    rng = np.random.default_rng(sum(sizes))
    left, right = (rng.normal(size=(m, 3)) for m in sizes)
    total, near_left, near_right = distances.pairs_block(
        left, right, Kinds(left.shape[1]), k, 1000, 5000
    )
    assert total == pytest.approx(cdist(left, right).sum(), rel=1e-12)
    for near, a, b, first in ((near_left, left, right, 5000), (near_right, right, left, 1000)):
        assert near.indices.shape == (len(a), k)
        squared, indices = by_row_order(a, b, k)
        np.testing.assert_allclose(near.squared, squared, rtol=1e-12)
        np.testing.assert_array_equal(near.indices, np.where(indices < 0, -1, indices + first))


@pytest.mark.parametrize("m", [5, 300, 1500])
def test_equal_distances_are_in_row_order(m):
    # integers: numpy's sums and ours are both exact, so ties are ties in both
    rows = np.random.default_rng(m).integers(0, 4, (m, 2)).astype(float)
    _, near = distances.pairs_diag(rows, Kinds(rows.shape[1]), 4, first=10)
    squared, indices = by_row_order(rows, rows, 4, own=True)
    np.testing.assert_array_equal(near.squared, squared)
    np.testing.assert_array_equal(near.indices, np.where(indices < 0, -1, indices + 10))


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(0, 6),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_blocks_combine_to_the_whole(seed, sizes, k, ties):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(sum(sizes), 3))
    if ties:
        rows = np.rint(rows)
    kinds = Kinds(rows.shape[1])
    whole_total, whole = distances.pairs_diag(rows, kinds, k)
    starts = np.cumsum([0, *sizes])
    parts = [rows[a:b] for a, b in itertools.pairwise(starts)]
    total, found = 0.0, [[] for _ in parts]
    for i, part in enumerate(parts):
        own_total, near = distances.pairs_diag(part, kinds, k, int(starts[i]))
        total += own_total
        found[i].append(near)
        for j in range(i):
            pair = distances.pairs_block(parts[j], part, kinds, k, int(starts[j]), int(starts[i]))
            total += pair[0]
            found[j].append(pair[1])
            found[i].append(pair[2])
    assert total == pytest.approx(whole_total, rel=1e-12)
    merged = [distances.merge_nearest(near) for near in found]
    np.testing.assert_array_equal(np.concatenate([n.squared for n in merged]), whole.squared)
    np.testing.assert_array_equal(np.concatenate([n.indices for n in merged]), whole.indices)


@pytest.mark.parametrize("shape", [(1, 1, 1), (500, 1, 8), (3000, 7, 50), (0, 3, 4)])
def test_nearest_center(shape):
    m, n_features, n_clusters = shape
    rng = np.random.default_rng(m)
    rows, centers = rng.normal(size=(m, n_features)), rng.normal(size=(n_clusters, n_features))
    labels, inertia = assignment.nearest_center(rows, centers, Metric())
    squared = cdist(rows, centers, "sqeuclidean")
    np.testing.assert_array_equal(labels, squared.argmin(axis=1))
    assert inertia == pytest.approx(squared.min(axis=1).sum(), rel=1e-12)


def test_nearest_center_does_not_depend_on_the_block():
    rng = np.random.default_rng(0)
    rows, centers = rng.integers(0, 3, (500, 3)) * 0.1, rng.integers(0, 3, (9, 3)) * 0.1
    metric = Metric(np.array([0.3, 1.0, 7.0]))
    whole, _ = assignment.nearest_center(rows, centers, metric)
    alone = [assignment.nearest_center(rows[i : i + 1], centers, metric)[0][0] for i in range(500)]
    assert whole.tolist() == alone
    centers = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    labels, _ = assignment.nearest_center(np.array([[0.0], [-2.0], [2.0]]), centers, Metric())
    assert labels.tolist() == [0, 1, 0]


def some_draw(rng, m, n, k=3):
    """Parents among m rows, of k neighbours each."""
    return drawing.Draw(
        base=rng.integers(0, m, n),
        neighbors=rng.integers(0, m, (n, k)),
        chosen=rng.integers(0, k, n),
        gap=rng.random(n),
        ties=rng.integers(0, 2**64, n, dtype=np.uint64),
    )


def expected_rows(rows, draw, dtype):
    neighbor = draw.neighbors[np.arange(len(draw.base)), draw.chosen]
    left, right = rows[draw.base].astype(float), rows[neighbor].astype(float)
    new = left + draw.gap[:, np.newaxis] * (right - left)
    return (np.rint(new) if np.dtype(dtype).kind in "iu" else new).astype(dtype)


def in_two_blocks(rows, draw, interpolate):
    """New rows of a group whose rows lie in two blocks."""
    half = rows.shape[0] // 2
    blocks = [pieces.GroupRows(rows[:half], None), pieces.GroupRows(rows[half:], None)]
    # a sector of all rows, whose only block was drawn before
    stream = SimpleNamespace(n_rows=len(draw.base), draw=lambda neighbors: draw)
    found = density.Density(1.0, 0.0, np.zeros((rows.shape[0], 3), dtype=np.int64))
    args = 0, rows.shape[0], [stream], drawing.all_neighbors
    wanted = interpolation.wanted_of(found, *args)
    picked = [picking.pick(b, wanted.numbers, s) for b, s in zip(blocks, (0, half), strict=True)]
    how = interpolation.Interpolation(interpolate)
    parents = interpolation.join_parents(picked, wanted)
    return interpolation.make_from_parents(parents, stream, how, 0)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "i4", "i8", "u1", "u8"])
@pytest.mark.parametrize("two", [False, True])
def test_interpolate_dense(dtype, two):
    rng = np.random.default_rng(0)
    rows = rng.uniform(0, 120, (30, 4)).astype(dtype)
    draw, interpolate = some_draw(rng, 30, 1000), interpolation.interpolate_nearest
    new = in_two_blocks(rows, draw, interpolate) if two else interpolate(rows, draw)
    assert new.dtype == rows.dtype
    np.testing.assert_array_equal(new, expected_rows(rows, draw, dtype))


@pytest.mark.parametrize("make", FORMATS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_interpolate_sparse(make, dtype):
    rng = np.random.default_rng(0)
    dense = (rng.uniform(-90, 90, (30, 6)) * (rng.random((30, 6)) < 0.4)).astype(dtype)
    rows, draw = make(dense), some_draw(rng, 30, 200)
    new = interpolation.interpolate_nearest(rows, draw)
    assert type(new) is type(rows)
    assert (new.format, new.dtype, new.shape) == (rows.format, rows.dtype, (200, 6))
    expected = expected_rows(dense, draw, dtype)
    # a sparse sum may round once more than numpy's, before integers are rounded: not near .5 here
    np.testing.assert_allclose(new.toarray(), expected, rtol=1e-6 if dtype == "f4" else 1e-13)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u8"])
def test_a_row_joined_to_its_duplicate_is_that_row(dtype):
    rows = np.full((2, 3), 2**24 - 1).astype(dtype)
    draw = some_draw(np.random.default_rng(0), 2, 50)
    new = interpolation.interpolate_nearest(rows, draw)
    assert (new == rows[0]).all()


@pytest.mark.parametrize("dtype", ["i8", "u8"])
@pytest.mark.parametrize("make", [np.array, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("low", ["largest", "2**53 + 1"])
def test_integers_beyond_float64_stay_between_their_parents(dtype, make, low):
    top = np.iinfo(dtype).max
    small = top if low == "largest" else 2**53 + 1
    dense = np.array([[small, top], [small, top - 5], [small, 7]], dtype=dtype)
    draw = some_draw(np.random.default_rng(0), 3, 100)
    new = interpolation.interpolate_nearest(make(dense), draw)
    new = new.toarray() if sparse.issparse(new) else new
    left, right = dense[draw.base], dense[draw.neighbor]
    assert (new >= np.minimum(left, right)).all()
    assert (new <= np.maximum(left, right)).all()


@given(st.integers(1, 40), st.lists(st.integers(0, 39), max_size=60), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_each_picked_row_comes_once_and_is_found_again(m, numbers, size):
    rows, wanted = np.arange(2.0 * m).reshape(m, 2), np.array(numbers, dtype=int) % m
    parts = [
        picking.pick(pieces.GroupRows(rows[start : start + size], None), wanted, start)
        for start in range(0, m, size)
    ]
    picked = picking.join_picked(parts)
    assert picked.numbers.tolist() == sorted(set(wanted.tolist()))
    np.testing.assert_array_equal(picked.rows[picking.index_in(picked, wanted)], rows[wanted])
    np.testing.assert_array_equal(picking.pick_in_order(parts, wanted, Metric()), rows[wanted])


@st.composite
def chunked_groups(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(0, 12), min_size=1, max_size=8))
    n, n_clusters, n_classes = sum(sizes), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    wanted = draw(st.lists(st.integers(0, n_classes - 1), unique=True, min_size=1))
    return (
        sizes,
        rng.integers(0, n_classes, n),
        rng.integers(-1, n_clusters, n),
        sorted(wanted),
        (n_clusters, n_classes),
        draw(st.integers(1, 4)),
    )


@pytest.mark.parametrize("kind", ["dense", "csr"])
@given(case=chunked_groups())
@settings(max_examples=60, deadline=None)
def test_pieces_keep_each_group_in_global_order(kind, case):
    sizes, codes, labels, wanted, shape, fan_in = case
    n = sum(sizes)
    dense = np.arange(2.0 * n).reshape(n, 2) + 1
    rows = sparse.csr_matrix(dense) if kind == "csr" else dense
    starts = np.cumsum([0, *sizes])
    parts = [
        pieces.extract(rows[a:b], codes[a:b], labels[a:b], 1.0, int(a), wanted, shape)
        for a, b in itertools.pairwise(starts)
    ]
    while len(parts) > 1:
        step = max(2, fan_in)
        parts = [pieces.merge_pieces(parts[i : i + step]) for i in range(0, len(parts), step)]
    piece = parts[0]
    counts = np.zeros(shape, dtype=int)
    np.add.at(counts, (labels[labels >= 0], codes[labels >= 0]), 1)
    np.testing.assert_array_equal(piece.counts, counts)
    assert piece.inertia == len(sizes)
    assert len(piece.starts) == len(wanted) * shape[0] + 1
    for number, code in enumerate(wanted):
        for cluster in range(shape[0]):
            group = number * shape[0] + cluster
            expected = np.flatnonzero((codes == code) & (labels == cluster))
            m = int(piece.starts[group + 1] - piece.starts[group])
            found = pieces.slice_group(piece, group, 0, m)
            held = found.rows.toarray() if kind == "csr" else found.rows
            np.testing.assert_array_equal(found.positions, expected)
            np.testing.assert_array_equal(held, dense[expected])


def test_streams_are_keyed():
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (2, 0, 5), (2, 5, 0)]
    drawn = {key: seeding.stream(7, *key).random(8).tolist() for key in keys}
    assert drawn == {key: seeding.stream(7, *key).random(8).tolist() for key in reversed(keys)}
    every = {tuple(numbers) for numbers in drawn.values()}
    assert len(every | {tuple(seeding.stream(8, *key).random(8)) for key in keys}) == 2 * len(keys)
    assert seeding.small_seed(7, 1) == seeding.small_seed(7, 1) != seeding.small_seed(7, 2)
    assert 0 <= seeding.small_seed(7, 1) < 2**31


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 2**40), st.integers(0, 2))
@settings(max_examples=100, deadline=None)
def test_sample_rows(n, size, seed, level):
    rows = seeding.sample_rows(n, size, seed, level)
    assert len(rows) == min(n, size)
    assert (np.diff(rows) > 0).all()
    assert ((rows >= 0) & (rows < n)).all()
    np.testing.assert_array_equal(rows, seeding.sample_rows(n, size, seed, level))


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_root_seed_of_generators(make):
    first, second = make(3), make(3)
    seeds = [seeding.root_seed(first), seeding.root_seed(first)]
    assert seeds == [seeding.root_seed(second), seeding.root_seed(second)]
    assert seeds[0] != seeds[1]
    assert min(seeds) >= 0


def test_root_seed_of_none_and_int():
    assert seeding.root_seed(np.int64(5)) == 5
    assert seeding.root_seed(None) != seeding.root_seed(None)


def test_draw_is_keyed_and_joins_neighbors():
    neighbors = np.array([[1, 2], [2, 0], [0, 1]])
    drawn, again = (drawing.KeyedStream(0, (1, 2, 3), 6000).draw(neighbors) for _ in range(2))
    for one, other in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for key in [(0, 2, 3), (1, 0, 3), (1, 2, 0)]:
        assert (drawing.KeyedStream(0, key, 6000).draw(neighbors).gap != drawn.gap).any()
    # all neighbours of the base row, in their order
    np.testing.assert_array_equal(drawn.neighbors, neighbors[drawn.base])
    pairs = np.bincount(drawn.base * 3 + drawn.neighbor, minlength=9).reshape(3, 3)
    assert ((pairs > 0) == ~np.eye(3, dtype=bool)).all()


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 700), min_size=1, max_size=6),
    st.integers(2, 50),
    st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_compat_draws_in_pieces_what_numpy_draws_at_once(seed, sizes, m, k):
    n = sum(sizes)
    rng = np.random.RandomState(seed)
    numbers, gaps = rng.randint(0, m * k, n), rng.uniform(size=n)
    neighbors = np.random.default_rng(seed).integers(0, m, (m, k))
    streams = drawing.restarted_streams(seed, (0, 0), sizes, m * k)
    # last first: a block needs no other
    drawn = [stream.draw(neighbors) for stream in reversed(streams)][::-1]
    np.testing.assert_array_equal(np.concatenate([d.base for d in drawn]), numbers // k)
    np.testing.assert_array_equal(
        np.concatenate([d.neighbor for d in drawn]), neighbors[numbers // k, numbers % k]
    )
    np.testing.assert_array_equal(np.concatenate([d.gap for d in drawn]), gaps)


def test_compiles_where_nothing_can_be_kept(monkeypatch):
    def twice(x):
        return 2 * x

    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(twice)
    assert compiled(twice)(4) == 8
