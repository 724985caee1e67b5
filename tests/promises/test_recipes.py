"""Another over-sampler is another recipe: no module of the package knows of those here."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import NamedTuple

import dask
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import ParameterError
from dask_kmsmote.kernels.making.drawing import KeyedStream
from dask_kmsmote.kernels.making.interpolation import Interpolation, interpolate_nearest
from dask_kmsmote.kernels.rows.blocks import take
from dask_kmsmote.planning.allocate import share_by_logs
from dask_kmsmote.recipes import IMBALANCED_LEARN, OWN, RECIPES


def share_evenly(kept, n):
    """All kept clusters alike."""
    return share_by_logs(np.zeros(len(kept.n_class_rows)), kept._replace(max_ratio=None), n)


class EvenSMOTE(KMeansSMOTE):
    _recipe = replace(OWN, shares=replace(OWN.shares, share=share_evenly))


class NearBase(NamedTuple):
    """A stream whose gaps are those of a beta distribution, most of them small."""

    own: KeyedStream

    @property
    def n_rows(self):
        return self.own.n_rows

    def draw(self, neighbors):
        draw = self.own.draw(neighbors)
        return draw._replace(gap=stats.beta(1, 9).ppf(draw.gap))


def near_base(*args):
    return [NearBase(stream) for stream in OWN.make_streams(*args)]


class NearBaseSMOTE(KMeansSMOTE):
    _recipe = replace(OWN, make_streams=near_base)


def vote(rows, draw):
    """The last column is the most frequent value among all k neighbours, as a category is."""
    new = interpolate_nearest(rows, draw)
    values = take(rows, draw.neighbors.ravel())[:, -1].reshape(draw.neighbors.shape)
    new[:, -1] = stats.mode(values, axis=1).mode
    return new


class VotingSMOTE(KMeansSMOTE):
    _recipe = replace(OWN, interpolation=Interpolation(vote))


@pytest.fixture(params=["numpy", "frame", "array", "small blocks"])
def data(request, monkeypatch):
    """Two classes, in kinds of input; in small blocks, a group lies in several."""
    X, y = make_imbalanced(1500, 4, 0.1, seed=2)
    X[:, -1] = np.arange(1500) % 3
    if request.param == "numpy":
        return X, y, (X, y)
    if request.param == "frame":
        return X, y, (pd.DataFrame(X).add_prefix("f"), pd.Series(y))
    if request.param == "small blocks":
        monkeypatch.setattr("dask_kmsmote.pipeline.GROUP_BYTES", 20 * 4 * 8)
        monkeypatch.setattr("dask_kmsmote.pipeline.OUTPUT_BYTES", 90 * 4 * 8)
    return X, y, chunked(X, y, 400)


def sampled(kind, given, **params):
    sampler = kind(random_state=0, kmeans_estimator=6, cluster_balance_threshold=0.0, **params)
    X, y = dask.compute(*sampler.fit_resample(*given))
    return sampler, np.asarray(X), np.asarray(y)


def test_a_recipe_that_weighs_all_clusters_alike(data):
    X, _, given = data
    sampler, X_res, y_res = sampled(EvenSMOTE, given)
    kept = sampler.report_.query("kept")
    assert len(kept) > 1
    assert kept.n_synthetic.max() - kept.n_synthetic.min() <= 1
    assert np.bincount(y_res).tolist() == [1350, 1350]
    assert X_res[:1500].tobytes() == X.tobytes()
    assert sampler.validate(X_res, y_res).passed.dropna().all()


def test_a_recipe_with_gaps_of_its_own(data):
    _, _, given = data
    sampler, X_res, y_res = sampled(NearBaseSMOTE, given)
    gap = sampler.provenance_.compute().gap
    assert stats.ks_1samp(gap, stats.beta(1, 9).cdf).pvalue > 1e-4
    assert sampler.validate(X_res, y_res).passed.dropna().all()
    own, X_own, _ = sampled(KMeansSMOTE, given)
    assert (own.report_.n_synthetic == sampler.report_.n_synthetic).all()
    assert (X_own[1500:] != X_res[1500:]).any()


def test_a_recipe_is_handed_all_neighbors(data):
    X, y, given = data
    k = 5
    sampler, X_res, _ = sampled(VotingSMOTE, given, k_neighbors=k)
    parents = sampler.provenance_.compute()
    # the k nearest of the class and cluster, found without the package
    centers = sampler.kmeans_estimator_.cluster_centers_
    measured = X / sampler.scale_
    labels = ((measured[:, np.newaxis] - centers) ** 2).sum(axis=2).argmin(axis=1)
    for row, base in enumerate(parents.base_row.to_numpy()[::40]):
        own = np.flatnonzero((y == 1) & (labels == labels[base]))
        own = own[own != base]
        distances = ((measured[own] - measured[base]) ** 2).sum(axis=1)
        near = own[np.argsort(distances, kind="stable")[:k]]
        expected = stats.mode(X[near, -1]).mode
        assert X_res[1500 + 40 * row, -1] == expected


def test_recipes_are_frozen_and_named():
    assert [each.name for each in (OWN, IMBALANCED_LEARN)] == [None, *RECIPES]
    with pytest.raises(FrozenInstanceError):
        OWN.kinds = "f"
    params = {"random_state": 0, "cluster_balance_threshold": 0.1}
    given = make_imbalanced()
    sampler = KMeansSMOTE(**params, compat="imbalanced-learn").fit(*given)
    assert sampler.recipe_ is IMBALANCED_LEARN
    # `compat` goes before the recipe of a class
    assert EvenSMOTE(**params, compat="imbalanced-learn").fit(*given).recipe_ is IMBALANCED_LEARN
    # what a run was made by does not change with the parameter
    assert sampler.set_params(compat=None).recipe_ is IMBALANCED_LEARN


def with_weights(weigh):
    return lambda kept, n: share_evenly(kept, n)._replace(weights=weigh(len(kept.n_class_rows)))


def with_rows(divide):
    return lambda kept, n: share_evenly(kept, n)._replace(n_rows=divide(len(kept.n_class_rows), n))


SHARES = {
    "share": [
        with_weights(lambda size: np.where(np.arange(size) == 0, np.nan, 0.5)),
        with_weights(np.ones),
        with_weights(lambda size: np.ones(1)),
        with_weights(lambda size: np.full(size, -1 / size)),
        with_rows(lambda size, n: [n]),
        with_rows(lambda size, n: [-1] * size),
    ],
    "auto_exponent": [lambda n_features, n_class_rows: np.nan],
}


@pytest.mark.parametrize(("field", "rule"), [(f, rule) for f in SHARES for rule in SHARES[f]])
def test_recipes_that_share_wrongly_are_refused(field, rule):
    class Wrong(KMeansSMOTE):
        _recipe = replace(OWN, shares=replace(OWN.shares, **{field: rule}))

    with pytest.raises(ParameterError, match="The recipe"):
        Wrong(random_state=0).fit(*make_imbalanced())


def test_recipes_that_leave_out_a_class_or_a_block_are_refused():
    clusters = replace(OWN.clusters, auto_thresholds=lambda counts, amounts: {})
    for wrong in (
        replace(OWN, clusters=clusters),
        replace(OWN, make_streams=lambda *args: OWN.make_streams(*args)[1:]),
    ):
        Wrong = type("Wrong", (KMeansSMOTE,), {"_recipe": wrong})
        with pytest.raises(ParameterError, match="The recipe"):
            Wrong(random_state=0).fit(*make_imbalanced())
