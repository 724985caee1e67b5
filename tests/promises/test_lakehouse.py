"""What is promised of Delta tables and folders, from outside: commands in, files out."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dask_kmsmote.cli import cli

N = 200
NULL = "__HIVE_DEFAULT_PARTITION__"
Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
UTC_TIME = pa.timestamp("us", "UTC")
NAIVE = pa.timestamp("us")
FEW = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, phases=[Phase.generate]
)  # fmt: skip

VALUES = {
    "long": (pa.int64(), [-(2**62) - 1, 0, None]),
    "integer": (pa.int32(), [-5, 7, None]),
    "short": (pa.int16(), [-300, 300, None]),
    "byte": (pa.int8(), [-128, 127, None]),
    "float": (pa.float32(), [0.5, float("-inf"), None]),
    "double": (pa.float64(), [0.1, -0.0, float("inf"), None]),
    "decimal": (pa.decimal128(20, 3), [Decimal("-12345678901234567.891"), Decimal("0.100"), None]),
    "text": (pa.string(), ["", "NA", "a/b=c %", "ä", None]),
    "boolean": (pa.bool_(), [True, False, None]),
    "date": (pa.date32(), [date(1, 1, 1), date(2026, 2, 28), None]),
    "timestamp": (UTC_TIME, [datetime(2026, 1, 1, 1, 2, 3, 4, UTC), None]),
    "timestamp without a zone": (NAIVE, [datetime(1900, 1, 1, 1, 2, 3, 4), None]),  # noqa: DTZ001
    "binary": (pa.binary(), [b"", b"\x00\xff", None]),
    "list": (pa.list_(pa.int64()), [[1, None], [], None]),
    "struct": (pa.struct([("p", pa.int64())]), [{"p": 1}, {"p": None}, None]),
}
FOLDERS = {
    "negative": (pa.int64(), [-7, 0, 12]),
    "small": (pa.int16(), [-300, 300]),
    "boolean": (pa.bool_(), [True, False]),
    "text": (pa.string(), ["a/b", "c=d", "50%", "e f", "01", "true", "ä?*", "null", "%2F", "."]),
    "date": (pa.date32(), [date(2026, 1, 1), date(1969, 12, 31)]),
    "timestamp": (NAIVE, [datetime(2026, 1, 1, 1, 2, 3), datetime(1969, 12, 31)]),  # noqa: DTZ001
}
OTHERS = {
    "double": (pa.float64(), [-0.5, 1e10]),
    "decimal": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal("7.00")]),
    "zoned": (UTC_TIME, [datetime(2026, 1, 1, 2, 3, tzinfo=UTC)]),
}
CLASSES = ["negative", "small", "boolean", "text"]
FEATURES = [*CLASSES, "double", "decimal"]
ROLES = [
    *(("kept", kind) for kind in [*FOLDERS, *OTHERS]),
    *(("feature", kind) for kind in FEATURES),
    *(("target", kind) for kind in CLASSES),
]


def table(n=N, seed=0, **columns):
    """Rows of a majority "x" and one in ten of "z", with an id and two numbers."""
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(n) % 10 == 0, "z", "x")
    a, b = rng.normal(size=(2, n)) + 3 * (y == "z")
    return pa.table({"id": np.arange(n) + 1000 * seed, "a": a, "b": b, "y": y} | columns)


def nans_as_nulls(values):
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def cycle(kind, values, n=N):
    return pa.array([values[i % len(values)] for i in range(n)], kind)


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def resample(source, destination, *words):
    return invoke(
        "resample", source, destination, "--target", "y", "--seed", 0, "--clusters", 3, "--json",
        "--quiet", *words,
    )  # fmt: skip


def done(*words):
    """The record of a job that succeeds."""
    result = resample(*words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(code, *words):
    """The one line of a job that fails with a code."""
    return line_of(code, resample(*words))


def line_of(code, result):
    assert result.exit_code == code, result.stderr + str(result.exception)
    (line,) = result.stderr.strip().splitlines()
    assert json.loads(result.stdout)["exit_code"] == code
    return line


def report(destination, *words):
    result = invoke("report", destination, "--json", *words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def delta(folder, version=None):
    return DeltaTable(folder, version=version).to_pyarrow_table()


def rows(found, columns=None):
    """Rows with multiplicity, NaN and signs of zeros told apart."""
    columns = sorted(columns or found.column_names)
    return Counter(map(repr, zip(*(found[name].to_pylist() for name in columns), strict=True)))


def split(found, mark="new"):
    """The original rows of a result, and the new ones."""
    new = found[mark].combine_chunks()
    found = found.drop_columns(mark)
    return found.filter(pa.compute.invert(new)), found.filter(new)


def types(found):
    """Types by column, all widths of text and binary alike."""
    wide = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
    wide |= {pa.large_binary(): pa.binary(), pa.binary_view(): pa.binary()}
    return {field.name: str(wide.get(field.type, field.type)) for field in found.schema}


def counts(found, target="y"):
    return Counter(found[target].to_pylist())


def assert_balanced(found, target="y"):
    assert len(set(counts(found, target).values())) == 1


def files_of(folder):
    return {str(path.relative_to(folder)): path.stat().st_size for path in files_in(folder)}


def files_in(folder):
    return {path for path in Path(folder).rglob("*") if path.is_file()}


def named_files(folder):
    """Data files that some version of a table names."""
    versions = range(DeltaTable(folder).version() + 1)
    uris = [uri for version in versions for uri in DeltaTable(folder, version).file_uris()]
    return {Path(unquote(uri.removeprefix("file://"))) for uri in uris}


def data_files(folder):
    return {path for path in files_in(folder) if "_delta_log" not in path.parts}


def field(name, kind, physical=None, **metadata):
    if physical:
        number = sum(map(ord, physical))
        metadata |= {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}


FIELDS = [field("id", "long"), field("a", "double"), field("b", "double"), field("y", "string")]


def write_log(folder, adds, fields=FIELDS, features=(), parts=(), **configuration):
    """Version 0 of a table, by hand: a commit of the Delta protocol."""
    metadata = {
        "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}), "createdTime": 0,
        "partitionColumns": list(parts), "configuration": configuration,
    }  # fmt: skip
    protocol = {"minReaderVersion": 1, "minWriterVersion": 2}
    if features:
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
        protocol |= {"readerFeatures": list(features), "writerFeatures": list(features)}
    actions = [{"protocol": protocol}, {"metaData": metadata}, *({"add": add} for add in adds)]
    log = folder / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))


def add(folder, name, part, values=None, row_group_size=None, **more):
    """The action that adds a file, which is written."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(part, path, row_group_size=row_group_size)
    return {
        "path": name, "partitionValues": values or {}, "size": path.stat().st_size,
        "modificationTime": 0, "dataChange": True, "stats": json.dumps({"numRecords": len(part)}),
    } | more  # fmt: skip


