"""A cluster on which nothing moves ends a run with the reason; one that moves slowly does not."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster, Status, worker_client

from alarm import time_limit
from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE, events
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import ClusterError, ParameterError
from dask_kmsmote.events import StageFailed, StageStarted
from dask_kmsmote.graph.dask.stuck import worker_timeout
from dask_kmsmote.graph.dask.watch import watched
from processes import processes
from workload import table

pytestmark = pytest.mark.cluster
TIMEOUT = 2  # of most runs here, in seconds


@pytest.fixture(autouse=True)
def short():
    with time_limit(60), dask.config.set({"kmsmote.worker-timeout": TIMEOUT}):
        yield


@pytest.fixture(scope="module")
def two():
    """Two workers of one thread in processes that no nanny looks after, as they are stopped."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def client(two):
    with Client(two) as client:
        client.wait_for_workers(2)
        yield client
        client.run(pause, None)


@pytest.fixture
def alone(tmp_path):
    """A scheduler and a worker without a nanny, each a process of its own."""
    with processes(tmp_path, worker="") as made:
        made.worker = made.started[-1]
        yield made


def patient():
    """For runs that are to end well, on a machine that has other work."""
    return dask.config.set({"kmsmote.worker-timeout": 60})


def fit(X=None, y=None, **parameters):
    data = chunked(*make_imbalanced()) if X is None else (X, y)
    return KMeansSMOTE(random_state=0, **parameters).fit(*data)


async def pause(share, dask_worker):
    """On a worker: pause it, as this share of its memory is in use; None lets it go on."""
    import asyncio

    manager = dask_worker.memory_manager
    manager.memory_pause_fraction = share or 0.9
    wanted = Status.paused if share else Status.running
    while dask_worker.status != wanted:
        await asyncio.sleep(0.02)


class Gate:
    """A file; tasks wait until it is there."""

    def __init__(self, folder):
        self.path = folder / uuid.uuid4().hex

    def task(self):
        """A function that gives back its argument when the gate is open."""
        path = str(self.path)

        # it travels by value: workers do not know this module
        def waiting(block):
            import time
            from pathlib import Path

            Path(path + ".waiting").touch()
            while not Path(path).exists():
                time.sleep(0.02)
            return block

        return waiting

    def data(self):
        X, y = chunked(*make_imbalanced(), size=1000)
        return X.map_blocks(self.task(), meta=X._meta), y

    def open(self):
        self.path.touch()

    def wait_for_a_task(self):
        for _ in range(500):
            if Path(f"{self.path}.waiting").exists():
                return
            time.sleep(0.02)


@contextmanager
def meanwhile(function):
    """Run a function in a thread while the body runs."""
    thread = threading.Thread(target=function)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def stuck(*words, within=15):
    start = time.perf_counter()
    with pytest.raises(ClusterError) as caught:
        yield
    assert time.perf_counter() - start < within
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "kmsmote.worker-timeout" in text


# no worker


def test_no_worker_comes():
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        Client(cluster),
        stuck("has had no worker for 2 s", "start some"),
    ):
        fit()


def test_a_worker_comes_in_time(tmp_path):
    with (
        patient(),
        processes(tmp_path) as made,
        Client(scheduler_file=str(made.file)),
        meanwhile(made.start_worker),
    ):
        assert fit().plan_.n_synthetic


