"""The same bytes wherever the tasks run."""

from __future__ import annotations

import os
import signal
from copy import deepcopy
from time import time

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.base import get_scheduler
from distributed import Client, LocalCluster

from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE


def some_data(kind):
    if kind == "clouds":
        return make_imbalanced(n=3000, n_features=6, minority=0.1)
    # equal distances everywhere: to centres, and among neighbours
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 4, (3000, 3)), rng.choice(3, 3000, p=[0.7, 0.2, 0.1])
    return X.astype("f4" if kind == "float grid" else "i8"), y


KINDS = ("clouds", "grid", "float grid")


def bytes_of(*results):
    return [np.ascontiguousarray(part).tobytes() for part in results]


def resample(X, y, **params):
    return dask.compute(*KMeansSMOTE(random_state=5, **params).fit_resample(X, y))


@pytest.fixture(scope="module")
def expected():
    with dask.config.set(scheduler="synchronous"):
        return {kind: bytes_of(*resample(*some_data(kind))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads", None])
@pytest.mark.parametrize("size", [700, 37])
def test_same_bytes_on_local_schedulers(kind, scheduler, size, expected):
    with dask.config.set({"scheduler": scheduler} if scheduler else {}):
        X, y = some_data(kind)
        assert bytes_of(*resample(*chunked(X, y, size))) == expected[kind]


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 5, -1])
def test_same_bytes_for_any_number_of_threads(n_jobs, expected):
    X, y = some_data("grid")
    assert bytes_of(*resample(X, y, n_jobs=n_jobs)) == expected["grid"]


def test_same_bytes_with_more_workers_than_cores(expected):
    X, y = some_data("clouds")
    with dask.config.set(scheduler="threads", num_workers=7):
        assert bytes_of(*resample(*chunked(X, y, 100))) == expected["clouds"]


def test_same_bytes_in_processes(expected):
    X, y = some_data("grid")
    with dask.config.set(scheduler="processes", num_workers=2):
        assert bytes_of(*resample(*chunked(X, y))) == expected["grid"]


@pytest.fixture(scope="module", params=[1, 2])
def cluster(request):
    with LocalCluster(
        n_workers=request.param, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    # by test: an open client would be the scheduler of all tests to come
    with Client(cluster) as client:
        yield client


@pytest.mark.cluster
@pytest.mark.parametrize("kind", KINDS)
def test_same_bytes_on_a_cluster(client, kind, expected):
    X, y = some_data(kind)
    assert bytes_of(*resample(*chunked(X, y))) == expected[kind]


@pytest.mark.cluster
def test_same_bytes_of_frames_on_a_cluster(client, expected):
    X, y = some_data("clouds")
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(target=y)
    parts = dd.from_pandas(frame, chunksize=700, sort=False)
    X_res, y_res = resample(parts.drop(columns="target"), parts["target"])
    assert bytes_of(X_res.to_numpy(), y_res.to_numpy()) == expected["clouds"]


@pytest.mark.cluster
def test_same_bytes_after_a_worker_died(client, expected):
    X, y = some_data("clouds")
    result = KMeansSMOTE(random_state=5).fit_resample(*chunked(X, y))
    pids = list(client.run(os.getpid).values())
    os.kill(pids[0], signal.SIGKILL)
    assert bytes_of(*dask.compute(*result)) == expected["clouds"]
    client.wait_for_workers(len(pids), timeout=60)
    assert pids[0] not in client.run(os.getpid).values()


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["arrays", "frames", "half"])
def test_persisted_data(client, kind, caplog):
    X, y = make_imbalanced(n=600)
    expected = bytes_of(*KMeansSMOTE(random_state=0).fit_resample(X, y))
    if kind == "frames":
        on_dask = dd.from_pandas(pd.DataFrame(X), npartitions=4), dd.from_pandas(pd.Series(y), 4)
    else:
        on_dask = da.from_array(X, chunks=(150, -1)), da.from_array(y, chunks=150)
    lazily = KMeansSMOTE(random_state=0).fit_resample(*on_dask)
    on_dask = dask.persist(*on_dask)
    if kind == "half":
        on_dask = on_dask[0] + 0.0, on_dask[1]
    result = KMeansSMOTE(random_state=0).fit_resample(*on_dask)
    assert bytes_of(*map(np.asarray, dask.compute(*result))) == expected
    assert bytes_of(*map(np.asarray, dask.compute(*lazily))) == expected
    assert "run_spec" not in caplog.text


@pytest.mark.cluster
def test_data_in_memory_stay_in_memory(client):
    # 16 MB: a graph that holds them would warn, and warnings are errors
    X, y = make_imbalanced(n=200_000, n_features=10, minority=0.01)
    start = time()
    X_res, y_res = KMeansSMOTE(random_state=0).fit_resample(X, y)
    assert tasks_since(client, start) == 0
    assert client.submit(sum, [1, 2]).result() == 3
    assert tasks_since(client, start) == 1
    assert np.bincount(y_res).tolist() == [198_000, 198_000]
    assert X_res[: len(X)].tobytes() == X.tobytes()
    assert get_scheduler() == client.get


def tasks_since(client, start):
    # the log keeps the last 1,000 transitions: key, from, to, what follows, cause, time
    return client.run_on_scheduler(
        lambda dask_scheduler: sum(
            log[2] == "processing" and log[-1] > start for log in dask_scheduler.transition_log
        )
    )


@pytest.mark.parametrize("scheduler", [None, "synchronous", "threads"])
@pytest.mark.parametrize("kind", ["memory", "array", "refused", "late error"])
def test_no_setting_is_left_behind(scheduler, kind):
    X, y = make_imbalanced(n=600)
    threshold = "auto"
    if kind == "refused":
        X[0, 0] = np.nan
    if kind == "late error":
        threshold = 0.999
    if kind == "array":
        X, y = chunked(X, y, 100)
    with dask.config.set({"scheduler": scheduler} if scheduler else {}):
        before = deepcopy(dask.config.config)
        sampler = KMeansSMOTE(random_state=0, cluster_balance_threshold=threshold)
        try:
            sampler.fit_resample(X, y)
        except (ValueError, RuntimeError):
            assert kind in ("refused", "late error")
        else:
            assert kind in ("memory", "array")
        assert dask.config.config == before
    assert dask.config.get("scheduler", None) is None
    assert dask.config.get("pool", None) is None
