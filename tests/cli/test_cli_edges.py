"""The command line on odd sources, destinations, configurations, clusters and signals."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dask
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.job import run as job
from dask_kmsmote.job.storage.commit import RECORD, Record
from dask_kmsmote.process import STOP_SIGNALS
from manifests import put_manifest

pytestmark = pytest.mark.cluster
BIN = Path(sys.executable).parent


def frame_of(n=300):
    X, y = make_imbalanced(n, 2, 0.2, seed=3)
    return pd.DataFrame(X, columns=["x0", "x1"]).assign(label=y)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    frame_of().to_parquet(tmp_path / "source" / "part.parquet")
    return tmp_path / "source"


def invoke(*arguments, target="label", workers=True, command="resample", **settings):
    arguments = [command, *map(str, arguments)]
    arguments += ["--target", target] if target else []
    arguments += ["--workers", "1"] if workers else []
    return CliRunner(**settings).invoke(cli, arguments)


def refused(done, code, *words):
    assert done.exit_code == code, done.output
    assert done.stderr.count("Traceback") == 0
    assert all(word in done.stderr for word in words), done.stderr
    return done.stderr


# sources


def test_hidden_folders_are_no_source(source, tmp_path):
    for name in ("_temporary/0", ".old"):
        (source / name).mkdir(parents=True)
        frame_of().to_parquet(source / name / "part.parquet")
    done = invoke(source, tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 300


def test_a_destination_that_is_not_finished_is_no_source(source, tmp_path):
    draft = source / f"_kmsmote-{'0' * 32}"
    draft.mkdir()
    frame_of().to_parquet(draft / "part.parquet")
    refused(invoke(source, tmp_path / "out"), 3, "has not finished")


def test_a_destination_that_is_being_published_is_no_source(source, tmp_path):
    record = Record("0" * 32, None, [], {})
    (source / RECORD).write_bytes(record.text)
    refused(invoke(source, tmp_path / "out"), 3, "being published", RECORD, "run the job")
    told = invoke(source, target=None, workers=False, command="report")
    refused(told, 3, "being published", RECORD)


def test_columns_that_are_no_numbers(source, tmp_path):
    frame_of().assign(when=pd.Timestamp("2024"), due=pd.Timestamp("2025")).to_parquet(
        source / "part.parquet"
    )
    told = refused(invoke(source, tmp_path / "out"), 3, "'when'", "'due'", "is --keep when,due")
    # before anything is read
    assert "census" not in told
    for option in ("--drop", "--keep"):
        done = invoke(source, tmp_path / "out", option, "when,due", "--overwrite")
        assert done.exit_code == 0, done.output


def test_names_that_read_as_patterns(source, tmp_path):
    for name in ("out*", "out[1]", "out?"):
        refused(invoke(source, tmp_path / name), 2, "patterns", "name another")
    refused(invoke(source, f"{tmp_path / 'out'}::b"), 2, "'::'")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    source.rename(tmp_path / "source[1]")
    refused(invoke(tmp_path / "source[1]", tmp_path / "out"), 3, "patterns", "Rename")
    (tmp_path / "source[1]").rename(source)
    (source / "part.parquet").rename(source / "part*.parquet")
    refused(invoke(source, tmp_path / "out"), 3, "'part*.parquet'", "Rename")


def csv(folder, *texts):
    folder = folder / "table.csv"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_bytes(text)
    return folder


TEXT = frame_of().to_csv(index=False).encode()
HEADERS = {
    "twice": ([TEXT.replace(b"x1", b"x0")], "two columns 'x0'"),
    "renamed": (
        [TEXT, TEXT.replace(b"x1", b"x2")],
        "'1.csv' has the columns ['x0', 'x2', 'label']",
    ),
    "fewer": ([TEXT, frame_of()[["x0", "label"]].to_csv(index=False).encode()], "'1.csv'"),
    "nameless": ([frame_of().to_csv().encode()], "--drop 'Unnamed: 0'"),
    "latin": ([TEXT + "1,é,0\n".encode("latin1")], "--encoding cp1252"),
    "late word": ([TEXT + b"1,oops,0\n"], "such as 'oops'"),
    "late nothing": ([TEXT + b"1,1,\n"], "1 labels are missing"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_texts_that_are_refused(tmp_path, name):
    texts, word = HEADERS[name]
    refused(invoke(csv(tmp_path, *texts), tmp_path / "out"), 3, word)
    assert not (tmp_path / "out").exists()


def test_texts_of_several_files(tmp_path):
    # with the mark that Windows puts first, quotes and other ends of lines
    quoted = TEXT.replace(b"x0,x1", b'"x0","x1"').replace(b"\n", b"\r\n")
    source = csv(tmp_path, b"\xef\xbb\xbf" + TEXT, quoted)
    done = invoke(source, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert len(pd.read_parquet(tmp_path / "out")) == 960


@pytest.mark.parametrize("name", ["_kmsmote.json", "part-000000.parquet"])
@pytest.mark.parametrize("content", [b"[]", b"{}", b"no json", b'{"manifest_version": 99}'])
def test_manifests_that_are_not_ours(source, tmp_path, name, content):
    put_manifest(source / name, content)
    refused(invoke(source, tmp_path / "out"), 3, "The manifest of", "edited")
    refused(invoke(source, target=None, workers=False, command="report"), 3, "The manifest of")


def test_two_columns_of_one_name(source, tmp_path):
    table = pa.table([[1.0], [2.0], [0]], names=["a", "a", "label"])
    pq.write_table(table, source / "part.parquet")
    refused(invoke(source, tmp_path / "out"), 3, "two columns 'a'")


@pytest.mark.parametrize("value", [1e200, -1e300])
def test_values_whose_squares_overflow(source, tmp_path, value):
    frame = frame_of()
    frame.loc[77, "x1"] = value
    frame.to_parquet(source / "part.parquet")
    refused(invoke(source, tmp_path / "out"), 3, "column 'x1' has 1", "Clip", "is --drop x1")


def test_balanced_already(source, tmp_path):
    frame_of().assign(label=[0, 1] * 150).to_parquet(source / "part.parquet")
    done = invoke(source, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert len(pd.read_parquet(tmp_path / "out")) == 300
    refused(invoke(source, tmp_path / "only", "--only-synthetic"), 3, "no synthetic row")
    assert not (tmp_path / "only").exists()


def test_no_path(source, tmp_path):
    refused(invoke("", tmp_path / "out"), 2, "no path")
    refused(invoke(source, "memory://out"), 2, "do not share")


# destinations


def test_links_are_followed(source, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert invoke(source, tmp_path / "link").exit_code == 0
    assert len(pd.read_parquet(tmp_path / "nowhere")) == 480
    done = invoke(source, tmp_path / "link", "--overwrite", "--strategy", "0.5")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "link").is_symlink()
    assert len(pd.read_parquet(tmp_path / "nowhere")) == 360
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "nowhere", "source"]
    (tmp_path / "alias").symlink_to(source)
    refused(invoke(tmp_path / "alias", source / "out"), 2, "within each other")


@pytest.mark.parametrize(
    ("streams", "written"),
    [
        ("| head -c 0", True),
        (">/dev/full", True),
        (">&-", True),
        ("2>&-", True),
        ("2>/dev/full", True),
        ("--log-format json 2>&-", True),
        ("2>&1 | head -c 0", True),
    ],
)
def test_streams_that_nobody_reads(source, tmp_path, streams, written):
    metrics, out = tmp_path / "x.prom", tmp_path / "out"
    job = f"{BIN / 'dask-kmsmote'} resample {source} {out} --target label --workers 1"
    command = f"set -o pipefail; {job} --metrics {metrics} {streams}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.exists() is written
    assert 'last_run_exit_code{destination="' + str(out) + '"} 0.0' in metrics.read_text()


# configuration


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("features = 5", "list of column names"),
        ("drop = true", "list of column names"),
        ("keep = [1, 2]", "list of column names"),
        ("k_neighbors = 2.7", "whole number"),
        ("clusters = true", "whole number"),
        ("seed = 1.9", "whole number"),
        ("exact_rows = 1.5", "1.5 is neither"),
        ('quiet = "maybe"', "true or false"),
        ("k-neighbors = 3\nk_neighbors = 4", "twice"),
        ('memory_limit = "10MB"', "less than"),
        ("partition_size = 0", "less than"),
    ],
)
def test_values_of_a_configuration_are_not_bent(tmp_path, line, word):
    (tmp_path / "job.toml").write_text(line + "\n")
    done = invoke("in", "out", "--config", tmp_path / "job.toml", workers=False)
    refused(done, 2, word)


def test_names_of_the_environment_are_exact():
    done = invoke("in", "out", env={"DASK_KMSMOTE__target": "label"})
    refused(done, 2, "'target'", "'TARGET'")
    done = invoke(command="plan", env={"DASK_KMSMOTE__SOURCE": "nowhere.parquet"}, workers=False)
    refused(done, 3, "nowhere.parquet")


# clusters that are none


def test_scheduler_files_that_tell_no_address(source, tmp_path):
    for content in (None, "", "{}", '{"address": '):
        file = tmp_path / "scheduler.json"
        if content is not None:
            file.write_text(content)
        done = invoke(source, tmp_path / "out", "--scheduler-file", file, workers=False)
        refused(done, 5, "does not tell the address")
    both = ["--scheduler-file", tmp_path / "scheduler.json", "--scheduler", "tcp://127.0.0.1:1"]
    refused(invoke(source, tmp_path / "out", *both, workers=False), 2, "exclude each other")


def test_a_port_that_says_nothing(source, tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
    ):
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        done = invoke(source, tmp_path / "out", "--scheduler", address, workers=False)
    refused(done, 5, "No Dask scheduler answers", address)


def test_a_scheduler_without_workers(source, tmp_path):
    file = tmp_path / "scheduler.json"
    command = [BIN / "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen([*command, "--scheduler-file", file], stderr=subprocess.DEVNULL)
    try:
        while not (file.exists() and file.read_text().endswith("}")):
            assert scheduler.poll() is None
            time.sleep(0.1)
        wait = ["--scheduler-file", file, "--wait-for-workers", "0.5"]
        done = invoke(source, tmp_path / "out", *wait, workers=False)
    finally:
        scheduler.kill()
        scheduler.wait()
    refused(done, 5, "no worker for 0.5 s", "--wait-for-workers")


def test_a_local_cluster_that_cannot_start(source, tmp_path):
    with dask.config.set(temporary_directory=str(source / "part.parquet" / "no folder")):
        done = invoke(source, tmp_path / "out")
    refused(done, 5, "No local cluster can be started", "DASK_TEMPORARY_DIRECTORY", "--scheduler")
    assert not (tmp_path / "out").exists()


def test_workers_that_lack_memory(source, tmp_path):
    done = invoke(source, tmp_path / "out", "--memory-limit", "135MB")
    refused(done, 5, "died while running it", "raise --memory-limit")
    assert not (tmp_path / "out").exists()


# signals


def test_a_signal_that_somebody_swallows(source, tmp_path, monkeypatch):
    look, before = job.open_source, {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def swallowing(*places):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return look(*places)

    monkeypatch.setattr(job, "open_source", swallowing)
    try:
        refused(invoke(source, tmp_path / "out"), 130, "Interrupted")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--partition-size", "1e400"],
        ["--memory-limit", "1e400"],
        ["--threshold", "1" + "0" * 400],
        ["--exact-rows", "inf"],
        ["--storage-options", "[" * 100_000],
        ["--strategy", "[" * 100_000],
        ["--storage-options", '{"secret": "a", "password": "b"}'],
    ],
    ids=lambda options: options[0] + options[1][:4],
)
def test_options_beyond_all_bounds(source, tmp_path, options):
    place = "s3://bucket/out" if '"secret"' in options[1] else tmp_path / "out"
    done = invoke(source, place, *options)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
def test_signals_one_after_the_other(tmp_path, first):
    frame_of(60_000).to_parquet(tmp_path / "source.parquet")
    command = [BIN / "dask-kmsmote", "resample", "source.parquet", "out", "--target", "label"]
    job = subprocess.Popen(
        [*command, "--workers", "1", "--json", "--clusters", "40"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    seen = ""
    while "clustering" not in seen:
        seen += job.stderr.read(1)
    for number in (first, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        job.send_signal(number)
        time.sleep(0.05)
    told, errors = job.communicate(timeout=60)
    assert job.returncode == 130, errors
    assert json.loads(told)["exit_code"] == 130
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["source.parquet"]


def test_ignored_signals_stay_ignored(source, tmp_path):
    # as nohup has it
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert invoke(source, tmp_path / "out").exit_code == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
