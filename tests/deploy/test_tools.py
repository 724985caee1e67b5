"""The files of deploy/ as the tools that they are for see them, where these are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial

import pytest
from files import DEPLOY, README, ROOT, documents

IMAGE = os.environ.get("KMSMOTE_TEST_IMAGE")
JOB = """
import numpy as np, pandas as pd
from dask_kmsmote import KMeansSMOTE
rng = np.random.default_rng(1)
y = np.repeat([0, 1], [20_000, 10_000])
X = rng.normal(size=(len(y), 8)) + y[:, np.newaxis]
frame = pd.DataFrame(X).rename(columns=str).assign(text=np.where(X[:, 0] > 0, "a", "b"))
job = KMeansSMOTE(random_state=0, exact_rows=1000, cluster_balance_threshold=0.0)
"""
TABLES = (
    "job.fit_resample(X, y)",
    "job.fit_resample(X.astype(np.float32), y)",
    "job.fit_resample(frame, y)",
)
VALIDATE = ROOT.parent / "shared/recipes/kubernetes/validate_crd.py"


def run(name, *arguments, cwd=DEPLOY):
    tool = shutil.which(name)
    if tool is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [tool, *map(str, arguments)],
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_hadolint():
    run("hadolint", "docker/Dockerfile")


def test_compose_schema():
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml")


def test_manifests():
    python = os.environ.get("KMSMOTE_TEST_KUBERNETES_PYTHON", sys.executable)
    probe = [python, "-c", "import kubernetes_validate, dask_kubernetes"]
    if subprocess.run(probe, check=False, capture_output=True, timeout=60).returncode:
        pytest.skip("kubernetes-validate or dask-kubernetes is not installed")
    if not VALIDATE.exists():
        pytest.skip(f"{VALIDATE} is not there")
    paths = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
    manifests = [path for path in paths if path.name != "kustomization.yaml"]
    assert run(python, VALIDATE, *manifests).count("ok ") == sum(
        len(documents(path)) for path in manifests
    )


def test_promtool():
    run("promtool", "check", "config", "scrape.yaml", cwd=DEPLOY / "prometheus")
    run("promtool", "test", "rules", "rules_test.yaml", cwd=DEPLOY / "prometheus")


def test_units(tmp_path):
    # verify wants the program to be there
    program = tmp_path / "dask-kmsmote"
    program.symlink_to("/bin/true")
    for name in ("dask-kmsmote.service", "dask-kmsmote.timer"):
        text = (DEPLOY / "systemd" / name).read_text()
        text = text.replace("/opt/dask-kmsmote/bin/dask-kmsmote", str(program))
        (tmp_path / name).write_text(text)
    units = [tmp_path / name for name in ("dask-kmsmote.service", "dask-kmsmote.timer")]
    run("systemd-analyze", "verify", *units)


@pytest.mark.parametrize("script", ["slurm/resample.sbatch"])
def test_shell(script):
    run("bash", "-n", script)


@pytest.mark.skipif(IMAGE is None, reason="KMSMOTE_TEST_IMAGE names no image")
def test_image():
    assert f"KMSMOTE_TEST_IMAGE={IMAGE}" in README.read_text()
    container = run("buildah", "from", "--pull-never", IMAGE).strip()
    call = partial(run, "buildah", "run", container, "--")
    try:
        assert call("id", "-u").strip() == "10001"
        assert "--metrics" in call("dask-kmsmote", "resample", "--help")
        # of the image alone, as its user may write to /tmp alone
        for table in TABLES:
            log = call("env", "NUMBA_DEBUG_CACHE=1", "python", "-c", JOB + table)
            assert "data loaded" in log, table
            assert "data saved" not in log, table
    finally:
        run("buildah", "rm", container)
