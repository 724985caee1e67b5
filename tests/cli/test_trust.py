"""What is read is data: never run, never followed out of its place, checked by type."""

from __future__ import annotations

import ast
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import dask_kmsmote
from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.cli.config import load
from dask_kmsmote.errors import ClusterError, InputError, ParameterError
from dask_kmsmote.job.cluster import ClusterSettings, connect
from dask_kmsmote.job.storage.arrays import read_arrays
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import require_manifest
from dask_kmsmote.job.storage.source import open_source
from manifests import put_manifest

PACKAGE = Path(dask_kmsmote.__file__).parent
MODULES = {
    "pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "code", "codeop", "runpy",
    "subprocess", "yaml", "xmlrpc", "dbm",
}  # fmt: skip
CALLS = {
    "eval", "exec", "compile", "__import__", "system", "popen", "read_pickle", "to_pickle",
    "load_module",
}  # fmt: skip


def dangers(text):
    """Imports and calls by which what is read could be run."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from {alias.name.partition(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom) and not node.level:
            rooms = {str(node.module).partition(".")[0]} | {alias.name for alias in node.names}
            yield from rooms & MODULES
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", None))
            owner = getattr(getattr(node.func, "value", None), "id", None)
            if name in CALLS and (name != "compile" or owner != "re"):
                yield name
            yield from (key.arg for key in node.keywords if key.arg == "allow_pickle")


def test_nothing_in_the_package_runs_what_it_reads():
    found = {path.name: list(dangers(path.read_text())) for path in PACKAGE.rglob("*.py")}
    assert len(found) > 50
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "import os, marshal as m", "from yaml import load", "eval(x)",
        "from distributed.protocol import pickle", "pd.read_pickle(p)", "import shelve",
        "np.load(p, allow_pickle=True)", "def f():\n    exec(x)", "compile(a, b, 'exec')",
        "os.system(x)", "builtins.eval(x)",
    ],
)  # fmt: skip
def test_the_search_finds(text):
    assert list(dangers(text))


# configuration


def test_configurations_nested_without_end(tmp_path):
    (tmp_path / "job.toml").write_text("drop = " + "[" * 100_000)
    with pytest.raises(ParameterError, match=r"job\.toml"):
        load(str(tmp_path / "job.toml"), ["drop"], [])


@pytest.mark.parametrize("text", ['{"address": 5}', '{"address": null}', "[" * 100_000, "[]"])
def test_scheduler_files_of_other_types(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    choice = ClusterSettings(scheduler_file=str(tmp_path / "s.json"))
    with pytest.raises(ClusterError, match="does not tell"), connect(choice):
        pass


# manifests


@pytest.fixture(params=["_kmsmote.json", "part-000000.parquet", "part-000000-1a2b3c4d.parquet"])
def finished(request, tmp_path):
    """A folder with two files, and a function that writes a manifest there."""
    folder = tmp_path / "data" / "source"
    folder.mkdir(parents=True)
    X, y = make_imbalanced(200)
    for part in range(2):
        pd.DataFrame(X).rename(columns=str).assign(label=y).to_parquet(folder / f"{part}.parquet")
    (tmp_path / "secret.parquet").write_bytes((folder / "0.parquet").read_bytes())

    def write(files, **more):
        text = json.dumps({"manifest_version": 1, "files": files, **more})
        put_manifest(folder / request.param, text.encode())
        return Location(str(folder))

    return write


@pytest.mark.parametrize(
    "path",
    [
        "../../secret.parquet", "/etc/passwd", "a/../../../secret.parquet", "s3://other/p.parquet",
        "file:///etc/passwd", "..", ".", "", "c:/x", "..\\x", "simplecache::s3://a/b", "a/./b",
    ],
)  # fmt: skip
def test_manifests_do_not_lead_out_of_their_place(finished, path):
    place = finished([{"path": "0.parquet"}, {"path": path}])
    with pytest.raises(InputError, match="outside of its place"):
        open_source(place)


def test_manifests_whose_files_are_gone(finished):
    place = finished([{"path": "0.parquet"}, {"path": "2.parquet"}])
    with pytest.raises(InputError, match=r"not whole: '2\.parquet'"):
        open_source(place)


def test_manifests_leave_out_what_they_do_not_name(finished):
    assert list(open_source(finished([{"path": "1.parquet"}])).files) == ["1.parquet"]


@pytest.mark.parametrize("files", [None, [], {}, "0.parquet", ["0.parquet"], [{"path": 5}], [{}]])
def test_manifests_that_name_no_files(finished, files):
    with pytest.raises(InputError, match="edited"):
        open_source(finished(files))


WHOLE = {
    "run": "x", "finished": "now", "seconds": 1, "bytes": 1, "plan": {}, "source": {"url": "here"},
    "classes": {"0": {"before": 1, "after": 2}},
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"run": 5}, {"finished": {}}, {"seconds": "1"}, {"bytes": None}, {"plan": []},
        {"plan_text": 5},
        {"seconds": 10**400}, {"seconds": float("nan")}, {"bytes": 10**400},
        {"source": "here"}, {"source": {}}, {"source": {"url": 5}}, {"classes": []},
        {"classes": {"0": 5}}, {"classes": {"0": {"before": 1}}},
    ],
)  # fmt: skip
def test_reports_of_edited_manifests(finished, change):
    files = [{"path": "0.parquet"}]
    assert require_manifest(finished(files, **WHOLE))["bytes"] == 1
    place = finished(files, **{**WHOLE, **change})
    with pytest.raises(InputError, match="edited"):
        require_manifest(place)
    done = CliRunner().invoke(cli, ["report", place.url])
    assert (done.exit_code, "Traceback" in done.stderr) == (3, False)


# Zarr


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("where", ["filters", "compressor"])
def test_pickled_arrays_are_refused(tmp_path, monkeypatch, where):
    import numcodecs.pickles
    import zarr

    # newer ones refuse by themselves
    monkeypatch.setattr(numcodecs.pickles, "allow_pickle", True, raising=False)
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    for name, values in {"X": np.ones((4, 2)), "y": np.arange(4)}.items():
        array = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=values.shape
        )
        array[...] = values
    X, _ = read_arrays(open_source(Location(str(tmp_path / "a.zarr"))), "X", "y")
    assert X.compute(scheduler="sync").sum() == 8
    (tmp_path / "a.zarr/X/0.0").write_bytes(pickle.dumps(Trap(tmp_path / "trapped")))
    metadata = json.loads((tmp_path / "a.zarr/X/.zarray").read_text())
    codec = {"id": "pickle"}
    metadata |= {where: [codec] if where == "filters" else codec}
    (tmp_path / "a.zarr/X/.zarray").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match="stored by pickle"):
        read_arrays(open_source(Location(str(tmp_path / "a.zarr"))), "X", "y")
    assert not (tmp_path / "trapped").exists()


def test_configurations_without_an_end():
    with pytest.raises(ParameterError, match="more than 1048576 bytes"):
        load("/dev/zero", ["seed"], [])


def test_signs_that_steer_a_terminal(finished):
    classes = {"\x1b]0;steered\x07": {"before": 1, "after": 2}}
    place = finished(
        [], run="r", finished="now", seconds=1, bytes=2, plan={}, classes=classes,
        source={"url": "\ud800\x9b2J"},
    )  # fmt: skip
    done = CliRunner().invoke(cli, ["report", place.path])
    assert done.exit_code == 0, done.output
    assert "class \\x1b]0;steered\\x07: 1 -> 2 rows" in done.stdout
    assert "\\ud800\\x9b2J" in done.stdout
    assert all(sign.isprintable() or sign == "\n" for sign in done.stdout)
