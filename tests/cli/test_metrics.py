"""The textfile of metrics: whole, readable by others, and of its own destination."""

from __future__ import annotations

import importlib.util
import json
import os

import pytest
from prometheus_client.parser import text_string_to_metric_families
from test_cli_edges import frame_of, invoke, refused

from dask_kmsmote.cli import commands

pytestmark = pytest.mark.cluster


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    frame_of().to_parquet(tmp_path / "source" / "part.parquet")
    return tmp_path / "source"


@pytest.mark.parametrize("old", [b"\xff\xfe", b"dask_kmsmote_last_success_timestamp_seconds{} x"])
def test_metrics_beside_others(source, tmp_path, old):
    (tmp_path / "x.prom").write_bytes(old)
    (tmp_path / "folder").mkdir()
    for path, code in ((tmp_path / "x.prom", 3), (tmp_path / "folder", 3)):
        refused(invoke("nowhere", tmp_path / "out", "--metrics", path), code, "does not exist")
    assert "last_run_exit_code" in (tmp_path / "x.prom").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "source", "x.prom"}


def test_metrics_remember_the_success_of_their_own_destination(source, tmp_path):
    metrics = tmp_path / "x.prom"
    old = os.umask(0o077)
    try:
        assert invoke(source, tmp_path / "a", "--metrics", metrics).exit_code == 0
    finally:
        os.umask(old)
    assert metrics.stat().st_mode & 0o777 == 0o644
    (good,) = [s for s in samples(metrics) if s.name.endswith("last_success_timestamp_seconds")]
    metrics.write_text("half a line of another\n" + metrics.read_text())
    assert invoke(source, tmp_path / "a", "--metrics", metrics).exit_code == 5  # it is there
    assert good in samples(metrics)
    assert invoke("nowhere", tmp_path / "b", "--metrics", metrics).exit_code == 3
    assert not [s for s in samples(metrics) if s.name == good.name]


def samples(path):
    return [
        s for family in text_string_to_metric_families(path.read_text()) for s in family.samples
    ]


@pytest.mark.parametrize("missing", [False, True])
def test_metrics_without_their_package_are_refused_before_the_work(
    source, tmp_path, monkeypatch, missing
):
    monkeypatch.setattr(
        commands, "find_spec", lambda name: None if missing else importlib.util.find_spec(name)
    )
    done = invoke(source, tmp_path / "out", "--json", "--metrics", tmp_path / "x.prom")
    assert done.exit_code == (2 if missing else 0), done.output
    assert (tmp_path / "out").exists() == (not missing)
    assert json.loads(done.stdout)["status"] == ("failed" if missing else "done")


def test_metrics_that_cannot_be_written(source, tmp_path):
    done = invoke(source, tmp_path / "out", "--json", "--metrics", tmp_path / "no" / "x.prom")
    assert (done.exit_code, "no metrics" in done.stderr) == (0, True), done.output
    assert json.loads(done.stdout)["exit_code"] == 0
