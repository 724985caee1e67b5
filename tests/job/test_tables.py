"""Raw tables from the command line: ids, dates, categories, booleans, missing values."""

from __future__ import annotations

import json

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from distributed import LocalCluster

from benchmarks.data import payments
from conftest import SHARED_DATA
from dask_kmsmote.cli import cli

pytestmark = pytest.mark.cluster
N = 6000
OPTIONS = ["--target", "is_fraud", "--keep", "id,at", "--missing", "keep", "--clusters", "4"]
MIXED = sorted((SHARED_DATA / "mixed").glob("*.parquet"))


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def resample(source, out, scheduler, *options):
    arguments = ["resample", str(source), str(out), "--seed", "0", "--scheduler", scheduler]
    done = CliRunner().invoke(cli, [*arguments, *options])
    assert done.exit_code == 0, done.output
    return done


def table():
    frame = payments(N)
    # enough of the rare class for a small table
    return frame.assign(is_fraud=(np.arange(N) % 20 == 0).astype("int8"))


def in_one_file(frame, place):
    frame.to_parquet(place / "part.parquet", index=False)


def in_files(frame, place):
    for part, rows in enumerate(np.array_split(np.arange(len(frame)), 12)):
        frame.iloc[rows].to_parquet(place / f"{part:02}.parquet", index=False)


def by_month(frame, place):
    month = [f"2026-{1 + part % 3:02}" for part in range(len(frame))]
    whole = pa.Table.from_pandas(frame.assign(month=month), preserve_index=False)
    ds.write_dataset(
        whole, place, format="parquet", partitioning=["month"], partitioning_flavor="hive"
    )


def as_text(frame, place):
    for part, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[rows].to_csv(place / f"{part}.csv", index=False)


SOURCES = {"flat": in_one_file, "many": in_files, "hive": by_month, "csv": as_text}


def by_duckdb(folder):
    duckdb = pytest.importorskip("duckdb")
    return duckdb.sql(f"FROM read_parquet('{folder}/*.parquet')").df()


def by_polars(folder):
    return pytest.importorskip("polars").scan_parquet(folder).collect().to_pandas()


READERS = {
    "pandas": pd.read_parquet,
    "dask": lambda folder: dd.read_parquet(folder).compute().reset_index(drop=True),
    "polars": by_polars,
    "duckdb": by_duckdb,
}


def plain(frame):
    """Values, whatever holds them: readers have types of their own for text and nulls."""
    found = frame.astype(object)
    return found.where(found.notna(), None)


