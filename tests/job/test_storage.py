"""Jobs on a real object store and on local disks: whole or absent, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import keeper, read_manifest

pytestmark = pytest.mark.cluster
STAGES = {"census", "clustering", "survey", "gather", "density", "write"}


@pytest.fixture(scope="module")
def scheduler(store):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def frame_of(n=600, seed=3):
    X, y = make_imbalanced(n, 4, 0.1, seed=seed)
    frame = pd.DataFrame(X, columns=list("abcd")).astype({"a": "float32"})
    frame["label"] = y
    frame["id"] = np.arange(n)
    frame["day"] = pd.date_range("2026-01-01", periods=n, freq="h").as_unit("us")
    frame["note"] = [f"row {number}" for number in range(n)]
    return frame


def put(frame, url, parts=3):
    Location(url).fs.makedirs(Location(url).path, exist_ok=True)
    size = -(-len(frame) // parts)
    for part in range(parts):
        frame.iloc[part * size : (part + 1) * size].to_parquet(f"{url}/part-{part}.parquet")


def invoke(command, *arguments):
    return CliRunner().invoke(cli, [command, *map(str, arguments)])


@pytest.fixture
def job(place, scheduler):
    frame = frame_of()
    put(frame, f"{place}/source")

    def run(*options, source=f"{place}/source", command="resample", out=f"{place}/out"):
        paths = [source, out] if command == "resample" else [source]
        common = ["--target", "label", "--seed", "1", "--scheduler", scheduler]
        return invoke(command, *paths, *common, "--keep", "id,day,note", *options)

    run.frame, run.out, run.place = frame, f"{place}/out", place
    return run


def test_result_and_manifest(job):
    done = job("--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    result = pd.read_parquet(job.out)
    pd.testing.assert_frame_equal(result.iloc[:600], job.frame, check_dtype=False)
    made = result.iloc[600:]
    assert made[["id", "day", "note"]].isna().all(axis=None)
    assert result["label"].value_counts().to_dict() == {0: 540, 1: 540}
    manifest = read_manifest(Location(job.out))
    assert manifest == {key: summary[key] for key in manifest}
    assert manifest["classes"] == {
        "0": {"before": 540, "after": 540},
        "1": {"before": 60, "after": 540},
    }
    assert sum(part["rows"] for part in manifest["files"]) == 1080
    assert set(manifest["stages"]) == STAGES
    files = Location(job.out).files()
    assert {part["path"] for part in manifest["files"]} == set(files)
    shown = invoke("report", job.out)
    assert (shown.exit_code, "class 1: 60 -> 540 rows" in shown.stdout) == (0, True), shown.output


def test_same_seed_same_contents_and_overwrite(job):
    several = ["--partition-size", "1KiB"]  # files
    assert job(*several).exit_code == 0
    first, rows = contents(job.out), pd.read_parquet(job.out)
    refused = job(*several)
    assert (refused.exit_code, "--overwrite" in refused.stderr) == (5, True), refused.output
    again = job(*several, "--overwrite")
    assert again.exit_code == 0, again.output
    assert first == contents(job.out)
    pd.testing.assert_frame_equal(rows, pd.read_parquet(job.out))


def contents(url):
    """All parts but the first, whose footer tells when it was written."""
    location = Location(url)
    files = location.files()
    names = [name for name in files if name != keeper(files)]
    assert len(names) > 1
    # their names are those of the run, too
    numbered = {name.rpartition("-")[0]: name for name in names}
    return {part: location.fs.cat_file(location.path_of(name)) for part, name in numbered.items()}


def test_only_and_marked(job):
    assert job("--mark-synthetic", "made").exit_code == 0
    marked = pd.read_parquet(job.out)
    assert marked["made"].tolist() == [False] * 600 + [True] * 480
    assert job("--only-synthetic", "--overwrite").exit_code == 0
    only = pd.read_parquet(job.out)
    pd.testing.assert_frame_equal(
        only, marked.iloc[600:].drop(columns="made").reset_index(drop=True)
    )


def test_plan_writes_nothing(job):
    done = job("--json", command="plan")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 1080
    assert not Location(job.out).exists()


def test_a_result_can_be_a_source(job):
    assert job().exit_code == 0
    # what no manifest names is not read
    Location(job.out).fs.pipe_file(f"{Location(job.out).path}/part-999999.parquet", b"rest")
    done = invoke("plan", job.out, "--target", "label", "--features", "a,b", "--seed", "1")
    assert done.exit_code == 0, done.output
    assert "1080 rows" in done.stdout


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (["--target", "lable"], 3, "'label'"),
        (["--features", "a,zzz"], 3, "'zzz'"),
        (["--keep", "id,a", "--features", "a"], 2, "two parts"),
        (["--mark-synthetic", "a"], 2, "has a column"),
        (["--threshold", "0.99"], 4, "would keep"),
        (["--format", "csv"], 3, "no csv files"),
    ],
)
def test_refused(job, change, code, word):
    done = job(*change)
    assert (done.exit_code, word in done.stderr) == (code, True), done.output
    assert not Location(job.out).exists()
    assert done.stderr.count("\n") <= 8


def test_sources_that_differ_or_are_empty(job):
    put(job.frame.drop(columns="b"), f"{job.place}/source", parts=1)
    done = job()
    assert (done.exit_code, "'b'" in done.stderr) == (3, True), done.output
    put(job.frame.iloc[:0], f"{job.place}/empty", parts=1)
    done = job(source=f"{job.place}/empty")
    assert (done.exit_code, "no rows" in done.stderr) == (3, True), done.output
    done = job(source=f"{job.place}/none")
    assert (done.exit_code, "does not exist" in done.stderr) == (3, True), done.output


def test_places_within_each_other_or_not_ours(job):
    done = job(out=f"{job.place}/source/out")
    assert (done.exit_code, "within each other" in done.stderr) == (2, True), done.output
    put(job.frame, job.out, parts=1)
    done = job("--overwrite")
    assert (done.exit_code, "no result of dask-kmsmote" in done.stderr) == (5, True), done.output
    assert len(pd.read_parquet(job.out)) == 600


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_folders_that_a_console_makes(job):
    fs, bucket, key = Location(job.place).fs, *job.place.removeprefix("s3://").split("/", 1)
    for name in ("source/", "out/"):
        fs.call_s3("put_object", Bucket=bucket, Key=f"{key}/{name}", Body=b"")
    done = job()
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_store_that_refuses(job):
    done = job(out="s3://no-such-bucket-here/out")
    assert done.exit_code == 5, done.output
    done = job("--storage-options", '{"secret": "wrong"}')
    assert done.exit_code == 5, done.output
    assert "Traceback" not in done.output


def test_csv_and_zarr(place, scheduler):
    import dask.array as da

    frame = frame_of()
    location = Location(f"{place}/rows.csv")
    frame[["a", "b", "label"]].to_csv(location.url, index=False)
    common = ["--target", "label", "--seed", "1", "--scheduler", scheduler]
    done = invoke("resample", location.url, f"{place}/csv-out", *common)
    assert done.exit_code == 0, done.output
    assert len(pd.read_parquet(f"{place}/csv-out")) == 1080
    X, y = frame[["a", "b"]].to_numpy(), frame["label"].to_numpy()
    da.to_zarr(da.from_array(X, chunks=(200, 2)), f"{place}/in.zarr", component="X")
    da.to_zarr(da.from_array(y, chunks=200), f"{place}/in.zarr", component="label")
    done = invoke("resample", f"{place}/in.zarr", f"{place}/out.zarr", *common)
    assert done.exit_code == 0, done.output
    result = da.from_zarr(f"{place}/out.zarr", component="X").compute()
    np.testing.assert_array_equal(result[:600], X)
    labels = da.from_zarr(f"{place}/out.zarr", component="label").compute()
    assert np.bincount(labels).tolist() == [540, 540]


@pytest.mark.parametrize("kill_after", ["survey", "write"])
def test_killed_job_and_rerun(place, tmp_path, kill_after):
    put(frame_of(30_000), f"{place}/source")
    program = Path(sys.executable).parent / "dask-kmsmote"
    command = [program, "resample", f"{place}/source", f"{place}/out", "--target", "label"]
    command += ["--drop", "id,day,note", "--workers", "1", "--seed", "0"]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    seen = ""
    while kill_after not in seen:
        seen += job.stderr.read(1)
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    manifest = read_manifest(Location(f"{place}/out"))
    if manifest is None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    result = pd.read_parquet(f"{place}/out")
    assert result["label"].value_counts().tolist() == [27_000, 27_000]
    assert not [name for name in Location(place).files() if "kmsmote-" in name]


def test_configuration(job, tmp_path, monkeypatch):
    text = f'source = "{job.place}/source"\ndestination = "{job.out}"\ntarget = "label"\n'
    text += 'keep = ["id", "day", "note"]\nk-neighbors = 3\nclusters = 5\nseed = 7\n'
    file = tmp_path / "job.toml"
    file.write_text(text)
    assert tomllib.loads(text)["seed"] == 7
    monkeypatch.setenv("DASK_KMSMOTE__CLUSTERS", "6")
    monkeypatch.setenv("DASK_KMSMOTE__K_NEIGHBORS", "2")
    done = invoke("resample", "--config", file, "--k-neighbors", "4", "--json", "--workers", "1")
    assert done.exit_code == 0, done.output
    used = json.loads(done.stdout)["parameters"]
    assert (used["random_state"], used["kmeans_estimator"], used["k_neighbors"]) == (7, 6, 4)
    file.write_text(text + "sede = 1\n")
    done = invoke("resample", "--config", file)
    assert (done.exit_code, "'seed'" in done.stderr) == (2, True), done.output
    monkeypatch.setenv("DASK_KMSMOTE__KNEIGHBORS", "2")
    done = invoke("plan", "x", "--target", "label")
    assert (done.exit_code, "'K_NEIGHBORS'" in done.stderr) == (2, True), done.output


def test_logs_and_metrics(job, tmp_path):
    metrics = tmp_path / "job.prom"
    done = job("--log-format", "json", "--metrics", metrics)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {event["stage"] for event in events if "stage" in event} == {
        "census",
        "clustering",
        "survey",
        "gather",
        "density",
        "write",
    }
    good = metrics.read_text()
    assert "dask_kmsmote_last_run_success" in good
    assert 'kind="synthetic"} 480.0' in good
    failed = job("--log-format", "json", "--metrics", metrics, "--json")
    assert failed.exit_code == 5
    assert json.loads(failed.stderr.splitlines()[-1])["exit_code"] == 5
    assert json.loads(failed.stdout)["status"] == "failed"
    line = next(line for line in good.splitlines() if line.startswith("dask_kmsmote_last_success"))
    assert line in metrics.read_text()
    assert job("--quiet").stderr.startswith("Error: ")
