"""What ends without a commit: deaths, tables and options that are refused; two writers."""

from __future__ import annotations

import shutil
import signal
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import (
    DIES,
    LACKS,
    add,
    assert_balanced,
    before_commit,
    break_log,
    cycle,
    data_files,
    delta,
    destination,
    done,
    files_of,
    line_of_report,
    named_files,
    outside,
    refused,
    report,
    resample,
    rows,
    source,
    table,
    vacuum,
    versions,
    write_log,
)


class TestDying:
    def test_a_run_that_dies_leaves_the_table_as_it_was(self, source, destination, tmp_path):
        before, files = rows(delta(destination)), data_files(destination)
        died = outside(DIES, [source, destination, "--keep", "id", "--overwrite"])
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert DeltaTable(destination).version() == 0
        assert rows(delta(destination)) == before
        assert data_files(destination) > files

        shutil.copytree(destination, tmp_path / "copy")
        vacuum(tmp_path / "copy")
        left = {path.name for path in data_files(tmp_path / "copy") if path.suffix == ".parquet"}
        assert left == {path.name for path in files}

        for folder in (destination, tmp_path / "copy"):
            done(source, folder, "--keep", "id", "--overwrite")
            assert_balanced(delta(folder))
        assert DeltaTable(destination).version() == 1
        assert data_files(destination) == named_files(destination)

    def test_a_run_that_dies_before_there_is_a_table_hinders_no_other(self, source, tmp_path):
        out = tmp_path / "out.delta"
        died = outside(DIES, [source, out, "--drop", "id"])
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not DeltaTable.is_deltatable(str(out))
        done(source, out, "--drop", "id")
        assert data_files(out) == named_files(out)
        assert_balanced(delta(out))

    @pytest.mark.parametrize(
        ("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left"), 5)]
    )
    def test_a_run_that_fails_changes_no_version_and_the_next_cleans_up(
        self, source, destination, monkeypatch, error, code
    ):
        before = rows(delta(destination))

        def fail():
            raise error

        before_commit(monkeypatch, fail)
        result = resample(source, destination, "--keep", "id", "--overwrite")
        assert result.exit_code == code
        assert len(result.stderr.strip().splitlines()) == 1
        assert DeltaTable(destination).version() == 0
        assert rows(delta(destination)) == before
        done(source, destination, "--keep", "id", "--overwrite")
        assert DeltaTable(destination).version() == 1
        assert data_files(destination) == named_files(destination)

    @pytest.mark.parametrize(
        ("mode", "other", "code"),
        [
            ("append", "append", 0),
            ("overwrite", "append", 5),
            ("overwrite", "overwrite", 5),
            ("append", "overwrite", 5),
            ("append", "delete", 5),
        ],
    )
    def test_of_two_writers_one_is_told(self, source, monkeypatch, mode, other, code):
        more = table(10, seed=1)

        def write():
            if other == "delete":
                DeltaTable(source).delete("id = 5")
            else:
                write_deltalake(source, more, mode=other)

        left = before_commit(monkeypatch, write)
        words = [
            "--keep",
            "id",
            "--mode",
            mode,
            *(["--only-synthetic"] if mode == "append" else []),
        ]
        if code:
            line = refused(code, source, source, *words)
            assert str(source) in line
            assert DeltaTable(source).version() == 1
            assert data_files(source) == named_files(source)
        else:
            done(source, source, *words)
            assert DeltaTable(source).version() == 2
            found = rows(delta(source))
            assert found - rows(pa.concat_tables([table(), more])) == found - rows(delta(source, 1))
            assert rows(delta(source, 1)) - found == Counter()
        assert not left