@pytest.mark.parametrize("kind", SOURCES)
def test_payments_as_they_are(kind, tmp_path, scheduler):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    SOURCES[kind](table(), source)
    given = dd.read_csv(f"{source}/*.csv").compute() if kind == "csv" else pd.read_parquet(source)
    format_ = ["--format", "csv"] if kind == "csv" else []
    resample(source, out, scheduler, *OPTIONS, *format_)
    result = pd.read_parquet(out)
    assert result["is_fraud"].value_counts().to_dict() == {0: N - N // 20, 1: N - N // 20}
    assert list(result.columns) == list(given.columns)
    originals, made = result.iloc[:N], result.iloc[N:]
    assert plain(originals).equals(plain(given.reset_index(drop=True)))
    assert made[["id", "at"]].isna().all(axis=None)
    fraud = given[given["is_fraud"] == 1]
    for name in ("kind", "place", "is_online", "has_chip"):
        assert set(made[name]) <= set(fraud[name]), name
    for name, dtype in given.dtypes.items():
        own = result[name].dtype
        if isinstance(dtype, pd.CategoricalDtype) and name != "month":
            assert set(own.categories) == set(dtype.categories), name
        elif kind != "csv" and name not in ("id", "place", "month"):
            assert own == dtype, name
    for name in ("account_days", "distance"):
        assert made[name].isna().any()
        assert made[name].notna().any()
    for name, read in READERS.items():
        assert plain(read(str(out)))["place"].tolist() == plain(result)["place"].tolist(), name
        assert read(str(out))["amount"].tolist() == result["amount"].tolist(), name


@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_kept_categories_stay_as_they_are(layout, tmp_path, scheduler):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    in_files(table(), source)
    options = ["--keep", "id,at,kind", "--missing", "keep", "--target", "is_fraud"]
    resample(source, out, scheduler, *options, "--layout", layout, "--mark-synthetic", "made")
    result, given = pd.read_parquet(out), pd.read_parquet(source)
    assert set(result["kind"].cat.categories) == set(given["kind"].cat.categories)
    originals = result[~result["made"]].drop(columns="made").reset_index(drop=True)
    assert plain(originals).equals(plain(given))
    assert result.loc[result["made"], ["id", "at", "kind"]].isna().all(axis=None)


@pytest.mark.skipif(not MIXED, reason="needs the folder ../shared/data")
def test_every_mixed_set(tmp_path, scheduler):
    for path in MIXED:
        given, out = pd.read_parquet(path), tmp_path / path.stem
        resample(path, out, scheduler, "--target", "target", "--missing", "keep")
        result = pd.read_parquet(out)
        counts = result["target"].value_counts()
        assert counts[0] == counts[1], path.stem
        assert plain(result.iloc[: len(given)]).equals(plain(given)), path.stem
        for name, dtype in given.dtypes.items():
            if isinstance(dtype, pd.CategoricalDtype):
                assert set(result[name].cat.categories) == set(dtype.categories), name
            elif dtype.kind in "iuf":
                assert result[name].dtype == dtype, name


def test_integers_with_nulls_keep_their_values(tmp_path, scheduler):
    frame = table().assign(big=pd.array([2**60 + i for i in range(N)], dtype="Int64"))
    frame.loc[::7, "big"] = pd.NA
    frame["whole"] = np.arange(N)
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    in_files(frame, source)
    resample(source, out, scheduler, *OPTIONS, "--threshold", "0")
    result = pd.read_parquet(out)
    assert result["big"].iloc[:N].equals(frame["big"])
    assert result["whole"].dtype == np.int64
    assert pq.read_schema(next(out.glob("*.parquet"))).field("big").type == pa.int64()


def test_the_plan_and_the_report_tell_of_categories(tmp_path, scheduler):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    in_one_file(table(), source)
    done = resample(source, out, scheduler, *OPTIONS, "--json")
    features = json.loads(done.stdout)["plan"]["features"]
    assert [name for name, _ in features["n_categories"]] == [
        "kind", "place", "is_online", "has_chip",
    ]  # fmt: skip
    assert features["n_missing"] > 0
    told = CliRunner().invoke(cli, ["report", str(out)]).stdout
    assert "6 numeric, 4 categorical with 34 categories" in " ".join(told.split())


def test_columns_are_judged_before_a_cluster_starts(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    in_one_file(table(), source)
    arguments = ["resample", str(source), str(tmp_path / "out"), "--target", "is_fraud"]
    # nothing listens there: it would be told first
    nowhere = ["--scheduler", "tcp://127.0.0.1:9"]
    done = CliRunner().invoke(cli, [*arguments, *nowhere])
    assert done.exit_code == 3, done.output
    assert "'at' (datetime64" in done.stderr
    assert "passthrough=['at'] is --keep at" in done.stderr
    done = CliRunner().invoke(cli, [*arguments, *nowhere, "--keep", "at", "--categorical", "kind"])
    assert "--categorical kind,place" in done.stderr or "'place'" in done.stderr, done.stderr


def test_csv_files_whose_first_missing_values_come_late(tmp_path, scheduler):
    n = 600
    frame = pd.DataFrame({
        "count": pd.array(np.arange(n) % 50, dtype="Int64"),
        "flag": pd.array(np.arange(n) % 3 == 0, dtype="boolean"),
        "x": np.random.default_rng(0).normal(size=n),
        "name": np.where(np.arange(n) % 2, "odd", "even"),
        "label": (np.arange(n) % 10 == 0).astype(int),
    })  # fmt: skip
    frame.loc[np.arange(200, 300), ["count", "flag", "x", "name"]] = pd.NA
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    # the folder says which files it has
    as_text(frame, source)
    resample(source, out, scheduler, "--target", "label", "--missing", "keep", "--threshold", "0")
    result = pd.read_parquet(out)
    assert result["count"].dtype == "Int64"
    assert result["flag"].dtype == "boolean"
    assert plain(result.iloc[:n]).equals(plain(frame))


def test_ordered_categories_of_files_keep_their_order(tmp_path, scheduler):
    levels = ["green", "yellow", "orange", "red"]
    frame = table()
    triage = np.random.default_rng(0).choice(levels, N)
    frame["triage"] = pd.Categorical(triage, levels, ordered=True)
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for part, rows in enumerate(np.array_split(np.arange(N), 3)):
        own = frame.iloc[rows]
        if part == 0:
            own = own[own["triage"] != "red"]
            own = own.assign(triage=own["triage"].cat.remove_unused_categories())
        own.to_parquet(source / f"{part}.parquet", index=False)
    resample(source, out, scheduler, *OPTIONS)
    found = pd.read_parquet(out)["triage"].dtype
    assert (list(found.categories), found.ordered) == (levels, True)
