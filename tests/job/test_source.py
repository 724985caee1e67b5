"""Which files of a folder are a table, and folders whose log says which of their rows count."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

import object_store
from conftest import make_imbalanced
from dask_kmsmote.errors import InputError
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.source import open_source

N = 300
ICEBERG = '{"format-version": 2}'


def table():
    X, y = make_imbalanced(N, 2, 0.2, seed=3)
    return pa.table({"x0": X[:, 0], "x1": X[:, 1], "city": [f"c{n % 3}" for n in y], "label": y})


def delta(place, **how):
    write_deltalake(place, table(), **how)
    write_deltalake(place, table(), mode="overwrite", **how)
    return place


def delta_with_deleted_rows(place):
    DeltaTable(delta(place)).delete("label = 0")
    return place


def folder_of_delta(place):
    return next(path for path in delta(place, partition_by=["city"]).iterdir() if "=" in path.name)


def file_of_delta(place):
    return next(delta(place).glob("*.parquet"))


def two_tables(place):
    delta(place / "inner" / "one")
    pq.write_table(table(), place / "plain.parquet")
    return place


def iceberg(place):
    (place / "data").mkdir(parents=True)
    (place / "metadata").mkdir()
    pq.write_table(table(), place / "data" / "00000-0-one.parquet")
    (place / "metadata" / "00000-one.metadata.json").write_text(ICEBERG)
    (place / "metadata" / "00001-two.metadata.json").write_text(ICEBERG)
    return place


def hudi(place):
    (place / ".hoodie").mkdir(parents=True)
    (place / ".hoodie" / "hoodie.properties").write_text("hoodie.table.name=t")
    pq.write_table(table(), place / "one.parquet")
    return place


TABLES = {
    "a folder of Delta": (folder_of_delta, "Delta", "/table'"),
    "a file of Delta": (file_of_delta, "Delta", "/table'"),
    "Delta beside plain files": (two_tables, "Delta", "/inner/one'"),
    "Iceberg": (iceberg, "Iceberg", "metadata/00001-two.metadata.json"),
    "Iceberg's data": (lambda place: iceberg(place) / "data", "Iceberg", "00001-two"),
    "a file of Iceberg": (lambda p: next((iceberg(p) / "data").iterdir()), "Iceberg", "00001-two"),
    "Hudi": (hudi, "Hudi", "format('hudi')"),
    "a file of Hudi": (lambda place: hudi(place) / "one.parquet", "Hudi", "format('hudi')"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_a_log_is_refused(tmp_path, name):
    make, kind, reader = TABLES[name]
    with pytest.raises(InputError, match=f"of a table of {kind}") as caught:
        open_source(Location(str(make(tmp_path / "table"))))
    assert reader in str(caught.value)


def test_the_table_that_is_named_is_read(tmp_path):
    with pytest.raises(InputError, match="Name the table") as caught:
        open_source(Location(str(folder_of_delta(tmp_path / "table"))))
    (path,) = re.findall("Name the table, '(.*?)'", str(caught.value))
    assert open_source(Location(path)).format == "delta"
    with pytest.raises(InputError, match="no --format but delta"):
        open_source(Location(path), "parquet")
    assert open_source(Location(path), "delta").version == 1


def test_what_only_looks_like_a_log(tmp_path):
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "notes.json").write_text("{}")
    (tmp_path / "metadata" / "other.metadata.json").write_text('{"format": 2}')
    (tmp_path / "metadata" / "broken.metadata.json").write_text("{")
    (tmp_path / "my_delta_log").mkdir()
    pq.write_table(table(), tmp_path / "my_delta_log" / "part.parquet")
    assert list(open_source(Location(str(tmp_path))).files) == ["my_delta_log/part.parquet"]


def test_the_newest_metadata_are_named(tmp_path):
    place = iceberg(tmp_path / "table")
    for version in (1, 9, 13):
        (place / "metadata" / f"v{version}.metadata.json").write_text(ICEBERG)
    with pytest.raises(InputError, match=r"v13\.metadata\.json"):
        open_source(Location(str(place)))


def test_text_within_such_a_table_is_none_of_it(tmp_path):
    place = delta(tmp_path / "table")
    (place / "notes.csv").write_text("x,y\n1,0\n")
    assert open_source(Location(str(place / "notes.csv"))).format == "csv"


FOLDERS = {  # files, the format that is given, those that are read, and those that are told of
    "endings of either case": (["a.csv", "b.CSV"], None, ["a.csv", "b.CSV"], []),
    "kinds of text": (["a.tsv", "b.txt.gz"], None, ["a.tsv", "b.txt.gz"], []),
    "Parquet and text": (["a.parquet", "b.csv"], None, ["a.parquet"], ["b.csv"]),
    "text and Parquet": (["a.parquet", "b.csv"], "csv", ["b.csv"], ["a.parquet"]),
    "no endings": (["000000_0", "000001_0"], "parquet", ["000000_0", "000001_0"], []),
    "Dask's": (["0.part", "1.part"], "csv", ["0.part", "1.part"], []),
    "hidden": (["a.csv", "_b.csv", ".c.csv", "_SUCCESS"], None, ["a.csv"], []),
    "notes": (["a.parquet", "README.md"], None, ["a.parquet"], ["README.md"]),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_which_files_are_read(tmp_path, name):
    files, given, wanted, told = FOLDERS[name]
    for file in files:
        (tmp_path / file).write_text("x,y\n1,0\n")
    source = open_source(Location(str(tmp_path)), given)
    assert (list(source.files), list(source.ignored)) == (wanted, told)


@pytest.mark.skipif(not object_store.program(), reason="needs the store of the extra test")
def test_on_a_store(tmp_path, monkeypatch):
    import s3fs

    (tmp_path / "s3").mkdir()
    with object_store.serve(tmp_path / "s3") as address:
        options = {
            "key": object_store.KEY,
            "secret": object_store.SECRET,
            "client_kwargs": {"endpoint_url": address},
        }
        fs = s3fs.S3FileSystem(**options)
        fs.mkdir("tests")
        fs.put(str(delta(tmp_path / "table")), "tests/deep/table", recursive=True)
        pq.write_table(table(), tmp_path / "plain.parquet")
        fs.put(str(tmp_path / "plain.parquet"), "tests/deep/plain.parquet")
        with pytest.raises(InputError, match="'s3://tests/deep/table'"):
            open_source(Location("s3://tests/deep", options))
        assert open_source(Location("s3://tests/deep/table", options)).version == 1
        assert open_source(Location("s3://tests/deep/plain.parquet", options)).files
