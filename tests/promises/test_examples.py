"""The example programs, run as their first lines say; notebooks are run by nbmake."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster
EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_compare_imbalanced_learn():
    told = run("compare_imbalanced_learn.py")
    assert re.search(r"2\. .*\n +[\d,]+ rows, equal", told), told
    assert "classes [328521, 328521]" in told


def test_larger_than_memory():
    # not of pytest, which keeps the 5 GB of each of the last three runs
    with tempfile.TemporaryDirectory() as folder:
        told = run("larger_than_memory.py", folder)
    made, limit = re.search(r"made [\d,]+ rows, ([\d.]+) GiB, for ([\d.]+) MiB", told).groups()
    assert float(made) * 1024 > 2.9 * float(limit)
    peak, restarts = re.search(r"memory ([\d.]+) MiB; restarts (\d+)", told).groups()
    assert float(peak) < float(limit)
    assert restarts == "0"
    assert "classes [6143907, 614391]" in told


def test_does_it_help():
    told = run("does_it_help.py")
    figures = re.findall(r"^   (0\.\d{3})  ", told, re.MULTILINE)
    leaky, originals, honest, truth, none = map(float, figures)
    assert leaky > originals > 2 * truth
    assert abs(honest - truth) < 0.05
    assert truth < none
    assert re.search(r"^AUPRC: .* better than none", told, re.MULTILINE), told
    assert "KMeansSMOTE(**{" in told


@pytest.mark.parametrize("name", ["quickstart", "flights", "does_it_help"])
def test_notebooks_show_no_red_boxes_and_end_with_what_to_do(name):
    cells = json.loads((EXAMPLES / f"{name}.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not [output for output in outputs if output["output_type"] == "error"]
    (last,) = [cell for cell in cells if cell["cell_type"] == "markdown"][-1:]
    assert re.search("(?i)what to do", "".join(last["source"]))
