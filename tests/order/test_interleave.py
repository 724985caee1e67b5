"""Originals and synthetic rows mixed: the same rows, spread evenly, in one order for any chunks."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.utils import key_split
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.order.orders import Append, Interleave
from dask_kmsmote.order.places import RUNS, interleave, sort_by_place


def sampled(X, y, **params):
    sampler = KMeansSMOTE(random_state=3, **params)
    return sampler, *sampler.fit_resample(X, y)


def dense(rows):
    rows = rows.compute() if dask.is_dask_collection(rows) else rows
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


KINDS = {
    "numpy": lambda X, y: (X, y),
    "lists": lambda X, y: (X.tolist(), y.tolist()),
    "pandas": lambda X, y: (pd.DataFrame(X).add_prefix("f"), pd.Series(y)),
    "csr": lambda X, y: (sparse.csr_array(X), y),
    "csc": lambda X, y: (sparse.csc_array(X), y),
    "one-vs-all": lambda X, y: (X, np.eye(3, dtype=int)[y]),
    "dask": lambda X, y: (da.from_array(X, chunks=(210, -1)), da.from_array(y, chunks=210)),
    "uneven": lambda X, y: (
        da.from_array(X, chunks=((1, 0, 899), -1)),
        da.from_array(y, chunks=((1, 0, 899),)),
    ),
    "sparse chunks": lambda X, y: (
        da.from_array(X, chunks=(210, -1)).map_blocks(sparse.csr_array),
        da.from_array(y, chunks=210),
    ),
    "frame": lambda X, y: (
        dd.from_pandas(pd.DataFrame(X).add_prefix("f"), npartitions=4, sort=False),
        dd.from_pandas(pd.Series(y), npartitions=4, sort=False),
    ),
}


@pytest.fixture(scope="module")
def three_classes():
    X, y = make_imbalanced(900, 5, 0.1, seed=1)
    return X, np.where(np.arange(900) % 30 == 7, 2, y)


@pytest.mark.parametrize("kind", KINDS)
def test_same_rows_in_the_order_of_their_places(three_classes, kind):
    X, y = three_classes
    given = KINDS[kind](X, y)
    _, X_plain, y_plain = sampled(*given)
    sampler, X_mixed, y_mixed = sampled(*given, layout="interleave")
    n, n_made = 900, sampler.plan_.n_synthetic
    # in exact arithmetic: ties are broken by where rows come from, as rounding would not
    bounds = [n_made * run // RUNS for run in range(RUNS + 1)]
    places = [(Fraction(2 * row + 1, 2 * n), 0) for row in range(n)]
    for run in range(RUNS):
        size = bounds[run + 1] - bounds[run]
        places += [(Fraction(2 * row + 1, 2 * size), run + 1) for row in range(size)]
    order = sorted(range(n + n_made), key=places.__getitem__)
    np.testing.assert_array_equal(dense(X_mixed), dense(X_plain)[order])
    np.testing.assert_array_equal(dense(y_mixed), dense(y_plain)[order])
    assert type(X_mixed) is type(X_plain)
    if dask.is_dask_collection(X_mixed):
        assert X_mixed.npartitions == given[0].npartitions
        if hasattr(X_mixed, "divisions"):
            assert X_mixed.known_divisions
            assert X_mixed.compute().index.tolist() == list(range(n + n_made))
        else:
            assert not any(np.isnan(X_mixed.chunks[0]))


@pytest.mark.parametrize("kind", ["numpy", "dask", "frame"])
def test_provenance_says_where_each_row_is(three_classes, kind):
    X, y = three_classes
    for layout in ("append", "interleave"):
        sampler, X_mixed, y_mixed = sampled(*KINDS[kind](X, y), layout=layout)
        parents = sampler.provenance_.compute()
        base, neighbor = (X[parents[name]] for name in ("base_row", "neighbor_row"))
        expected = base + parents["gap"].to_numpy()[:, None] * (neighbor - base)
        np.testing.assert_allclose(dense(X_mixed)[parents.index], expected, atol=1e-12)
        np.testing.assert_array_equal(dense(y_mixed)[parents.index], y[parents["base_row"]])
        originals = np.delete(dense(X_mixed), parents.index, axis=0)
        np.testing.assert_array_equal(originals, X)
        assert parents.index.is_monotonic_increasing
        assert sampler.provenance_.known_divisions


def test_every_partition_mixes_all_classes(three_classes):
    X, y = three_classes
    _, _, labels = sampled(*KINDS["dask"](X, y), layout="interleave")
    whole = np.bincount(labels.compute()) / len(labels)
    for part in labels.blocks:
        share = np.bincount(part.compute(), minlength=3) / len(part)
        # each of the runs may miss its share by a row
        assert np.abs(share - whole).max() < RUNS / len(part) + 0.1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any),
    st.lists(st.integers(0, 60), max_size=9),
    st.lists(st.integers(1, 400), max_size=5),
)
def test_any_chunks_and_blocks_give_one_order(lengths, sizes, cuts):
    n, n_made = sum(lengths), sum(sizes)

    def global_order(lengths, sizes):
        order, starts = [], np.cumsum([0, *sizes])
        for number, partition in enumerate(interleave(lengths, sizes)):
            assert partition.chunk == number
            originals = partition.stretches[0]
            rows = [*range(originals.first, originals.first + originals.n_rows)]
            rows += [n + starts[b] + row for b, low, high in partition.slices
                     for row in range(low, high)]  # fmt: skip
            assert partition.n_rows == len(rows)
            order += [rows[number] for number in sort_by_place(partition.stretches)]
        return order

    order = global_order(lengths, sizes)
    assert sorted(order) == list(range(n + n_made))
    assert [row for row in order if row < n] == list(range(n))
    bounds = sorted({0, n, *(c % n for c in cuts)})
    other = np.diff(bounds).tolist()
    assert global_order(other, [n_made] if n_made else []) == order


def test_tasks_do_not_grow_as_chunks_times_blocks():
    X, y = make_imbalanced(8000, 2, 0.02, seed=0)
    counts = {}
    for n_chunks in (20, 80):
        on_dask = (
            da.from_array(X, chunks=(8000 // n_chunks, -1)),
            da.from_array(y, chunks=8000 // n_chunks),
        )
        sampler, made, _ = sampled(*on_dask, layout="interleave")
        tasks = Counter(key_split(key) for key in made.__dask_graph__())
        counts[n_chunks] = tasks["kmsmote-synthesis-mix"] + tasks["kmsmote-synthesis-slice"]
        assert counts[n_chunks] > n_chunks
    # with an alias in the array; a slice is cut in two where a block ends
    n_blocks = len(list(sampler.plan_.blocks()))
    assert counts[80] <= 80 * (RUNS + 2) + n_blocks
    assert counts[80] < 4.5 * counts[20]


def test_nothing_to_make(three_classes):
    X, y = three_classes
    strategy = {2: int((y == 2).sum())}
    for kind in ("numpy", "dask", "frame"):
        sampler, X_mixed, _ = sampled(
            *KINDS[kind](X, y), layout="interleave", sampling_strategy=strategy
        )
        np.testing.assert_array_equal(dense(X_mixed), X)
        assert len(sampler.provenance_.compute()) == 0


@pytest.mark.parametrize("seed", range(40))
def test_order_is_that_of_the_layout(seed):
    rng = np.random.default_rng(seed)
    n, made = int(rng.integers(1, 120)), int(rng.integers(1, 300))
    if seed % 4 == 0:
        made = n * int(rng.integers(1, 4))  # equal places
    (partition,) = interleave([n], [made])
    expected = sort_by_place(partition.stretches)
    order = Interleave(n, made)
    cuts = sorted({0, n + made, *rng.integers(0, n + made, 5).tolist()})
    found = np.concatenate([order.rows(low, high) for low, high in pairwise(cuts)])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(order.positions(expected), np.arange(n + made))


def test_appended_rows_are_where_their_numbers_say():
    order, rows = Append(7, 5), np.array([0, 6, 7, 11])
    np.testing.assert_array_equal(order.positions(rows), rows)
    np.testing.assert_array_equal(order.rows(3, 9), np.arange(3, 9))
    parts = list(order.partitions([3, 0, 4], [4, 1]))
    assert [part.chunk for part in parts] == [0, 1, 2, None, None]
    assert [part.n_rows for part in parts] == [3, 0, 4, 4, 1]
    assert [part.slices for part in parts[3:]] == [((0, 0, 4),), ((1, 0, 1),)]
