"""The same bytes wherever the tasks run, and no more tasks and reads than promised."""

from __future__ import annotations

import os
import signal
from collections import Counter
from copy import deepcopy
from time import time

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask._task_spec import Task
from dask.base import get_scheduler
from dask.utils import key_split
from dask_ml.cluster import KMeans as DaskKMeans
from distributed import Client, LocalCluster
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.events import StageStarted


def some_data(kind):
    if kind == "clouds":
        return make_imbalanced(n=3000, n_features=6, minority=0.1)
    # equal distances everywhere: to centres, and among neighbours
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 4, (3000, 3)), rng.choice(3, 3000, p=[0.7, 0.2, 0.1])
    return X.astype("f4" if kind == "float grid" else "i8"), y


KINDS = ("clouds", "grid", "float grid")


def chunked(X, y, size=700):
    return da.from_array(X, chunks=(size, -1)), da.from_array(y, chunks=size)


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


class Watch:
    """A scheduler that runs tasks one by one, and notes them by stage."""

    def __init__(self):
        self.computes = 0
        self.stage = "before"
        self.tasks = []  # stage, key, functions

    def __call__(self, dsk, keys, **kwargs):
        self.computes += 1
        graph = dsk.__dask_graph__() if hasattr(dsk, "__dask_graph__") else dsk
        self.tasks += [
            (self.stage, key[0] if isinstance(key, tuple) else key, functions_of(task))
            for key, task in dict(graph).items()
            if isinstance(task, Task)
        ]
        return dask.get(dsk, keys, **kwargs)

    def tell(self, event):
        self.stage = event.stage if isinstance(event, StageStarted) else f"after {event.stage}"

    def count(self, *stages):
        return sum(stage in stages for stage, _, _ in self.tasks)

    def names(self):
        return {key for _, key, _ in self.tasks}


def functions_of(task):
    """Functions that a task calls, those of the tasks fused into it among them."""
    found, waiting = [], [task]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Task):
            found.append(part.func)
            waiting += [*part.args, *part.kwargs.values()]
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
        elif callable(part):
            found.append(part)
    return [function for function in found if hasattr(function, "__name__")]


@pytest.fixture
def watch():
    watch = Watch()
    with dask.config.set(scheduler=watch):
        yield watch


class Source:
    """Chunks that are loaded when a task runs, each time counted."""

    def __init__(self, X, y, n_chunks):
        self.X, self.y = np.array_split(X, n_chunks), np.array_split(y, n_chunks)
        self.loads = Counter()

    def load(self, name, i):
        self.loads[name, i] += 1
        if name == "frame":
            return self.frame(i)
        return (self.X if name == "X" else self.y)[i]

    def frame(self, i):
        columns = [f"f{c}" for c in range(self.X[0].shape[1])]
        return pd.DataFrame(self.X[i], columns=columns).assign(target=self.y[i])

    def most(self, name):
        return max(n for (kind, _), n in self.loads.items() if kind == name)

    def arrays(self, how):
        width, dtype = self.X[0].shape[1], self.X[0].dtype
        lengths = tuple(len(part) for part in self.X)
        y = da.concatenate([
            da.from_delayed(dask.delayed(self.load, pure=False)("y", i), (n,), self.y[0].dtype)
            for i, n in enumerate(lengths)
        ])  # fmt: skip
        if how == "delayed":
            X = da.concatenate([
                da.from_delayed(dask.delayed(self.load, pure=False)("X", i), (n, width), dtype)
                for i, n in enumerate(lengths)
            ])  # fmt: skip
        elif how == "map_blocks":
            numbers = da.arange(len(lengths), chunks=1)
            X = numbers.map_blocks(
                lambda block: self.load("X", int(block[0])),
                chunks=(lengths, (width,)),
                new_axis=1,
                dtype=dtype,
                meta=np.empty((0, 0), dtype),
            )
        else:  # two blocks of columns, each made of one load
            X, _ = self.arrays("delayed")
            X = da.concatenate([X[:, :1], X[:, 1:]], axis=1)
        return X, y

    def frames(self, how):
        meta = self.frame(0).iloc[:0]
        if how == "from_map":
            whole = dd.from_map(lambda i: self.load("frame", i), range(len(self.X)), meta=meta)
        else:
            parts = [dask.delayed(self.load, pure=False)("frame", i) for i in range(len(self.X))]
            whole = dd.from_delayed(parts, meta=meta)
        return whole.drop(columns="target"), whole["target"]


