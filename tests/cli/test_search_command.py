"""`dask-kmsmote search`, as a user runs it."""

from __future__ import annotations

import json
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
from dask_kmsmote.cli.config import load, write

pytestmark = pytest.mark.cluster

MODEL = """
from sklearn.naive_bayes import GaussianNB

class Own(GaussianNB):
    "Of a module that no worker has."

def make():
    return Own()

def broken():
    raise RuntimeError("no such model")

number = 3
"""
SMALL = ["--folds", "3", "--repeats", "1", "--workers", "1", "--seed", "0"]
GRID = ["--grid", '{"clusters": [4], "max-ratio": ["none", 2]}']


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a table and a module, as the current one."""
    X, y = make_imbalanced(400, 4, 0.15, seed=3)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(id=np.arange(400))
    frame.assign(bad=np.where(y == 1, "yes", "no")).to_parquet(tmp_path / "table.parquet")
    (tmp_path / "own_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    # what a command adds so that modules here are found
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_model", raising=False)
    return tmp_path


def searched(*options):
    own = ["search", "table.parquet", "--target", "bad", "--keep", "id", *SMALL, *options]
    return CliRunner().invoke(cli, own)


def test_the_table_is_shown_and_resample_takes_what_is_written(here):
    done = searched("--estimator", "own_model:make", *GRID, "--out", "job.toml")
    assert done.exit_code == 0, done.output
    for text in ("none", "random", "SMOTE", "AUPRC", "max_ratio=None"):
        assert text in done.stdout
    written = tomllib.loads((here / "job.toml").read_text())
    assert written["target"] == "bad"
    assert written["keep"] == ["id"]
    assert written["seed"] == 0
    assert "# AUPRC: " in (here / "job.toml").read_text()
    again = ["resample", "--config", "job.toml", "table.parquet", "out", "--workers", "1"]
    made = CliRunner().invoke(cli, again)
    assert made.exit_code == 0, made.output
    assert len(pd.read_parquet("out")) >= 400


def test_none_is_a_configuration_that_makes_no_row(here):
    frame = pd.read_parquet("table.parquet")
    rng = np.random.default_rng(0)
    frame.assign(bad=rng.permutation(frame["bad"])).to_parquet("table.parquet")
    done = searched("--estimator", "own_model:make", "--out", "job.toml", "--scoring", "log loss")
    assert done.exit_code == 0, done.output
    assert "log loss: none" in done.stdout
    assert tomllib.loads((here / "job.toml").read_text())["strategy"] == {}
    again = ["resample", "--config", "job.toml", "table.parquet", "out", "--workers", "1"]
    assert CliRunner().invoke(cli, again).exit_code == 0
    before, after = pd.read_parquet("table.parquet"), pd.read_parquet("out")
    # an id that may be null in new rows has a type with nulls
    pd.testing.assert_frame_equal(after, before, check_dtype=False)


def test_json_is_one_document(here):
    done = searched("--estimator", "own_model:make", *GRID, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["status"] == "done"
    assert set(found["metrics"]) == {"AUPRC", "F1", "G-mean", "log loss", "Brier"}
    assert found["folds"] == 3
    names = [line["candidate"] for line in found["metrics"]["AUPRC"]["table"]]
    assert {"none", "random", "SMOTE"} < set(names)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--estimator", "own_model"], 2, ["module", "--estimator model:make"]),
        (["--estimator", "own_modle:make"], 2, ["'own_modle' can't be imported"]),
        (["--estimator", "own_model:mak"], 2, ["did you mean 'make'?"]),
        (["--estimator", "own_model:broken"], 2, ["RuntimeError: no such model"]),
        (["--estimator", "own_model:number"], 2, ["TypeError"]),
        (["--estimator", "__import__('os').getcwd():x"], 2, ["can't be imported"]),
        (["--grid", '{"cluster": [3]}'], 2, ["'cluster'", "kmeans_estimator is --clusters"]),
        (["--grid", '{"k_neighbor": [3]}'], 2, ["did you mean 'k_neighbors'?"]),
        (["--grid", "[3]"], 2, ["JSON object"]),
        (["--scoring", "AUPCR"], 2, ["did you mean 'AUPRC'?"]),
        (["--estimator", "sklearn.svm:LinearSVC"], 2, ["log loss, Brier", "--scoring AUPRC,F1"]),
        (["--folds", "100"], 2, ["'yes' has 60", "--folds"]),
        (["--out", "no/such/folder/job.toml"], 2, ["no/such/folder/job.toml"]),
    ],
)
def test_errors_say_what_mends_them(here, options, code, words):
    done = searched("--estimator", "own_model:make", *GRID, *options)
    assert done.exit_code == code, done.output
    for word in words:
        assert word in done.stderr
    assert not done.stdout


def test_an_interrupt_shows_what_is_done(here):
    (here / "slow_model.py").write_text(
        "import time\n"
        "from sklearn.naive_bayes import GaussianNB\n"
        "class Slow(GaussianNB):\n"
        "    def fit(self, X, y, sample_weight=None):\n"
        "        open('fits', 'a').write('.')\n"
        "        time.sleep(0.05)\n"
        "        return super().fit(X, y)\n"
    )
    own = ["search", "table.parquet", "--target", "bad", "--keep", "id", "--folds", "5"]
    own += ["--repeats", "60", "--workers", "1", "--estimator", "slow_model:Slow", *GRID]
    job = subprocess.Popen(
        [Path(sys.executable).parent / "dask-kmsmote", *own, "--out", "job.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a suite that a shell runs in the background passes on that it ignores SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    fits = here / "fits"
    while job.poll() is None and not (fits.exists() and fits.stat().st_size > 40):
        pass
    job.send_signal(signal.SIGINT)
    shown, log = job.communicate(timeout=120)
    assert job.returncode == 130, log
    assert "interrupted: " in shown
    assert "of 300 folds" in shown
    assert "SMOTE" in shown
    assert not (here / "job.toml").exists()


@pytest.mark.parametrize(
    "value",
    [
        "text",
        'a "quoted" \\ text\x7f',
        "ß\U0001f600",
        ["a", "b, c"],
        {"1": 500, "x y": 2},
        {},
        0.1,
        3,
    ],
)
def test_what_is_written_is_read(tmp_path, value):
    path = tmp_path / "job.toml"
    write(str(path), {"some_option": value}, ["A remark " * 30])
    assert load(str(path), ["some_option"], []) == {"some_option": value}
