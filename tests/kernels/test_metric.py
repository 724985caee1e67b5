"""Rows in a metric, against numpy and scikit-learn; what is measured stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from dask_kmsmote.kernels.rows.metric import Metric, measure_spread, usable

quick = settings(max_examples=100, deadline=None)
FORMATS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]


def measure_deviations(rows):
    return measure_spread(rows, rows.shape[1]).deviations


def some_rows(seed=0, n=60, n_features=4):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, n_features)) * 10.0 ** rng.integers(-3, 4, n_features)
    return np.where(rng.random(rows.shape) < 0.3, 0, rows)


def renamed(rows):
    # a type that is equal and not the same: numpy makes a view of such an array where it could
    # give the array itself
    return rows.view(np.dtype("<f8", metadata={"from": "elsewhere"}))


def read_only(rows):
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


KINDS = {
    "float64": np.asarray,
    "float32": lambda rows: rows.astype(np.float32),
    "long double": lambda rows: rows.astype(np.longdouble),
    "float16": lambda rows: rows.astype(np.float16),
    "int64": lambda rows: (10 * rows).astype(np.int64),
    "bool": lambda rows: rows > 0,
    "big endian": lambda rows: rows.astype(">f8"),
    "by column": np.asfortranarray,
    "slice": lambda rows: np.repeat(rows, 2, axis=1)[::2, ::2],
    "view": renamed,
    "read only": read_only,
    "matrix": lambda rows: rows.view(np.matrix),
    **{make.__name__: make for make in FORMATS},
    "csr of ints": lambda rows: sparse.csr_array((10 * rows).astype(np.int32)),
}


def bytes_of(rows):
    if sparse.issparse(rows):
        return rows.data.tobytes() + rows.indices.tobytes() + rows.indptr.tobytes()
    return np.asarray(rows).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_a_metric_and_as_they_were(kind):
    rows = KINDS[kind](some_rows())
    before, plain = bytes_of(rows), rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
    scales = np.array([0.5, 3.0, 1e-3, 700.0])
    expected = plain.astype(np.float64) / scales
    metric = Metric(scales)
    dense, own = metric.points(rows), metric.coordinates(rows)
    assert bytes_of(rows) == before
    assert dense.dtype == np.float64
    assert dense.flags.c_contiguous
    np.testing.assert_array_equal(np.asarray(dense), expected)
    assert sparse.issparse(own) == sparse.issparse(rows)
    single = rows.dtype == np.float32
    assert own.dtype == (np.float32 if single else np.float64)
    found = own.toarray() if sparse.issparse(own) else np.asarray(own)
    np.testing.assert_allclose(found, expected, rtol=1e-6 if single else 0)
    if sparse.issparse(rows):
        assert own.format == rows.format
        assert type(own) is type(rows)


def test_the_units_of_x_copy_nothing():
    rows = some_rows()
    assert np.may_share_memory(Metric().points(rows), rows)
    assert Metric().coordinates(rows) is rows
    assert Metric().scales_of(3).tolist() == [1, 1, 1]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-200, 1e-9, 1.0, 1e9, 1e140]))
@quick
def test_deviations_are_those_of_all_rows(seed, size):
    rows = some_rows(seed) * size
    expected = StandardScaler().fit(some_rows(seed)).scale_ * size
    varying = rows.any(axis=0)
    found = measure_deviations(rows)
    np.testing.assert_allclose(found[varying], expected[varying], rtol=1e-9)
    assert (found[~varying] == 0).all()
    for make in FORMATS:
        np.testing.assert_allclose(measure_deviations(make(rows)), found, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e9 + 0.1, 1e-300])
@pytest.mark.parametrize("make", [np.asarray, *FORMATS])
def test_equal_values_do_not_vary(make, value):
    # the mean of 0.1 three times is not 0.1
    rows = np.full((1001, 2), value)
    rows[:, 1] = np.arange(1001)
    found = measure_deviations(make(rows))
    assert found[0] == 0
    assert usable(found).tolist() == [1, found[1]]


def test_entries_that_are_stored_twice_count_together():
    parts = np.array([1.0, 2.0, 5.0]), np.array([0, 0, 0]), np.array([0, 2, 3])
    rows = sparse.csr_matrix(parts, shape=(2, 1))  # rows 3 and 5
    assert measure_deviations(rows).tolist() == [1]
    assert rows.data.tolist() == [1, 2, 5]


def test_what_is_not_finite_is_left_to_its_error():
    rows = some_rows()
    rows[0, 0], rows[1, 1] = np.nan, np.inf
    scales = usable(measure_deviations(rows))
    # of what is missing, the others tell
    assert scales[0] == rows[1:, 0].std()
    assert scales[1] == 1
    assert np.isfinite(scales).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "matrix"])
def test_scales_are_float64_for_any_type(kind):
    rows = KINDS[kind](some_rows())
    assert usable(measure_deviations(rows)).dtype == np.float64


def test_few_rows_of_many_are_looked_at():
    rows = np.zeros((2**20, 65))
    rows[::2] = 1
    assert measure_deviations(rows[:, :1]) == pytest.approx(0.5)
    assert measure_deviations(np.zeros((0, 3))).tolist() == [0, 0, 0]