@pytest.mark.parametrize("how", ["delayed", "map_blocks", "column chunks"])
@pytest.mark.parametrize("clusterer", ["default", "bounded", "many passes", "one fit", "frozen"])
def test_reads_of_arrays(watch, how, clusterer):
    X, y = make_imbalanced(n=600)
    estimator = {
        "default": lambda: 4,
        "bounded": lambda: 4,
        "many passes": lambda: DaskKMeans(4, init=X[:4], max_iter=3, tol=0),
        "one fit": lambda: KMeans(4, n_init=1, random_state=0),
        "frozen": lambda: FrozenEstimator(KMeans(4, n_init=1, random_state=0).fit(X)),
    }[clusterer]()
    bound = 100 if clusterer == "bounded" else "auto"
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=estimator, learning_rows=bound)
    source = Source(X, y, 6)
    result = sampler.fit_resample(*source.arrays(how))
    learns_by_passes = clusterer in ("default", "many passes")
    passes = sampler.kmeans_estimator_.n_iter_ if learns_by_passes else 0
    assert passes >= {"default": 1, "many passes": 2}.get(clusterer, 0)
    eager = dict(source.loads)
    assert max(n for (name, _), n in eager.items() if name == "X") <= 2 + passes
    assert max(n for (name, _), n in eager.items() if name == "y") <= 2
    X_res, y_res = dask.compute(*result)
    assert source.most("X") <= 3 + passes
    assert source.most("y") <= 3
    assert X_res[:600].tobytes() == X.tobytes()
    assert np.bincount(y_res).tolist() == [540, 540]