def test_an_adaptive_cluster_starts_from_none():
    with (
        patient(),
        LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        cluster.adapt(minimum=0, maximum=1, interval="100ms")
        assert fit().plan_.n_synthetic


def test_all_workers_retire(alone):
    with Client(scheduler_file=str(alone.file)) as client:

        def retire(event):
            if event == StageStarted("census"):
                client.retire_workers(list(client.scheduler_info()["workers"]))

        with stuck("has had no worker for 2 s"):
            fit(callbacks=[retire])


def test_all_workers_are_killed(alone):
    def kill(event):
        if event == StageStarted("density"):
            alone.worker.kill()
            alone.worker.wait()

    with Client(scheduler_file=str(alone.file)), stuck("has had no worker for 2 s"):
        fit(callbacks=[kill])


def test_the_last_worker_dies_of_its_task(alone):
    X, y = chunked(*make_imbalanced())
    with Client(scheduler_file=str(alone.file)):
        dying = X.map_blocks(lambda _: os.kill(os.getpid(), signal.SIGKILL), meta=X._meta)
        with stuck("has had no worker for 2 s", "logs"):
            fit(dying, y)


# workers that are paused


def test_all_workers_are_paused(client):
    client.run(pause, 0.001)
    told = []
    with stuck("2 of 2 workers are paused", "MiB of", "memory_limit=", "blocksize="):
        fit(callbacks=[told.append])
    assert [event.stage for event in told if isinstance(event, StageFailed)] == ["census"]


def test_workers_are_paused_meanwhile(client):
    def paused(event):
        if event == StageStarted("survey"):
            client.run(pause, 0.001)

    with stuck("No task of survey", "2 of 2 workers are paused"):
        fit(callbacks=[paused])


def test_data_on_a_paused_worker_stay(client):
    """Distributed issue 5235; what the user holds is left as it was."""
    first, _ = client.scheduler_info()["workers"]
    X, y = chunked(*make_imbalanced())
    y = y.persist()
    client.run(pause, 0.001, workers=[first])
    with dask.annotate(workers=[first]):
        X = client.persist(X, optimize_graph=False)
    with stuck("1 of 2 workers is paused", first, "gives to no other"):
        fit(X, y)
    client.run(pause, None, workers=[first])
    np.testing.assert_array_equal(X.compute(), make_imbalanced()[0])
    np.testing.assert_array_equal(y.compute(), make_imbalanced()[1])
    with patient():
        assert fit(X, y).plan_.n_synthetic


# work that no worker may do


def test_resources_that_no_worker_has(client):
    X, y = chunked(*make_imbalanced())
    X = client.persist(X, resources={"GPU": 1}, optimize_graph=False)
    with stuck("a worker that has GPU=1"):
        fit(X, y)
    assert {future.status for future in client.futures_of(X)} == {"pending"}


def test_a_run_within_a_task(client):
    def run():
        with worker_client(), dask.config.set({"kmsmote.worker-timeout": TIMEOUT}):
            X, y = chunked(*make_imbalanced())
            X = X.persist(resources={"GPU": 1}, optimize_graph=False)
            with pytest.raises(ClusterError) as caught:
                fit(X, y)
            return str(caught.value)

    assert "a worker that has GPU=1" in client.submit(run).result()


def test_validation_is_watched(client):
    X, y = chunked(*make_imbalanced())
    sampler = KMeansSMOTE(random_state=0)
    made = sampler.fit_resample(X, y)
    client.run(pause, 0.001)
    with stuck("No task of the sample", "paused"):
        sampler.validate(*made)


# a scheduler that does not answer


def test_a_stopped_scheduler_between_two_stages(alone):
    def stop(event):
        if event == StageStarted("survey"):
            alone.scheduler.send_signal(signal.SIGSTOP)

    with Client(scheduler_file=str(alone.file)):
        with stuck("has not answered for 2 s", "tcp://"):
            fit(callbacks=[stop])
        alone.scheduler.send_signal(signal.SIGCONT)


def test_a_stopped_scheduler_while_a_task_runs(alone, tmp_path):
    gate = Gate(tmp_path)

    def stop():
        gate.wait_for_a_task()
        alone.scheduler.send_signal(signal.SIGSTOP)

    with Client(scheduler_file=str(alone.file)):
        with stuck("has not answered for 2 s"), meanwhile(stop):
            fit(*gate.data())
        alone.scheduler.send_signal(signal.SIGCONT)
        gate.open()


def test_a_stopped_scheduler_that_hands_on_a_result(alone):
    X, _ = chunked(*make_imbalanced())
    with Client(scheduler_file=str(alone.file)) as client:
        made = client.persist(X)
        client.gather(client.futures_of(made))
        with stuck("has not answered for 2 s"), watched("the result"):
            alone.scheduler.send_signal(signal.SIGSTOP)
            client.gather(client.futures_of(made))
        alone.scheduler.send_signal(signal.SIGCONT)
        np.testing.assert_array_equal(made.compute(), make_imbalanced()[0])


def test_a_lost_scheduler(alone):
    def kill(event):
        if event == StageStarted("survey"):
            alone.scheduler.kill()

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        Client(scheduler_file=str(alone.file)),
        pytest.raises(ClusterError, match=r"tcp://"),
    ):
        fit(callbacks=[kill])


def test_a_client_that_is_closed_meanwhile(two, tmp_path):
    gate = Gate(tmp_path)
    client = Client(two)

    def close():
        gate.wait_for_a_task()
        client.close()

    with pytest.raises(ClusterError, match="was lost"), meanwhile(close):
        fit(*gate.data())
    gate.open()


# what moves


