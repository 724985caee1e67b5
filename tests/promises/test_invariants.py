"""Invariants 2 and 3 of the contract, over random cases."""

from __future__ import annotations

import itertools

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import make_classification

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.graph import gather
from dask_kmsmote.graph.dask.tasks import Tasks
from dask_kmsmote.graph.density import measure as density
from invariants import (
    Case,
    as_bytes,
    cases,
    cuts,
    in_arrays,
    in_frames,
    plan_of,
    random_rows,
    resample_and_check,
    run,
)

examples = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


pytestmark = pytest.mark.usefixtures("one_thread")


@given(case=cases())
@examples
def test_rows_are_exact_and_on_segments_within_kept_clusters(case):
    resample_and_check(case, case.X, case.y)


def test_most_cases_succeed():
    # the tests around this one would be empty if most random cases ended in the error
    outcomes = []

    @given(case=cases())
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    def collect(case):
        outcomes.append(run(case.X, case.y, case.params).y is not None)

    collect()
    assert sum(outcomes) > len(outcomes) / 2


@given(case=cases(), data=st.data())
@examples
def test_same_bytes_for_any_chunking(case, data):
    n, n_features = case.X.shape
    expected = run(case.X, case.y, case.params)
    whole = run(*in_arrays(case, (n,)), case.params)
    assert whole == expected
    for _ in range(2):
        chunks = data.draw(cuts(n))
        columns = data.draw(st.integers(1, n_features))
        assert run(*in_arrays(case, chunks, columns), case.params) == expected
    rows = tuple(min(7, n - start) for start in range(0, n, 7))
    assert run(*in_arrays(case, rows), case.params) == expected


@given(case=cases(), data=st.data())
@settings(examples, max_examples=40)
def test_same_bytes_for_frames(case, data):
    expected = run(case.X, case.y, case.params)
    chunks = data.draw(cuts(len(case.X)))
    assert run(*in_frames(case, chunks), case.params) == expected
    X, y = in_frames(case, chunks)
    assert run(X.to_dask_array(), y.to_dask_array(), case.params) == expected
    assert run(X.compute(), y.compute(), case.params) == expected
    assert run(*in_arrays(case, chunks), case.params) == expected


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@given(case=cases(), data=st.data())
@settings(examples, max_examples=15)
def test_same_bytes_for_sparse_blocks(make, case, data):
    whole = make(case.X)
    expected = run(whole, case.y, case.params)
    chunks = data.draw(cuts(len(case.X)))
    bounds = np.cumsum([0, *chunks])
    blocks = [
        da.from_delayed(
            dask.delayed(make(case.X[a:b])),
            (b - a, case.X.shape[1]),
            meta=make(np.empty((0, 0), case.X.dtype)),
        )
        for a, b in itertools.pairwise(bounds)
    ]
    y = da.from_array(case.y, chunks=(chunks,))
    sampler = KMeansSMOTE(**case.params)
    if expected.y is None:
        with pytest.raises(RuntimeError):
            sampler.fit_resample(da.concatenate(blocks), y)
        return
    X_res, y_res = sampler.fit_resample(da.concatenate(blocks), y)
    parts = [block.compute() for block in X_res.blocks[:, 0]]
    assert all(sparse.issparse(part) for part in parts)
    assert as_bytes(sparse.vstack(parts, format="csr")) == expected.X
    assert as_bytes(y_res.compute()) == expected.y
    assert plan_of(sampler) == expected.plan


def test_gather_tasks_grow_with_pieces_and_not_with_groups():
    # 400 pieces and 400 groups: one by one they would be 160,000 tasks
    tasks = Tasks("test")
    pieces = [tasks("piece", int, number) for number in range(400)]
    blocks = gather.gather_groups(tasks, pieces, np.full((400, 400), 5), range(400), 2000)
    assert [len(parts) for parts in blocks] == [1] * 400
    assert len(dict(dask.delayed(blocks).__dask_graph__())) < 400 * 2 * 16 + 400 * 20


@pytest.mark.parametrize("kind", ["clouds", "grid"])
def test_groups_and_outputs_of_many_blocks(monkeypatch, kind):
    # bounds that real data reach by their size: here a few rows
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 2048)
    monkeypatch.setattr(pipeline, "OUTPUT_BYTES", 1500)
    monkeypatch.setattr(density, "QUERY_ROWS", 13)
    monkeypatch.setattr(gather, "PARTS", 2)
    rng = np.random.default_rng(3)
    X = random_rows(rng, kind, 600, 4)
    y = (rng.random(600) < 0.4).astype(int)
    params = {"random_state": 1, "k_neighbors": 3, "kmeans_estimator": 3,
              "sampling_strategy": {1: 800}}  # fmt: skip
    case = Case(X, y, params)
    sampler = resample_and_check(case, X, y)
    assert resample_and_check(case, *in_arrays(case, (101, 0, 1, 300, 198))) is not None
    assert len(list(sampler.plan_.blocks())) > 3
    assert (sampler.report_.n_class_rows > 64).any()
    expected = run(X, y, params)
    for chunks in [(600,), (1,) * 90 + (510,), (0, 599, 1), (64,) * 9 + (24,)]:
        assert run(*in_arrays(case, chunks, 3), params) == expected
    assert run(*in_frames(case, (250, 0, 350)), params) == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_give_other_rows(seed):
    X, y = make_imbalanced()
    one, same, other = (
        KMeansSMOTE(random_state=s, kmeans_estimator=1).fit_resample(X, y)[0]
        for s in (seed, seed, seed + 1)
    )
    assert one.tobytes() == same.tobytes()
    assert not (one[len(X) :] == other[len(X) :]).all(axis=1).any()


def no_cluster_case():
    X, y = make_imbalanced(n=200, minority=0.1)
    return Case(X, y, {"random_state": 0, "cluster_balance_threshold": 0.99})


def test_no_cluster_is_the_same_error_for_any_chunking():
    case = no_cluster_case()
    expected = run(case.X, case.y, case.params)
    assert expected.y is None
    assert "cluster_balance_threshold=" in expected.X
    for chunks in [(200,), (1,) * 30 + (170,), (0, 50, 0, 150)]:
        assert run(*in_arrays(case, chunks), case.params) == expected
        assert run(*in_frames(case, chunks), case.params) == expected


SETS = [(weight, seed) for weight in (0.90, 0.95, 0.99) for seed in range(10)]


@pytest.mark.parametrize(("weight", "seed"), SETS)
def test_ordinary_sets_succeed_with_defaults(weight, seed):
    X, y = make_classification(3000, 10, weights=[weight], random_state=seed)
    X_res, y_res = KMeansSMOTE(random_state=seed).fit_resample(X, y)
    majority = np.bincount(y).max()
    assert np.bincount(y_res).tolist() == [majority, majority]
    assert X_res[:3000].tobytes() == X.tobytes()
    assert np.isfinite(X_res).all()
