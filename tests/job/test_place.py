"""Where a job runs: in threads of this process where memory holds it easily, or on a cluster."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Timer

import dask
import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import ClusterError
from dask_kmsmote.job import place
from dask_kmsmote.job.cluster import ClusterSettings
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.source import open_source
from dask_kmsmote.job.storage.text.files import open_text
from dask_kmsmote.job.storage.text.spans import TextFormat
from dask_kmsmote.threads import on_own_threads

ADDRESS = "DASK_SCHEDULER_ADDRESS"
PROGRAM = Path(sys.executable).parent / "dask-kmsmote"


def table_of(n=600):
    X, y = make_imbalanced(n, 3, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y)
    return frame.assign(shop=np.where(frame["a"] > 0, "red", "blue"), id=range(n))


def write(frame, path, kind):
    parts = [frame.iloc[low : low + 200] for low in range(0, len(frame), 200)]
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        group = zarr.open_group(path, mode="w")
        group["X"], group["y"] = frame[list("abc")].to_numpy(), frame["label"].to_numpy()
        return []
    path.mkdir()
    for number, part in enumerate(parts):
        if kind == "csv":
            part.to_csv(path / f"{number}.csv", index=False)
        else:
            part.to_parquet(path / f"{number}.parquet")
    return ["--keep", "id"]


def invoke(*arguments, command="resample", **settings):
    return CliRunner(**settings).invoke(cli, [command, *map(str, arguments)])


def refuse(_):
    raise ClusterError("a cluster was asked for")


@pytest.fixture
def no_cluster(monkeypatch):
    monkeypatch.setattr(place, "connect", refuse)
    monkeypatch.delenv(ADDRESS, raising=False)


# where


@pytest.mark.parametrize("command", ["resample", "plan", "search"])
def test_a_small_table_needs_no_cluster(tmp_path, no_cluster, command):
    options = write(table_of(), tmp_path / "in", "parquet")
    out = [tmp_path / "out"] if command == "resample" else []
    # of the workers of other tests some may end meanwhile
    before = set(psutil.Process().children())
    options += ["--folds", "2", "--repeats", "1"] if command == "search" else []
    options += ["--grid", '{"clusters": [2]}'] if command == "search" else []
    done = invoke(tmp_path / "in", *out, "--target", "label", *options, command=command)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("Runs in threads of this process") == 1
    assert set(psutil.Process().children()) <= before


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--workers", "1"], {}),
        (["--memory-limit", "1GiB"], {}),
        (["--memory-limit", "auto"], {}),
        (["--threads-per-worker", "1"], {}),
        (["--scheduler", "tcp://127.0.0.1:1"], {}),
        (["--scheduler-file", "nowhere.json"], {}),
        ([], {ADDRESS: "tcp://127.0.0.1:1"}),
        ([], {"DASK_KMSMOTE__WORKERS": "1"}),
    ],
    ids=str,
)
def test_whoever_asks_gets_a_cluster(tmp_path, no_cluster, options, environment):
    options += write(table_of(), tmp_path / "in", "parquet")
    where = [tmp_path / "in", tmp_path / "out", "--target", "label"]
    done = invoke(*where, *options, env=environment)
    assert (done.exit_code, "a cluster was asked for" in done.stderr) == (5, True), done.output
    assert "Runs on a cluster, as asked" in done.stderr


@pytest.mark.parametrize("kind", ["parquet", "csv", "zarr"])
@pytest.mark.parametrize("room", [0.9, 1.1])
def test_a_table_that_memory_does_not_hold_easily(tmp_path, no_cluster, monkeypatch, kind, room):
    told = []
    options = write(table_of(), tmp_path / "in", kind)
    where = [tmp_path / "in", tmp_path / "out", "--target", "y" if kind == "zarr" else "label"]
    where += ["--format", kind]
    monkeypatch.setattr(place, "fits", lambda n_bytes, _: told.append(n_bytes) or True)
    assert invoke(*where, *options).exit_code == 0
    # at least the numbers as they are
    assert told[0] >= 600 * 4 * 8
    monkeypatch.undo()
    monkeypatch.delenv(ADDRESS, raising=False)
    needed = told[0] * place.HELD / place.SHARE
    monkeypatch.setattr(place, "free_bytes", lambda: int(room * needed))
    monkeypatch.setattr(place, "connect", refuse)
    done = invoke(*where, *options, "--overwrite")
    assert done.exit_code == (0 if room > 1 else 5), done.output
    assert ("Runs in threads" in done.stderr) == (room > 1)
    assert ("Runs on a cluster, as the table takes" in done.stderr) == (room < 1)


def test_bytes_that_are_free_are_those_of_the_machine_at_most():
    assert 0 < place.free_bytes() <= psutil.virtual_memory().total


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_text_takes_more_in_memory_than_as_a_file(tmp_path, name):
    table_of().to_csv(tmp_path / name, index=False)
    source = open_source(Location(str(tmp_path / name), {}))
    files = open_text(source, TextFormat(), 2**26, lambda _: None)
    assert files.n_bytes(files.names) > source.n_bytes


# the same as there


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("kind", "layout"),
    [("parquet", "append"), ("parquet", "interleave"), ("csv", "append"), ("zarr", "append")],
)
def test_the_same_files_as_of_processes(tmp_path, kind, layout):
    options = write(table_of(), tmp_path / "in", kind)
    options += ["--target", "y" if kind == "zarr" else "label", "--seed", "1", "--layout", layout]
    # several partitions, and several files
    options += ["--format", kind, "--partition-size", "8KiB"]
    for name, where in (("threads", []), ("processes", ["--workers", "2"])):
        done = invoke(tmp_path / "in", tmp_path / name, *options, *where)
        assert done.exit_code == 0, done.output
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        one, other = (zarr.open_group(tmp_path / name) for name in ("threads", "processes"))
        assert all(np.array_equal(one[name][:], other[name][:]) for name in ("X", "y"))
        return
    files = [sorted((tmp_path / where).iterdir()) for where in ("threads", "processes")]
    assert len(files[0]) > 2
    for one, other in zip(*files, strict=True):
        # a run names its files
        assert one.name.rpartition("-")[0] == other.name.rpartition("-")[0]
        assert pq.read_table(one).equals(pq.read_table(other))


# its end


def test_own_threads_have_ended_after_an_interrupt():
    begun, may_end, ended = Event(), Event(), []

    def work():
        begun.set()
        may_end.wait()
        ended.append(True)

    def interrupted():
        with on_own_threads():
            pool = dask.config.get("pool")
            pool.submit(work)
            begun.wait()
            Timer(0.2, may_end.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ended == [True]


@pytest.mark.parametrize(
    ("number", "stage"),
    [(signal.SIGTERM, "read"), (signal.SIGHUP, "clustering"), (signal.SIGINT, "write")],
)
def test_a_signal_in_any_stage_leaves_nothing(tmp_path, number, stage):
    X, y = make_imbalanced(120_000, 8, 0.1, seed=3)
    frame = pd.DataFrame(X, columns=list("abcdefgh")).assign(label=y)
    frame.to_parquet(tmp_path / "source.parquet", row_group_size=10_000)
    arguments = ["source.parquet", "deep/out", "--target", "label", "--partition-size", "1MiB"]
    job = subprocess.Popen(
        [PROGRAM, "resample", *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # a suite that a shell runs in the background passes on that it ignores SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    seen = ""
    while f"{stage} ..." not in seen:
        seen += job.stderr.read(1)
    job.send_signal(number)
    _, rest = job.communicate(timeout=60)
    assert (job.returncode, "Interrupted" in rest) == (130, True), rest
    assert [path.name for path in tmp_path.iterdir()] == ["source.parquet"]


# refusals


REFUSED = {
    "unknown target": (["--target", "lable"], 3, "'lable'"),
    "missing column": (["--target", "label", "--keep", "nothing"], 3, "'nothing'"),
    "no part": (["--target", "label", "--features", "a", "--drop", "a"], 2, "two parts"),
    "dates": (["--target", "label", "--drop", "tags"], 3, "--keep when"),
    "nested": (["--target", "label", "--drop", "when"], 3, "'tags'"),
    "nested target": (["--target", "tags", "--drop", "when"], 3, "name a column of numbers"),
    "text of imbalanced-learn": (
        ["--target", "label", "--drop", "when,tags", "--compat", "imbalanced-learn"], 3, "'shop'",
    ),
    "compat": (
        ["--target", "label", "--features", "a", "--compat", "imbalanced-learn", "--scale", "none"],
        2, "--scale none",
    ),
    "ratio": (["--target", "label", "--features", "a", "--strategy", "1.5"], 2, "--strategy"),
    "name": (["--target", "label", "--features", "a", "--strategy", "most"], 2, "--strategy"),
    "max_ratio": (["--target", "label", "--features", "a", "--max-ratio", "0.5"], 2, "--max-ratio"),
    "exact_rows": (["--target", "label", "--features", "a", "--exact-rows", "0"], 2, "exact-rows"),
    "exponent": (["--target", "label", "--features", "a", "--exponent", "nan"], 2, "--exponent"),
    "learning": (
        ["--target", "label", "--features", "a", "--learning-rows", "0"], 2, "--learning-rows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_schema_shows_is_refused_before_anything_starts(tmp_path, monkeypatch, name):
    options, code, words = REFUSED[name]
    frame = table_of().assign(when=pd.Timestamp("2024"), tags=[["x"]] * 600)
    frame.to_parquet(tmp_path / "in.parquet")
    monkeypatch.setattr(place, "computing", lambda *_: pytest.fail("something started"))
    for command in ("resample", "plan"):
        out = [tmp_path / "out"] if command == "resample" else []
        done = invoke(tmp_path / "in.parquet", *out, *options, command=command)
        assert (done.exit_code, words in done.stderr) == (code, True), done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--target", "z"], 3, "no array 'z'"),
        (["--target", "y", "--features", "y"], 3, "shape (600,)"),
        (["--target", "y", "--strategy", "1.5"], 2, "--strategy"),
    ],
)
def test_what_arrays_show_is_refused_before_anything_starts(
    tmp_path, monkeypatch, options, code, words
):
    write(table_of(), tmp_path / "in.zarr", "zarr")
    monkeypatch.setattr(place, "computing", lambda *_: pytest.fail("something started"))
    done = invoke(tmp_path / "in.zarr", tmp_path / "out", *options)
    assert (done.exit_code, words in done.stderr) == (code, True), done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["in.parquet", "out", "--target", "nothing"],
        ["in.parquet", "out", "--target", "label", "--drop", "nothing"],
        ["in.parquet", "taken", "--target", "label"],
        ["nowhere.parquet", "out", "--target", "label"],
        ["in.parquet", "in.parquet/out", "--target", "label"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_names_show_is_refused_without_what_is_slow_to_import(tmp_path, arguments):
    table_of().to_parquet(tmp_path / "in.parquet")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a").touch()
    code = (
        "import sys; from dask_kmsmote.cli import cli\n"
        f"try: cli({['resample', *arguments]!r})\n"
        "except SystemExit as end: print(end.code, *sys.modules)"
    )
    told = subprocess.check_output(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, stderr=subprocess.DEVNULL
    ).split()
    assert int(told[0]) in {2, 3, 5}
    assert not {"sklearn", "distributed", "imblearn", "dask_ml", "dask.dataframe"} & set(told)


def test_settings_say_whether_a_cluster_is_asked_for(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    assert not ClusterSettings(verbose=True, wait=5).is_asked
