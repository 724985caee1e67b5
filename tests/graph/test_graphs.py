"""No more tasks, computes and reads than promised, under names that tell the stage."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask._task_spec import Task
from dask.utils import key_split
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator

from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.events import STAGES, StageStarted


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


LAZY = "kmsmote-synthesis"


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
    assert any(key.startswith("kmsmote-synthesis-provenance") for key in watch.names())


def tasks_for(n_chunks, n_clusters):
    X, y = make_imbalanced(n=6000, n_features=4)
    watch = Watch()
    with dask.config.set(scheduler=watch):
        sampler = KMeansSMOTE(
            random_state=0, kmeans_estimator=n_clusters, callbacks=[watch.tell],
            cluster_balance_threshold=0.0, k_neighbors=1,
        )  # fmt: skip
        result = sampler.fit_resample(*chunked(X, y, 6000 // n_chunks))
        eager = watch.count("survey", "gather", "density")
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


def is_ours(function):
    return getattr(function, "__module__", "").startswith("dask_kmsmote")


def named_otherwise(tasks):
    """Tasks that call a function of the package under a name that does not say so.

    The check of an original chunk may be fused with the user's tasks, and the names are joined.
    """
    return sorted({
        (key_split(key), function.__name__)
        for _, key, functions in tasks
        for function in functions
        if is_ours(function)
        and not str(key).startswith("kmsmote-")
        and not (function.__name__.startswith("unchanged_") and "-synthesis-unchanged-" in str(key))
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
    assert stages - {"input"} == set(STAGES) - {"choose", "allocate", "synthesis"}
    if part == "lazy":
        watch.tasks = []
        dask.persist(*result)
        sampler.provenance_.compute()
        # groups and densities are there as values already
        ours = [key for _, key, called in watch.tasks if any(map(is_ours, called))]
        assert {str(key).split("kmsmote-")[1].split("-")[0] for key in ours} == {"synthesis"}
    noted = "note_table" if kind == "frame" else "note_rows"
    eager = {noted, "survey_chunk", "slice_group", "of_one_range"}
    made = eager if part == "eager" else {"make_from_block", "parents_frame"}
    assert made <= {function.__name__ for _, _, called in watch.tasks for function in called}
    assert named_otherwise(watch.tasks) == []


@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_a_lazy_frame_has_no_names_but_ours_and_the_users(watch, layout):
    X, y = Source(*make_imbalanced(n=600), 30).frames("from_map")
    theirs = {key_split(key) for part in (X, y) for key in dict(part.simplify().__dask_graph__())}
    sampler = KMeansSMOTE(random_state=0, layout=layout)
    result = sampler.fit_resample(X, y)
    for lazy in (*result, sampler.provenance_):
        graph = lazy.optimize(fuse=False).__dask_graph__()
        names = {key_split(key) for key in dict(graph)} - theirs
        assert names
        assert all(name.startswith("kmsmote-") for name in names), names


def test_names_differ_between_runs_and_seeds():
    X, y = chunked(*make_imbalanced(n=600), 100)

    def names(**params):
        result = KMeansSMOTE(**params).fit_resample(X, y)[0]
        return {str(key) for key in dict(result.__dask_graph__()) if "kmsmote-synth" in str(key)}

    assert names(random_state=0)
    assert not names(random_state=0) & names(random_state=1)
    assert not names(random_state=0) & names(random_state=0, k_neighbors=3)


def test_the_given_scheduler_does_the_work(watch):
    KMeansSMOTE(random_state=0).fit_resample(*chunked(*make_imbalanced(n=600), 100))
    assert watch.computes > 3
