"""A lazy result that is computed without the cluster that holds its rows says so."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster, SubprocessCluster

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import LostRowsError

pytestmark = pytest.mark.cluster
X, Y = make_imbalanced(400, 3, 0.2)
FRAME = pd.DataFrame(X, columns=list("abc")).assign(k=np.where(X[:, 0] > 0, "x", "y"))
PARAMS = {"random_state": 0, "kmeans_estimator": 2}
KINDS = {
    "array": lambda: (da.from_array(X, chunks=(100, 3)), da.from_array(Y, chunks=100)),
    "frame": lambda: (dd.from_pandas(FRAME, 3), dd.from_pandas(pd.Series(Y, name="t"), 3)),
}


@contextmanager
def cluster(*, processes=False):
    where = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with LocalCluster(**where, processes=processes) as own, Client(own) as client:
        yield client


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """The tasks that raise are no news."""
    for name in ("distributed.worker", "distributed.client", "distributed.scheduler"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


def resample(kind, persisted):
    given = KINDS[kind]()
    sampler = KMeansSMOTE(**PARAMS)
    return sampler, sampler.fit_resample(*(dask.persist(*given) if persisted else given))


def each_way(sampler, result):
    rows, labels = result
    yield lambda: dask.compute(rows, labels)
    yield lambda: rows.compute(scheduler="synchronous")
    yield (rows + 1 if isinstance(rows, da.Array) else rows.assign(more=1)).compute
    yield sampler.provenance_.compute
    yield lambda: sampler.validate(rows, labels)
    yield lambda: KMeansSMOTE(random_state=0).fit(rows, labels)


def all_lost(sampler, result):
    for way in each_way(sampler, result):
        with pytest.raises(LostRowsError, match=r"closed or restarted.* before its cluster is"):
            way()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("persisted", [False, True])
def test_computed_without_its_cluster(kind, persisted):
    with cluster():
        sampler, result = resample(kind, persisted)
    all_lost(sampler, result)
    with cluster():
        all_lost(sampler, result)


@pytest.mark.parametrize("kind", KINDS)
def test_computed_where_the_scheduler_is_another_process(kind):
    with cluster():
        sampler, result = resample(kind, persisted=True)
    with SubprocessCluster(n_workers=1, dashboard_address=None) as own, Client(own):
        all_lost(sampler, result)


def same(found, expected):
    for one, other in zip(dask.compute(*found), dask.compute(*expected), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("kind", KINDS)
def test_another_client_of_the_same_cluster(kind):
    with cluster() as client:
        _, result = resample(kind, persisted=True)
        with Client(client.scheduler.address):
            same(result, KMeansSMOTE(**PARAMS).fit_resample(*KINDS[kind]()))


@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_were_restarted(kind):
    with cluster(processes=True) as client:
        sampler, result = resample(kind, persisted=True)
        client.restart()
        all_lost(sampler, result)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fuse", [False, True])
def test_a_result_that_is_resampled_again_where_it_is_held(kind, fuse):
    with cluster(), dask.config.set({"optimization.fuse.active": fuse}):
        _, result = resample(kind, persisted=True)
        again = KMeansSMOTE(**PARAMS, sampling_strategy={0: 400})
        same(again.fit_resample(*result), again.fit_resample(*dask.compute(*result)))