def test_a_long_task_is_not_stuck(client, tmp_path):
    gate = Gate(tmp_path)

    def open_late():
        gate.wait_for_a_task()
        time.sleep(2 * TIMEOUT)
        gate.open()

    with meanwhile(open_late):
        assert fit(*gate.data()).plan_.n_synthetic


def test_the_tasks_of_another_client_are_life(alone, tmp_path):
    gate = Gate(tmp_path)
    file = str(alone.file)
    with Client(scheduler_file=file, set_as_default=False) as other, Client(scheduler_file=file):
        held = other.submit(gate.task(), 0)
        gate.wait_for_a_task()

        def open_late():
            time.sleep(2 * TIMEOUT)
            gate.open()

        with meanwhile(open_late):
            assert fit().plan_.n_synthetic
        assert held.result() == 0


def test_a_client_that_computes_itself_is_not_stuck(client, two):
    with Client(two, set_as_default=False) as other:
        held = other.submit(int, resources={"GPU": 1})
        with watched("nothing"):
            time.sleep(1.5 * TIMEOUT)
        assert held.status == "pending"


# the rest


def test_nothing_is_left_behind(client):
    with patient():
        fit()
    assert not [thread for thread in threading.enumerate() if "kmsmote" in thread.name]
    gc.collect()
    while client.futures:
        time.sleep(0.02)


def test_nothing_is_left_behind_where_it_was_stuck(client):
    client.run(pause, 0.001)
    with stuck("paused"):
        fit()
    assert not [thread for thread in threading.enumerate() if "kmsmote" in thread.name]
    client.run(pause, None)
    with patient():
        assert fit().plan_.n_synthetic


def test_an_interrupt_ends_what_is_stuck(client):
    client.run(pause, 0.001)
    main = threading.main_thread().ident
    # a suite that a shell runs in the background passes on that it ignores SIGINT
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.5, signal.pthread_kill, [main, signal.SIGINT]).start()
    with dask.config.set({"kmsmote.worker-timeout": 50}), pytest.raises(KeyboardInterrupt):
        fit()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("given", "seconds"), [(2, 2.0), (0.5, 0.5), ("5 minutes", 300.0), ("10s", 10.0), (0, 0.0)]
)
def test_times_that_are_configured(given, seconds):
    with dask.config.set({"kmsmote.worker-timeout": given}):
        assert worker_timeout() == seconds


@pytest.mark.parametrize("given", [None, "soon", -1, float("nan"), [1]])
def test_times_that_are_none(given):
    with (
        dask.config.set({"kmsmote.worker-timeout": given}),
        pytest.raises(ParameterError, match=r"kmsmote.worker-timeout.*dask.config.set"),
    ):
        worker_timeout()


# the command line


@pytest.fixture
def source(tmp_path):
    X, y = table(300)
    X[["a", "b"]].fillna(0).assign(label=y).to_parquet(tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


@pytest.fixture
def before_stage(monkeypatch):
    """A function that has another called as a stage of a job starts."""

    def register(stage, function):
        def emit(callbacks, event):
            if event == StageStarted(stage):
                function()
            original(callbacks, event)

        monkeypatch.setattr(events, "emit", emit)

    original = events.emit
    return register


def resample(source, scheduler_file, seconds):
    options = ["--target", "label", "--scheduler-file", scheduler_file]
    options += ["--wait-for-workers", seconds]
    return CliRunner().invoke(
        cli, ["resample", str(source), str(source.parent / "out"), *map(str, options)]
    )


@pytest.mark.parametrize("stage", ["census", "write"])
def test_a_job_without_a_worker_left(alone, source, before_stage, stage):
    def kill():
        alone.worker.kill()
        alone.worker.wait()

    before_stage(stage, kill)
    done = resample(source, alone.file, TIMEOUT)
    assert done.exit_code == 5, done.output
    assert "no worker for 2 s" in done.stderr
    assert "kmsmote.worker-timeout is --wait-for-workers" in done.stderr
    assert not (source.parent / "out").exists()


def test_a_job_on_paused_workers(client, two, source, tmp_path):
    client.run(pause, 0.001)
    client.write_scheduler_file(str(tmp_path / "file.json"))
    done = resample(source, tmp_path / "file.json", TIMEOUT)
    assert done.exit_code == 5, done.output
    assert "--memory-limit " in done.stderr
    assert "--partition-size " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_with_a_stopped_scheduler(alone, source, before_stage):
    before_stage("survey", lambda: alone.scheduler.send_signal(signal.SIGSTOP))
    done = resample(source, alone.file, TIMEOUT)
    assert done.exit_code == 5, done.output
    assert "has not answered for 2 s" in done.stderr
