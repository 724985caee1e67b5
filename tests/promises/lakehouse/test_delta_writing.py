"""A Delta table is written by commits that say what they are."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from lakehouse import (
    FIELDS,
    NAIVE,
    UTC_TIME,
    N,
    add,
    assert_balanced,
    counts,
    cycle,
    data_files,
    delta,
    destination,
    done,
    field,
    files_of,
    flat,
    invoke,
    is_of,
    line_of_report,
    named_files,
    refused,
    report,
    resample,
    rows,
    source,
    split,
    table,
    types,
    vector_inline,
    versions,
    write_log,
)


class TestWriting:
    def test_error_is_the_mode_of_a_destination_that_is_there(self, source, destination):
        before = files_of(destination)
        for words in ([], ["--mode", "error"], ["--destination-format", "delta"]):
            line = refused(5, source, destination, "--keep", "id", *words)
            assert str(destination) in line
            assert "overwrite" in line
        assert files_of(destination) == before

    @pytest.mark.parametrize("words", [["--mode", "overwrite"], ["--overwrite"]])
    def test_overwrite_makes_one_version_that_holds_the_new_result(self, versions, tmp_path, words):
        out = tmp_path / "out.delta"
        done(versions, out, "--keep", "id", "--version", 0)
        first = rows(delta(out))
        record = done(versions, out, "--keep", "id", "--version", 1, *words)
        assert DeltaTable(out).version() == record["version"] == 1
        assert rows(delta(out, 0)) == first
        assert_balanced(delta(out))
        assert len(delta(out)) == record["rows"] + record["synthetic_rows"]
        assert set(delta(versions, 1)["id"].to_pylist()) | {None} == set(
            delta(out)["id"].to_pylist()
        )

    @pytest.mark.parametrize("parts", [[], ["y"], ["p"]])
    def test_append_adds_the_new_rows_to_the_table_they_came_from(self, tmp_path, parts):
        source = tmp_path / "source"
        write_deltalake(source, table(p=cycle(pa.int32(), [1, -2])), partition_by=parts or None)
        before = rows(delta(source))
        words = ["--keep", "id", "--only-synthetic"]
        done(source, tmp_path / "apart", *words)
        record = done(source, source, *words, "--mode", "append")
        assert record["version"] == DeltaTable(source).version() == 1
        assert rows(delta(source, 0)) == before
        assert rows(delta(source)) - before == rows(pq.read_table(tmp_path / "apart"))
        assert before - rows(delta(source)) == Counter()
        assert_balanced(delta(source))
        assert DeltaTable(source).metadata().partition_columns == parts
        assert all(path in named_files(source) for path in data_files(source))

    def test_append_adds_all_rows_where_originals_are_not_left_out(self, source, destination):
        before = rows(delta(destination))
        done(source, destination, "--keep", "id", "--mode", "append")
        after = rows(delta(destination))
        assert len(delta(destination)) == 2 * sum(before.values())
        assert after == before + before

    def test_append_to_what_is_not_there_makes_it(self, source, tmp_path):
        done(source, tmp_path / "new.delta", "--keep", "id", "--mode", "append")
        assert_balanced(delta(tmp_path / "new.delta"))

    @pytest.mark.parametrize("mode", ["overwrite", "append"])
    def test_a_table_keeps_what_it_is(self, tmp_path, mode):
        folder = tmp_path / "table"
        schema = pa.schema(
            [
                pa.field("id", pa.int64()), pa.field("a", pa.float64(), nullable=False),
                pa.field("b", pa.float64()), pa.field("y", pa.string(), nullable=False),
                pa.field("p", pa.int32(), nullable=False),
            ]
        )  # fmt: skip
        given = table(p=cycle(pa.int32(), [1, -2])).cast(schema)
        write_deltalake(
            folder, given, partition_by=["p"], name="n", description="d",
            configuration={"delta.logRetentionDuration": "interval 9 days"},
        )  # fmt: skip
        words = ["--only-synthetic"] if mode == "append" else []
        old = DeltaTable(folder)
        done(folder, folder, "--keep", "id", "--mode", mode, *words)
        new = DeltaTable(folder)
        assert new.version() == 1
        assert new.schema().to_json() == old.schema().to_json()
        for name in ("id", "name", "description", "partition_columns", "configuration"):
            assert getattr(new.metadata(), name) == getattr(old.metadata(), name)
        assert_balanced(delta(folder))

    @pytest.mark.parametrize("mode", ["overwrite", "append"])
    def test_a_column_that_may_not_be_null_gets_no_nulls(self, tmp_path, mode):
        folder = tmp_path / "table"
        schema = table().schema
        schema = schema.set(0, schema.field(0).with_nullable(False))
        write_deltalake(folder, table().cast(schema))
        before = files_of(folder)
        words = ["--only-synthetic"] if mode == "append" else []
        line = refused(3, folder, folder, "--keep", "id", "--mode", mode, *words)
        assert "'id'" in line
        assert files_of(folder) == before

    @pytest.mark.parametrize("what", ["constraint", "mapping", "row tracking", "generated"])
    def test_nothing_is_written_to_tables_with_rules_of_their_own(self, source, tmp_path, what):
        folder = tmp_path / "table"
        if what == "constraint":
            write_deltalake(folder, table())
            DeltaTable(folder).alter.add_constraint({"small": "a < 1000"})
        elif what == "mapping":
            fields = [field(f["name"], f["type"], f"col-{f['name']}") for f in FIELDS]
            physical = table().rename_columns([f"col-{f['name']}" for f in FIELDS])
            mapping = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "99"}
            write_log(
                folder, [add(folder, "0.parquet", physical)], fields, ["columnMapping"], **mapping
            )
        else:
            generated = {"delta.generationExpression": "a * 2"} if what == "generated" else {}
            fields = [*FIELDS[:2], field("b", "double", **generated), FIELDS[3]]
            tracked = {"delta.enableRowTracking": "true"} if what == "row tracking" else {}
            write_log(folder, [add(folder, "0.parquet", table())], fields, **tracked)
        before = files_of(folder)
        result = resample(source, folder, "--keep", "id", "--mode", "append")
        assert str(folder) in line_of_report(result, {2, 3})
        assert files_of(folder) == before

    @pytest.mark.parametrize("mode", ["append", "overwrite"])
    def test_rows_of_deletion_vectors_stay_deleted_as_others_join_them(self, tmp_path, mode):
        folder = tmp_path / "source"
        vector = vector_inline(folder, [3, 5, 10])
        adds = [add(folder, "0.parquet", table(), deletionVector=vector)]
        configuration = {"delta.enableDeletionVectors": "true"}
        write_log(folder, adds, features=["deletionVectors"], **configuration)
        words = ["--only-synthetic"] if mode == "append" else []
        done(folder, folder, "--keep", "id", "--mode", mode, *words)
        query = QueryBuilder().register("t", DeltaTable(folder))
        found = pa.table(query.execute("select id, y from t").read_all())
        assert {*found["id"].to_pylist()} == {*range(N), None} - {3, 5, 10}
        assert counts(found) == {"x": N * 9 // 10 - 2, "z": N * 9 // 10 - 2}

    @pytest.mark.parametrize("reader", ["pyarrow", "pandas", "polars", "duckdb"])
    def test_tables_are_read_by(self, tmp_path, reader):
        source, out = tmp_path / "source", tmp_path / "out"
        zoned = cycle(UTC_TIME, [datetime(2026, 1, 1, 5, tzinfo=UTC), None])
        city = cycle(pa.string(), ["a b", "c/d", "50%"])
        write_deltalake(source, table(t=zoned, city=city))
        record = done(
            source, out, "--keep", "id,t", "--partition-by", "city", "--mark-synthetic", "new",
            "--destination-format", "delta",
        )  # fmt: skip
        columns = ["a", "b", "y", "city", "new"]
        dataset = DeltaTable(out).to_pyarrow_dataset()
        if reader == "pyarrow":
            found = dataset.to_table()
        elif reader == "pandas":
            found = pa.Table.from_pandas(DeltaTable(out).to_pandas())
        elif reader == "polars":
            found = pl.read_delta(str(out)).to_arrow()
        else:
            with duckdb.connect() as connection:
                found = connection.register("t", dataset).sql("select * from t").to_arrow_table()
        original, new = split(found.select(columns))
        assert rows(original) == rows(delta(source), columns[:-1])
        assert len(new) == record["synthetic_rows"]
        assert_balanced(found)

    @pytest.mark.parametrize("kind", [NAIVE, UTC_TIME])
    def test_readers_of_version_1_are_enough_where_times_have_zones(self, tmp_path, kind):
        moment = datetime(2026, 1, 1, tzinfo=UTC if kind.tz else None)
        write_deltalake(tmp_path / "source", table(t=cycle(kind, [moment])))
        done(tmp_path / "source", tmp_path / "out.delta", "--keep", "id,t")
        protocol = DeltaTable(tmp_path / "out.delta").protocol()
        if kind.tz:
            assert protocol.min_reader_version == 1
            assert not protocol.reader_features
        else:
            assert protocol.min_reader_version == 3
            assert protocol.reader_features == ["timestampNtz"]

    @pytest.mark.parametrize(
        ("given", "written"),
        [
            (cycle(pa.uint8(), [255]), "int16"),
            (cycle(pa.uint16(), [2**16 - 1]), "int32"),
            (cycle(pa.uint32(), [2**32 - 1]), "int64"),
            (cycle(pa.string(), ["u", "v", None]).dictionary_encode(), "string"),
            (cycle(pa.timestamp("ns"), [1_000]), "timestamp[us]"),
            (cycle(pa.timestamp("ms", "UTC"), [1]), "timestamp[us, tz=UTC]"),
        ],
    )
    def test_types_that_delta_has_not_become_those_that_hold_them(self, tmp_path, given, written):
        pq.write_table(table(k=given), tmp_path / "source.parquet")
        done(
            tmp_path / "source.parquet",
            tmp_path / "out.delta",
            "--keep",
            "id,k",
            "--mark-synthetic",
            "new",
        )
        original = split(delta(tmp_path / "out.delta"))[0]
        assert types(original)["k"] == written
        assert original["k"].to_pylist() == pa.array(given.to_pylist()).to_pylist() or [
            pd.Timestamp(value).value for value in original["k"].to_pylist()
        ] == [pd.Timestamp(value).value for value in given.to_pylist()]

    @pytest.mark.parametrize(
        "given",
        [
            cycle(pa.time64("us"), [time(1, 2)]),
            cycle(pa.duration("us"), [timedelta(1)]),
            cycle(pa.timestamp("ns"), [1]),
        ],
        ids=["time of day", "span", "nanoseconds"],
    )
    def test_types_that_delta_would_lose_are_refused(self, tmp_path, given):
        pq.write_table(table(kept=given), tmp_path / "source.parquet")
        line = refused(3, tmp_path / "source.parquet", tmp_path / "out.delta", "--keep", "id,kept")
        assert "kept" in line
        assert "--drop" in line
        assert not (tmp_path / "out.delta").exists() or not data_files(tmp_path / "out.delta")

    def test_a_name_that_ends_so_makes_a_delta_table(self, source, tmp_path):
        done(source, tmp_path / "made.delta", "--drop", "id")
        assert DeltaTable.is_deltatable(str(tmp_path / "made.delta"))
        done(source, tmp_path / "made", "--drop", "id")
        assert not DeltaTable.is_deltatable(str(tmp_path / "made"))

    @pytest.mark.parametrize("to", ["parquet", "delta"])
    def test_a_flag_goes_before_the_environment_and_that_before_the_file(
        self, source, tmp_path, monkeypatch, to
    ):
        out, config = tmp_path / "out", tmp_path / "job.toml"
        words = ["--drop", "id", "--destination-format", to, "--config", config]
        config.write_text("")
        done(source, out, *words)
        config.write_text('mode = "overwrite"\n')
        done(source, out, *words)
        monkeypatch.setenv("DASK_KMSMOTE__MODE", "error")
        refused(5, source, out, *words)
        done(source, out, *words, "--overwrite")
        monkeypatch.setenv("DASK_KMSMOTE__MODE", "overwrite")
        refused(5, source, out, *words, "--mode", "error")


class TestManifest:
    def test_the_manifest_is_in_the_commit(self, source, destination):
        record = done(source, destination, "--keep", "id", "--overwrite", "--k-neighbors", 3)
        newest = DeltaTable(destination).history(1)[0]
        committed = json.loads(newest["kmsmote"])
        shown = report(destination)
        assert {name: shown[name] for name in committed} == committed
        assert {name: record[name] for name in committed} == committed
        assert committed["parameters"]["k_neighbors"] == 3
        assert {Path(file["path"]).name for file in committed["files"]} == {
            Path(uri).name for uri in DeltaTable(destination).file_uris()
        }
        assert sum(file["rows"] for file in committed["files"]) == len(delta(destination))

    def test_report_is_of_the_run_of_a_version_or_the_last_before(self, source, destination):
        second = done(source, destination, "--keep", "id", "--overwrite")
        write_deltalake(destination, table(10, seed=1), mode="append")
        third = done(source, destination, "--keep", "id", "--mode", "append", "--only-synthetic")
        first = report(destination, "--version", 0)["run"]
        assert report(destination, "--version", 1)["run"] == second["run"] != first
        assert report(destination, "--version", 2)["run"] == second["run"]
        assert (
            report(destination)["run"] == report(destination, "--version", 3)["run"] == third["run"]
        )

    def test_report_of_a_table_that_no_run_wrote_says_so(self, source):
        line = line_of_report(invoke("report", source))
        assert str(source) in line

    @pytest.mark.parametrize(
        ("words", "changed"),
        [
            ([], set()),
            (["--version", 1], {"source.version"}),
            (
                ["--version", 2],
                {"source", "classes", "plan", "plan_text", "rows", "synthetic_rows"},
            ),
            (["--k-neighbors", 3], {"parameters.k_neighbors", "plan", "plan_text"}),
            (["--seed", 1], {"parameters.random_state", "seed", "plan", "plan_text"}),
            (["--layout", "interleave"], {"options.layout"}),
            (["--mark-synthetic", "m"], {"columns.mark", "plan.features.passthrough"}),
        ],
    )
    @pytest.mark.parametrize("to", ["parquet", "delta"])
    def test_reports_of_two_runs_differ_in_what_changed(self, source, tmp_path, words, changed, to):
        DeltaTable(source).alter.set_table_properties(
            {"delta.logRetentionDuration": "interval 9 days"}
        )
        write_deltalake(source, table(100, seed=1), mode="append")
        common = ["--keep", "id", "--destination-format", to]
        first = ["--version", 0] if "--version" not in words else []
        done(source, tmp_path / "one", *common, "--version", 0)
        done(source, tmp_path / "two", *common, *first, *words)
        one, two = flat(report(tmp_path / "one")), flat(report(tmp_path / "two"))
        each_run = {
            "run",
            "started",
            "finished",
            "seconds",
            "stages",
            "destination",
            "bytes",
            "files",
        }
        differs = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
        told = {name for name in differs if name.partition(".")[0] not in each_run}
        allowed = {*changed, "warnings"} if "plan" in changed else changed
        assert not {name for name in told if not any(is_of(name, part) for part in allowed)}
        assert all(any(is_of(name, part) for name in told) for part in changed)
