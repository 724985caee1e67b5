"""Lloyd's passes against scikit-learn, dask-ml and numpy; sums do not depend on the chunks."""

from __future__ import annotations

import itertools
import math

import dask
import dask.array as da
import numpy as np
import pytest
from dask_ml.cluster.k_means import k_means
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from dask_kmsmote.kernels.clusters.passes import (
    merge_sums,
    moved,
    pass_over,
    pass_until,
    roundings_for,
    sum_by_center,
)
from dask_kmsmote.kernels.rows.metric import Metric, indicate
from dask_kmsmote.libraries import on_one_thread

PLAIN = Metric()
FORMS = {
    "float64": np.asarray,
    "float32": lambda rows: rows.astype(np.float32),
    "float16": lambda rows: rows.astype(np.float16),
    "int8": lambda rows: rows.astype(np.int8),
    "uint64": lambda rows: np.abs(rows).astype(np.uint64),
    "bool": lambda rows: rows > 0,
    "big endian": lambda rows: rows.astype(">f8"),
    "big endian float32": lambda rows: rows.astype(">f4"),
    "by column": np.asfortranarray,
    "slice": lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "csr of float32": lambda rows: sparse.csr_matrix(rows.astype(np.float32)),
}


def asked_of(rows, centers, metric=PLAIN, offset=None):
    """A pass over rows of whose numbers the largest are known."""
    offset = np.zeros(centers.shape[1]) if offset is None else offset
    n_numbers = rows.shape[1] - metric.indicators.n_categorical
    numbers = (rows.toarray() if sparse.issparse(rows) else rows)[:, :n_numbers].astype(float)
    peaks = np.nanmax(np.abs(numbers), axis=0, initial=0)
    return pass_over(peaks, rows.shape[0], centers, offset, metric)


def one_pass(rows, centers, metric=PLAIN, offset=None):
    asked = asked_of(rows, centers, metric, offset)
    return moved(sum_by_center(rows, asked), asked)


def some_rows(rng, n=400, n_features=4):
    return np.rint(rng.normal(0, 8, (n, n_features)))


def mixed_rows(rng, n):
    """Two numbers, some of them missing, and two categories of 3 and 40; and their metric."""
    numbers = np.where(rng.random((n, 2)) < 0.1, np.nan, rng.normal(3, 5, (n, 2)))
    codes = [rng.integers(0, size, n) for size in (3, 40)]
    counts = [np.bincount(own, minlength=size) for own, size in zip(codes, (3, 40), strict=True)]
    scales, fills = np.array([2.0, 0.3, 1.0, 1.0]), np.array([3.0, 2.5, 0.0, 0.0])
    return np.column_stack([numbers, *codes]), Metric(scales, fills, 1.4, indicate(counts))


@pytest.mark.parametrize("far", [0.0, 1e8])
@pytest.mark.parametrize("n_clusters", [1, 2, 9])
def test_a_pass_is_that_of_scikit_learn_and_dask_ml(n_clusters, far):
    rng = np.random.default_rng(n_clusters)
    rows = rng.normal(size=(3000, 5)) + far
    centers = rows[rng.choice(len(rows), n_clusters, replace=False)]
    own = one_pass(rows, centers, offset=rows.mean(axis=0))
    with on_one_thread(), dask.config.set(scheduler="synchronous"):
        theirs = KMeans(n_clusters, init=centers, n_init=1, max_iter=1).fit(rows)
        blocks = da.from_array(rows - far, chunks=(700, -1))
        _, found, _ = k_means(blocks, n_clusters, init=centers - far, max_iter=1, tol=0.0)
    np.testing.assert_allclose(own, theirs.cluster_centers_, rtol=1e-9)
    np.testing.assert_allclose(own - far, found, rtol=1e-9, atol=1e-7 if far else 1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("measured", [False, True])
def test_means_of_any_rows(form, measured):
    rng = np.random.default_rng(0)
    rows = FORMS[form](some_rows(rng))
    plain = (rows.toarray() if sparse.issparse(rows) else rows).astype(float)
    metric = Metric(np.array([0.5, 3.0, 1.0, 70.0])) if measured else PLAIN
    coordinates = plain / metric.scales_of(4)
    centers, offset = coordinates[:7] + 0.01 * rng.normal(size=(7, 4)), coordinates.mean(axis=0)
    found = one_pass(rows, centers, metric, offset)
    labels = cdist(coordinates, centers).argmin(axis=1)
    expected = [
        coordinates[labels == cluster].mean(axis=0) if (labels == cluster).any() else center
        for cluster, center in enumerate(centers)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_of_categories_and_of_what_is_missing(dtype):
    rng = np.random.default_rng(1)
    rows, metric = mixed_rows(rng, 900)
    rows = rows.astype(dtype)
    coordinates = metric.coordinates(rows.astype(float))
    centers = coordinates[:6] + 0.02 * rng.normal(size=(6, coordinates.shape[1]))
    found = one_pass(rows, centers, metric, coordinates.mean(axis=0))
    labels = cdist(coordinates, centers).argmin(axis=1)
    expected = [coordinates[labels == cluster].mean(axis=0) for cluster in range(6)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 700), max_size=6),
    st.booleans(),
    st.integers(-140, 140),
    st.integers(0, 30),
)
@settings(max_examples=80, deadline=None)
def test_sums_do_not_depend_on_the_chunks_or_their_order(seed, cuts, sparsely, power, spread):
    rng = np.random.default_rng(seed)
    rows, metric = mixed_rows(rng, 700)
    # a few numbers far beyond the others
    rows[:, :2] *= 10.0**power * np.exp(spread * np.abs(rng.normal(size=(700, 2))) / 4)
    if sparsely:
        rows, metric = sparse.csr_array(np.nan_to_num(rows)), Metric(metric.scales)
    centers = rng.normal(1, 1, (5, metric.width(4)))
    offset = rng.normal(size=metric.width(4))
    asked = asked_of(rows, centers, metric, offset)
    edges = [0, *sorted(cuts), 700]
    chunks = [rows[low:high] for low, high in itertools.pairwise(edges)]
    rng.shuffle(chunks)
    own = merge_sums([sum_by_center(chunk, asked) for chunk in chunks])
    whole = sum_by_center(rows, asked)
    assert [part.tobytes() for part in own] == [part.tobytes() for part in whole]


