"""The benchmarks run, on a hundredth of their rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_smoke():
    program = Path(__file__).parents[1] / "benchmarks" / "run.py"
    names = ["--scale", "0.01", "S1", "S4", "S8", "S9", "S10", "S11"]
    output = subprocess.check_output([sys.executable, program, *names], text=True)
    rows = [line.split("|")[1].strip() for line in output.splitlines()[2:]]
    assert rows == ["S1", "S1", "S1", "S4", *["S8"] * 6, "S9", "S10", *["S11"] * 6]
