"""Random cases, and invariants 2 and 3 of the contract for one of them."""

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
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist, pdist

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import NoClusterError


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
    spread = content["features"]["spread"]
    if spread is not None:
        spread |= {"widest": None, "narrowest": None}
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
    measured = X / sampler.scale_
    may, must = nearest_clusters(measured, np.asarray(sampler.kmeans_estimator_.cluster_centers_))
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
        check_neighbors(measured, base, neighbor, owner == place, y == report.class_label[place],
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
    X = X / sampler.scale_
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
            assert row.reason == ("" if row.n_class_rows > k else "fewer neighbours")
            assert row.n_class_rows >= 2
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
        limit = sampler.max_ratio * amounts[label] * kept.n_class_rows / kept.n_class_rows.sum()
        assert (kept.n_synthetic <= np.ceil(limit)).all()
        by_weight = kept.weight * amounts[label]
        if (by_weight <= np.floor(limit)).all():
            assert (abs(kept.n_synthetic - by_weight) < 1 + 1e-9).all()
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
