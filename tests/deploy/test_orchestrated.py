"""What the files for Airflow, Prefect and Dagster take for granted, without these.

`python tests/deploy/orchestrators` runs them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from files import DEPLOY, README, constants

from dask_kmsmote.cli import failures

FILES = [DEPLOY / "airflow/dag.py", DEPLOY / "prefect/flow.py", DEPLOY / "dagster/assets.py"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What a job prints, stdout and stderr as one."""
    folder = tmp_path_factory.mktemp("job")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=400), "y": np.repeat([0, 1], [330, 70])})
    table.to_csv(folder / "table.csv", index=False)
    program = Path(sys.executable).with_name("dask-kmsmote")
    done = subprocess.run(
        [program, "resample", folder / "table.csv", folder / "out", "--target", "y", "--json"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_told_is_in_the_last_line_of_all(path, printed):
    assert len(printed) > 5
    assert set(constants(path)["TOLD"]) <= json.loads(printed[-1]).keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_may_pass_is_tried_again_alone(path):
    own = failures
    final = [own._DEFECT, own.USAGE, own._INPUT, own._PLAN]
    assert constants(path)["FINAL"] == final


def test_all_run_one_command():
    commands = {
        constants(path)["COMMAND"].replace("{{ds}}", "{day}").format(day="2026-01-01")
        for path in FILES
    }
    assert len(commands) == 1
    assert {"--json", "--overwrite", "--strict", "--metrics"} <= set(commands.pop().split())


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: path.name)
def test_annotations_are_types(path):
    # Prefect finds no type by its name in a served flow, and Dagster none in an asset
    assert "from __future__" not in path.read_text()


def test_pool_has_a_name_that_dagster_takes():
    (name,) = re.findall(r'pool="(.*)"', FILES[2].read_text())
    assert re.fullmatch(r"\w+", name)
    assert f"concurrency set {name} 1" in README.read_text()
