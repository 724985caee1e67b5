"""Originals, synthetic rows alone, or both, from one run; and the one object that orders them."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE, plots
from dask_kmsmote.data.result import Arrangement, Output
from dask_kmsmote.errors import InputError

KINDS = {
    "numpy": lambda X, y: (X, y),
    "lists": lambda X, y: (X.tolist(), y.tolist()),
    "pandas": lambda X, y: (pd.DataFrame(X).add_prefix("f"), pd.Series(y, dtype="category")),
    "csc": lambda X, y: (sparse.csc_matrix(X), y),
    "one-vs-all": lambda X, y: (X, np.eye(3, dtype=int)[y]),
    "arrays": lambda X, y: chunked(X, y, 110),
    "sparse chunks": lambda X, y: (
        da.from_array(X, chunks=(110, -1)).map_blocks(sparse.csr_matrix),
        da.from_array(np.eye(3, dtype=int)[y], chunks=(110, -1)),
    ),
    "frame": lambda X, y: tuple(
        dd.from_pandas(part, npartitions=3)
        for part in (pd.DataFrame(X).add_prefix("f"), pd.Series(y, name="t"))
    ),
    "frame and array": lambda X, y: (
        dd.from_pandas(pd.DataFrame(X).add_prefix("f"), npartitions=3, sort=False),
        da.from_array(y, chunks=200),
    ),
}


@pytest.fixture(scope="module")
def data():
    X, y = make_imbalanced(600, 4, 0.2, seed=5)
    return X, np.where(np.arange(600) % 20 == 3, 2, y)


def values(part):
    part = dask.compute(part)[0]
    part = part.toarray() if sparse.issparse(part) else part
    return np.asarray(part)


def outputs(given, output):
    sampler = KMeansSMOTE(random_state=0)
    source = sampler._input(*given)
    sampler._run(source, given[1])
    return source.resampled(Arrangement(sampler._result.run, sampler.order_, output))


@pytest.mark.parametrize("kind", KINDS)
def test_originals_and_synthetic_rows_alone_are_the_parts_of_both(data, kind):
    X, y = data
    given = KINDS[kind](X, y)
    both = KMeansSMOTE(random_state=0).fit_resample(*given)
    alone = KMeansSMOTE(random_state=0).fit_synthesize(*given)
    originals = outputs(given, Output.ORIGINALS)
    for whole, old, new, first in zip(both, originals, alone, given, strict=True):
        assert type(old) is type(new) is type(whole)
        np.testing.assert_array_equal(values(old), values(first))
        np.testing.assert_array_equal(values(whole)[:600], values(old))
        np.testing.assert_array_equal(values(whole)[600:], values(new))
        assert len(values(new)) > 0
        if hasattr(whole, "dtypes"):
            assert list(np.atleast_1d(new.dtypes)) == list(np.atleast_1d(whole.dtypes))
            assert values(new.index).tolist() == list(range(len(values(new))))
        if dask.is_dask_collection(whole):
            plan = KMeansSMOTE(random_state=0).fit(*given).plan_
            assert new.npartitions == len(list(plan.blocks()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_does_not_matter_to_one_part_alone(data, kind):
    given = KINDS[kind](*data)
    one, other = (
        KMeansSMOTE(random_state=0, layout=layout).fit_synthesize(*given)
        for layout in ("append", "interleave")
    )
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(values(left), values(right))


@pytest.mark.parametrize("kind", ["numpy", "arrays", "frame"])
@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_the_provenance_of_synthetic_rows_alone_is_in_their_order(data, kind, layout):
    sampler = KMeansSMOTE(random_state=0, layout=layout)
    X_new = values(sampler.fit_synthesize(*KINDS[kind](*data))[0])
    parents = sampler.provenance_.compute()
    assert parents.index.tolist() == list(range(len(X_new)))
    base, neighbor = (data[0][parents[name]] for name in ("base_row", "neighbor_row"))
    expected = base + parents["gap"].to_numpy()[:, np.newaxis] * (neighbor - base)
    np.testing.assert_allclose(X_new, expected, atol=1e-12)


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4"])
def test_blocks_are_of_the_dtype_that_their_array_says(data, layout, dtype):
    X, y = data
    given = chunked((100 * X).astype(dtype), y.astype(">i8"), 110)
    for result in KMeansSMOTE(random_state=0, layout=layout).fit_resample(*given):
        assert result.dtype.isnative
        assert {block.compute().dtype.str for block in result.blocks} == {result.dtype.str}


def test_what_is_not_fitted_says_so():
    for name in ("order_", "lengths_", "recipe_", "provenance_"):
        assert not hasattr(KMeansSMOTE(), name)
        with pytest.raises(NotFittedError, match="not fitted"):
            getattr(KMeansSMOTE(), name)


@pytest.mark.parametrize("kind", KINDS)
def test_no_synthetic_rows(data, kind):
    X, y = data
    present = dict(enumerate(np.bincount(y).tolist()))
    sampler = KMeansSMOTE(random_state=0, sampling_strategy=present)
    X_new, y_new = sampler.fit_synthesize(*KINDS[kind](X, y))
    assert len(values(X_new)) == len(values(y_new)) == 0
    if not isinstance(X_new, list):
        assert values(X_new).shape[1] == 4


def test_originals_are_compared_and_synthetic_rows_read_nothing(data):
    X, y = data
    added, (rows, labels) = [0.0], chunked(X, y, 110)
    given = rows.map_blocks(lambda block: block + added[0], meta=X[:0]), labels
    originals, alone = (outputs(given, each) for each in (Output.ORIGINALS, Output.SYNTHETIC))
    expected = values(alone[0])
    added[0] = 1.0
    with pytest.raises(InputError, match="changed between two reads"):
        originals[0].compute()
    np.testing.assert_array_equal(values(alone[0]), expected)


@pytest.mark.parametrize("kind", ["numpy", "pandas", "arrays", "frame"])
@pytest.mark.parametrize(("own", "other"), [("append", "interleave"), ("interleave", "append")])
def test_a_layout_set_after_the_run_moves_nothing(data, kind, own, other):
    """The result, the provenance, `validate` and the plots ask one object."""
    sampler = KMeansSMOTE(random_state=0, layout=own)
    result = sampler.fit_resample(*KINDS[kind](*data))
    order, parents = sampler.order_, sampler.provenance_.compute()
    table, points = sampler.validate(*result), shown(sampler, result)
    sampler.set_params(layout=other)
    assert sampler.order_ is order
    pd.testing.assert_frame_equal(sampler.provenance_.compute(), parents)
    pd.testing.assert_frame_equal(sampler.validate(*result), table)
    assert table.passed.dropna().all()
    np.testing.assert_array_equal(shown(sampler, result), points)


def shown(sampler, result):
    features = ["f0", "f1"] if hasattr(result[0], "columns") else [0, 1]
    ax = plots.scatter(*result, sampler, features=features, n_sample=60)
    return np.concatenate([marks.get_offsets() for marks in ax.collections])
