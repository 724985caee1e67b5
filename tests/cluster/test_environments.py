"""Processes that can't do the work are told before it begins, with what mends them."""

from __future__ import annotations

import importlib
import os
import signal

import dask
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster

from alarm import time_limit
from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE, __version__
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import ClusterError
from dask_kmsmote.events import StageStarted
from processes import MISSING, OTHER, OTHER_OURS, addresses, processes
from workload import table

pytestmark = [
    pytest.mark.cluster,
    # Dask's own, of every difference
    pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning"),
]

# by the name of a worker: what it runs first, and what is said of it; few, as each imports all
BAD = {
    "ours": (MISSING.format("dask_kmsmote"), ["no dask_kmsmote (ModuleNotFoundError"]),
    "two": (
        MISSING.format("numba") + MISSING.format("sklearn"),
        ["no numba (ModuleNotFoundError", "no sklearn (ModuleNotFoundError"],
    ),
    "older": (OTHER_OURS.format("0.0.1"), [f"dask_kmsmote 0.0.1; here it is {__version__}"]),
    "dask": (
        OTHER.format("dask", "2020.1.0") + OTHER.format("distributed", "2020.2.0"),
        ["dask 2020.1.0; here it is ", "distributed 2020.2.0; here it is "],
    ),
    "python": (OTHER.format("python", "3.99.0.final.0"), ["Python 3.99; here it is 3."]),
}
GOOD = {"good": OTHER.format("numpy", "1.0")}


@pytest.fixture(autouse=True)
def an_end():
    with time_limit(60):
        yield


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A cluster of good workers and of bad ones of every kind."""
    workers = {name: first for name, (first, _) in BAD.items()}
    with processes(tmp_path_factory.mktemp("mixed"), **GOOD, **workers) as made:
        yield made


@pytest.fixture(scope="module")
def fit_for_work(tmp_path_factory):
    with processes(tmp_path_factory.mktemp("good"), **GOOD) as made:
        yield made


def test_all_are_named_with_what_they_lack(mixed):
    with Client(scheduler_file=str(mixed.file)) as client:
        names = addresses(client)
        with pytest.raises(ClusterError) as caught:
            KMeansSMOTE().fit(*chunked(*make_imbalanced()))
        # and again, as nobody has mended them
        with pytest.raises(ClusterError):
            KMeansSMOTE().fit(*chunked(*make_imbalanced()))
        assert set(addresses(client)) == set(names)  # none has left
    text = str(caught.value)
    for name, (_, found) in BAD.items():
        for said in found:
            assert f"{names[name]} has {said}" in text, text
    assert not any(names[name] in text for name in GOOD)
    assert f"'dask-kmsmote=={__version__}'" in text
    assert "'scikit-learn==" in text
    assert "run them with Python 3." in text


@pytest.mark.parametrize("call", ["fit", "fit_resample", "fit_synthesize"])
def test_every_call_asks(mixed, call):
    with Client(scheduler_file=str(mixed.file)), pytest.raises(ClusterError, match="no numba"):
        getattr(KMeansSMOTE(), call)(*chunked(*make_imbalanced()))


@pytest.mark.parametrize("command", ["plan", "resample"])
def test_the_command_line(mixed, tmp_path, command):
    X, y = table(300)
    X[["a", "b"]].fillna(0).assign(label=y).to_parquet(tmp_path / "in.parquet")
    places = [tmp_path / "in.parquet", tmp_path / "out"][: 1 if command == "plan" else 2]
    options = ["--target", "label", "--scheduler-file", mixed.file]
    done = CliRunner().invoke(cli, [command, *map(str, [*places, *options])])
    assert done.exit_code == 5, done.output
    assert "no dask_kmsmote" in done.stderr
    assert "pip install" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_scheduler_without_the_package(tmp_path):
    with (
        processes(tmp_path, MISSING.format("dask_kmsmote"), worker="") as made,
        Client(scheduler_file=str(made.file)),
        pytest.raises(ClusterError, match="the scheduler has no dask_kmsmote"),
    ):
        KMeansSMOTE().fit(*chunked(*make_imbalanced()))


@pytest.mark.parametrize("who", ["scheduler", "worker"])
def test_a_module_of_the_user_that_is_missing(tmp_path, monkeypatch, who):
    (tmp_path / "mine.py").write_text("def same(block):\n    return block\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    same = importlib.import_module("mine").same
    X, y = chunked(*make_imbalanced())
    lacking = {"scheduler": "", "worker": "", who: MISSING.format("mine")}
    with (
        dask.config.set({"kmsmote.worker-timeout": 1}),
        processes(tmp_path, **lacking) as made,
        Client(scheduler_file=str(made.file)),
        pytest.raises(ClusterError) as caught,
    ):
        KMeansSMOTE().fit(X.map_blocks(same, meta=X._meta), y)
    said = {"scheduler": "No module named 'mine'", "worker": "a package that is missing there"}
    assert said[who] in str(caught.value)


def test_other_versions_of_what_dask_warns_of_are_taken(fit_for_work):
    with Client(scheduler_file=str(fit_for_work.file)):
        assert KMeansSMOTE(random_state=0).fit(*chunked(*make_imbalanced())).plan_.n_synthetic


def test_who_was_asked_is_not_asked_again(fit_for_work):
    def count():
        return fit_for_work.log("good").count("Run out-of-band function 'imported'")

    before = count()
    with Client(scheduler_file=str(fit_for_work.file)):
        for _ in range(2):
            KMeansSMOTE(random_state=0).fit(*chunked(*make_imbalanced()))
    assert count() == before + 1


def test_one_that_comes_meanwhile_is_asked_by_the_next_stage(tmp_path):
    with processes(tmp_path, good="") as made, Client(scheduler_file=str(made.file)) as client:

        def join(event):
            if event == StageStarted("survey"):
                made.start_worker("late", MISSING.format("dask_kmsmote"))
                client.wait_for_workers(2, timeout=30)

        with pytest.raises(ClusterError, match="no dask_kmsmote") as caught:
            KMeansSMOTE(callbacks=[join]).fit(*chunked(*make_imbalanced()))
        assert addresses(client)["late"] in str(caught.value)
        assert addresses(client)["good"] not in str(caught.value)


def test_a_worker_that_does_not_answer_is_left_to_dask(tmp_path, monkeypatch):
    # Dask gives it up after this, or ten heartbeats
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "1s")
    with processes(tmp_path, good="") as made, Client(scheduler_file=str(made.file)) as client:
        stopped = made.start_worker("stopped")
        client.wait_for_workers(2, timeout=30)
        stopped.send_signal(signal.SIGSTOP)
        with dask.config.set({"kmsmote.worker-timeout": "1s"}):
            assert KMeansSMOTE(random_state=0).fit(*chunked(*make_imbalanced())).plan_.n_synthetic


def test_workers_in_this_process():
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        assert KMeansSMOTE(random_state=0).fit(*chunked(*make_imbalanced())).plan_.n_synthetic


def test_a_worker_imports_what_its_threads_must_not_import_at_once(fit_for_work):
    def imported():
        import sys

        return [name in sys.modules for name in ("dask.dataframe", "sklearn")]

    with Client(scheduler_file=str(fit_for_work.file)) as client:
        KMeansSMOTE(random_state=0).fit(*chunked(*make_imbalanced()))
        # scikit-learn is 60 MB of a worker, and only a user's clusterer needs it there
        assert list(client.run(imported).values()) == [[True, False]]
