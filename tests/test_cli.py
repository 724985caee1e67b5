"""The command line, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import dask
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import SHARED_DATA, make_imbalanced
from dask_kmsmote.cli import cli

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


def invoke(*arguments):
    return CliRunner().invoke(cli, ["resample", *map(str, arguments), "--workers", "1"])


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
    assert "3 clusters, k_neighbors=4, compat=imbalanced-learn" in done.stdout
    assert "40 to make" in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--target", "lable"], 3, ["'lable'", "--target"]),
        (["--target", "label", "--strategy", "1.5"], 2, ["sampling_strategy", "1.5"]),
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
    assert done.exit_code == 3
    assert "does not exist" in done.stderr


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