@pytest.mark.parametrize("lengths", ["of X", "of y", "none"])
def test_reads_of_arrays_of_unknown_lengths(watch, lengths):
    source = Source(*make_imbalanced(n=600), 6)
    X, y = source.arrays("delayed")
    unknown = (np.nan,) * 6
    if lengths != "of X":
        X = da.Array(X.dask, X.name, (unknown, X.chunks[1]), dtype=X.dtype)
    if lengths != "of y":
        y = da.Array(y.dask, y.name, (unknown,), dtype=y.dtype)
    sampler = KMeansSMOTE(random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert source.most("X") <= 2 + sampler.kmeans_estimator_.n_iter_
    assert not np.isnan([n for part in (X_res, y_res) for n in part.chunks[0]]).any()
    np.testing.assert_array_equal(X_res[:600].compute(), np.concatenate(source.X))


@pytest.mark.parametrize("how", ["from_map", "delayed"])
def test_reads_of_frames(watch, how):
    source = Source(*make_imbalanced(n=600), 6)
    sampler = KMeansSMOTE(random_state=0)
    result = sampler.fit_resample(*source.frames(how))
    passes = sampler.kmeans_estimator_.n_iter_
    eager = source.most("frame")
    dask.compute(*result)
    at_last = source.most("frame")
    # here a read for X is also one for y, and lengths are not known: y is read once to count them
    assert eager <= 3 + passes, (passes, eager)
    assert at_last - eager == 1


LAZY = ("kmsmote-synthesis", "kmsmote-choose", "kmsmote-pick", "kmsmote-output",
        "kmsmote-labels", "kmsmote-provenance")  # fmt: skip


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_what_is_lazy_is_not_computed(watch, kind, method):
    source = Source(*make_imbalanced(n=600), 6)
    X, y = source.arrays("delayed") if kind == "array" else source.frames("delayed")
    sampler = KMeansSMOTE(random_state=0)
    result = getattr(sampler, method)(X, y)
    assert not [key for key in watch.names() if key.startswith(LAZY)]
    computes = watch.computes
    assert "clusters kept" in str(sampler.plan_)
    assert "SamplingPlan" in repr(sampler.plan_)
    assert len(sampler.report_) == 8
    assert sampler.plan_.to_json()
    assert dask.is_dask_collection(sampler.provenance_)
    if method == "fit_resample":
        X_res, y_res = result
        assert type(X_res) is type(X)
        assert type(y_res) is type(y)
        if kind == "array":
            assert X_res.shape == (1080, 6)
            assert y_res.shape == (1080,)
        else:
            assert X_res.known_divisions
            assert y_res.known_divisions
    assert watch.computes == computes
    sampler.provenance_.compute()
    assert any(key.startswith("kmsmote-provenance") for key in watch.names())


def tasks_for(n_chunks, n_clusters):
    X, y = make_imbalanced(n=6000, n_features=4)
    watch = Watch()
    with dask.config.set(scheduler=watch):
        sampler = KMeansSMOTE(
            random_state=0, kmeans_estimator=n_clusters, callbacks=[watch.tell],
            cluster_balance_threshold=0.0, k_neighbors=1,
        )  # fmt: skip
        result = sampler.fit_resample(*chunked(X, y, 6000 // n_chunks))
        eager = watch.count("survey", "density")
        watch.stage = "result"
        dask.compute(*result)
    assert eager > 0
    groups = int(sampler.report_.kept.sum())
    return eager, watch.count("result"), groups


@pytest.fixture(scope="module")
def counted():
    return {
        (chunks, clusters): tasks_for(chunks, clusters)
        for chunks, clusters in [(50, 4), (100, 4), (200, 4), (50, 40), (200, 40)]
    }


@pytest.mark.parametrize("part", [0, 1], ids=["eager", "result"])
def test_tasks_grow_linearly_with_chunks(counted, part):
    few, some, many = (counted[chunks, 4][part] for chunks in (50, 100, 200))
    assert (many - some) <= 2.2 * (some - few)
    assert (many - few) <= 4 * 150


@pytest.mark.parametrize("part", [0, 1], ids=["eager", "result"])
def test_tasks_are_never_chunks_times_clusters(counted, part):
    _, _, groups = counted[200, 40]
    assert groups > 12
    # what 36 clusters more cost does not depend on the chunks, but for how they are merged
    cost = {chunks: counted[chunks, 40][part] - counted[chunks, 4][part] for chunks in (50, 200)}
    assert cost[200] <= 36 * 8
    assert cost[200] <= cost[50] + 40


def named_otherwise(tasks):
    """Tasks that call a function of the package under a name that does not say so.

    The check of an original chunk may be fused with the user's tasks, and the names are joined.
    """
    return sorted({
        (key_split(key), function.__name__)
        for _, key, functions in tasks
        for function in functions
        if getattr(function, "__module__", "").startswith("dask_kmsmote")
        and not str(key).startswith("kmsmote-")
        and not (function.__name__.startswith("unchanged_") and "-kmsmote-unchanged-" in str(key))
    })  # fmt: skip


@pytest.mark.parametrize("kind", ["array", "frame", "unknown", "sparse", "column chunks"])
@pytest.mark.parametrize("part", ["eager", "lazy"])
def test_names_of_tasks(watch, kind, part):
    X, y = make_imbalanced(n=600)
    source = Source(X, y, 30)
    if kind == "frame":
        X, y = source.frames("from_map")
    else:
        X, y = source.arrays("column chunks" if kind == "column chunks" else "delayed")
    if kind == "sparse":
        X = X.map_blocks(sparse.csr_matrix, meta=sparse.csr_matrix((0, 0), dtype=X.dtype))
    if kind == "unknown":
        X, y = (
            da.Array(a.dask, a.name, ((np.nan,) * 30, *a.chunks[1:]), dtype=a.dtype) for a in (X, y)
        )
    sampler = KMeansSMOTE(random_state=0)
    result = sampler.fit_resample(X, y)
    stages = {key.split("-")[1] for key in watch.names() if str(key).startswith("kmsmote-")}
    assert stages >= {"census", "clustering", "survey", "gather", "density"}
    if part == "lazy":
        watch.tasks = []
        dask.persist(*result)
        sampler.provenance_.compute()
    made = {"summarize", "survey_chunk"} if part == "eager" else {"synthesize", "parents_frame"}
    assert made <= {function.__name__ for _, _, called in watch.tasks for function in called}
    assert named_otherwise(watch.tasks) == []


def test_names_differ_between_runs_and_seeds():
    X, y = chunked(*make_imbalanced(n=600), 100)

    def names(**params):
        result = KMeansSMOTE(**params).fit_resample(X, y)[0]
        return {str(key) for key in dict(result.__dask_graph__()) if "kmsmote-synth" in str(key)}

    assert names(random_state=0)
    assert not names(random_state=0) & names(random_state=1)
    assert not names(random_state=0) & names(random_state=0, k_neighbors=3)


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


def test_the_given_scheduler_does_the_work(watch):
    KMeansSMOTE(random_state=0).fit_resample(*chunked(*make_imbalanced(n=600), 100))
    assert watch.computes > 3
