"""Delta tables as sources: one version, its columns, and the rows that are left."""

from __future__ import annotations

import datetime as dt
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

import delta_tables
from dask_kmsmote.errors import InputError, MissingPackageError, ParameterError
from dask_kmsmote.job.storage.delta.files import open_delta
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.source import open_source

N = 40
DOUBLE = "double"


def table(n=N, start=0):
    numbers = np.arange(start, start + n)
    return pa.table({"x": numbers.astype(float), "y": numbers % 2, "t": [f"t{k}" for k in numbers]})


def read(place, version=None, *, partition_bytes=2**26):
    """The rows of a version as a job reads them."""
    source = open_source(Location(str(place)), None, version)
    files = open_delta(source, source.snapshot, partition_bytes)
    found = files.typed(files.names, (), ()).frame.compute(scheduler="synchronous")
    return pa.Table.from_pandas(found, preserve_index=False)


def in_one_order(rows):
    return rows.schema.names, sorted(map(repr, rows.to_pylist()))


def partitioned(place):
    days = [dt.date(2025, 1, 1 + k % 3) for k in range(N)]
    cities = [["a/b", "ü %", None][k % 3] for k in range(N)]
    rows = table().append_column("day", [days]).append_column("city", [cities])
    rows = rows.append_column("number", [pa.array(np.arange(N) % 2, pa.int32())])
    write_deltalake(place, rows, partition_by=["day", "city", "number"])


def with_deleted_rows(place):
    fields = [("x", DOUBLE), ("y", "long"), ("t", "string")]
    features = delta_tables.protocol("deletionVectors")
    parts = [
        delta_tables.add(
            place, "a.parquet", table(), deleted=[0, 9, 10, 19, 20, 39], row_group_size=10
        ),
        delta_tables.add(place, "b.parquet", table(start=100)),
        # a row group of which nothing is left
        delta_tables.add(
            place, "c.parquet", table(start=200), deleted=[*range(10)], row_group_size=10
        ),
    ]
    delta_tables.write_version(place, 0, features, delta_tables.metadata(fields), *parts)


def with_renamed_columns(place):
    fields = [("a name", DOUBLE, "c1"), ("y", "long", "c2"), ("k", "integer", "c3")]
    mode = {"delta.columnMapping.mode": "name"}
    parts = [
        delta_tables.add(
            place,
            f"Zq/{name}.parquet",
            table().select(["x", "y"]).rename_columns(["c1", "c2"]),
            {"c3": value},
        )
        for name, value in (("a", "7"), ("b", None))
    ]
    delta_tables.write_version(
        place,
        0,
        delta_tables.protocol("columnMapping"),
        delta_tables.metadata(fields, ["k"], **mode),
        *parts,
    )


def with_a_later_column(place):
    write_deltalake(place, table())
    later = table().append_column("z", [pa.array(np.arange(N), pa.int64())])
    write_deltalake(place, later, mode="append", schema_mode="merge")


def after_many_commits(place):
    for start in range(0, 12 * N, N):
        write_deltalake(place, table(start=start), mode="append")
    DeltaTable(place).create_checkpoint()
    DeltaTable(place).delete("x < 100")


def optimized(place):
    after_many_commits(place)
    DeltaTable(place).optimize.compact()


def with_old_names(place):
    (place / "x=A%2FB").mkdir(parents=True)
    # a path of the log is an URL: the percent sign of the folder is %25 there
    part = delta_tables.add(place, "x=A%2FB/one.parquet", table().select(["y"]), {"x": "A/B"})
    told = delta_tables.metadata([("y", "long"), ("x", "string")], ["x"])
    delta_tables.write_version(place, 0, delta_tables.protocol(), told, part)


TABLES = {
    make.__name__.replace("_", " "): make
    for make in (
        partitioned, with_deleted_rows, with_renamed_columns, with_a_later_column,
        after_many_commits, optimized, with_old_names,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("partition_bytes", [2**26, 300])
def test_a_version_is_read_as_delta_rs_reads_it(tmp_path, name, partition_bytes):
    TABLES[name](tmp_path / "a table")
    found = read(tmp_path / "a table", partition_bytes=partition_bytes)
    assert in_one_order(found) == in_one_order(delta_tables.rows_of(tmp_path / "a table"))


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, N - 1)), st.integers(1, N), st.sampled_from([200, 2**26]))
def test_any_rows_may_be_deleted(tmp_path_factory, deleted, row_group_size, partition_bytes):
    place = tmp_path_factory.mktemp("table")
    part = delta_tables.add(place, "a.parquet", table(), None, sorted(deleted), row_group_size)
    told = delta_tables.metadata([("x", DOUBLE)])
    delta_tables.write_version(place, 0, delta_tables.protocol("deletionVectors"), told, part)
    found = read(place, partition_bytes=partition_bytes)
    assert found["x"].to_pylist() == [x for x in table()["x"].to_pylist() if x not in deleted]


