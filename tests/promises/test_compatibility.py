"""A dependency that lacks what is needed is named, with the installed and the wanted version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import dask_ml.cluster
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.cli import cli
from dask_kmsmote.dependencies import explained, requirement
from dask_kmsmote.errors import IncompatibleVersionError, MissingPackageError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def floor(package):
    (line,) = [d for d in PROJECT["dependencies"] if re.match(rf"{package}(\[|>)", d)]
    return line.partition(">=")[2]


def told(package):
    wanted = f"{package}>={floor(package)}"
    assert requirement(package) == wanted
    exact = f"{package}=={floor(package)}"
    return [f"{package} {version(package)} is installed", f"needs {wanted}", f"install '{exact}'"]


@pytest.mark.parametrize("change", ["class", "module"])
def test_a_dask_ml_that_breaks(monkeypatch, change):
    if change == "class":
        monkeypatch.delattr(dask_ml.cluster, "KMeans")
    else:
        monkeypatch.setitem(sys.modules, "dask_ml.cluster", None)
    with pytest.raises(IncompatibleVersionError) as caught:
        KMeansSMOTE(random_state=0).fit(*make_imbalanced(200))
    assert all(words in str(caught.value) for words in told("dask-ml")), caught.value
    # what does not use it goes on
    other = {"compat": "imbalanced-learn", "cluster_balance_threshold": 0.05}
    KMeansSMOTE(random_state=0, **other).fit(*make_imbalanced(200))


@pytest.mark.parametrize(
    ("package", "module", "name"),
    [
        ("imbalanced-learn", "imblearn.utils", "check_target_type"),
        ("scikit-learn", "sklearn.utils.validation", "validate_data"),
    ],
)
def test_other_packages_that_break(package, module, name):
    # in a process of its own: modules are imported anew
    code = (
        f"import {module}; del {module}.{name}; import dask_kmsmote\n"
        "try: dask_kmsmote.KMeansSMOTE\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("IncompatibleVersionError")
    assert all(words in done.stdout for words in told(package)), done.stdout


def test_a_package_that_is_gone(monkeypatch):
    monkeypatch.setattr("dask_kmsmote.dependencies.packages_distributions", dict)
    error = explained(ModuleNotFoundError("No module named 'dask_ml'", name="dask_ml.cluster"))
    assert isinstance(error, IncompatibleVersionError)
    assert "dask-ml" in str(error)


def test_other_errors_stay_as_they_are():
    for error in (ImportError("no"), ImportError("x", name="tqdm"), MissingPackageError("tqdm")):
        assert explained(error) is error


def test_on_the_command_line(monkeypatch, tmp_path):
    monkeypatch.delattr(dask_ml.cluster, "KMeans")
    X, y = make_imbalanced(200, 2)
    pd.DataFrame(X, columns=["a", "b"]).assign(y=y).to_parquet(tmp_path / "in.parquet")
    options = ["--target", "y", "--workers", "1"]
    done = CliRunner().invoke(cli, ["plan", str(tmp_path / "in.parquet"), *options])
    assert done.exit_code == 2, done.output
    assert all(words in done.stderr for words in told("dask-ml"))
