"""Where in X each row of a result in memory comes from."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pytest
from imblearn.tensorflow import balanced_batch_generator
from scipy import sparse
from sklearn.exceptions import NotFittedError

from dask_kmsmote import KMeansSMOTE
from kinds import NAMES, N, as_array, as_frame, make_sampler

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = {
    "numpy": lambda X: X,
    "list": lambda X: X.tolist(),
    "csr": sparse.csr_matrix,
    "pandas": lambda X: pd.DataFrame(X, columns=NAMES),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_originals_are_themselves_and_new_rows_their_bases(data, kind, layout, compat):
    X, y = KINDS[kind](data[0]), data[1]
    sampler = make_sampler(layout=layout, compat=compat, cluster_balance_threshold=0.0)
    X_res, y_res = sampler.fit_resample(X, y)
    found = sampler.sample_indices_
    assert found.dtype == np.int64
    assert found.shape == (len(y_res),)
    assert (y[found] == y_res).all()
    rows = X_res.toarray() if sparse.issparse(X_res) else np.asarray(X_res)
    at = sampler.order_.positions(np.arange(N))
    assert found[at].tolist() == list(range(N))
    np.testing.assert_array_equal(rows[at], data[0])
    parents = sampler.provenance_.compute()
    assert found[parents.index].tolist() == parents["base_row"].tolist()
    # a new row lies on the line from its base to its neighbour
    base, other = data[0][found[parents.index]], data[0][parents["neighbor_row"]]
    expected = base + parents["gap"].to_numpy()[:, None] * (other - base)
    np.testing.assert_allclose(rows[parents.index], expected)


@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_of_synthetic_rows_alone(data, layout):
    sampler = make_sampler(layout=layout)
    sampler.fit_synthesize(*data)
    assert sampler.sample_indices_.tolist() == sampler.provenance_.compute()["base_row"].tolist()
    whole = make_sampler()
    whole.fit_resample(*data)
    assert whole.sample_indices_[N:].tolist() == sampler.sample_indices_.tolist()


def test_weights_of_rows_become_those_of_the_result(data):
    X, y = data
    weights = np.arange(N) / N
    batches, n = balanced_batch_generator(
        X, y, sample_weight=weights, sampler=make_sampler(), batch_size=48, random_state=0
    )
    rows, labels, own = (
        np.concatenate(part) for part in zip(*(next(batches) for _ in range(n)), strict=False)
    )
    assert np.bincount(labels).tolist() == [240, 240]
    # originals, as the generator takes them from X
    places = (own * N).round().astype(int)
    np.testing.assert_array_equal(rows, X[places])


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_of_dask_collections_there_is_none(data, kind):
    X, y = data
    frame = as_frame(pd.DataFrame(X, columns=NAMES)), as_frame(pd.Series(y))
    given = frame if kind == "frame" else (as_array(X), as_array(y))
    sampler = make_sampler().fit(*given)
    assert not hasattr(sampler, "sample_indices_")
    with pytest.raises(
        AttributeError, match=r"data in memory alone.* provenance_ has the base_row"
    ):
        _ = sampler.sample_indices_
    # also of one that was fitted on data in memory before
    sampler.fit(X, y)
    assert len(sampler.sample_indices_) == 480
    sampler.fit(da.from_array(X, chunks=(100, 4)), da.from_array(y, chunks=100))
    assert not hasattr(sampler, "sample_indices_")


def test_before_it_is_fitted():
    assert not hasattr(KMeansSMOTE(), "sample_indices_")
    with pytest.raises(NotFittedError):
        _ = KMeansSMOTE().sample_indices_