def bitmap(positions):
    """A deletion vector: a 64-bit Roaring bitmap of one array container."""
    container = struct.pack("<IIHHI", 12346, 1, 0, len(positions) - 1, 16)
    body = container + struct.pack(f"<{len(positions)}H", *sorted(positions))
    return struct.pack("<IQI", 1681511377, 1, 0) + body


def z85(data):
    data += b"\0" * (-len(data) % 4)
    return base64.b85encode(data).translate(bytes.maketrans(B85, Z85)).decode()


def vector_inline(folder, positions):
    data = bitmap(positions)
    sizes = {"sizeInBytes": len(data), "cardinality": len(positions)}
    return {"storageType": "i", "pathOrInlineDv": z85(data)} | sizes


def vector_file(folder, positions):
    import uuid
    import zlib

    name, data = uuid.UUID(int=2**100 + 12345), bitmap(positions)
    frame = struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data))
    (folder / f"deletion_vector_{name}.bin").write_bytes(b"\x01" + frame)
    sizes = {"offset": 1, "sizeInBytes": len(data), "cardinality": len(positions)}
    return {"storageType": "u", "pathOrInlineDv": z85(name.bytes)} | sizes


@pytest.fixture
def versions(tmp_path):
    """A table of five versions: written, appended to, deleted from, updated, replaced."""
    folder = tmp_path / "source"
    write_deltalake(folder, table())
    write_deltalake(folder, table(100, seed=1), mode="append")
    DeltaTable(folder).delete("id % 7 = 0")
    DeltaTable(folder).update({"a": "a + 100"}, predicate="id % 5 = 1")
    write_deltalake(folder, table(150, seed=2), mode="overwrite")
    return folder


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    write_deltalake(folder, table())
    return folder


