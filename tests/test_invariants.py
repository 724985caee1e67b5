"""Invariants 2 and 3 of the contract, and the data that break other samplers."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist, pdist
from sklearn.datasets import make_classification

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.errors import NoClusterError
from dask_kmsmote.graph import density, gather, lloyd
from dask_kmsmote.graph.tasks import Tasks

examples = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@pytest.fixture(autouse=True)
def _synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


class Case(NamedTuple):
    X: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    params: dict[str, Any]


def random_rows(rng, kind, n, n_features):
    if kind == "grid":  # equal distances everywhere
        return rng.integers(0, int(rng.integers(2, 6)), (n, n_features)).astype(float)
    centers = rng.normal(0, 5, (6, n_features))
    X = centers[rng.integers(0, 6, n)] + rng.normal(0, 1, (n, n_features))
    if kind == "duplicates":
        return X[rng.integers(0, max(2, n // 10), n)]
    return X * 10.0 ** rng.integers(-3, 4, n_features) if kind == "scales" else X


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_features = draw(st.integers(30, 400)), draw(st.integers(1, 8))
    n_classes, k = draw(st.integers(2, 4)), draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["clouds", "grid", "grid", "duplicates", "scales"]))
    dtype = draw(st.sampled_from(["f8", "f4", "i8", "i4"]))
    X = random_rows(rng, kind, n, n_features)
    if dtype[0] == "i" and kind != "grid":
        X = np.rint(X * draw(st.sampled_from([1, 100])))
    y = rng.choice(n_classes, n, p=rng.dirichlet(np.full(n_classes, draw(st.sampled_from([1, 9])))))
    y = np.concatenate([np.repeat(np.arange(n_classes), k + 1), y])[:n]
    order = rng.permutation(n)
    counts = np.bincount(y, minlength=n_classes)
    final = {c: int(m + rng.integers(0, 80)) for c, m in enumerate(counts) if rng.random() < 0.7}
    params = {
        "random_state": int(rng.integers(2**31)),
        "k_neighbors": k,
        "kmeans_estimator": draw(st.sampled_from([None, 1, 2, 5, 10])),
        "cluster_balance_threshold": draw(st.sampled_from(["auto", "auto", 0.0, 0.1, 0.5])),
        "density_exponent": draw(st.sampled_from(["auto", "n_features", 0, 2.5, -1])),
        "sampling_strategy": draw(st.sampled_from(["auto", "auto", "not minority", "all", final])),
    }
    return Case(X.astype(dtype), y[order], params)


@st.composite
def cuts(draw, n):
    """Row chunks: uneven, with some of one row and some empty."""
    bounds = draw(st.lists(st.integers(0, n), max_size=35))
    bounds += [b + step for b in bounds[:3] for step in (0, 1) if b < n]
    return tuple(int(size) for size in np.diff([0, *sorted(bounds), n]))


class Outcome(NamedTuple):
    """All that must not depend on the chunks: bytes, or the error."""

    X: Any
    y: Any
    plan: str
    parents: Any


def as_bytes(part):
    if sparse.issparse(part):
        part = part.tocsr()
        part.sort_indices()
        return b"".join(a.tobytes() for a in (part.data, part.indptr, part.indices))
    values = part.to_numpy() if isinstance(part, (pd.DataFrame, pd.Series)) else np.asarray(part)
    return str(values.dtype).encode() + np.ascontiguousarray(values).tobytes()


def run(X, y, params):
    sampler = KMeansSMOTE(**params)
    try:
        result = sampler.fit_resample(X, y)
    except RuntimeError as error:
        return Outcome(str(error), None, "", None)
    X_res, y_res = dask.compute(*result)
    parents = sampler.provenance_.compute()  # apart: Dask warns where arrays and frames mix
    return Outcome(as_bytes(X_res), as_bytes(y_res), plan_of(sampler), as_bytes(parents))


def plan_of(sampler):
    """The plan as text, but for the names of columns: arrays have none."""
    content = sampler.plan_.to_dict()
    if content["spread"] is not None:
        content["spread"] |= {"widest": None, "narrowest": None}
    return json.dumps(content)


def in_frames(case, chunks):
    bounds = np.cumsum([0, *chunks])
    frame = pd.DataFrame(case.X, columns=[str(i) for i in range(case.X.shape[1])])
    target = pd.Series(case.y, name="target")
    return [
        dd.from_delayed(
            [dask.delayed(whole.iloc[a:b]) for a, b in itertools.pairwise(bounds)],
            meta=whole.iloc[:0],
        )
        for whole in (frame, target)
    ]


def in_arrays(case, chunks, columns=-1):
    return da.from_array(case.X, chunks=(chunks, columns)), da.from_array(case.y, chunks=(chunks,))


def nearest_clusters(X, centers):
    """Whether each row may belong to each centre, by rounding, and whether it must."""
    squared = cdist(X.astype(float), centers, "sqeuclidean")
    scale = (np.abs(X).max() + np.abs(centers).max()) ** 2 * X.shape[1]
    may = squared <= squared.min(axis=1, keepdims=True) * (1 + 1e-9) + 1e-13 * scale
    return may, may & (may.sum(axis=1, keepdims=True) == 1)


def check_invariant_2(X, y, X_res, y_res, sampler, k):
    n, made = len(X), len(X_res) - len(X)
    amounts = sampler.sampling_strategy_
    assert Counter(y_res.tolist()) == Counter(y.tolist()) + Counter(amounts)
    assert X_res[:n].tobytes() == X.tobytes()
    assert y_res[:n].tobytes() == y.tobytes()
    assert (X_res.dtype, y_res.dtype) == (X.dtype, y.dtype)
    assert np.isfinite(X_res.astype(float)).all()
    report = sampler.report_
    check_report(report, X, y, amounts, sampler, k)
    parents = sampler.provenance_.compute()
    assert len(parents) == made == report.n_synthetic.sum()
    base, neighbor = parents.base_row.to_numpy(), parents.neighbor_row.to_numpy()
    gap = parents.gap.to_numpy()[:, np.newaxis]
    assert ((gap >= 0) & (gap < 1)).all()
    # each group and each block has a stream of its own
    assert len(np.unique(gap)) == made
    # rows come by class label, then by cluster
    owner = np.repeat(np.arange(len(report)), report.n_synthetic.astype(int))
    label = report.class_label.to_numpy()[owner]
    cluster = report.cluster_id.to_numpy()[owner].astype(int)
    assert report.kept.to_numpy()[owner].all()
    np.testing.assert_array_equal(y_res[n:], label)
    np.testing.assert_array_equal(y[base], label)
    np.testing.assert_array_equal(y[neighbor], label)
    may, must = nearest_clusters(X, np.asarray(sampler.kmeans_estimator_.cluster_centers_))
    assert may[base, cluster].all()
    assert may[neighbor, cluster].all()
    assert (base != neighbor).all()
    left, right = X[base].astype(float), X[neighbor].astype(float)
    on_segment = left + gap * (right - left)
    slack = 0.5 if X.dtype.kind == "i" else 0
    size = np.abs(X.astype(float)).max(axis=0)
    rounding = 1e-6 if X.dtype == np.float32 else 1e-14
    assert (np.abs(X_res[n:] - on_segment) <= slack + rounding * size).all()
    for place in np.unique(owner):
        check_neighbors(X, base, neighbor, owner == place, y == report.class_label[place],
                        must[:, report.cluster_id[place]], k)  # fmt: skip


def check_neighbors(X, base, neighbor, mine, of_class, in_cluster, k):
    members = np.flatnonzero(of_class & in_cluster)
    pairs = np.unique(np.column_stack([base[mine], neighbor[mine]]), axis=0)
    apart = cdist(X[pairs[:, 0]].astype(float), X[members].astype(float))
    apart[pairs[:, 0, np.newaxis] == members] = np.inf
    far = np.full((len(pairs), k), np.inf)
    apart = np.sort(np.hstack([apart, far]), axis=1)
    own = np.linalg.norm(X[pairs[:, 0]].astype(float) - X[pairs[:, 1]], axis=1)
    assert (own <= apart[:, k - 1] * (1 + 1e-9)).all()


def check_report(report, X, y, amounts, sampler, k):
    wanted = [label for label, amount in amounts.items() if amount]
    may, must = nearest_clusters(X, np.asarray(sampler.kmeans_estimator_.cluster_centers_))
    n_clusters = may.shape[1]
    assert report.class_label.tolist() == list(np.repeat(wanted, n_clusters))
    assert report.cluster_id.tolist() == list(range(n_clusters)) * len(wanted)
    for row in report.itertuples():
        mine = y == row.class_label
        assert must[:, row.cluster_id].sum() <= row.n_rows <= may[:, row.cluster_id].sum()
        certain, possible = (flags[mine, row.cluster_id].sum() for flags in (must, may))
        assert certain <= row.n_class_rows <= possible
        if row.n_rows:
            assert row.class_share == row.n_class_rows / row.n_rows
        if row.kept:
            assert row.reason == ""
            assert row.n_class_rows >= k + 1
            assert row.class_share >= row.threshold - 1e-12
            if certain == possible:
                apart = pdist(X[mine & must[:, row.cluster_id]].astype(float))
                assert row.mean_distance == pytest.approx(apart.mean(), rel=1e-9, abs=1e-12)
        else:
            assert row.reason in ("below threshold", "too few rows", "empty")
            assert row.n_synthetic == row.weight == 0
            assert (row.reason == "empty") == (row.n_rows == 0)
    for label in wanted:
        kept = report[(report.class_label == label) & report.kept]
        assert kept.weight.sum() == pytest.approx(1)
        assert kept.n_synthetic.sum() == amounts[label]
        assert (abs(kept.n_synthetic - kept.weight * amounts[label]) < 1 + 1e-9).all()
        assert not kept.weight.isna().any()


def resample_and_check(case, X, y):
    """The fitted sampler; None where it says that no cluster qualifies."""
    sampler = KMeansSMOTE(**case.params)
    try:
        result = sampler.fit_resample(X, y)
    except NoClusterError:
        return None
    X_res, y_res = (np.asarray(part) for part in dask.compute(*result))
    check_invariant_2(case.X, case.y, X_res, y_res, sampler, case.params["k_neighbors"])
    return sampler


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
    blocks = gather.gather(tasks, pieces, np.full((400, 400), 5), range(400), 2000)
    assert [len(parts) for parts in blocks] == [1] * 400
    assert len(dict(dask.delayed(blocks).__dask_graph__())) < 400 * 2 * 16 + 400 * 20


@pytest.mark.parametrize("kind", ["clouds", "grid"])
def test_groups_and_outputs_of_many_blocks(monkeypatch, kind):
    # bounds that real data reach by their size: here a few rows
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 2048)
    monkeypatch.setattr(pipeline, "OUTPUT_BYTES", 1500)
    monkeypatch.setattr(density, "QUERY_ROWS", 13)
    monkeypatch.setattr(gather, "PARTS", 2)
    monkeypatch.setattr(lloyd, "BLOCK_BYTES", (1024, 2048))
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


def duplicates_only(rng):
    return np.full((200, 3), 7.25)


def duplicates_by_class(rng):
    X = np.zeros((200, 3))
    X[:30] = 5.0
    return X


def a_cluster_of_identical_rows(rng):
    X = rng.normal(0, 1, (200, 3))
    X[:15] = [50.0, 50.0, 50.0]
    return X


def extreme_scales(rng):
    return rng.normal(0, 1, (200, 3)) * [1e9, 1e-9, 1.0]


def large_scale(rng):
    return rng.normal(0, 1, (200, 3)) * 1e9


def small_scale(rng):
    return rng.normal(0, 1, (200, 3)) * 1e-9


def far_from_the_origin(rng):
    return rng.normal(0, 1, (200, 3)) * 1e-3 + 1e9


@pytest.mark.parametrize(
    "make",
    [
        duplicates_only,
        duplicates_by_class,
        a_cluster_of_identical_rows,
        extreme_scales,
        large_scale,
        small_scale,
        far_from_the_origin,
    ],
)
@pytest.mark.parametrize("exponent", ["auto", "n_features", 0, 70, -2])
@pytest.mark.parametrize("n_clusters", [None, 2])
def test_degenerate_data(make, exponent, n_clusters):
    X = make(np.random.default_rng(0))
    y = np.repeat([1, 0], [30, 170])
    params = {
        "random_state": 0,
        "density_exponent": exponent,
        "kmeans_estimator": n_clusters,
        "k_neighbors": 2,
    }
    sampler = KMeansSMOTE(**params)
    X_res, y_res = sampler.fit_resample(X, y)
    assert np.bincount(y_res).tolist() == [170, 170]
    assert np.isfinite(X_res).all()
    check_invariant_2(X, y, X_res, y_res, sampler, 2)
    case = Case(X, y, params)
    expected = run(X, y, params)
    assert run(*in_arrays(case, (1, 0, 99, 100)), params) == expected


def test_a_cluster_of_identical_rows_gives_identical_rows():
    X = a_cluster_of_identical_rows(np.random.default_rng(0))
    y = np.repeat([1, 0], [30, 170])
    sampler = KMeansSMOTE(random_state=0, density_exponent=0)
    X_res, _ = sampler.fit_resample(X, y)
    pure = sampler.report_[sampler.report_.kept & (sampler.report_.mean_distance == 0)]
    assert len(pure) == 1
    assert (X_res[200:] == 50.0).all(axis=1).sum() == pure.n_synthetic.iloc[0] > 0


def test_compat_with_duplicates_only():
    X, y = duplicates_only(None), np.repeat([1, 0], [30, 170])
    sampler = KMeansSMOTE(random_state=0, compat="imbalanced-learn", kmeans_estimator=1)
    X_res, y_res = sampler.fit_resample(X, y)
    assert (X_res == 7.25).all()
    assert np.bincount(y_res).tolist() == [170, 170]
