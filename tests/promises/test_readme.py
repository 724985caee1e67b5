"""What the README says to run, runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def command(name):
    return re.search(rf"<!-- {name} command -->\n```\n(.*?)\n```", README, re.DOTALL).group(1)


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    """The folder after the main command, run in this environment: the last two steps of it."""
    folder = tmp_path_factory.mktemp("readme")
    steps = command("main").split(" && ")[-2:]
    bin_folder = Path(sys.executable).parent
    for step in steps:
        program, *arguments = step.replace("examples/", f"{ROOT}/examples/").split()
        subprocess.run([bin_folder / Path(program).name, *arguments], cwd=folder, check=True)
    return folder


def test_main_command(flights):
    source = pd.read_parquet(flights / "flights.parquet")
    result = pd.read_parquet(flights / "balanced.parquet")
    assert len(source) == 336_776
    assert result["cancelled"].value_counts().to_dict() == {0: 328_521, 1: 328_521}
    pd.testing.assert_frame_equal(result.iloc[: len(source)], source)


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_python_block(number, flights):
    script = flights / f"block_{number}.py"
    script.write_text(python_blocks()[number])
    subprocess.run([sys.executable, script], cwd=flights, check=True)


def test_test_command_is_what_runs_this():
    assert command("test").endswith("-m pytest -n 2")