@pytest.fixture
def destination(tmp_path, source):
    """A Delta table that holds a result, with an id that is taken along."""
    folder = tmp_path / "out"
    done(source, folder, "--keep", "id", "--destination-format", "delta")
    return folder


class TestReading:
    @pytest.mark.parametrize("version", [0, 1, 2, 3, 4, None])
    def test_a_run_is_of_one_version_and_says_which(self, versions, tmp_path, version):
        out = tmp_path / "out"
        pinned = [] if version is None else ["--version", version]
        record = done(versions, out, "--keep", "id", "--mark-synthetic", "new", *pinned)
        number = 4 if version is None else version
        assert record["source"]["version"] == report(out)["source"]["version"] == number
        original, new = split(pq.read_table(out))
        assert rows(original) == rows(delta(versions, number))
        assert record["rows"] == len(original)
        assert record["synthetic_rows"] == len(new)
        assert_balanced(pq.read_table(out))

    @pytest.mark.parametrize("pinned", [True, False])
    def test_what_is_committed_meanwhile_is_none_of_it(self, source, tmp_path, pinned):
        stop = threading.Event()

        def write():
            seed = 0
            while not stop.is_set():
                seed += 1
                mode = "append" if seed % 3 else "overwrite"
                write_deltalake(source, table(50, seed), mode=mode)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            words = ["--version", 0] if pinned else []
            record = done(
                source, tmp_path / "out", "--keep", "id", "--mark-synthetic", "new", *words
            )
        finally:
            stop.set()
            writer.join()
        version = record["source"]["version"]
        assert version == 0 or not pinned
        assert DeltaTable(source).version() > version
        original = split(pq.read_table(tmp_path / "out"))[0]
        assert rows(original) == rows(delta(source, version))

    @pytest.mark.parametrize("version", [0, 1])
    def test_plan_is_of_one_version(self, versions, version):
        result = invoke(
            "plan",
            versions,
            "--target",
            "y",
            "--version",
            version,
            "--seed",
            0,
            "--json",
            "--quiet",
        )
        assert result.exit_code == 0, result.stderr
        found = json.loads(result.stdout)
        assert dict(found["plan"]["class_counts"]) == dict(counts(delta(versions, version)))

    @pytest.mark.parametrize("vector", [vector_inline, vector_file])
    @pytest.mark.parametrize("gone", [[0], [0, 1, 2, 50, 99], range(1, 100), [*range(0, 100, 10)]])
    def test_rows_of_deletion_vectors_never_come_back(self, tmp_path, vector, gone):
        folder, part = tmp_path / "source", table(100, seed=1)
        adds = [
            add(folder, "0.parquet", table()),
            add(folder, "1.parquet", part, deletionVector=vector(folder, list(gone))),
        ]
        write_log(folder, adds, features=["deletionVectors"])
        done(folder, tmp_path / "out", "--keep", "id", "--mark-synthetic", "new")
        left = part.take([i for i in range(100) if i not in set(gone)])
        original = split(pq.read_table(tmp_path / "out"))[0]
        assert rows(original) == rows(pa.concat_tables([table(), left]))
        assert_balanced(pq.read_table(tmp_path / "out"))

    @pytest.mark.parametrize("size", ["1KiB", "20KiB"])
    def test_deletion_vectors_count_rows_of_the_file_however_it_is_cut(self, tmp_path, size):
        folder, part = tmp_path / "source", table(2000)
        gone = [0, 149, 150, 700, *range(1000, 1100), 1999]
        vector = vector_inline(folder, gone)
        adds = [add(folder, "0.parquet", part, row_group_size=150, deletionVector=vector)]
        write_log(folder, adds, features=["deletionVectors"])
        words = ["--keep", "id", "--mark-synthetic", "new", "--partition-size", size]
        done(folder, tmp_path / "out", *words)
        left = part.take([i for i in range(2000) if i not in set(gone)])
        assert rows(split(pq.read_table(tmp_path / "out"))[0]) == rows(left)

    def test_a_version_has_the_columns_that_it_had(self, source, tmp_path):
        other = table(100, 1, k=cycle(pa.int32(), [1], 100))
        write_deltalake(source, other, mode="overwrite", schema_mode="overwrite")
        for version, expected in enumerate([table(), other]):
            out = tmp_path / str(version)
            done(source, out, "--version", version, "--keep", "id", "--mark-synthetic", "new")
            original = split(pq.read_table(out))[0]
            assert rows(original) == rows(expected)
            assert original.column_names == expected.column_names

    @pytest.mark.parametrize("change", ["delete", "update", "merge", "restore", "optimize"])
    def test_originals_are_the_rows_after_a_change(self, source, tmp_path, change):
        found = DeltaTable(source)
        if change == "merge":
            merge = found.merge(table(20, seed=1), "s.id = t.id + 990", "s", "t")
            merge.when_matched_delete().when_not_matched_insert_all().execute()
        elif change == "optimize":
            write_deltalake(source, table(20, seed=1), mode="append")
            DeltaTable(source).optimize.z_order(["a"])
        else:
            found.update({"b": "-b"}, predicate="a > 0")
            found.delete("id < 30")
        if change == "restore":
            found.restore(1)
        done(source, tmp_path / "out", "--keep", "id", "--mark-synthetic", "new")
        assert rows(split(pq.read_table(tmp_path / "out"))[0]) == rows(delta(source))

    @pytest.mark.parametrize("to", ["parquet", "delta"])
    @pytest.mark.parametrize("kind", VALUES)
    def test_kept_columns_have_their_values_and_the_types_of_the_log(self, tmp_path, kind, to):
        source, out = tmp_path / "source", tmp_path / "out"
        write_deltalake(source, table(k=cycle(*VALUES[kind])))
        keep = ["--keep", "id,k", "--mark-synthetic", "new"]
        done(source, out, *keep, "--destination-format", to)
        found = delta(out) if to == "delta" else pq.read_table(out)
        original, new = split(found)
        assert rows(original) == rows(delta(source))
        assert types(original) == types(delta(source))
        assert set(new["k"].to_pylist()) == {None}
        assert_balanced(found)

    @pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
    @pytest.mark.parametrize("values", [[0.5, float("nan")], [0.5, float("nan"), None]])
    @pytest.mark.parametrize("role", ["feature", "kept"])
    @pytest.mark.parametrize("to", ["parquet", "delta"])
    def test_originals_have_their_nans_where_they_are_kept(self, tmp_path, role, to, values, kind):
        given = table(k=cycle(kind, values))
        pq.write_table(given, tmp_path / "source.parquet")
        words = ["--keep", "id,k" if role == "kept" else "id", "--missing", "keep"]
        words += ["--mark-synthetic", "new", "--destination-format", to]
        done(tmp_path / "source.parquet", tmp_path / "out", *words)
        found = delta(tmp_path / "out") if to == "delta" else pq.read_table(tmp_path / "out")
        if role == "feature":
            given = given.set_column(given.column_names.index("k"), "k", nans_as_nulls(given["k"]))
        original, made = split(found)
        assert rows(original) == rows(given)
        assert role == "feature" or made["k"].null_count == len(made)
        assert str(pd.read_parquet(tmp_path / "out")["k"].dtype) == kind.to_pandas_dtype().__name__

    @pytest.mark.parametrize(("role", "kind"), ROLES)
    @pytest.mark.parametrize("to", ["parquet", "delta"])
    def test_partition_columns_are_columns_like_any_other(self, tmp_path, role, kind, to):
        dtype, values = (FOLDERS | OTHERS)[kind]
        if role == "target":
            values = [values[0]] * 4 + [values[-1]]
        elif not (role == "feature" and kind == "boolean"):
            values = [*values, None]
        source, out = tmp_path / "source", tmp_path / "out"
        write_deltalake(source, table(p=cycle(dtype, values)), partition_by=["p"])
        words = ["--keep", "id,p" if role == "kept" else "id", "--missing", "keep"]
        target = "p" if role == "target" else "y"
        words += ["--target", target, "--mark-synthetic", "new", "--destination-format", to]
        done(source, out, *words)
        found = delta(out) if to == "delta" else pq.read_table(out)
        original, new = split(found)
        assert rows(original) == rows(delta(source))
        assert types(original) == types(delta(source))
        assert_balanced(found, target)
        assert (set(new["p"].to_pylist()) == {None}) == (role == "kept")

    @pytest.mark.parametrize("parts", [(), ("city",)])
    def test_renamed_columns_have_their_new_names(self, tmp_path, parts):
        folder = tmp_path / "source"
        city = cycle(pa.string(), ["a b", "c"])
        names = ["id", "a", "b", "y", "city"]
        fields = [
            field(name, kind, f"col-{name}")
            for name, kind in zip(
                names, ["long", "double", "double", "string", "string"], strict=True
            )
        ]
        whole = table(city=city)
        physical = whole.rename_columns([f"col-{name}" for name in names])
        if parts:
            adds = []
            for value in ("a b", "c"):
                part = physical.filter(pa.compute.equal(city, value)).drop_columns("col-city")
                adds.append(add(folder, f"{value[0]}.parquet", part, {"col-city": value}))
        else:
            adds = [add(folder, "0.parquet", physical)]
        mapping = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "9999"}
        write_log(folder, adds, fields, ["columnMapping"], parts, **mapping)
        done(folder, tmp_path / "out", "--keep", "id", "--mark-synthetic", "new")
        found = pq.read_table(tmp_path / "out")
        assert rows(split(found)[0]) == rows(whole)
        assert found.column_names == [*names, "new"]

    def test_columns_that_came_later_are_null_before(self, source, tmp_path):
        later = table(100, 1, k=cycle(pa.int32(), [1, 2], 100), w=cycle(pa.float64(), [0.5], 100))
        write_deltalake(source, later, mode="append", schema_mode="merge")
        keep = ["--keep", "id,k", "--missing", "keep", "--mark-synthetic", "new"]
        done(source, tmp_path / "out", *keep)
        original = split(pq.read_table(tmp_path / "out"))[0]
        assert rows(original) == rows(delta(source))
        assert types(original) == types(delta(source))
        assert original["k"].null_count == N

    def test_widened_columns_have_the_type_of_the_log(self, tmp_path):
        folder = tmp_path / "source"
        small, large = cycle(pa.int32(), [-1, 5]), cycle(pa.int64(), [2**40], 100)
        adds = [
            add(folder, "0.parquet", table(k=small)),
            add(folder, "1.parquet", table(100, 1, k=large)),
        ]
        change = [{"toType": "long", "fromType": "integer"}]
        fields = [*FIELDS, field("k", "long", **{"delta.typeChanges": change})]
        write_log(folder, adds, fields, ["typeWidening"])
        done(folder, tmp_path / "out", "--keep", "id,k", "--mark-synthetic", "new")
        original = split(pq.read_table(tmp_path / "out"))[0]
        whole = [table(k=small.cast(pa.int64())), table(100, 1, k=large)]
        assert rows(original) == rows(pa.concat_tables(whole))
        assert types(original)["k"] == "int64"

    def test_a_version_behind_a_checkpoint_is_read(self, versions, tmp_path):
        DeltaTable(versions).create_checkpoint()
        for version in range(5):
            (versions / "_delta_log" / f"{version:020}.json").unlink()
        record = done(versions, tmp_path / "out", "--keep", "id", "--mark-synthetic", "new")
        assert record["source"]["version"] == 4
        assert rows(split(pq.read_table(tmp_path / "out"))[0]) == rows(table(150, seed=2))
        refused(3, versions, tmp_path / "other", "--version", 1)

    @pytest.mark.parametrize(
        "words",
        [[], ["--layout", "interleave"], ["--compat", "imbalanced-learn", "--threshold", 0]],
    )
    def test_delta_and_parquet_of_the_same_rows_give_the_same(self, source, tmp_path, words):
        pq.write_table(table(), tmp_path / "plain.parquet")
        keep = [] if "--compat" in words else ["--keep", "id"]
        found = []
        for name in ("source", "plain.parquet"):
            for to in ("delta", "parquet"):
                out = tmp_path / f"{name}-{to}"
                common = ["--mark-synthetic", "new", "--destination-format", to]
                done(tmp_path / name, out, *common, *keep, *words)
                found.append(delta(out) if to == "delta" else pq.read_table(out))
        lists = [each.to_pylist() for each in found]
        assert all(each == lists[0] for each in lists[1:])
        assert all(types(each) == types(found[0]) for each in found)