def with_widened_types(place):
    narrow = table().select(["x", "y"]).cast(pa.schema([("x", pa.float32()), ("y", pa.int16())]))
    wide = table().select(["x", "y"])
    parts = [
        delta_tables.add(place, "a.parquet", narrow),
        delta_tables.add(place, "b.parquet", wide),
    ]
    features = delta_tables.protocol("typeWidening")
    told = delta_tables.metadata([("x", DOUBLE), ("y", "long")])
    delta_tables.write_version(place, 0, features, told, *parts)


def test_widened_types_hold_all_values(tmp_path):  # which delta-rs does not read
    with_widened_types(tmp_path)
    wide = table().select(["x", "y"])
    assert read(tmp_path) == pa.concat_tables([wide, wide])


def test_types_are_those_of_the_log(tmp_path):
    partitioned(tmp_path)
    schema = read(tmp_path).schema
    wanted = {"x": pa.float64(), "y": pa.int64(), "day": pa.date32(), "number": pa.int32()}
    assert {name: schema.field(name).type for name in wanted} == wanted


def test_times_of_96_bits_in_any_year(tmp_path):
    far = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    rows = pa.table({"when": pa.array([far], pa.timestamp("us", "UTC"))})
    part = delta_tables.add(tmp_path, "a.parquet", rows)
    pq.write_table(rows, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    told = delta_tables.metadata([("when", "timestamp")])
    delta_tables.write_version(tmp_path, 0, delta_tables.protocol(), told, part)
    assert read(tmp_path)["when"].to_pylist() == [far]


def test_a_version_stays_what_it_was(tmp_path):
    write_deltalake(tmp_path, table())
    old = open_source(Location(str(tmp_path)))
    write_deltalake(tmp_path, table(5), mode="overwrite")
    assert open_source(Location(str(tmp_path)), None, 0).fingerprint == old.fingerprint
    assert open_source(Location(str(tmp_path))).version == 1
    assert len(read(tmp_path, 0)) == N
    assert len(read(tmp_path)) == 5


def variant(place):
    told = delta_tables.metadata([("x", DOUBLE)])
    delta_tables.write_version(
        place, 0, delta_tables.protocol("variantType", "deletionVectors"), told
    )


def damaged(place):
    write_deltalake(place, table())
    write_deltalake(place, table(), mode="append")
    (place / "_delta_log" / f"{1:020d}.json").write_text('{"add": nonsense')


def with_a_gap(place):
    for _ in range(3):
        write_deltalake(place, table(), mode="append")
    (place / "_delta_log" / f"{1:020d}.json").unlink()


def empty(place):
    write_deltalake(place, table(0))


REFUSED = {
    "a feature": (variant, None, "needs a reader of variantType"),
    "a damaged log": (damaged, None, "log of the Delta table .* can't be read"),
    "a gap in the log": (with_a_gap, None, "can't be read: .*gap"),
    "no rows": (empty, None, "no rows in version 0"),
    "a version to come": (partitioned, 3, "has no version 3: the newest is 0"),
    "a file that is gone": (
        lambda p: (partitioned(p), shutil.rmtree(p / "day=2025-01-01")),
        None,
        "gone",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path, name):
    make, version, words = REFUSED[name]
    make(tmp_path / "table")
    with pytest.raises(InputError, match=words):
        read(tmp_path / "table", version)


def test_a_version_whose_log_is_gone(tmp_path):
    after_many_commits(tmp_path)
    for number in range(5):
        (tmp_path / "_delta_log" / f"{number:020d}.json").unlink()
    assert len(read(tmp_path)) == 12 * N - 100
    with pytest.raises(InputError, match=r"version 3 no more.*newest, 12"):
        read(tmp_path, 3)


def test_a_version_of_what_has_none(tmp_path):
    pq.write_table(table(), tmp_path / "one.parquet")
    with pytest.raises(ParameterError, match="--version is of Delta tables"):
        open_source(Location(str(tmp_path)), None, 0)


def test_without_the_package(tmp_path, monkeypatch):
    write_deltalake(tmp_path, table())
    monkeypatch.setitem(__import__("sys").modules, "deltalake", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'dask-kmsmote\[delta\]'"):
        open_source(Location(str(tmp_path)))