class TestRefusals:
    def test_a_version_that_is_not_there(self, versions, tmp_path):
        line = refused(3, versions, tmp_path / "out", "--version", 99)
        assert "99" in line
        assert "4" in line
        assert str(versions) in line
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("feature", ["variantType", "madeUpFeature"])
    def test_a_feature_that_is_not_read(self, tmp_path, feature):
        folder = tmp_path / "source"
        write_log(folder, [add(folder, "0.parquet", table())], features=[feature])
        assert feature in refused(3, folder, tmp_path / "out")

    def test_a_protocol_of_the_future(self, source, tmp_path):
        log = source / "_delta_log" / f"{0:020}.json"
        log.write_text(log.read_text().replace('"minReaderVersion":1', '"minReaderVersion":99'))
        assert "99" in refused(3, source, tmp_path / "out")

    @pytest.mark.parametrize(
        "how",
        [
            "cut", "no JSON", "zeros", "a version is gone", "the first is gone", "no metadata",
            "schema",
            "empty",
        ],
    )  # fmt: skip
    def test_a_damaged_log(self, versions, tmp_path, how):
        break_log(versions, how)
        line = refused(3, versions, tmp_path / "out")
        assert str(versions) in line
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("how", ["cut", "no JSON", "zeros", "a version is gone", "schema"])
    @pytest.mark.parametrize("mode", ["overwrite", "append"])
    def test_a_damaged_log_of_the_destination(self, source, tmp_path, how, mode):
        out = tmp_path / "out"
        for seed in range(3):
            write_deltalake(out, table(seed=seed), mode="append")
        break_log(out, how)
        before = files_of(out)
        result = resample(source, out, "--keep", "id", "--mode", mode)
        assert str(out) in line_of_report(result)
        assert files_of(out) == before

    def test_files_that_a_vacuum_removed(self, versions, tmp_path):
        vacuum(versions)
        line = refused(3, versions, tmp_path / "out", "--version", 0)
        assert str(versions) in line
        assert "vacuum" in line
        assert not (tmp_path / "out").exists()

    def test_a_part_of_a_table(self, tmp_path):
        folder = tmp_path / "source"
        write_deltalake(folder, table(p=cycle(pa.int64(), [1, 2])), partition_by=["p"])
        line = refused(3, folder / "p=1", tmp_path / "out")
        assert str(folder) in line.replace(str(folder / "p=1"), "")

    @pytest.mark.parametrize(
        ("given", "words", "named"),
        [
            (table(extra=cycle(pa.int64(), [1])), [], ["extra"]),
            (table(), ["--drop", "id,a"], ["id", "a"]),
            (table().set_column(1, "a", cycle(pa.string(), ["u", "v"])), [], ["a"]),
            (table().rename_columns(["id", "A", "b", "y"]), [], ["A", "a"]),
            (table(), ["--mark-synthetic", "made"], ["made"]),
        ],
        ids=["more", "fewer", "type", "renamed", "marked"],
    )
    @pytest.mark.parametrize("mode", ["append", "overwrite"])
    def test_other_columns_are_all_named(self, destination, tmp_path, given, words, named, mode):
        pq.write_table(given, tmp_path / "other.parquet")
        before = files_of(destination)
        keep = [] if "--drop" in words else ["--keep", "id"]
        line = refused(3, tmp_path / "other.parquet", destination, "--mode", mode, *keep, *words)
        assert all(f"'{name}'" in line or f" {name}" in line for name in named), line
        assert "destination" in line
        assert files_of(destination) == before

    @pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
    def test_delta_where_parquet_is_asked_for(self, source, destination, mode):
        before = files_of(destination)
        words = ["--keep", "id", "--destination-format", "parquet", "--mode", mode]
        result = resample(source, destination, *words)
        assert result.exit_code in ({5} if mode != "append" else {2, 5}), result.stderr
        assert files_of(destination) == before

    @pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
    def test_parquet_where_delta_is_asked_for(self, source, tmp_path, mode):
        done(source, tmp_path / "out", "--keep", "id")
        before = files_of(tmp_path / "out")
        words = ["--keep", "id", "--destination-format", "delta", "--mode", mode]
        line = refused(5, source, tmp_path / "out", *words)
        assert str(tmp_path / "out") in line
        assert files_of(tmp_path / "out") == before

    @pytest.mark.parametrize("there", [True, False])
    def test_parquet_that_is_to_be_appended_to(self, source, tmp_path, there):
        if there:
            done(source, tmp_path / "out", "--keep", "id")
        before = files_of(tmp_path)
        result = resample(source, tmp_path / "out", "--keep", "id", "--mode", "append")
        assert result.exit_code in {2, 3, 5}, result.stderr
        assert "elta" in result.stderr
        assert files_of(tmp_path) == before

    @pytest.mark.parametrize("words", [["--version", "0"], ["--format", "delta"]])
    def test_what_is_of_delta_alone_for_a_parquet_source(self, tmp_path, words):
        (tmp_path / "source").mkdir()
        pq.write_table(table(), tmp_path / "source" / "0.parquet")
        result = resample(tmp_path / "source", tmp_path / "out", *words)
        assert result.exit_code in {2, 3}, result.stderr
        assert "elta" in result.stderr
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        "words", [["--version", "-1"], ["--version", "x"], ["--mode", "merge"]]
    )
    def test_words_that_are_none(self, source, tmp_path, words):
        assert resample(source, tmp_path / "out", *words).exit_code == 2

    def test_a_table_that_has_other_folders(self, source, tmp_path):
        out = tmp_path / "out"
        write_deltalake(out, table(p=cycle(pa.int64(), [1])), partition_by=["p"])
        before = files_of(out)
        result = resample(out, out, "--keep", "id", "--mode", "overwrite", "--partition-by", "y")
        assert "p" in line_of_report(result, {2, 3, 5})
        assert files_of(out) == before

    def test_no_deltalake(self, source, tmp_path):
        pq.write_table(table(), tmp_path / "plain.parquet")
        jobs = [[source, tmp_path / "out"], [tmp_path / "plain.parquet", tmp_path / "out.delta"]]
        result = outside(LACKS, *jobs)
        assert result.returncode == 0, result.stderr
        lines = result.stderr.strip().splitlines()
        assert len(lines) == len(jobs)
        assert all("pip install" in line and "delta" in line for line in lines)
        assert result.stdout.split() == ["2", "2"]
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "out.delta").exists()


class TestOnS3:
    @pytest.fixture
    def lake(self, bucket, monkeypatch):
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        write_deltalake(f"{bucket}/source", table())
        return bucket

    def test_new_rows_join_the_table_that_they_came_from(self, lake):
        source, before = f"{lake}/source", rows(delta(f"{lake}/source"))
        words = ["--keep", "id", "--only-synthetic"]
        done(source, f"{lake}/apart", *words, "--destination-format", "delta")
        record = done(source, source, *words, "--mode", "append")
        assert rows(delta(source)) - before == rows(delta(f"{lake}/apart"))
        assert rows(delta(source, 0)) == before
        assert report(source)["run"] == record["run"]

    @pytest.mark.parametrize("other", ["append", "overwrite"])
    def test_of_two_writers_one_is_told(self, lake, monkeypatch, other):
        source, more = f"{lake}/source", table(10, seed=1)
        left = before_commit(monkeypatch, lambda: write_deltalake(source, more, mode=other))
        line = refused(5, source, source, "--keep", "id", "--mode", "overwrite")
        assert source in line
        assert not left
        assert DeltaTable(source).version() == 1
