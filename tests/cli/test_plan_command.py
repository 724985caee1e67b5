"""`dask-kmsmote plan`: from some rows by default, which it says, or from all with --exact."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from dask_kmsmote.cli import cli
from dask_kmsmote.graph import census
from dask_kmsmote.kernels.clusters import learning

pytestmark = pytest.mark.cluster
N = 6_000


@pytest.fixture(autouse=True)
def few_to_start(monkeypatch):
    """Clusters start from 400 rows: it is 200,000 otherwise."""
    monkeypatch.setattr(census, "SPREAD_ROWS", 200)
    monkeypatch.setattr(learning, "_START_ROWS", 40)
    monkeypatch.setattr(learning, "_REFINING_FACTOR", 2)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A folder of files for each class, in which labels are sorted; one wide column."""
    rng = np.random.default_rng(0)
    y = np.sort((rng.random(N) < 0.1).astype(int))
    X = rng.normal(size=(N, 3)) * [1, 1, 1000] + y[:, None]
    folder = tmp_path_factory.mktemp("plan") / "table"
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y)
    frame.to_parquet(folder, partition_cols=["label"], row_group_size=1_000)
    return folder


@pytest.fixture(scope="module")
def invoke(table):
    from distributed import LocalCluster

    def invoke(*args):
        fixed = ["--target", "label", "--seed", "0", "--clusters", "3"]
        where = ["--scheduler", cluster.scheduler_address]
        return CliRunner().invoke(cli, ["plan", str(table), *map(str, args), *fixed, *where])

    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        yield invoke


def test_it_says_from_how_many_rows_it_is(invoke):
    done = invoke("--rows", "1500")
    assert done.exit_code == 0, done.output
    assert f"SamplingPlan: {N:,} rows + " in done.stdout
    assert "of 6,000 rows. Rows of the classes and new rows of each are exact." in done.stdout
    document = json.loads(invoke("--rows", "1500", "--json").stdout)
    assert 1400 < document["sampled_rows"] <= 1500
    assert document["source_rows"] == N
    assert document["plan"]["level"] == 0.9
    for own, group in zip(document["plan"]["bounds"], document["plan"]["groups"], strict=True):
        assert own["cluster_id"] == group["cluster_id"]
        assert own["n_rows"]["low"] < group["n_rows"] < own["n_rows"]["high"]
        assert 0 <= own["kept"] <= 1


@pytest.mark.parametrize("options", [["--exact", "--rows", "1500"], ["--rows", str(N)], []])
def test_of_all_rows_it_has_no_word_on_samples(invoke, options):
    done = invoke(*options)
    assert done.exit_code == 0, done.output
    assert not any(word in done.stdout for word in ("Estimated", "sample", "exact."))
    document = json.loads(invoke(*options, "--json").stdout)
    assert document["sampled_rows"] == document["source_rows"] == N
    assert document["plan"]["bounds"] == []
    assert document["rows"] == N + document["plan"]["amounts"][0][1]


def test_rows_and_bytes_are_those_of_all(invoke):
    some, exact = (
        json.loads(invoke(*own, "--json").stdout) for own in (["--rows", "1500"], ["--exact"])
    )
    assert (some["rows"], some["bytes"]) == (exact["rows"], exact["bytes"])
    assert some["plan"]["class_counts"] == exact["plan"]["class_counts"]


def test_warnings_say_that_they_are_of_a_sample(invoke):
    options = ["--rows", "1500", "--scale", "none"]
    done = invoke(*options)
    assert "By a sample: The standard deviation of feature c" in done.stderr
    assert "By a sample" not in invoke(*options, "--exact").stderr
    strict = invoke(*options, "--strict", "--json")
    assert strict.exit_code == 4
    failed = json.loads(strict.stdout)
    assert failed["warnings"][0].startswith("By a sample: ")
    assert failed["warnings"] == failed["plan"]["warnings"]
    assert "By a sample: The standard deviation" in failed["error"]
    assert "Estimated from" in invoke(*options, "--strict").stdout


def test_a_file_of_options_and_the_environment_have_them(invoke, tmp_path, monkeypatch):
    (tmp_path / "job.toml").write_text("rows = 1500\n")
    config = ["--config", tmp_path / "job.toml"]
    assert "Estimated from" in invoke(*config).stdout
    monkeypatch.setenv("DASK_KMSMOTE__EXACT", "1")
    assert "Estimated from" not in invoke(*config).stdout
