"""Texts that users or files hand in: each is understood, or refused by a named error."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import click
import numpy as np
from click.testing import CliRunner

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.cli import cli, config, values
from dask_kmsmote.errors import InputError, ParameterError
from dask_kmsmote.planning.strategy import nearest_to_ratio, resolve_strategy
from manifests import put_manifest

FLAGS = ["quiet", "json"]
COUNTS = {0: 90, 1: 10, "a": 5, 2.5: 7}
TYPES = {
    "strategy": values.Strategy(),
    "names": values.Names(),
    "json": values.Json(),
    "bytes": values.Bytes(1, "auto"),
    "number": values.NumberOr(float, "auto"),
    "whole": values.Whole(1),
}


@cache
def example():
    """The content of a manifest, with a real plan."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (np.arange(60) % 5 == 0).astype(int)
    plan = KMeansSMOTE(random_state=0, kmeans_estimator=2).fit(X, y).plan_
    return {
        "manifest_version": 1,
        "run": "0" * 32,
        "finished": "2026-01-01T00:00:00+00:00",
        "seconds": 1.5,
        "bytes": 4096,
        "files": [{"path": "part-000000.parquet", "rows": 96, "bytes": 4096}],
        "classes": {"0": {"before": 48, "after": 48}, "1": {"before": 12, "after": 48}},
        "source": {"url": "source.parquet"},
        "plan": json.loads(plan.to_json()),
        "plan_text": str(plan),
    }


def parse_manifest(text):
    """A manifest that `report` shows, or that is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part-000000.parquet"
        put_manifest(path, text.encode("utf-8", "surrogatepass"))
        found = CliRunner().invoke(cli, ["report", folder])
    if found.exit_code == 3:
        assert found.stderr.startswith("Error: "), found.output
        return "InputError"
    assert found.exit_code == 0, (found.exit_code, found.output, found.exception)
    return "right"


def parse_strategy(text):
    """Numbers of rows to make, none below 0."""
    try:
        content = TYPES["strategy"].convert(text, None, None)
        amounts = resolve_strategy(content, COUNTS, None, nearest_to_ratio)
    except (click.UsageError, ParameterError, InputError) as error:
        return type(error).__name__
    assert all(type(n) is int and n >= 0 for n in amounts.values())
    return "right"


def parse_option(kind, value):
    """A value of the option's own kind."""
    try:
        TYPES[kind].convert(value, None, None)
    except click.UsageError as error:
        return type(error).__name__
    return "right"


def parse_config(content):
    """Known settings; as a whole command line takes them, a plan or an exit with a message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.toml"
        path.write_bytes(content)
        try:
            settings = config.load(str(path), ["target", "seed", "quiet", "json"], FLAGS)
        except ParameterError:
            return "ParameterError"
        assert set(settings) <= {"target", "seed", "quiet", "json"}
        arguments = ["plan", f"{folder}/missing", "--config", str(path), "--target", "t"]
        found = CliRunner().invoke(cli, arguments)
    assert found.exit_code in (2, 3, 5), (found.exit_code, found.output, found.exception)
    return "right"
