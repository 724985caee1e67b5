"""The command line, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import dask
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import SHARED_DATA, make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest

pytestmark = pytest.mark.cluster


@pytest.fixture
def table(tmp_path):
    X, y = make_imbalanced(600, 4, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abcd")).astype({"a": "float32"})
    frame.insert(2, "label", y)
    source = tmp_path / "source"
    source.mkdir()
    for part in range(3):
        frame.iloc[part * 200 : part * 200 + 200].to_parquet(source / f"part-{part}.parquet")
    return source, frame


def invoke(*arguments, command="resample"):
    arguments = [command, *map(str, arguments)]
    if "--scheduler" not in arguments and command != "report":
        arguments += ["--workers", "1"]
    return CliRunner().invoke(cli, arguments)


def test_resamples_to_balance(table, tmp_path):
    source, frame = table
    done = invoke(source, tmp_path / "out", "--target", "label", "--seed", "1")
    assert done.exit_code == 0, done.output
    result = pd.read_parquet(tmp_path / "out")
    pd.testing.assert_frame_equal(result.iloc[:600], frame)
    assert result["label"].value_counts().to_dict() == {0: 540, 1: 540}
    assert "480" in done.stdout
    assert "survey" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_parameters_reach_the_sampler(table, tmp_path):
    options = ["--clusters", "3", "--k-neighbors", "4", "--strategy", json.dumps({"1": 100})]
    options += ["--threshold", "0.01", "--exponent", "2", "--compat", "imbalanced-learn"]
    done = invoke(table[0], tmp_path / "out", "--target", "label", "--seed", "1", *options)
    assert done.exit_code == 0, done.output
    shown = " ".join(done.stdout.split())
    assert "3 clusters (MiniBatchKMeans), k_neighbors=4, exponent 2, count_exponent=-1" in shown
    assert "max_ratio=None, distances in units of X" in shown
    assert "40 to make" in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--target", "lable"], 3, ["'lable'", "--target"]),
        (["--target", "label", "--strategy", "1.5"], 2, ["sampling_strategy", "1.5"]),
        (["--target", "label", "--strategy", '{"1": "many"}'], 2, ["whole numbers", "many"]),
        (["--target", "label", "--strategy", '{"1": 500.5}'], 2, ["whole numbers", "500.5"]),
        (["--target", "label", "--strategy", "true"], 2, ["--strategy", "'true'"]),
        (["--target", "label", "--threshold", "0.99"], 4, ["best share", "would keep"]),
        (["--target", "label", "--scheduler", "tcp://127.0.0.1:1"], 5, ["127.0.0.1:1"]),
    ],
)
def test_errors_leave_nothing(table, tmp_path, monkeypatch, options, code, words):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    dask.config.refresh()
    done = invoke(table[0], tmp_path / "out", *options)
    assert done.exit_code == code, done.output
    assert all(word in done.stderr for word in words), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_missing_source(tmp_path):
    done = invoke(tmp_path / "none", tmp_path / "out", "--target", "label")
    assert (done.exit_code, "does not exist" in done.stderr) == (3, True), done.output


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"label": 0}, "more than 1 class"),
        ({"a": float("nan")}, "column 'a'"),
        ({"a": pd.Timestamp("2024-01-01")}, "passthrough=['a'] is --keep a"),
    ],
)
def test_bad_rows(table, tmp_path, change, word):
    table[1].assign(**change).to_parquet(tmp_path / "bad.parquet")
    done = invoke(tmp_path / "bad.parquet", tmp_path / "out", "--target", "label", "--quiet")
    assert (done.exit_code, word in done.stderr) == (3, True), done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_full_disk(tmp_path):
    X, y = make_imbalanced(40_000, 6, 0.1, seed=3)
    pd.DataFrame(X, columns=list("abcdef")).assign(label=y).to_parquet(tmp_path / "in.parquet")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("tmpfs can't be mounted here")
    try:
        done = invoke(tmp_path / "in.parquet", disk / "out", "--target", "label")
        told = f"{str(disk / 'out')!r} can't be written: [Errno 28]"
        assert (done.exit_code, told in done.stderr) == (5, True), done.output
        assert "Make room there" in done.stderr
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


WITHOUT_POWERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def run_without_powers(folder, *options):
    """As a user whom permissions bind; root itself reads and writes everything."""
    program = Path(sys.executable).parent / "dask-kmsmote"
    command = [program, "resample", "source", "locked/out", "--target", "label", "--workers", "1"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv (util-linux) is not installed")
        command = [*WITHOUT_POWERS, *command]
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, check=False
    )


def test_no_permission(table, tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    done = run_without_powers(tmp_path)
    assert done.returncode == 5, done.stderr
    assert "'locked/out' can't be written" in done.stderr
    assert list((tmp_path / "locked").iterdir()) == []
    (tmp_path / "locked").chmod(0o755)
    part = table[0] / "part-1.parquet"
    part.chmod(0)
    done = run_without_powers(tmp_path)
    part.chmod(0o644)
    assert done.returncode == 5, done.stderr
    assert "part-1.parquet" in done.stderr
    assert "may read there" in done.stderr
    assert list((tmp_path / "locked").iterdir()) == []


def test_partitions_of_a_size(tmp_path):
    X, y = make_imbalanced(40_000, 4, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(label=y)
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=2_000)
    results = []
    for size in ("64KiB", "256KiB", "1GiB"):
        out = tmp_path / size
        done = invoke(
            tmp_path / "in.parquet", out, "--target", "label", "--seed", "1",
            "--partition-size", size,
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        files = read_manifest(Location(str(out)))["files"]
        results.append((sum(file["rows"] <= 10_000 for file in files), pd.read_parquet(out)))
    (small, first), (medium, second), (_, third) = results
    assert small > medium > 1
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(first, third)
    done = invoke(tmp_path / "in.parquet", tmp_path / "o", "--target", "label",
                  "--partition-size", "large")  # fmt: skip
    assert (done.exit_code, "large" in done.stderr) == (2, True), done.output


def test_interleaved(table, tmp_path):
    source, _ = table
    for layout in ("append", "interleave"):
        options = ["--seed", "1", "--mark-synthetic", "made", "--layout", layout]
        options += ["--partition-size", "1KiB"]  # a partition for each file
        done = invoke(source, tmp_path / layout, "--target", "label", *options)
        assert done.exit_code == 0, done.output
    appended, mixed = (pd.read_parquet(tmp_path / name) for name in ("append", "interleave"))
    assert len(mixed) == len(appended) == 1080
    originals = mixed[~mixed["made"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(originals, appended.iloc[:600])
    pd.testing.assert_frame_equal(
        mixed[mixed["made"]].sort_values(list("abcd")).reset_index(drop=True),
        appended.iloc[600:].sort_values(list("abcd")).reset_index(drop=True),
    )
    part = pd.read_parquet(*(tmp_path / "interleave").glob("part-000001-*.parquet"))
    assert 0.3 < part["made"].mean() < 0.6


@pytest.mark.parametrize("options", [["--seed", "x"], ["--threshold", "abc"], []])
def test_usage_errors_are_told_as_json_and_metrics(tmp_path, options):
    target = ["--target", "y"] if options else []
    out = ["--json", "--metrics", tmp_path / "job.prom"]
    done = invoke("in", "out", *target, *options, *out)
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert (told["status"], told["exit_code"]) == ("failed", 2)
    assert 'last_run_exit_code{destination="out"} 2' in (tmp_path / "job.prom").read_text()


def test_what_nobody_thought_of(table, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("nobody\nthought of this")

    monkeypatch.setattr("dask_kmsmote.job.run.run", broken)
    done = invoke(table[0], tmp_path / "out", "--target", "label", "--json")
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "Unexpected ZeroDivisionError: nobody thought of this" in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 1


@pytest.mark.filterwarnings("ignore:.*The inplace keyword")
def test_sources_that_are_no_tables(table, tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    table[1].set_index("a").to_parquet(tmp_path / "indexed.parquet")
    for source, word in (("broken", "Parquet"), ("indexed", "--drop a")):
        done = invoke(tmp_path / f"{source}.parquet", tmp_path / "out", "--target", "label")
        assert (done.exit_code, word in done.stderr) == (3, True), (done.output, done.exception)


def test_made_parents_go_with_a_failure(table, tmp_path):
    failing = [table[0], tmp_path / "deep/er/out", "--target", "label"]
    assert invoke(*failing, "--threshold", "0.99").exit_code == 4
    assert not (tmp_path / "deep").exists()
    assert invoke(*failing).exit_code == 0


def test_strategy_names_labels_by_text(table, tmp_path):
    frame = table[1].assign(label=table[1]["label"].astype(bool))
    frame.to_parquet(tmp_path / "bools.parquet")
    options = ["--target", "label", "--strategy", '{"true": 100}']
    done = invoke(tmp_path / "bools.parquet", tmp_path / "out", *options)
    assert done.exit_code == 0, done.output
    assert pd.read_parquet(tmp_path / "out")["label"].sum() == 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_job_leaves_nothing(tmp_path, number):
    X, y = make_imbalanced(120_000, 8, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abcdefgh")).assign(label=y)
    frame.to_parquet(tmp_path / "source.parquet")
    program = Path(sys.executable).parent / "dask-kmsmote"
    arguments = ["resample", "source.parquet", "deep/out", "--target", "label", "--workers", "1"]
    job = subprocess.Popen(
        [program, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # a suite that a shell runs in the background passes on that it ignores SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    seen = ""
    while "clustering" not in seen:
        seen += job.stderr.read(1)
    job.send_signal(number)
    job.communicate(timeout=60)
    assert job.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["source.parquet"]


def test_destination_is_not_overwritten(table, tmp_path):
    (tmp_path / "out").mkdir()
    done = invoke(table[0], tmp_path / "out", "--target", "label")
    assert done.exit_code == 5
    assert "exists already" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="needs the folder ../shared/data")
def test_every_shared_set(tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        for path in sorted(SHARED_DATA.glob("*.parquet")):
            out = tmp_path / path.stem
            address = ["--scheduler", cluster.scheduler_address]
            done = invoke(path, out, "--target", "target", "--seed", "0", *address)
            assert done.exit_code == 0, (path.stem, done.output)
            counts = pd.read_parquet(out, columns=["target"])["target"].value_counts()
            assert counts[0] == counts[1], path.stem
            source = pd.read_parquet(path)
            pd.testing.assert_frame_equal(pd.read_parquet(out).iloc[: len(source)], source)


def test_light_to_import():
    code = "import sys, dask_kmsmote.cli; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"sklearn", "pandas", "distributed", "numba"} & set(loaded)
