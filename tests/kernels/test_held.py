"""What an image holds compiled is used where its root is read-only, and never half of it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

JOB = """
import numpy as np
from dask_kmsmote.kernels.rows.fingerprint import of_labels
of_labels(np.zeros(10, int), np.arange(2))
"""


def log_of(kept, held=None):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kept), "NUMBA_DEBUG_CACHE": "1"}
    environment.pop("KMSMOTE_COMPILED", None)
    if held is not None:
        environment["KMSMOTE_COMPILED"] = str(held)
    return subprocess.check_output([sys.executable, "-c", JOB], env=environment, text=True)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    held = tmp_path_factory.mktemp("image") / "numba"
    assert "data saved" in log_of(held)
    return held


def test_nothing_is_compiled_again(held, tmp_path):
    assert "saved" not in log_of(tmp_path / "numba", held)
    assert "data loaded" in log_of(tmp_path / "numba", held)


def test_processes_that_start_at_once(held, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(lambda _: log_of(tmp_path / "numba", held), range(4)))
    assert not any("saved" in log for log in logs)
    assert [path.name for path in tmp_path.iterdir()] == ["numba"]


@pytest.mark.parametrize("missing", ["held", "room"])
def test_compiles_where_there_is_nothing_to_bring(held, tmp_path, missing):
    kept = tmp_path / "numba"
    if missing == "room":
        kept.mkdir()
    assert "data saved" in log_of(kept, held if missing == "room" else tmp_path / "none")
