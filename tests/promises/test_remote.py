"""A Dask scheduler and workers as processes of their own, as a remote cluster has them."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import pandas as pd
import psutil
import pytest
from distributed import Client

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE

pytestmark = pytest.mark.cluster
BIN = Path(sys.executable).parent


@contextmanager
def remote(folder):
    """Scheduler and worker processes, and the folder's scheduler.json and scheduler.log."""
    file = folder / "scheduler.json"
    of_scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    of_workers = ["worker", "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    with (folder / "scheduler.log").open("w") as log, (folder / "worker.log").open("w") as other:
        scheduler = subprocess.Popen(
            [BIN / "dask", *of_scheduler, "--scheduler-file", file], stderr=log
        )
        workers = subprocess.Popen(
            [BIN / "dask", *of_workers, "--scheduler-file", file, "--death-timeout", "20"],
            stderr=other,
        )
        try:
            with Client(scheduler_file=str(file)) as client:
                client.wait_for_workers(2)
            yield scheduler, workers
        finally:
            for process in (workers, scheduler):
                process.terminate()
            for process in (workers, scheduler):
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()


def table_in(folder, n):
    X, y = make_imbalanced(n, 6, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(label=y)
    (folder / "source").mkdir()
    for part in range(8):
        rows = frame.iloc[part * n // 8 : (part + 1) * n // 8]
        rows.to_parquet(folder / "source" / f"part-{part}.parquet")
    return frame


def test_same_bytes_and_no_key_with_two_meanings(tmp_path):
    frame = table_in(tmp_path, 8000)
    X, y = frame[list("abcdef")].to_numpy(), frame["label"].to_numpy()
    params = {"random_state": 0, "kmeans_estimator": 20}
    expected = KMeansSMOTE(**params).fit_resample(X, y)[0].tobytes()
    with remote(tmp_path), Client(scheduler_file=str(tmp_path / "scheduler.json")):
        table = dd.read_parquet(tmp_path / "source")
        arrays = da.from_array(X, chunks=(999, -1)), da.from_array(y, chunks=999)
        for given in (
            (table[list("abcdef")], table["label"]),
            arrays,
            (arrays[0] + 0, arrays[1]),
            dask.persist(*arrays),
        ):
            made, _ = KMeansSMOTE(**params).fit_resample(*given)
            made = made.compute()
            rows = made.to_numpy() if hasattr(made, "to_numpy") else made
            assert rows.copy(order="C").tobytes() == expected
    assert "run_spec" not in (tmp_path / "scheduler.log").read_text()


def start_job(folder, *options):
    command = [BIN / "dask-kmsmote", "resample", "source", "out", "--target", "label"]
    command += ["--scheduler-file", "scheduler.json", "--seed", "0", *options]
    job = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    seen = ""
    while "clustering" not in seen:
        sign = job.stderr.read(1)
        assert sign, seen  # it has ended
        seen += sign
    return job


def test_a_worker_dies_in_the_middle(tmp_path):
    table_in(tmp_path, 80_000)
    with remote(tmp_path) as (_, workers):
        job = start_job(tmp_path, "--clusters", "30")
        (nanny,) = [psutil.Process(workers.pid)]
        victim = next(
            p for p in nanny.children(recursive=True) if "spawn_main" in " ".join(p.cmdline())
        )
        victim.send_signal(signal.SIGKILL)
        told = job.communicate(timeout=120)[1]
    assert job.returncode == 0, told
    counts = pd.read_parquet(tmp_path / "out")["label"].value_counts()
    assert counts.to_dict() == {0: 72_000, 1: 72_000}


def test_the_scheduler_goes_in_the_middle(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "3s")
    table_in(tmp_path, 80_000)
    with remote(tmp_path) as (scheduler, _):
        job = start_job(tmp_path, "--clusters", "30")
        scheduler.kill()
        told = job.communicate(timeout=120)[1]
    assert job.returncode == 5, told
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if "kmsmote-" in path.name]
