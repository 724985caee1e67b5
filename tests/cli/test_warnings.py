"""Warnings of a plan on the command line: told once, in JSON, and an error with --strict."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from dask_kmsmote.cli import cli
from dask_kmsmote.cli.failures import with_options
from dask_kmsmote.errors import PlanWarning

ONCE = "Half of the"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """900 rows in a far cluster of 4 and a dense one; wide and narrow columns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 3)) * [1, 1, 1000]
    y = (rng.random(900) < 0.1).astype(int)
    X[:4], y[:4] = [900, 900, 9e5] + 300 * rng.normal(size=(4, 3)), 1
    path = tmp_path_factory.mktemp("warnings") / "table.parquet"
    pd.DataFrame(X, columns=["a", "b", "c"]).assign(label=y).to_parquet(path)
    return path


def invoke(command, *args):
    fixed = ["--target", "label", "--seed", "0", "--clusters", "2", "--workers", "1"]
    return CliRunner().invoke(cli, [command, *map(str, args), *fixed])


PAPER = ["--count-exponent", "-1", "--max-ratio", "none", "--scale", "none", "--exponent", "3"]


def test_parameters_of_allocation_and_scale(table):
    done = invoke("plan", table, "--json", *PAPER)
    assert done.exit_code == 0, done.output
    plan = json.loads(done.stdout)["plan"]
    assert (plan["count_exponent"], plan["max_ratio"], plan["scale"]) == (-1, None, None)
    own = json.loads(invoke("plan", table, "--json").stdout)["plan"]
    assert (own["count_exponent"], own["max_ratio"], own["scale"]) == (1, 2, "standard")
    other = json.loads(invoke("plan", table, "--json", "--max-ratio", "3.5").stdout)["plan"]
    assert other["max_ratio"] == 3.5
    compat = ["--compat", "imbalanced-learn", "--threshold", "0"]
    assert invoke("plan", table, *compat).exit_code == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [("--max-ratio", "0.5"), ("--max-ratio", "much"), ("--scale", "robust"),
     ("--count-exponent", "auto"), ("--count-exponent", "nan")],
)  # fmt: skip
def test_bad_values(table, option, value):
    done = invoke("plan", table, option, value)
    assert done.exit_code == 2, done.output
    name = option.strip("-")
    assert name in done.stderr or name.replace("-", "_") in done.stderr


def test_compat_takes_none_of_them(table):
    done = invoke("plan", table, "--compat", "imbalanced-learn", "--max-ratio", "3")
    assert done.exit_code == 2
    assert "max_ratio=3.0 was given" in done.stderr
    assert "--max-ratio" in done.stderr


@pytest.mark.filterwarnings("default::dask_kmsmote.errors.PlanWarning")
def test_each_warning_is_printed_once(table, tmp_path):
    for args in (["plan", table], ["resample", table, tmp_path / "out"]):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            done = invoke(*args, *PAPER)
        # a process would print them below the log
        assert not [each for each in caught if issubclass(each.category, PlanWarning)]
        assert done.exit_code == 0, done.output
        assert done.stderr.count(ONCE) == 1
        assert "cluster_balance_threshold=0.0 is --threshold 0.0" in done.stderr
        assert "--scale standard" in done.stderr
        assert ONCE not in done.stdout
    quiet = invoke("plan", table, "--quiet", *PAPER)
    assert (quiet.stdout.count(ONCE), quiet.stderr) == (1, "")
    shown = CliRunner().invoke(cli, ["report", str(tmp_path / "out")])
    assert shown.stdout.count(ONCE) == 1


@pytest.mark.filterwarnings("default::dask_kmsmote.errors.PlanWarning")
def test_warnings_in_json(table, tmp_path):
    planned = invoke("plan", table, "--json", *PAPER)
    found = json.loads(planned.stdout)
    assert len(found["warnings"]) >= 2
    done = invoke("resample", table, tmp_path / "out", "--json", "--log-format", "json", *PAPER)
    assert json.loads(done.stdout)["warnings"] == found["warnings"]
    events = [json.loads(line) for line in done.stderr.splitlines()]
    told = [event["message"] for event in events if event["event"] == "Warned"]
    assert told == found["warnings"]
    assert {event["level"] for event in events if event["event"] == "Warned"} == {"warning"}


@pytest.mark.parametrize("command", ["plan", "resample"])
def test_strict_stops_before_rows_are_made(table, tmp_path, command):
    places = [table] if command == "plan" else [table, tmp_path / "out"]
    done = invoke(command, *places, "--strict", "--json", *PAPER)
    assert done.exit_code == 4, done.output
    assert not (tmp_path / "out").exists()
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert done.stderr.count(ONCE) == 1
    assert "(1)" in errors[0]
    assert "cluster_balance_threshold=0.0 is --threshold 0.0" in errors[0]
    failed = json.loads(done.stdout)
    assert (failed["status"], failed["exit_code"]) == ("failed", 4)
    assert failed["warnings"] == failed["plan"]["warnings"]
    assert all(text in errors[0] for text in failed["warnings"])
    as_text = invoke(command, *places, "--strict", *PAPER)
    assert "SamplingPlan: 900 rows" in as_text.stdout
    assert (as_text.stdout + as_text.stderr).count(ONCE) == 1
    # followed, the advice ends in a run
    mended = invoke(command, *places, "--strict", "--threshold", "0")
    assert mended.exit_code == 0, mended.output


def test_mends_read_as_options():
    told = {
        "pass max_ratio=2.0 here": "max_ratio=2.0 is --max-ratio 2.0",
        'scale="standard" measures': 'scale="standard" is --scale standard',
        "scale=None was given": "scale=None is --scale none",
        "k_neighbors=1, or fewer": "k_neighbors=1 is --k-neighbors 1",
        "sampling_strategy={'a b': 3, 4: 5}; or": """--strategy '{"a b": 3, "4": 5}'""",
        "more clusters (kmeans_estimator)": "kmeans_estimator is --clusters",
    }
    for text, words in told.items():
        assert words in with_options(text)
    assert with_options("rescale the features on a scale") == "rescale the features on a scale"
