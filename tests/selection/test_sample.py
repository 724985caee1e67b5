"""The rows that trials see: shares are kept, and no chunk changes which rows they are."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.naive_bayes import GaussianNB
from trial_data import as_kind, rows_of, search_quickly, values_of

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError
from dask_kmsmote.selection.sample import draw_ranks, take_sample
from kinds import as_array, as_frame, forget_chunks

pytestmark = pytest.mark.usefixtures("one_thread")
SAMPLER = KMeansSMOTE(missing="keep")


def cut(X, sizes):
    return da.from_array(X, chunks=(sizes, *X.shape[1:]))


@given(
    counts=st.lists(st.integers(1, 5000), min_size=2, max_size=5),
    n_rows=st.integers(1, 6000),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_each_class_keeps_its_share_to_a_row(counts, n_rows, seed):
    n = sum(counts)
    ranks = draw_ranks(dict(enumerate(counts)), n_rows, seed)
    for label, own in ranks.items():
        assert abs(len(own) - min(1, n_rows / n) * counts[label]) <= 0.5
        assert (np.diff(own) > 0).all()
        assert len(own) == 0 or 0 <= own[0] <= own[-1] < counts[label]


@pytest.mark.parametrize("n_rows", [50, 299, 10**6])
@pytest.mark.parametrize("sizes", [(300,), (1, 99, 0, 0, 150, 50), (7,) * 42 + (6,)])
@pytest.mark.parametrize("kind", ["numpy", "frame", "mixed"])
def test_the_same_rows_are_drawn_of_any_chunks(kind, sizes, n_rows):
    X, y = rows_of(300)
    X = as_kind(kind, X)
    here = take_sample(SAMPLER, X, y, n_rows, 3)
    if kind == "numpy":
        there = take_sample(SAMPLER, cut(X, sizes), cut(y, sizes), n_rows, 3)
    else:
        cuts = np.cumsum([0, *sizes]).tolist()
        own = as_frame(X, cuts), as_frame(pd.Series(y, index=X.index), cuts)
        there = take_sample(SAMPLER, *own, n_rows, 3)
    assert there.positions.tolist() == here.positions.tolist()
    assert there.y.tolist() == here.y.tolist() == y[here.positions].tolist()
    assert (here.n_all, there.n_all, here.n_rows) == (300, 300, min(n_rows, 300))
    if kind == "numpy":
        assert (there.X == here.X).all()
        assert (X[here.positions] == here.X).all()
    else:
        for name in X:
            expected = X[name].iloc[here.positions].astype(object).map(repr).tolist()
            assert here.X[name].astype(object).map(repr).tolist() == expected
            found = there.X[name].astype(object)
            assert found.isna().tolist() == here.X[name].isna().tolist()
            present = found.notna().to_numpy()
            assert found[present].tolist() == here.X[name].astype(object)[present].tolist()


def test_of_a_large_table_the_drawn_rows_alone_leave_the_workers():
    X, y = rows_of(600)
    sizes = []

    def scheduler(graph, keys, **kwargs):
        found = dask.get(graph, keys, **kwargs)

        def note(own):
            if isinstance(own, list | tuple):
                for part in own:
                    note(part)
            elif isinstance(own, np.ndarray) and own.ndim == 2:
                sizes.append(len(own))

        note(found)
        return found

    with dask.config.set(scheduler=scheduler):
        sample = take_sample(SAMPLER, cut(X, (200, 200, 200)), cut(y, (200, 200, 200)), 60, 0)
    assert sum(sizes) == sample.n_rows == 60


def kinds_of(X, y):
    """The same data in kinds of many holders."""
    frame = pd.DataFrame(X, columns=list("abcd"))
    series = pd.Series(y)
    return {
        "lists": (X.tolist(), y.tolist()),
        "pandas": (frame.set_index(np.arange(len(X))[::-1]), series),
        "one index": (frame.set_index(np.zeros(len(X))), y),
        "polars": (pl.DataFrame(X, schema=list("abcd")), pl.Series(y)),
        "column": (X, y[:, None]),
        "one-vs-all": (X, np.eye(2, dtype=int)[y]),
        "categories": (X, pd.Series(pd.Categorical.from_codes(y, ["a", "b"]))),
        "nullable": (frame.astype("Float64"), series.astype("Int64")),
        "array": (as_array(X, 2), as_array(y)),
        "unknown": (forget_chunks(as_array(X, 4)), forget_chunks(as_array(y))),
        "frame": (as_frame(frame), as_frame(series)),
        "frame of arrow": (dd.from_pandas(frame, npartitions=3), dd.from_pandas(series, 3)),
    }


@pytest.mark.parametrize("kind", kinds_of(*rows_of(300)))
@pytest.mark.parametrize("n_rows", [300, 180])
def test_values_are_the_same_for_every_kind_and_chunking(kind, n_rows):
    X, y = rows_of(300)
    grid = {"kmeans_estimator": [3], "cluster_balance_threshold": [0.0]}
    expected = search_quickly(X, y, GaussianNB(), n_rows=n_rows, grid=grid)
    result = search_quickly(*kinds_of(X, y)[kind], GaussianNB(), n_rows=n_rows, grid=grid)
    assert not result.faults
    assert result.facts.n_rows == n_rows
    assert np.array_equal(values_of(result), values_of(expected), equal_nan=True)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sparse_rows_are_the_same_as_their_values(make):
    X, y = rows_of(300)
    X = np.where(X > 0, X, 0)
    expected = search_quickly(X, y, None, scoring="AUPRC", n_rows=200)
    result = search_quickly(make(X), y, scoring="AUPRC", n_rows=200)
    assert not result.faults
    assert result.facts.n_rows == expected.facts.n_rows == 200


@pytest.mark.parametrize("n_rows", [40, 299, 300])
@pytest.mark.parametrize("holder", ["memory", "array", "frame"])
@pytest.mark.parametrize("wrong", ["missing", "continuous", "not one-vs-all"])
def test_labels_that_are_none_are_told_whether_drawn_or_not(wrong, holder, n_rows):
    X, y = rows_of(300)
    y = np.eye(2)[y] if wrong == "not one-vs-all" else y.astype(float)
    y[-1] = {"missing": np.nan, "continuous": 0.5, "not one-vs-all": 0}[wrong]
    if holder == "array":
        X, y = as_array(X, 4), as_array(y, 2 if y.ndim == 2 else None)
        y = y if y.ndim == 1 else y.rechunk({1: 2})
    elif holder == "frame":
        X = as_frame(pd.DataFrame(X, columns=list("abcd")))
        y = as_frame(pd.Series(y) if y.ndim == 1 else pd.DataFrame(y, columns=["p", "q"]))
    with pytest.raises(InputError) as there:
        KMeansSMOTE().fit_resample(X, y)
    with pytest.raises(InputError) as here:
        search_quickly(X, y, n_rows=n_rows)
    assert str(here.value) == str(there.value)


@pytest.mark.parametrize("n_rows", [40, 299, 300])
@pytest.mark.parametrize("cuts", [(0, 100, 200, 300), (0, 120, 130, 300)])
def test_partitions_that_do_not_go_together_are_told(cuts, n_rows):
    X, y = rows_of(300)
    frame = as_frame(pd.DataFrame(X, columns=list("abcd")), (0, 110, 200, 300))
    with pytest.raises(InputError, match=r"samples: chunk \d has \d+ rows and \d+ labels"):
        search_quickly(frame, as_frame(pd.Series(y), cuts), n_rows=n_rows)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (pl.LazyFrame({"a": [1.0, 2.0]}), [0, 1]),
        ({"a": [1.0, 2.0]}, [0, 1]),
        (np.ones((30, 2)), None),
        (np.ones(30), np.arange(30) % 2),
        (np.ones((30, 2)), np.arange(29) % 2),
        (np.full((30, 2), np.inf), np.arange(30) % 2),
        (np.ones((30, 2)), np.arange(30) / 7),
        (np.ones((30, 2)), [None, *[0, 1] * 14, 0]),
    ],
    ids=["lazy", "dict", "no y", "one column", "lengths", "infinite", "continuous", "missing"],
)  # fmt: skip
def test_what_the_sampler_refuses_is_refused_with_its_words(X, y):
    with pytest.raises(InputError) as there:
        KMeansSMOTE().fit_resample(X, y)
    with pytest.raises(InputError) as here:
        search_quickly(X, y)
    assert str(here.value) == str(there.value)