@given(st.integers(0, 2**32 - 1), st.integers(1, 500), st.floats(-140, 140), st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_sums_are_those_of_whole_precision(seed, n, power, spread):
    rng = np.random.default_rng(seed)
    rows = 10.0**power * rng.normal(size=(n, 1)) * np.exp(spread * rng.normal(size=(n, 1)) / 4)
    asked = asked_of(rows, np.zeros((1, 1)))
    exact = math.fsum(rows[:, 0])
    own = float(sum_by_center(rows, asked).steps.sum())
    # what three steps leave of a number is 2**-59 of the largest
    assert abs(own - exact) <= 1e-15 * abs(exact) + n * 2.0**-59 * np.abs(rows).max()


def test_sums_of_a_billion_rows_are_exact():
    # the sums as they would be after so many rows of the largest number
    n, peak = 10**9, np.array([3.7])
    roundings = roundings_for(peak, n)
    left = peak.copy()
    for rounding in roundings:
        step = (left + rounding) - rounding
        total = step * n
        # a float64 holds it to the last multiple of the step: adding one more changes it by one
        assert total + step - total == step
        assert (total + step) - step == total
        left = left - step
    assert abs(left) < 2.0**-58


@pytest.mark.parametrize("rows", [np.zeros((0, 2)), np.zeros((3, 2)), sparse.csr_array((0, 2))])
def test_a_centre_without_rows_stays(rows):
    centers = np.array([[1.0, 2.0], [-1e300, 5.0], [1.0, 2.0]])
    found = one_pass(rows, centers, offset=np.array([0.3, -7.0]))
    np.testing.assert_array_equal(found[1:], centers[1:])
    expected = [[0.0, 0.0]] if rows.shape[0] else centers[:1]
    np.testing.assert_allclose(found[:1], expected, atol=1e-12)


@pytest.mark.parametrize(("max_iter", "tolerance"), [(0, 0.0), (1, 0.0), (4, 0.0), (300, 1e-9)])
def test_passes_end_where_those_of_numpy_do(max_iter, tolerance):
    rng = np.random.default_rng(3)
    rows, metric = mixed_rows(rng, 500)
    coordinates = metric.coordinates(rows)
    centers, offset = coordinates[:4], coordinates.mean(axis=0)
    own, shifts = pass_until(
        lambda centers: one_pass(rows, centers, metric, offset), centers, max_iter, tolerance
    )
    expected = []
    while len(expected) < max_iter and (not expected or expected[-1] > tolerance):
        labels = cdist(coordinates, centers).argmin(axis=1)
        found = np.array([coordinates[labels == cluster].mean(axis=0) for cluster in range(4)])
        expected.append(((found - centers) ** 2).sum())
        centers = found
    np.testing.assert_allclose(own, centers, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shifts, expected, rtol=1e-6, atol=1e-20)
