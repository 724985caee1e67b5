"""What a job compiles: counted, as seconds differ between machines."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from dask_kmsmote.kernels.rows import fingerprint

# the types of a job's rows, and a group that is searched by trees
TABLES = {
    "small": "sample(1000, float)",
    "float32": "sample(1000, np.float32)",
    "integers": "sample(1000, np.int64)",
    "large": "sample(20_000, float), exact_rows=1000, cluster_balance_threshold=0.0",
}
JOB = """
import numpy as np
from numba.core import event
from dask_kmsmote import KMeansSMOTE

def sample(n, dtype):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.3).astype(np.int64)
    return (10 * (rng.normal(size=(n, 10)) + y[:, np.newaxis])).astype(dtype), y

def run(table, **settings):
    KMeansSMOTE(random_state=0, n_jobs=1, kmeans_estimator=2, **settings).fit_resample(*table)

heard = event.RecordingListener()
event.register("numba:compile", heard)
run({table})
print(sum(1 for _, compiled in heard.buffer if compiled.is_start))
"""


def count_compiled(table, kept):
    code = JOB.replace("{table}", TABLES[table])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kept)}
    done = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    return int(done)


@pytest.mark.parametrize(
    ("table", "most"), [("small", 12), ("float32", 12), ("integers", 12), ("large", 19)]
)
def test_few_functions_are_compiled_once(tmp_path, table, most):
    assert 0 < count_compiled(table, tmp_path) <= most
    assert count_compiled(table, tmp_path) == 0


def test_fingerprints_are_compiled_for_one_type():
    rows = np.arange(12.0).reshape(4, 3)
    fingerprint.of_rows(rows)
    known = len(fingerprint._mix.signatures)
    fixed = rows.copy()
    fixed.setflags(write=False)
    for other in (np.asfortranarray(rows), rows[::2], rows[:, 1:], fixed):
        assert fingerprint.of_rows(other) == fingerprint.of_rows(other.copy())
    for dtype in (np.float32, np.int8, np.uint16, np.bool_):
        fingerprint.of_rows(rows.astype(dtype))
    assert len(fingerprint._mix.signatures) == known
