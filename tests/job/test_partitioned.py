"""Results in folders: every reader has the rows of a flat one, and a job has their types."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
import tempfile
from collections import Counter
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from partitions import PLAINLY, READERS, N, in_turn, resample, rows_of, run, table

from dask_kmsmote.cli import cli
from dask_kmsmote.job.storage import splitting
from dask_kmsmote.job.storage.folders import NO_VALUE
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest, require_manifest
from dask_kmsmote.job.storage.parquet import open_parquet
from dask_kmsmote.job.storage.source import open_source

WHOLE = {
    f"{sign}int{bits}": st.integers(
        *((0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    )
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
WORDS = st.sampled_from(
    [
        "01",
        "a b",
        "a%20b",
        "a+b",
        "ü",
        "x/y=z",
        "日本",
        "nan",
        "NULL",
        "null",
        "None",
        "NaN",
        "true",
        ".",
        "..",
        "-0",
        " ",
        "A",
        "a",
    ]
)
TEXT = WORDS | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
DAYS = st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1))
TIMES = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001
KINDS = {
    **{name: (getattr(pa, name)(), values) for name, values in WHOLE.items()},
    "text": (pa.string(), TEXT),
    "large text": (pa.large_string(), TEXT),
    "boolean": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), DAYS),
    "us": (pa.timestamp("us"), TIMES),
    "ns": (pa.timestamp("ns"), TIMES),
    "category": (pa.dictionary(pa.int32(), pa.string()), TEXT),
    "category of numbers": (pa.dictionary(pa.int32(), pa.int64()), WHOLE["int64"]),
}


@st.composite
def columns(draw):
    kind, values = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    some = draw(st.lists(values | st.none(), min_size=1, max_size=4).filter(any_value))
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    return (
        pa.array(some, value_type).cast(kind)
        if kind == value_type
        else pa.array(some, value_type).dictionary_encode()
    )


def any_value(values):
    return any(value is not None for value in values)


@settings(max_examples=25, deadline=None)
@given(
    columns(),
    columns(),
    st.sampled_from(
        [["p"], ["q", "p"], ["made", "p"], ["label"], ["p", "label"], ["q", "made", "p", "label"]]
    ),
    st.sampled_from(["append", "interleave"]),
    st.sampled_from(["1KiB", "64MiB"]),
    st.booleans(),
)
def test_every_reader_has_the_rows_of_a_flat_result(p, q, names, layout, size, only):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pq.write_table(table(p=p, q=q), place / "in.parquet")
        options = ["--keep", "id,p,q", "--mark-synthetic", "made", "--layout", layout]
        options += ["--partition-size", size, *(["--only-synthetic"] if only else [])]
        resample(place / "in.parquet", place / "flat", *options)
        resample(place / "in.parquet", place / "out", *options, "--partition-by", ",".join(names))
        flat = pq.read_table(place / "flat")
        assert flat.num_rows
        for name, read in READERS.items():
            found = read(str(place / "out"), names)
            assert rows_of(found, names) == rows_of(flat, names), name


def test_readers_that_guess_the_types_of_folders(tmp_path):
    pq.write_table(table(), tmp_path / "in.parquet")
    options = ["--drop", "id", "--mark-synthetic", "made", "--partition-size", "1KiB"]
    resample(tmp_path / "in.parquet", tmp_path / "flat", *options)
    resample(tmp_path / "in.parquet", tmp_path / "out", *options, "--partition-by", "made,label")
    flat = Counter(map(str, pd.read_parquet(tmp_path / "flat")["label"]))
    for name, read_plainly in PLAINLY.items():
        found = read_plainly(str(tmp_path / "out"))
        assert Counter(map(str, found["label"])) == flat, name
        assert found.groupby("label", observed=True)["x0"].sum().to_dict() == pytest.approx(
            pd.read_parquet(tmp_path / "flat").groupby("label")["x0"].sum().to_dict()
        ), name
        assert {str(value).lower() for value in found["made"]} == {"true", "false"}, name


def folders_in(place):
    """Folders that have files, by their paths."""
    return {path.parent.relative_to(place).as_posix() for path in place.rglob("*.parquet")}


def read(place):
    """The table that a job reads, and its schema."""
    files = open_parquet(open_source(Location(str(place))), 2**26)
    found = files.typed(files.names)
    parts = dask.compute(*found.frame.to_delayed(), scheduler="synchronous")
    tables = [pa.Table.from_pandas(part, found.schema, preserve_index=False) for part in parts]
    return pa.concat_tables(tables)


VALUES = {
    **{
        name: [0, 2**bits - 1, None] if name[0] == "u" else [-(2 ** (bits - 1)), 1, None]
        for name in WHOLE
        for bits in [int(name.partition("int")[2])]
    },
    "text": ["01", "1", "a%20b", None],
    "large text": ["01", "true", "2026-01-01", None],
    "boolean": [True, False, None],
    "date": [dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
    "us": [dt.datetime(1, 1, 1), dt.datetime(2026, 1, 1, 12, 0, 0, 1), None],  # noqa: DTZ001
    "ns": [dt.datetime(1969, 12, 31, 23, 59, 59, 999999), None],  # noqa: DTZ001
    "category": ["01", "b", None],
    "category of numbers": [1, 2**60 + 1, None],
}


@pytest.mark.parametrize("with_nulls", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_a_result_has_the_types_of_its_source(tmp_path, name, with_nulls):
    kind, values = KINDS[name][0], VALUES[name] if with_nulls else VALUES[name][:-1]
    pq.write_table(table(p=of_type(values, kind)), tmp_path / "in.parquet")
    # Parquet has categories of text alone
    given_table = pq.read_table(tmp_path / "in.parquet")
    kind = given_table.schema.field("p").type
    keep = ["--keep", "id,p", "--partition-by", "p"]
    resample(tmp_path / "in.parquet", tmp_path / "out", *keep)
    found = read(tmp_path / "out")
    assert found.schema.field("p").type == kind
    originals = found.filter(found["id"].is_valid()).sort_by("id")
    assert originals["p"].to_pylist() == given_table["p"].to_pylist()
    assert found["p"].null_count == given_table["p"].null_count + len(found) - N
    # and the next one, made of it, that of the first
    resample(tmp_path / "out", tmp_path / "again", *keep)
    assert read(tmp_path / "again").schema.field("p").type == kind
    assert folders_in(tmp_path / "again") == folders_in(tmp_path / "out")


FEATURES = {
    "int32": [1, 2, 40],
    "uint8": [0, 255],
    "boolean": [True, False],
    "text": ["01", "a b", "ü"],
    "category": ["01", "a b", "ü"],
}


@pytest.mark.parametrize("target", ["label", "p"])
@pytest.mark.parametrize("name", FEATURES)
def test_features_and_targets_name_folders(tmp_path, name, target):
    kind = KINDS[name][0]
    # twice as many of the first
    values = FEATURES[name][:1] + FEATURES[name]
    pq.write_table(table(p=of_type(values, kind)), tmp_path / "in.parquet")
    options = ["--drop", "id", "--layout", "interleave"]
    resample(tmp_path / "in.parquet", tmp_path / "flat", *options, target=target)
    how = ["--partition-by", "p", "--partition-size", "1KiB"]
    resample(tmp_path / "in.parquet", tmp_path / "out", *options, *how, target=target)
    flat, found = pq.read_table(tmp_path / "flat"), read(tmp_path / "out")
    assert len(flat) > N
    assert flat.schema.field("p").type == found.schema.field("p").type == kind
    for reader in [lambda *_: found, *READERS.values()]:
        assert rows_of(reader(str(tmp_path / "out"), ["p"]), ["p"]) == rows_of(flat, ["p"])
    # a folder has the values that it names alone, and files none of them
    assert "p" not in pq.read_schema(next((tmp_path / "out").rglob("*.parquet"))).names


HIVE = {
    "leading zeros": ["p=01", "p=02", "p=1"],
    "numbers": ["p=1", "p=-2", "p=10"],
    "signs": ["p=a%20b", "p=a%2520b", "p=x%2Fy%3Dz", "p=%2B1"],
    "others": ["p=ü", "p=日本", "p=a"],
    "null": ["p=a", f"p={NO_VALUE}"],
    "days": ["p=2026-01-01", "p=2026-01-02"],
    "two": ["p=01/q=1", "p=01/q=2", "p=a%20b/q=1"],
}


@pytest.mark.parametrize("part", ["keep", "feature", "target"])
@pytest.mark.parametrize("name", HIVE)
def test_folders_of_a_source_come_out_as_they_are(tmp_path, name, part):
    whole = table()
    for number, folder in enumerate(HIVE[name]):
        (tmp_path / "in" / folder).mkdir(parents=True)
        rows = whole.take(pa.array(np.arange(number, N, len(HIVE[name]))))
        pq.write_table(rows, tmp_path / "in" / folder / "0.parquet")
    names = [own.partition("=")[0] for own in HIVE[name][0].split("/")]
    kept = ["--keep", f"id,{','.join(names)}"] if part == "keep" else ["--keep", "id"]
    by = ["--partition-by", ",".join(names), "--missing", "keep"]
    if part == "target" and name == "null":
        return  # a class is never missing
    target = "p" if part == "target" else "label"
    resample(tmp_path / "in", tmp_path / "out", *kept, *by, target=target)
    made = {f for f in folders_in(tmp_path / "out") if part != "keep" or NO_VALUE not in f}
    wanted = set(HIVE[name])
    if part == "keep":
        wanted -= {f"p={NO_VALUE}"}
    if name == "two" and part != "keep":
        # a class, or a row between two, may be in a folder of its own
        assert wanted <= made
    else:
        assert made == wanted
    if part == "keep":
        found, given_rows = read(tmp_path / "out"), read(tmp_path / "in")
        assert found.schema.field("p").type == given_rows.schema.field("p").type
        originals = found.filter(found["id"].is_valid())
        assert rows_of(originals, names) == rows_of(given_rows, names)


@pytest.mark.parametrize("cluster", [[], ["--workers", "1"]], ids=["threads", "cluster"])
def test_text_in_folders(tmp_path, cluster):
    words = pa.array(["007", "a b", "2026-01-01"])
    table(p=words).to_pandas().to_csv(tmp_path / "in.csv", index=False)
    by = ["--keep", "id,p", "--partition-by", "p"]
    resample(tmp_path / "in.csv", tmp_path / "out", *by, *cluster)
    folders = {"p=007", "p=a%20b", "p=2026-01-01", f"p={NO_VALUE}"}
    assert folders_in(tmp_path / "out") == folders
    found = read(tmp_path / "out")
    assert found.schema.field("p").type == pa.string()
    assert found.filter(found["id"].is_valid()).num_rows == N
    # types of text are known when all of it is read
    refused = run(tmp_path / "in.csv", tmp_path / "no", "--drop", "id", "--partition-by", "x0")
    assert (refused.exit_code, "'x0' is double" in refused.stderr) == (3, True)


def test_arrays_have_no_folders(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "in.zarr", mode="w")
    group["X"], group["label"] = np.ones((10, 2)), np.arange(10) % 5 == 0
    refused = run(tmp_path / "in.zarr", tmp_path / "out.zarr", "--partition-by", "label")
    assert (refused.exit_code, "has no columns to" in refused.stderr) == (2, True), refused.output


def test_one_folder_of_a_result_is_a_source_of_its_own(tmp_path):
    # whose values nothing notes
    pq.write_table(table(p=pa.array([1, 2])), tmp_path / "in.parquet")
    resample(tmp_path / "in.parquet", tmp_path / "out", "--partition-by", "p", "--drop", "id")
    resample(tmp_path / "out" / "p=1", tmp_path / "again")
    assert pq.read_table(tmp_path / "again").column_names == ["x0", "x1", "label"]


def test_folders_on_a_store(tmp_path, bucket):
    values = ["01", "a b", "a%20b", "a+b", "ü", "x/y=z", "日本", "?#&", None]
    pq.write_table(table(p=pa.array(values)), tmp_path / "in.parquet")
    options = ["--keep", "id,p", "--partition-by", "label,p", "--partition-size", "1KiB"]
    resample(tmp_path / "in.parquet", f"{bucket}/out", *options)
    resample(tmp_path / "in.parquet", tmp_path / "flat", *options[:2])
    flat, names = pq.read_table(tmp_path / "flat"), ["label", "p"]
    for reader in (READERS["pandas"], READERS["dask"], lambda place, _: read(place)):
        assert rows_of(reader(f"{bucket}/out", names), names) == rows_of(flat, names)
    # and back, with folders as a source
    resample(f"{bucket}/out", f"{bucket}/again", *options)
    assert {path.rpartition("/")[0] for path in Location(f"{bucket}/again").files()} == {
        path.rpartition("/")[0] for path in Location(f"{bucket}/out").files()
    }


def test_results_side_by_side_are_no_result(tmp_path):
    pq.write_table(table(), tmp_path / "in.parquet")
    for day in ("day=2026-01-01", "day=2026-01-02"):
        resample(tmp_path / "in.parquet", tmp_path / "all" / day, "--drop", "id")
    assert read_manifest(Location(str(tmp_path / "all"))) is None
    refused = run(tmp_path / "in.parquet", tmp_path / "all", "--overwrite", "--drop", "id")
    assert "is no result of" in refused.stderr
    both = read(tmp_path / "all")
    assert len(both) == 2 * len(pq.read_table(tmp_path / "all" / "day=2026-01-01"))
    # as do folders of results that are in folders themselves
    by = ["--partition-by", "label", "--drop", "id"]
    for day in ("day=2026-01-03", "day=2026-01-04"):
        resample(tmp_path / "in.parquet", tmp_path / "deep" / day, *by)
    assert read_manifest(Location(str(tmp_path / "deep"))) is None
    assert set(read(tmp_path / "deep").column_names) == {"x0", "x1", "label", "day"}


def of_type(values, kind):
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)


FLAT, BY_LABEL, BY_MARK = [], ["--partition-by", "label"], ["--partition-by", "made,label"]


@pytest.mark.parametrize(
    ("first", "second"),
    [(FLAT, BY_LABEL), (BY_LABEL, FLAT), (BY_LABEL, BY_MARK), (BY_MARK, BY_LABEL)],
    ids=["flat, label", "label, flat", "label, mark", "mark, label"],
)
def test_one_result_replaces_another(tmp_path, place, first, second):
    pq.write_table(table(), tmp_path / "in.parquet")
    common = ["--drop", "id", "--mark-synthetic", "made"]
    resample(tmp_path / "in.parquet", f"{place}/out", *common, *first)
    refused = run(tmp_path / "in.parquet", f"{place}/out", *common, *second)
    assert (refused.exit_code, "exists already, finished" in refused.stderr) == (5, True)
    resample(tmp_path / "in.parquet", f"{place}/out", *common, *second, "--overwrite")
    at = Location(f"{place}/out")
    manifest = require_manifest(at)
    assert set(at.files()) == {file["path"] for file in manifest["files"]}
    assert manifest["columns"]["partition_by"] == (second[1].split(",") if second else [])
    found = read(f"{place}/out")
    assert len(found) == manifest["rows"] + manifest["synthetic_rows"]
    assert set(found.column_names) == {"x0", "x1", "label", "made"}
    assert sum(found["made"].to_pylist()) == manifest["synthetic_rows"]
    # what others put there is not lost
    folder = max(at.files()).rpartition("/")[0]
    at.fs.pipe_file(at.path_of(f"{folder}/notes.parquet"), b"mine")
    refused = run(tmp_path / "in.parquet", f"{place}/out", *common, *second, "--overwrite")
    assert (refused.exit_code, "notes.parquet" in refused.stderr) == (5, True)
    assert at.fs.cat_file(at.path_of(f"{folder}/notes.parquet")) == b"mine"


REFUSED = {
    "double": (pa.array([1.5, 2]), "'p' is double"),
    "decimal": (pa.array([decimal.Decimal("1.5")]), "'p' is decimal128(2, 1)"),
    "binary": (pa.array([b"a"]), "'p' is binary"),
    "list": (pa.array([[1]]), "'p' is list<"),
    "struct": (pa.array([{"a": 1}]), "'p' is struct<a: int64>"),
    "zoned": (pa.array([1], pa.timestamp("us", "UTC")), "'p' is timestamp[us, tz=UTC]"),
    "time": (pa.array([1], pa.time64("us")), "'p' is time64[us]"),
    "ordered": (
        pa.DictionaryArray.from_arrays([0, 1], ["a", "b"], ordered=True),
        "'p' is dictionary<values=string, indices=int32, ordered=1>",
    ),
    "category of doubles": (pa.array([1.5]).dictionary_encode(), "'p' is double"),
    "nothing": (pa.nulls(1), "'p' is null"),
}


@pytest.mark.parametrize("others", ["", "label,"])
@pytest.mark.parametrize("name", REFUSED)
def test_types_that_can_not_name_folders(tmp_path, name, others):
    values, words = REFUSED[name]
    pq.write_table(table(p=values), tmp_path / "in.parquet")
    options = ["--keep", "p,id", "--partition-by", f"{others}p"]
    # nothing listens there: it would be told first
    nowhere = ["--scheduler", "tcp://127.0.0.1:9"]
    done = run(tmp_path / "in.parquet", tmp_path / "out", *options, *nowhere)
    assert (done.exit_code, words in done.stderr) == (3, True), done.output
    mend = "Say --partition-by label." if others else "Leave out --partition-by."
    assert mend in done.stderr
    resample(
        tmp_path / "in.parquet",
        tmp_path / "out",
        *options[:2],
        *(["--partition-by", "label"] if others else []),
    )


@pytest.mark.parametrize(
    ("options", "words", "mend"),
    [
        (["--partition-by", "q"], "no column 'q' (--partition-by)", []),
        (["--partition-by", "lable"], "Did you mean 'label'?", []),
        (["--partition-by", "p", "--drop", "p"], "--keep id,p", []),
        (["--partition-by", "label,label"], "say", ["--partition-by", "label"]),
        (
            ["--partition-by", "made"],
            "no column 'made'",
            ["--partition-by", "made", "--mark-synthetic", "made"],
        ),
        (
            ["--features", "n", "--partition-by", "n,label,id"],
            "none is left",
            ["--features", "n", "--partition-by", "n,label"],
        ),
    ],
)  # fmt: skip
def test_columns_that_can_not_name_folders(tmp_path, options, words, mend):
    pq.write_table(table(p=pa.array(["a"]), n=pa.array([1, 2])), tmp_path / "in.parquet")
    done = run(tmp_path / "in.parquet", tmp_path / "out", "--keep", "id", *options)
    assert done.exit_code in (2, 3), done.output
    assert words in done.stderr or " ".join(mend) in done.stderr
    assert not (tmp_path / "out").exists()
    if mend:
        resample(tmp_path / "in.parquet", tmp_path / "out", "--keep", "id", *mend)


@pytest.mark.parametrize("name", ["_hidden", ".hidden", "a=b", "a/b", "a%20b", "a*", "a,b"])
def test_names_that_can_not_name_folders(tmp_path, name):
    given_table = table(p=pa.array([1, 2])).rename_columns(["id", "x0", "x1", "label", name])
    pq.write_table(given_table, tmp_path / "in.parquet")
    by = ["--drop", "id", "--partition-by", f'"{name}"' if "," in name else name]
    done = run(tmp_path / "in.parquet", tmp_path / "out", *by)
    assert (done.exit_code, repr(name) in done.stderr) == (3, True), done.output
    assert "Leave out --partition-by." in done.stderr


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize(
    ("value", "words"),
    [("", "has the text ''"), (NO_VALUE, f"has the text {NO_VALUE!r}"), ("ü" * 200, "402 bytes")],
)
def test_texts_that_can_not_name_folders(tmp_path, value, words, kind):
    pq.write_table(table(p=of_type(["a", value], kind)), tmp_path / "in.parquet")
    options = ["--keep", "p,id", "--partition-by", "label,p"]
    done = run(tmp_path / "in.parquet", tmp_path / "out", *options)
    assert (done.exit_code, words in done.stderr) == (3, True), done.output
    assert list(tmp_path.iterdir()) == [tmp_path / "in.parquet"]


@pytest.mark.parametrize("size", ["1KiB", "64MiB"])
def test_too_many_folders(tmp_path, monkeypatch, size):
    monkeypatch.setattr(splitting, "MOST_FOLDERS", 100)
    pq.write_table(table(), tmp_path / "in.parquet")
    options = ["--keep", "id", "--partition-by", "id", "--partition-size", size]
    done = run(tmp_path / "in.parquet", tmp_path / "out", *options)
    assert done.exit_code == 3, done.output
    assert re.search("--partition-by id makes 12[01] folders", done.stderr)
    assert list(tmp_path.iterdir()) == [tmp_path / "in.parquet"]


AGREE = {
    "numbers": (pa.int64(), ["1", "2"], [1, 2]),
    "leading zeros": (pa.string(), ["01", "02"], ["01", "02"]),
    "days": (pa.date32(), ["2026-01-01", "2026-01-02"], [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]),
    "category": (pa.dictionary(pa.int32(), pa.string()), ["a%20b", "c"], ["a b", "c"]),
    "null": (pa.string(), ["a", NO_VALUE], ["a", None]),
    "doubles": (pa.float64(), ["1.5", "2.0"], [1.5, 2]),
}


def write_both(place, folders, values, kind):
    """A source whose column is in the files, and named by folders as well."""
    for number, (folder, value) in enumerate(zip(folders, values, strict=True)):
        (place / f"p={folder}").mkdir(parents=True)
        rows = table().take(pa.array(np.arange(number, N, 2)))
        own = in_turn(of_type(value if isinstance(value, list) else [value], kind))
        rows = rows.append_column("p", own.slice(0, len(rows)))
        pq.write_table(rows, place / f"p={folder}" / "0.parquet")


@pytest.mark.parametrize("name", AGREE)
def test_a_column_in_files_and_folders(tmp_path, name):
    kind, folders, values = AGREE[name]
    write_both(tmp_path / "in", folders, values, kind)
    resample(tmp_path / "in", tmp_path / "out", "--keep", "id,p")
    result = pq.read_table(tmp_path / "out")
    assert result.schema.field("p").type == kind
    assert rows_of(result.slice(0, N).select(["p"]), []) == rows_of(
        pa.table({"p": values * (N // 2)}), []
    )


DIFFER = {
    "numbers": (pa.int64(), ["1", "2"], [1, 3]),
    "one row": (pa.int64(), ["1", "2"], [1, [2, 2, 2, 3]]),
    "a missing value": (pa.int64(), ["1", "2"], [1, [2, None]]),
    "text": (pa.string(), ["a", "b"], ["b", "a"]),
    "zeros": (pa.string(), ["1", "2"], ["01", "2"]),
    "no number": (pa.int64(), ["a", "b"], [1, 2]),
    "category": (pa.dictionary(pa.int32(), pa.string()), ["a", "b"], ["a", "c"]),
    "null": (pa.string(), ["a", NO_VALUE], ["a", "b"]),
    "list": (pa.list_(pa.int64()), ["1", "2"], [[[1]], [[2]]]),
}


@pytest.mark.parametrize("name", DIFFER)
def test_a_column_that_differs_in_files_and_folders(tmp_path, name):
    kind, folders, values = DIFFER[name]
    write_both(tmp_path / "in", folders, values, kind)
    done = run(tmp_path / "in", tmp_path / "out", "--keep", "id,p")
    assert (done.exit_code, "'p'" in done.stderr, "--drop p" in done.stderr) == (3, True, True)
    assert "other values than its folder" in done.stderr
    # which does what it says
    resample(tmp_path / "in", tmp_path / "out", "--keep", "id", "--drop", "p")


def test_two_reports_have_all_that_changed(tmp_path):
    pq.write_table(table(p=pa.array(["a", "b"])), tmp_path / "in.parquet")
    command = ["report", "--json", str(tmp_path / "out")]
    reports = []
    for options in (
        [],
        ["--layout", "interleave"],
        ["--partition-by", "p"],
        ["--partition-size", "1MiB"],
        ["--k-neighbors", "3"],
    ):
        resample(tmp_path / "in.parquet", tmp_path / "out", "--drop", "id", *options, "--overwrite")
        reports.append(json.loads(CliRunner().invoke(cli, command).stdout))
    asked = [
        {
            key: own[key]
            for key in ("source", "columns", "parameters", "options", "seed", "classes", "versions")
        }
        for own in reports
    ]
    assert all(one != asked[0] for one in asked[1:])