@FEW
@given(
    sizes=st.lists(st.integers(20, 150), min_size=1, max_size=3),
    parts=st.sampled_from([[], ["p"], ["p", "q"]]),
    deleted=st.integers(0, 3),
    layout=st.sampled_from(["append", "interleave"]),
    to=st.sampled_from(["parquet", "delta"]),
    into_parts=st.booleans(),
)
def test_originals_are_all_rows_of_the_source_and_classes_balance(
    sizes, parts, deleted, layout, to, into_parts
):
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        for seed, n in enumerate(sizes):
            p, q = cycle(pa.int64(), [-1, 2, 3], n), cycle(pa.string(), ["s t", "u", None], n)
            part = table(n, seed, p=p, q=q)
            write_deltalake(source, part, mode="append", partition_by=parts or None)
        if deleted:
            DeltaTable(source).delete(f"id % 7 < {deleted}")
        words = ["--keep", "id,q", "--mark-synthetic", "new", "--layout", layout]
        words += ["--destination-format", to]
        words += ["--partition-by", "p"] if into_parts else []
        record = done(source, out, *words)
        found = delta(out) if to == "delta" else pq.read_table(out)
        if into_parts and to == "parquet":
            found = hive(out, p=pa.int64())
        original, new = split(found)
        assert rows(original) == rows(delta(source))
        assert types(original) == types(delta(source))
        assert_balanced(found)
        assert record["synthetic_rows"] == len(new)
        assert set(counts(new)) == {"z"}


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


