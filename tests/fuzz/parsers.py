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
from dask_kmsmote.cli import config
from dask_kmsmote.cli import options
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import InputError, ParameterError
from dask_kmsmote.planning.plan import SamplingPlan
from dask_kmsmote.planning.strategy import resolve_strategy

FLAGS = ["quiet", "json"]
COUNTS = {0: 90, 1: 10, "a": 5, 2.5: 7}
TYPES = {
    "strategy": options.Strategy(),
    "names": options.Names(),
    "json": options.Json(),
    "bytes": options.Bytes(1, "auto"),
    "number": options.NumberOr(float, "auto"),
    "whole": options.Whole(1),
}


@cache
def example():
    """The content of a real plan."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (np.arange(60) % 5 == 0).astype(int)
    return json.loads(KMeansSMOTE(random_state=0, kmeans_estimator=2).fit(X, y).plan_.to_json())


def parse_plan(text):
    """A plan that is written and shown as it was read."""
    try:
        plan = SamplingPlan.from_json(text)
    except ParameterError:
        return "ParameterError"
    assert SamplingPlan.from_json(plan.to_json()).to_json() == plan.to_json()
    assert str(plan)
    assert plan._repr_html_()
    return "right"


def parse_strategy(text):
    """Numbers of rows to make, none below 0."""
    try:
        content = TYPES["strategy"].convert(text, None, None)
        amounts = resolve_strategy(content, COUNTS, None)
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
