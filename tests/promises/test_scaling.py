"""What `benchmarks/scaling.py` counts is what a scheduler is given, and its simulation adds up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from dask.utils import key_split
from distributed import Client, LocalCluster, wait
from distributed.diagnostics.plugin import SchedulerPlugin

from benchmarks.data import mixture

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))
from recorder import Recorder  # noqa: E402
from scaling import (  # noqa: E402
    PART_ROWS,
    Costs,
    as_arrays,
    dry_run,
    fit,
    resample,
    rows_of_plan,
)
from simulate import Call, Load, Network, simulate  # noqa: E402
from standins import NoRuleError, StandIns  # noqa: E402

from dask_kmsmote import KMeansSMOTE, pipeline  # noqa: E402


def test_one_size_ends_with_a_line_of_json():
    command = [sys.executable, BENCHMARKS / "scaling.py", "--rows", "1e6"]
    output = subprocess.check_output(command, text=True)
    found = json.loads(output.splitlines()[-1])
    assert list(found) == ["rows", "client_s", "tasks", "moved_gb", "simulated_s"]
    assert list(found["simulated_s"]) == ["1", "64", "256"]
    assert found["rows"] == 1_000_000
    assert found["tasks"] > 1_000_000 / PART_ROWS


@pytest.fixture
def counted():
    """A client of a real scheduler, and the names of the tasks that it takes in."""

    class Counting(SchedulerPlugin):
        def __init__(self):
            self.names = []

        def transition(self, key, start, finish, *_, **__):
            if finish == "memory":
                self.names.append(key_split(key))

    plugin = Counting()
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.scheduler.add_plugin(plugin)
        yield client, plugin.names


def alike(n_chunks, n_rows):
    """Chunks of the same rows, so that groups have the same share of each, as in a dry run."""
    parts = [dask.delayed(mixture, nout=2)(n_rows, 18) for _ in range(n_chunks)]
    X = [da.from_delayed(x, (n_rows, 18), float) for x, _ in parts]
    y = [da.from_delayed(labels, (n_rows,), np.int8) for _, labels in parts]
    return da.concatenate(X), da.concatenate(y)


@pytest.mark.parametrize("block_bytes", [pipeline.GROUP_BYTES, 2**16])
def test_tasks_are_those_that_a_scheduler_takes_in(counted, block_bytes, monkeypatch):
    monkeypatch.setattr(pipeline, "GROUP_BYTES", block_bytes)
    client, names = counted
    X, y = client.persist(alike(8, 50_000))
    wait([X, y])
    names.clear()
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=50)
    dask.compute(*[part.sum() for part in sampler.fit_resample(X, y)])
    dry = dry_run(400_000, rows_of_plan(sampler), 50_000)
    dry_names = dry.names[dry.load.n_given :]
    assert dry.n_tasks == len(dry_names) == len(names)
    # on a cluster, those of dask-ml are named after the stage
    passes = "kmsmote-clustering-lloyd"
    assert Counter(names) - Counter(dry_names) <= Counter({passes: names.count(passes)})


def test_a_capture_computes_what_threads_compute():
    X, y = mixture(6000, 18)
    recorder = Recorder(lambda function, args, options: function(*args, **options))
    data = as_arrays(recorder, [(X[:3000], y[:3000]), (X[3000:], y[3000:])])
    captured = resample(recorder, *data)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=50).fit(X, y)
    assert captured.plan_ == sampler.plan_
    assert np.sum(rows_of_plan(captured), axis=0).tolist() == np.bincount(y).tolist()
    assert all(fit([step for steps in recorder.steps for step in steps]).values())


def test_the_committed_costs_know_every_task_of_large_groups(monkeypatch):
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 2**16)
    costs = Costs.read()
    recorder = dry_run(2_500_000, costs.table, exact_rows=1000)
    called = {step[0] for steps in recorder.steps for step in steps}
    assert {"select_groups", "grow_in_cell", "make_from_parents", "survey_chunk"} <= called
    assert costs.missing(recorder) == set()


def test_what_reads_values_without_a_rule_is_named():
    rows, _ = StandIns([[1, 1]]).chunk(0, 10, 2)
    for function in (np.median, np.asarray, lambda own: own + 1, lambda own: own[own > 0]):
        with pytest.raises(NoRuleError, match=function.__name__):
            StandIns([[1, 1]])(function, (rows,), {})


def load(seconds, needs, nbytes=None, calls=None):
    n = len(seconds)
    calls = calls or [Call(0.0, n, tuple(range(n)))]
    return Load(seconds, nbytes or [0] * n, needs, calls)


FREE = {"per_task": 0.0, "overhead": 0.0, "network": Network(1e9, 0.0)}


@pytest.mark.parametrize("workers", [1, 2, 1000])
def test_a_chain_takes_the_sum_of_its_tasks(workers):
    chain = load([1.0] * 5, [(), (0,), (1,), (2,), (3,)], [10**6] * 5)
    assert simulate(chain, workers, **FREE) == (pytest.approx(5.0), 0)
    waits = dict(FREE, per_task=0.25, overhead=0.5)
    assert simulate(chain, workers, **waits).seconds == pytest.approx(5 * 1.75)


@pytest.mark.parametrize(("workers", "seconds"), [(1, 12.0), (4, 3.0), (5, 3.0), (12, 1.0)])
def test_independent_tasks_share_the_workers(workers, seconds):
    assert simulate(load([1.0] * 12, [()] * 12), workers, **FREE).seconds == pytest.approx(seconds)


def test_a_scheduler_serves_one_task_after_the_other():
    many = load([1.0] * 100, [()] * 100)
    assert simulate(many, 100, **dict(FREE, per_task=0.1)).seconds == pytest.approx(1.0 + 100 * 0.1)


def test_a_transfer_takes_its_bytes():
    joined = load([2.0, 2.0, 1.0], [(), (), (0, 1)], [3 * 10**9, 10**9, 0])
    network = Network(bandwidth=1e9, latency=0.5)
    # the smaller input moves to the larger one
    found = simulate(joined, 2, per_task=0.0, overhead=0.0, network=network)
    assert found == (pytest.approx(2.0 + 1.5 + 1.0), 10**9)


def test_a_client_waits_for_what_it_asked_for():
    calls = [Call(1.0, 2, (1,)), Call(2.0, 3, (2,))]
    waiting = load([4.0, 1.0, 1.0], [(), (), ()], calls=calls)
    # asked for at 1, there at 2; the next is submitted at 4 to the idle worker
    assert simulate(waiting, 2, **FREE).seconds == pytest.approx(5.0)