def is_of(name, part):
    return name == part or name.startswith(f"{part}.")


def flat(found, prefix=""):
    if not isinstance(found, dict):
        return {prefix.rstrip("."): found}
    return {
        name: value
        for key, inner in found.items()
        for name, value in flat(inner, f"{prefix}{key}.").items()
    }


def line_of_report(result, codes=(3, 5)):
    assert result.exit_code in codes, result.stderr
    (line,) = result.stderr.strip().splitlines()
    return line


DIES = """
import os, signal, sys
import deltalake, deltalake.transaction

def die(*words, **more):
    os.kill(os.getpid(), signal.SIGKILL)

deltalake.DeltaTable.create_write_transaction = die
deltalake.transaction.create_table_with_add_actions = die
from dask_kmsmote.cli import cli
cli()
"""
LACKS = """
import sys
sys.modules["deltalake"] = None
from dask_kmsmote.cli import cli
half = len(sys.argv) // 2 + 1
for words in (sys.argv[1:half], sys.argv[half:]):
    try:
        cli(words)
    except SystemExit as end:
        print(end.code)
"""


def outside(program, *jobs):
    """Jobs in a process of their own, after a program has had its way."""
    command = [sys.executable, "-c", program]
    for job in jobs:
        command += ["resample", *map(str, job), "--target", "y", "--seed", "0", "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def before_commit(monkeypatch, act):
    """Do something once, as late as a commit to a table that is there."""
    real, left = DeltaTable.create_write_transaction, [act]

    def commit(self, *words, **more):
        if left:
            left.pop()()
        return real(self, *words, **more)

    monkeypatch.setattr(DeltaTable, "create_write_transaction", commit)
    return left


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


def vacuum(folder):
    DeltaTable(folder).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)


