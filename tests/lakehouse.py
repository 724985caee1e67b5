"""Tables as companies keep them, and commands on them, from outside: what goes in and comes out."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake
from hypothesis import Phase, settings

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


def hive(folder, **columns):
    """A result in folders, with the types that these are to have."""
    partitioning = ds.HivePartitioning(pa.schema(columns), null_fallback=NULL)
    inside = pa.unify_schemas([pq.read_schema(path) for path in Path(folder).rglob("*.parquet")])
    schema = pa.schema([*inside, *pa.schema(columns)])
    return ds.dataset(folder, schema, partitioning=partitioning).to_table()


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
