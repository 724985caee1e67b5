"""Columns that ride along: every type of Parquet comes back as it was, null in synthetic rows."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from distributed import LocalCluster

from conftest import make_imbalanced
from dask_kmsmote.cli import cli

pytestmark = pytest.mark.cluster
N = 300
NOON = dt.datetime.fromisoformat("2026-01-01T12:00")

VALUES = {
    "int64": (pa.int64(), lambda i: 2**60 + i),
    "uint64": (pa.uint64(), lambda i: 2**63 + i),
    "int8": (pa.int8(), lambda i: i % 100),
    "bool": (pa.bool_(), lambda i: i % 3 == 0),
    "float32": (pa.float32(), lambda i: i / 4),
    "string": (pa.string(), lambda i: f"row {i}"),
    "large_string": (pa.large_string(), lambda i: f"row {i}"),
    "binary": (pa.binary(), lambda i: bytes([i % 256])),
    "timestamp": (pa.timestamp("us"), lambda i: NOON + dt.timedelta(hours=i)),
    "zoned": (pa.timestamp("us", "Europe/Berlin"), lambda i: NOON + dt.timedelta(hours=i)),
    "nanoseconds": (pa.timestamp("ns"), lambda i: NOON + dt.timedelta(hours=i)),
    "duration": (pa.duration("s"), lambda i: dt.timedelta(seconds=i)),
    "date": (pa.date32(), lambda i: NOON.date() + dt.timedelta(days=i)),
    "time": (pa.time64("us"), lambda i: dt.time(i % 24)),
    "decimal": (pa.decimal128(9, 2), lambda i: decimal.Decimal(i) / 4),
    "list": (pa.list_(pa.int64()), lambda i: [i] * (i % 3)),
    "struct": (pa.struct([("a", pa.int64())]), lambda i: {"a": i}),
    "map": (pa.map_(pa.string(), pa.int64()), lambda i: [("k", i)]),
    "null": (pa.null(), lambda i: None),
    "self": (pa.int64(), lambda i: i),
    "a.b ü": (pa.int64(), lambda i: i),
}


def column(name, nulls):
    kind, value = VALUES[name]
    return pa.array([None if nulls and i % 7 == 3 else value(i) for i in range(N)], kind)


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def resample(folder, scheduler, table, keep, *options):
    (folder / "source").mkdir(exist_ok=True)
    for part in range(3):
        pq.write_table(table.slice(part * 100, 100), folder / "source" / f"{part}.parquet")
    arguments = ["resample", str(folder / "source"), str(folder / "out"), "--target", "label"]
    arguments += ["--seed", "0", "--clusters", "3", "--scheduler", scheduler]
    keep = ["--keep", ",".join(keep)] if keep else []
    return CliRunner().invoke(cli, [*arguments, *keep, *options])


def features():
    X, y = make_imbalanced(N, 2, 0.2, seed=3)
    return {"x0": pa.array(X[:, 0]), "x1": pa.array(X[:, 1]), "label": pa.array(y)}


def test_every_type_among_synthetic_rows(tmp_path, scheduler):
    table = pa.table(features() | {name: column(name, nulls=True) for name in VALUES})
    mixed = "--mark-synthetic", "made", "--layout", "interleave"
    done = resample(tmp_path, scheduler, table, VALUES, *mixed)
    assert done.exit_code == 0, done.output
    result = pq.read_table(tmp_path / "out")
    originals = result.filter(pc.invert(result["made"]))
    for name in table.column_names:
        assert result[name].type == table[name].type, name
        assert originals[name].to_pylist() == table[name].to_pylist(), name


@pytest.mark.parametrize("nulls", [False, True])
def test_every_type_comes_back(tmp_path, scheduler, nulls):
    table = pa.table(features() | {name: column(name, nulls) for name in VALUES})
    done = resample(tmp_path, scheduler, table, VALUES, "--mark-synthetic", "made")
    assert done.exit_code == 0, done.output
    result = pq.read_table(tmp_path / "out")
    n_made = len(result) - N
    assert n_made == 180
    for name in table.column_names:
        assert result[name].type == table[name].type, name
        assert result[name].slice(0, N).to_pylist() == table[name].to_pylist(), name
    for name in VALUES:
        assert result[name].slice(N).null_count == n_made, name
    assert result["made"].to_pylist() == [False] * N + [True] * n_made
    pd.read_parquet(tmp_path / "out")  # what is written can be read by pandas


def test_categories_of_pandas(tmp_path, scheduler):
    X, y = make_imbalanced(N, 2, 0.2, seed=3)
    frame = pd.DataFrame(X, columns=["x0", "x1"])
    frame["label"] = pd.Categorical(np.array(["common", "rare"])[y])
    frame["city"] = pd.Categorical([f"city {i // 60}" for i in range(N)])
    frame["count"] = pd.array([None if i % 5 == 0 else i for i in range(N)], dtype="Int32")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    done = resample(tmp_path, scheduler, table, ["city", "count"])
    assert done.exit_code == 0, done.output
    result = pd.read_parquet(tmp_path / "out")
    assert result["label"].astype(str).value_counts().to_dict() == {"common": 240, "rare": 240}
    kept = result[["city", "count"]].astype({"city": object})
    pd.testing.assert_frame_equal(kept.iloc[:N], frame[["city", "count"]].astype({"city": object}))
    assert kept.iloc[N:].isna().all(axis=None)


def test_dictionary_of_numbers(tmp_path, scheduler):
    values = [10 * (i % 4) for i in range(N)]
    table = pa.table(features() | {"code": pa.array(values).dictionary_encode()})
    done = resample(tmp_path, scheduler, table, ["code"])
    assert done.exit_code == 0, done.output
    assert pq.read_table(tmp_path / "out")["code"].to_pylist() == values + [None] * 180


def test_partitioned_by_folders(tmp_path, scheduler):
    table = pa.table(features() | {"city": pa.array([f"c{i % 3}" for i in range(N)])})
    pq.write_to_dataset(table, tmp_path / "source", partition_cols=["city"])
    arguments = ["resample", str(tmp_path / "source"), str(tmp_path / "out"), "--target", "label"]
    done = CliRunner().invoke(
        cli, [*arguments, "--keep", "city", "--scheduler", scheduler, "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == N
    result = pd.read_parquet(tmp_path / "out")
    counts = result["city"].astype(object).value_counts(dropna=False)
    assert counts.to_dict() == {"c0": 100, "c1": 100, "c2": 100, np.nan: 180}