def break_log(folder, how):
    log = folder / "_delta_log"
    first, second = log / f"{0:020}.json", log / f"{1:020}.json"
    if how == "cut":
        second.write_bytes(second.read_bytes()[:-40])
    elif how == "no JSON":
        second.write_text("nothing\n")
    elif how == "zeros":
        second.write_bytes(b"\0" * 100)
    elif how == "a version is gone":
        second.unlink()
    elif how == "the first is gone":
        first.unlink()
    elif how == "no metadata":
        lines = [line for line in first.read_text().splitlines() if "metaData" not in line]
        first.write_text("\n".join(lines))
    elif how == "schema":
        first.write_text(first.read_text().replace("double", "dubble"))
    else:
        for path in log.iterdir():
            path.unlink()


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


def hive(folder, **columns):
    """A result in folders, with the types that these are to have."""
    partitioning = ds.HivePartitioning(pa.schema(columns), null_fallback=NULL)
    inside = pa.unify_schemas([pq.read_schema(path) for path in Path(folder).rglob("*.parquet")])
    schema = pa.schema([*inside, *pa.schema(columns)])
    return ds.dataset(folder, schema, partitioning=partitioning).to_table()


class TestFolders:
    @pytest.mark.parametrize(
        ("role", "kind"), [each for each in ROLES if each[1] in FOLDERS and each[0] != "target"]
    )
    @pytest.mark.parametrize("to", ["parquet", "delta"])
    def test_values_and_types_come_back(self, tmp_path, kind, role, to):
        dtype, values = FOLDERS[kind]
        given = table(p=cycle(dtype, [*values, None] if role == "kept" else values))
        pq.write_table(given, tmp_path / "source.parquet")
        words = ["--keep", "id,p" if role == "kept" else "id"]
        fixed = ["--partition-by", "p", "--mark-synthetic", "new", "--destination-format", to]
        done(tmp_path / "source.parquet", tmp_path / "out", *words, *fixed)
        found = delta(tmp_path / "out") if to == "delta" else hive(tmp_path / "out", p=dtype)
        original, new = split(found)
        assert rows(original) == rows(given)
        assert types(original) == types(given)
        assert_balanced(found)
        folders = {path.parent.name for path in (tmp_path / "out").rglob("*.parquet")}
        assert (f"p={NULL}" in folders) == (role == "kept")
        assert set(new["p"].to_pylist()) <= (
            {None} if role == "kept" else {*range(-300, 301), *values}
        )
        again = ["--keep", "id,p,new", "--mark-synthetic", "newer", "--strategy", '{"z": 200}']
        done(tmp_path / "out", tmp_path / "again", *again)
        reread = split(pq.read_table(tmp_path / "again"), "newer")[0]
        assert rows(reread) == rows(found)
        assert types(reread)["p"] == str(dtype)

    @pytest.mark.parametrize("to", ["parquet", "delta"])
    def test_the_target_and_several_columns_name_folders(self, tmp_path, to):
        given = table(p=cycle(pa.int64(), [-1, 2]), q=cycle(pa.date32(), [date(2026, 1, 1), None]))
        pq.write_table(given, tmp_path / "source.parquet")
        out = tmp_path / "out"
        words = ["--keep", "id,q", "--partition-by", "y,p,q", "--mark-synthetic", "new"]
        done(tmp_path / "source.parquet", out, *words, "--destination-format", to)
        columns = {"y": pa.string(), "p": pa.int64(), "q": pa.date32()}
        found = delta(out) if to == "delta" else hive(out, **columns)
        assert rows(split(found)[0]) == rows(given)
        assert_balanced(found)
        names = [path.relative_to(out).parts[:-1] for path in out.rglob("*.parquet")]
        assert {
            tuple(part.partition("=")[0] for part in parts) for parts in names if len(parts)
        } == {("y", "p", "q")}
        done(out, tmp_path / "again", "--keep", "id,q,new", "--mark-synthetic", "newer")
        assert rows(split(pq.read_table(tmp_path / "again"), "newer")[0]) == rows(found)

    def test_the_values_of_folders_are_escaped_as_said(self, tmp_path):
        day, city = cycle(pa.date32(), [date(2026, 1, 1)]), cycle(pa.string(), ["a b"])
        pq.write_table(table(day=day, city=city), tmp_path / "source.parquet")
        words = ["--keep", "id,day", "--partition-by", "day,city"]
        done(tmp_path / "source.parquet", tmp_path / "out", *words)
        folders = {
            str(path.parent.relative_to(tmp_path / "out"))
            for path in (tmp_path / "out").rglob("*.parquet")
        }
        assert folders == {"day=2026-01-01/city=a%20b", f"day={NULL}/city=a%20b"}

    @pytest.mark.parametrize("ordered", [True, False])
    def test_categories_name_folders_where_they_are_unordered(self, tmp_path, ordered):
        text = pd.Categorical(["a b", "c", "c", "d"] * (N // 4), ordered=ordered)
        table().to_pandas().assign(p=text).to_parquet(tmp_path / "source.parquet")
        words = [
            tmp_path / "source.parquet",
            tmp_path / "out",
            "--keep",
            "id",
            "--partition-by",
            "p",
        ]
        if ordered:
            assert "'p'" in refused(3, *words)
            return
        done(*words, "--mark-synthetic", "new")
        original = split(hive(tmp_path / "out", p=pa.string()))[0]
        assert rows(original) == rows(table(p=list(text)))
        done(tmp_path / "out", tmp_path / "again", "--keep", "id,new")
        assert isinstance(
            pq.read_table(tmp_path / "again").to_pandas()["p"].dtype, pd.CategoricalDtype
        )

    @pytest.mark.parametrize(
        "given",
        [
            cycle(pa.float64(), [0.5]),
            cycle(UTC_TIME, [datetime(2026, 1, 1, tzinfo=UTC)]),
            cycle(pa.decimal128(5, 2), [Decimal("1.00")]),
            cycle(pa.binary(), [b"a"]),
            cycle(pa.list_(pa.int64()), [[1]]),
        ],
        ids=str,
    )
    def test_columns_that_name_no_folders_are_refused(self, tmp_path, given):
        pq.write_table(table(part=given), tmp_path / "source.parquet")
        words = ["--keep", "id,part", "--partition-by", "part"]
        assert "part" in refused(3, tmp_path / "source.parquet", tmp_path / "out", *words)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("to", ["parquet", "delta"])
    @pytest.mark.parametrize("what", ["empty text", "too many"])
    def test_folders_that_can_not_be_are_refused(self, tmp_path, to, what):
        n = N if what == "empty text" else 10_001
        given = cycle(pa.string(), ["", "u"]) if what == "empty text" else np.arange(n)
        pq.write_table(table(n, part=given), tmp_path / "source.parquet")
        words = ["--keep", "id,part", "--partition-by", "part", "--destination-format", to]
        assert "part" in refused(3, tmp_path / "source.parquet", tmp_path / "out", *words)
        assert not files_in(tmp_path / "out")

    @pytest.mark.parametrize("name", ["nothing", "id"])
    def test_columns_that_are_not_in_the_result_are_refused(self, source, tmp_path, name):
        result = resample(source, tmp_path / "out", "--drop", "id", "--partition-by", name)
        assert result.exit_code in {2, 3}, result.stderr
        assert name in result.stderr
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("role", ["feature", "kept", "target"])
    @pytest.mark.parametrize(
        ("values", "dtype"), [(["-1", "2"], "int64"), (["a%20b", "c%2Fd"], "string")]
    )
    def test_folders_of_others_are_columns_of_whole_numbers_or_text(
        self, tmp_path, role, values, dtype
    ):
        for i, value in enumerate(values):
            (tmp_path / "source" / f"p={value}").mkdir(parents=True)
            part = table(N if i else N // 2, seed=i)
            pq.write_table(part, tmp_path / "source" / f"p={value}" / "0.parquet")
        words = ["--keep", "id,p" if role == "kept" else "id", "--mark-synthetic", "new"]
        target = ["--target", "p"] if role == "target" else []
        done(tmp_path / "source", tmp_path / "out", *words, *target)
        original = split(pq.read_table(tmp_path / "out"))[0]
        number = {"int64": int, "string": unquote}[dtype]
        expected = [
            table(N if i else N // 2, i, p=[number(value)] * (N if i else N // 2))
            for i, value in enumerate(values)
        ]
        assert rows(original) == rows(pa.concat_tables(expected))
        assert_balanced(pq.read_table(tmp_path / "out"), "p" if target else "y")


ANY_SIGN = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@FEW
@given(
    texts=st.lists(st.text(ANY_SIGN, min_size=1, max_size=12), min_size=1, max_size=5, unique=True),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4, unique=True),
    to=st.sampled_from(["parquet", "delta"]),
)
def test_any_text_and_whole_number_names_folders_and_comes_back(texts, numbers, to):
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source.parquet"), Path(folder, "out")
        given = table(p=cycle(pa.string(), [*texts, None]), q=cycle(pa.int64(), numbers))
        pq.write_table(given, source)
        words = ["--keep", "id,p,q", "--partition-by", "p,q", "--mark-synthetic", "new"]
        done(source, out, *words, "--destination-format", to)
        found = delta(out) if to == "delta" else hive(out, p=pa.string(), q=pa.int64())
        assert rows(split(found)[0]) == rows(given)
        done(out, Path(folder, "again"), "--keep", "id,p,q,new", "--strategy", '{"z": 200}')
        again = pq.read_table(Path(folder, "again"))
        assert rows(again.slice(0, len(found))) == rows(found)


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
