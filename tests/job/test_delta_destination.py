"""Delta tables as destinations: one commit, or nothing."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delta_jobs import N, frame, ignore, job, source, table
from deltalake import DeltaTable, Field, Schema, write_deltalake

import delta_tables
from dask_kmsmote.errors import (
    DestinationError,
    InputError,
    NoClusterError,
    ParameterError,
)
from dask_kmsmote.events import StageStarted
from dask_kmsmote.job.columns import Columns
from dask_kmsmote.job.run import Job, run
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import require_manifest


def duckdb_rows(place):
    dataset = DeltaTable(place).to_pyarrow_dataset()  # noqa: F841 - DuckDB finds it by its name
    return duckdb.sql("from dataset").df()


READERS = {
    "deltalake": lambda place: DeltaTable(place).to_pandas(),
    "delta-rs, SQL": lambda place: delta_tables.rows_of(place).to_pandas(),
    "polars": lambda place: pl.read_delta(str(place)).to_pandas(),
    "duckdb": duckdb_rows,
}


def in_one_order(rows):
    return rows[["a", "b", "c", "y"]].sort_values(["a", "b"], ignore_index=True)


@pytest.mark.parametrize("name", READERS)
def test_readers_see_the_rows_that_parquet_has(tmp_path, source, name):
    manifest = job(source, tmp_path / "plain")
    job(source, tmp_path / "out", destination_format="delta")
    found = READERS[name](tmp_path / "out")
    wanted = pd.read_parquet(tmp_path / "plain")
    pd.testing.assert_frame_equal(in_one_order(found), in_one_order(wanted))
    assert len(found) == sum(own["after"] for own in manifest["classes"].values())


def test_replaced_and_joined(table, source):
    old = table.rename(table.parent / "old")
    with pytest.raises(DestinationError, match="exists already, at version 1"):
        job(source, old)
    job(source, old, mode="overwrite")
    balanced = DeltaTable(old).to_pandas()
    assert balanced["y"].value_counts().to_dict() == {0: N * 9 // 10, 1: N * 9 // 10}
    assert len(DeltaTable(old, version=1).to_pandas()) == N
    assert DeltaTable(old).version() == 2


def test_new_rows_join_the_table_that_they_came_from(table):
    before = DeltaTable(table).to_pandas()
    with pytest.raises(ParameterError, match="a second time: name --only-synthetic"):
        job(table, table, mode="append")
    job(table, table, mode="append", only_synthetic=True)
    after = DeltaTable(table).to_pandas()
    assert after["y"].value_counts().to_dict() == {0: N * 9 // 10, 1: N * 9 // 10}
    kept = after[after["id"].notna()].astype(before.dtypes)
    pd.testing.assert_frame_equal(in_one_order(kept), in_one_order(before))
    assert require_manifest(Location(str(table)))["classes"]["0"] == {"before": 540, "after": 540}


def test_a_table_is_replaced_by_what_came_from_it(table):
    job(table, table, mode="overwrite")
    assert len(DeltaTable(table).to_pandas()) == 2 * (N * 9 // 10)


def days(n):
    return pd.Series(pd.date_range("2025-01-01", periods=4)).dt.date.repeat(n // 4).tolist()


def in_parts():
    places = np.resize(np.array(["a/b", "ü %", None, "x=y"], object), N)
    return frame().assign(place=places, day=days(N), kind=np.arange(N) % 3 == 0)


def as_texts(rows):
    """Rows in one order, whatever their types are in pandas."""
    rows = pa.Table.from_pandas(rows, preserve_index=False).to_pylist()
    return sorted(
        repr({name: float(x) if name == "id" and x is not None else x for name, x in row.items()})
        for row in rows
    )


@pytest.mark.parametrize("by", [("day",), ("place", "kind"), ("y",)])
def test_files_are_divided_by_columns(tmp_path, by):
    in_parts().to_parquet(tmp_path / "source.parquet")
    keep = ("id", "place", "day", "kind")
    job(tmp_path / "source.parquet", tmp_path / "plain", keep=keep)
    asked = {"keep": keep, "destination_format": "delta", "partition_by": by}
    job(tmp_path / "source.parquet", tmp_path / "out", **asked)
    found = DeltaTable(tmp_path / "out")
    assert found.metadata().partition_columns == list(by)
    rows = delta_tables.rows_of(tmp_path / "out").to_pandas()
    wanted = pd.read_parquet(tmp_path / "plain")
    for columns in (["a", "b", "c", "y"], ["id", "place", "kind", "day"]):
        told = [as_texts(own[columns]) for own in (rows, wanted)]
        assert told[0] == told[1]
    pl.read_delta(str(tmp_path / "out"))
    # a table that is there keeps its parts
    job(tmp_path / "source.parquet", tmp_path / "out", keep=keep, mode="overwrite")
    assert DeltaTable(tmp_path / "out").metadata().partition_columns == list(by)
    assert len(delta_tables.rows_of(tmp_path / "out")) == len(wanted)
    with pytest.raises(ParameterError, match=r"and not by \['id'\]"):
        job(tmp_path / "out", tmp_path / "out", keep=keep, mode="overwrite", partition_by=("id",))


def test_parts_that_no_folder_can_name(tmp_path, source):
    write_deltalake(tmp_path / "table", frame(), partition_by=["c"])
    with pytest.raises(InputError, match=r"partitioned by \['c'\], whose values can't name"):
        job(source, tmp_path / "table", mode="overwrite")


def at_each_stage(work):
    def told(event):
        if isinstance(event, StageStarted):
            work()

    return told


def test_a_run_is_of_the_version_that_it_began_with(tmp_path, table):
    job(table, tmp_path / "still")

    def change():
        write_deltalake(table, frame(7), mode="overwrite")
        DeltaTable(table).delete("y = 1")

    manifest = job(table, tmp_path / "out", told=at_each_stage(change))
    assert manifest["source"]["version"] == 1
    assert DeltaTable(table).version() > 9
    still, out = (pd.read_parquet(tmp_path / name) for name in ("still", "out"))
    pd.testing.assert_frame_equal(still, out)


def test_files_that_are_vacuumed_meanwhile(tmp_path, table):
    def vacuum():
        write_deltalake(table, frame(7), mode="overwrite")
        how = {"dry_run": False, "enforce_retention_duration": False, "full": True}
        DeltaTable(table).vacuum(0, **how)

    with pytest.raises(InputError, match=r"Files of version 1 .* are gone, as a vacuum"):
        job(table, tmp_path / "out", told=at_each_stage(vacuum))
    assert not (tmp_path / "out").exists()


def test_what_a_run_did_is_told_by_its_commit(table, source):
    where = Location(str(table))
    with pytest.raises(InputError, match="no manifest"):
        require_manifest(where)
    job(source, table, mode="overwrite")
    write_deltalake(table, frame(2), mode="append")
    job(table, table, mode="overwrite")
    newest, first = require_manifest(where), require_manifest(where, 3)
    assert (newest["version"], first["version"]) == (4, 2)
    assert newest["source"]["version"] == 3
    assert first["source"]["format"] == "parquet"
    assert newest["run"] != first["run"]


def test_types_that_delta_lacks(tmp_path):
    many = pa.table(
        {
            "a": np.arange(N, dtype=float),
            "b": np.arange(N, dtype=float) % 7,
            "u1": np.full(N, 255, np.uint8),
            "u4": np.full(N, 2**32 - 1, np.uint32),
            "id": pa.array([2**64 - 1] * N, pa.uint64()),
            "text": pa.array(["x", None, "y"] * (N // 3)).dictionary_encode(),
            "when": pa.array([10**9] * N, pa.timestamp("ns", "Europe/Berlin")),
            "day": pa.array([10**9] * N, pa.timestamp("ns")),
            "y": np.arange(N) % 10 == 0,
        }
    )
    pq.write_table(many, tmp_path / "many.parquet")
    keep = ("u1", "u4", "id", "text", "when", "day")
    job(tmp_path / "many.parquet", tmp_path / "out", keep=keep, destination_format="delta")
    found = delta_tables.rows_of(tmp_path / "out").select(many.schema.names).slice(0, N)
    assert found.to_pylist() == many.to_pylist()


REFUSED_TYPES = {
    "times of day": pa.array([1] * N, pa.time64("us")),
    "spans": pa.array([1] * N, pa.duration("us")),
    "long decimals": pa.array([1] * N, pa.decimal256(60, 2)),
    "parts of structs": pa.array([{"q": 1}] * N, pa.struct([("q", pa.time32("s"))])),
}


@pytest.mark.parametrize("name", REFUSED_TYPES)
def test_types_that_none_holds(tmp_path, name):
    rows = pa.Table.from_pandas(frame()).append_column("odd", [REFUSED_TYPES[name]])
    pq.write_table(rows, tmp_path / "odd.parquet")
    asked = {"keep": ("id", "odd"), "destination_format": "delta"}
    with pytest.raises(InputError, match=r"can't hold 'odd' of .* --drop odd"):
        job(tmp_path / "odd.parquet", tmp_path / "out", **asked)
    assert not delta_tables.files_of(tmp_path / "out")
    job(tmp_path / "odd.parquet", tmp_path / "out", **asked | {"keep": ("id",), "drop": ("odd",)})


def test_a_moment_that_would_lose_digits(tmp_path):
    when = pa.array([1_000_000_001] * N, pa.timestamp("ns"))
    rows = pa.Table.from_pandas(frame()).append_column("when", [when])
    pq.write_table(rows, tmp_path / "odd.parquet")
    with pytest.raises(InputError, match=r"'when' of timestamp\[ns\] can't be .* lose data"):
        job(
            tmp_path / "odd.parquet",
            tmp_path / "out",
            keep=("id", "when"),
            destination_format="delta",
        )
    assert not delta_tables.files_of(tmp_path / "out")


OTHERS = {
    "one more": ({"keep": ("id",)}, frame().drop(columns="c"), "'c'.*--drop c"),
    "one less": ({"drop": ("id",), "keep": ()}, frame(), "'id'.*--keep id.*no --drop"),
    "one that none has": ({}, frame().assign(d=1), "'d'.*add them to the source"),
    "another type": ({}, frame().assign(b="text"), "'b' of double for .*string"),
    "a narrower type": ({}, frame().astype({"a": "float32"}), "'a' of double for float"),
    "no mark": ({"mark": "new"}, frame(), "the mark 'new'.*leave out --mark-synthetic"),
    "a mark": ({}, frame().assign(new=True), "'new'.*--mark-synthetic 'new'"),
    "a part": ({}, frame().assign(day="x"), r"\['day'\], which it has, and the source has not"),
}


@pytest.mark.parametrize("mode", ["append", "overwrite"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_columns_than_the_table_has(tmp_path, source, name, mode):
    how, there, words = OTHERS[name]
    write_deltalake(tmp_path / "table", there)
    with pytest.raises(InputError, match=words):
        job(source, tmp_path / "table", mode=mode, **how)
    assert len(delta_tables.files_of(tmp_path / "table")) == 1


def test_a_wider_type_takes_them(tmp_path, source):
    write_deltalake(tmp_path / "table", frame()[list("aybc")].assign(id=1.5))
    narrow = pd.read_parquet(source).astype({"a": "float32", "id": "float32"})
    narrow.to_parquet(source)
    job(source, tmp_path / "table", mode="append", only_synthetic=True)
    assert pa.schema(DeltaTable(tmp_path / "table").schema().to_arrow()).field("a").type == "double"


def rules(place):
    write_deltalake(place, frame())
    DeltaTable(place).alter.add_constraint({"positive": "id >= 0"})


def mapped(place):
    fields = [(name, "double", f"c-{name}") for name in ("a", "b", "c")]
    told = delta_tables.metadata(
        [*fields, ("id", "long", "c4"), ("y", "long", "c5")], **{"delta.columnMapping.mode": "name"}
    )
    delta_tables.write_version(place, 0, delta_tables.protocol("columnMapping"), told)


def unknown(place):
    told = delta_tables.metadata([("a", "double")])
    features = {"readerFeatures": [], "writerFeatures": ["newFeature"]}
    versions = {"minReaderVersion": 3, "minWriterVersion": 7}
    delta_tables.write_version(place, 0, {"protocol": versions | features}, told)


RULES = {
    "a constraint": (rules, "delta.constraints.positive"),
    "renamed columns": (mapped, "delta.columnMapping.mode"),
    "a feature": (unknown, "newFeature"),
}


@pytest.mark.parametrize("mode", ["append", "overwrite"])
@pytest.mark.parametrize("name", RULES)
def test_a_table_with_rules(tmp_path, source, name, mode):
    make, words = RULES[name]
    make(tmp_path / "table")
    before = delta_tables.files_of(tmp_path / "table")
    with pytest.raises(ParameterError, match=words):
        job(source, tmp_path / "table", mode=mode)
    assert delta_tables.files_of(tmp_path / "table") == before


def test_a_table_with_deleted_rows_is_replaced(tmp_path, source):
    place, rows = tmp_path / "table", pa.Table.from_pandas(frame(3), preserve_index=False)
    fields = [(name, "double") for name in "abc"] + [("id", "long"), ("y", "long")]
    part = delta_tables.add(place, "a.parquet", rows, deleted=[0, 5])
    features, told = delta_tables.protocol("deletionVectors"), delta_tables.metadata(fields)
    delta_tables.write_version(place, 0, features, told, part)
    assert len(delta_tables.rows_of(place)) == N - 2
    job(place, place, mode="append", only_synthetic=True)
    found = delta_tables.rows_of(place).to_pandas()
    assert found["y"].value_counts().nunique() == 1
    assert found["id"].notna().sum() == N - 2
    job(source, place, mode="overwrite")
    assert len(delta_tables.rows_of(place)) == 2 * (N * 9 // 10)


def test_columns_that_must_have_values(tmp_path, source):
    own = Schema.from_arrow(pa.schema([*pa.Schema.from_pandas(frame())][:3]))
    fields = [*own.fields]
    schema = pa.schema(
        [(f.name, pa.float64()) for f in fields]
        + [pa.field("id", pa.int64(), nullable=False), pa.field("y", pa.int64())]
    )
    DeltaTable.create(tmp_path / "table", schema)
    for mode in ("append", "overwrite"):
        with pytest.raises(InputError, match=r"values for \['id'\] .* NOT NULL.*in --keep"):
            job(source, tmp_path / "table", mode=mode)
    # as a feature it has values, but where one is missing
    job(source, tmp_path / "table", keep=(), mode="append")


def test_formats_that_contradict(tmp_path, source, table):
    with pytest.raises(DestinationError, match="is a Delta table: leave out"):
        job(source, table, mode="overwrite", destination_format="parquet")
    job(source, tmp_path / "plain")
    for mode in ("error", "overwrite", "append"):
        with pytest.raises(DestinationError, match="is no Delta table"):
            job(source, tmp_path / "plain", mode=mode, destination_format="delta")
    with pytest.raises(ParameterError, match="--mode append is of Delta tables"):
        job(source, tmp_path / "plain", mode="append")


def test_times_without_a_zone(tmp_path, source):
    frame().assign(when=pd.Timestamp("2025-01-01")).to_parquet(source)
    job(source, tmp_path / "out", keep=("id", "when"), destination_format="delta")
    job(source, tmp_path / "out", keep=("id", "when"), mode="overwrite")
    assert DeltaTable(tmp_path / "out").protocol().reader_features == ["timestampNtz"]
    assert len(DeltaTable(tmp_path / "out").to_pandas()) == 2 * (N * 9 // 10)


FAILURES = {
    "a folder that none has": {"partition_by": ("nope",)},
    "a column that none has": {"keep": ("zzz",)},
    "no cluster": {"threshold": 0.99},
    "a text that no folder can be": {"keep": ("id", "place"), "partition_by": ("place",)},
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_run_that_fails_leaves_no_folder(tmp_path, name):
    (tmp_path / "in").mkdir()
    frame().assign(place=["x", ""] * (N // 2)).to_parquet(tmp_path / "in" / "a.parquet")
    how = {"keep": ("id", "place"), "destination_format": "delta"} | FAILURES[name]
    threshold = how.pop("threshold", "auto")
    columns = Columns("y", keep=how.pop("keep"), partition_by=how.pop("partition_by", ()))
    out = tmp_path / "deep" / "out"
    parameters = {"random_state": 0, "cluster_balance_threshold": threshold}
    asked = Job(Location(str(tmp_path / "in")), Location(str(out)), columns, parameters, **how)
    with pytest.raises((InputError, ParameterError, NoClusterError)):
        run(asked, ignore)
    assert not out.exists()
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.parquet"]


def test_names_that_differ_in_case_alone(tmp_path):
    frame().assign(A=1.0, Id=2.0).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(
        InputError, match=r"\['A', 'Id', 'a', 'id'\]|\['a', 'id', 'A', 'Id'\]"
    ) as told:
        job(tmp_path / "in.parquet", tmp_path / "out", destination_format="delta")
    assert "in case alone" in str(told.value)
    assert not (tmp_path / "out").exists()


def test_paths_that_readers_of_delta_take_for_others(tmp_path, source):
    for name in ("a%20b", "%C3%A9.delta"):
        with pytest.raises(ParameterError, match="a % with two digits in its path"):
            job(source, tmp_path / name, destination_format="delta")
        assert not (tmp_path / name).exists()
    job(source, tmp_path / "c%d é.delta")
    assert len(read_rows(tmp_path / "c%d é.delta")) == 2 * (N * 9 // 10)


def read_rows(place):
    return DeltaTable(place).to_pandas()


def test_a_damaged_log_of_a_destination(table, source):
    (table / "_delta_log" / f"{1:020d}.json").write_text('{"add": nonsense')
    with pytest.raises(
        DestinationError, match=r"can't be read: .*name another destination"
    ) as told:
        job(source, table, mode="overwrite")
    assert "sysdeps" not in str(told.value)


def test_missing_values_where_the_table_has_none(tmp_path):
    schema = pa.schema(
        [pa.field("a", pa.float64(), nullable=False), ("b", pa.float64()), ("c", pa.float64())]
    )
    schema = schema.append(pa.field("id", pa.int64())).append(pa.field("y", pa.int64()))
    DeltaTable.create(tmp_path / "table", schema)
    frame().assign(a=[np.nan, 1.0] * (N // 2)).to_parquet(tmp_path / "in.parquet")
    asked = {"random_state": 0, "missing": "keep"}
    places = Location(str(tmp_path / "in.parquet")), Location(str(tmp_path / "table"))
    with pytest.raises(InputError, match=r"'a' has missing values, .* NOT NULL"):
        run(Job(*places, Columns("y", keep=("id",)), asked, mode="append"), ignore)
    assert DeltaTable(tmp_path / "table").version() == 0


def test_a_table_keeps_what_it_says_of_its_columns(tmp_path, source):
    own = Schema.from_arrow(pa.Schema.from_pandas(frame(), preserve_index=False))
    fields = [
        Field(f.name, f.type, nullable=f.name == "id", metadata={"comment": f.name})
        for f in own.fields
    ]
    DeltaTable.create(tmp_path / "table", Schema(fields))
    for mode in ("append", "overwrite"):
        job(source, tmp_path / "table", mode=mode)
        assert DeltaTable(tmp_path / "table").schema() == Schema(fields)
