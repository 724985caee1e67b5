"""The example programs, run as their first lines say; notebooks are run by nbmake."""

from __future__ import annotations

import re
import subprocess
import sys
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


def test_larger_than_memory(tmp_path):
    told = run("larger_than_memory.py", tmp_path)
    made, limit = re.search(r"made [\d,]+ rows, ([\d.]+) GiB, for ([\d.]+) MiB", told).groups()
    assert float(made) * 1024 > 2.9 * float(limit)
    peak, restarts = re.search(r"memory ([\d.]+) MiB; restarts (\d+)", told).groups()
    assert float(peak) < float(limit)
    assert restarts == "0"
    assert "classes [6143907, 614390]" in told
