"""Parquet files of one table: types of all of them, what folders name, and what was an index."""

from __future__ import annotations

import datetime as dt
import decimal
import shlex

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from distributed import LocalCluster

from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import InputError
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.parquet import open_parquet
from dask_kmsmote.job.storage.schema import widest
from dask_kmsmote.job.storage.source import open_source

N = 300


def read(place, columns=None, n_bytes=2**26):
    """The table that a job reads, and its Arrow schema."""
    files = open_parquet(open_source(Location(str(place))), n_bytes)
    table = files.typed(columns or files.names)
    meta = table.frame._meta
    parts = dask.compute(*table.frame.to_delayed(), scheduler="synchronous")
    for part in parts:
        assert part.dtypes.map(str).to_dict() == meta.dtypes.map(str).to_dict()
    # categories of a part without values are of no type
    known = [name for name, own in meta.dtypes.items() if str(own) == "category"]
    return pd.concat(
        [part.astype(dict.fromkeys(known, object)) for part in parts], ignore_index=True
    ), table.schema


NOON = dt.datetime(2026, 1, 1, 12)  # noqa: DTZ001 - a table's own
VALUES = {
    "string": (pa.string(), "a"),
    "large_string": (pa.large_string(), "a"),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), "a"),
    "int64": (pa.int64(), 2**60 + 1),
    "uint64": (pa.uint64(), 2**63 + 1),
    "double": (pa.float64(), 1.5),
    "bool": (pa.bool_(), True),
    "timestamp": (pa.timestamp("us"), NOON),
    "zoned": (pa.timestamp("ns", "Europe/Berlin"), NOON),
    "date": (pa.date32(), NOON.date()),
    "time": (pa.time64("us"), NOON.time()),
    "duration": (pa.duration("s"), dt.timedelta(seconds=5)),
    "decimal": (pa.decimal128(9, 2), decimal.Decimal("1.25")),
    "binary": (pa.binary(), b"a"),
    "list": (pa.list_(pa.int64()), [1, 2]),
    "struct": (pa.struct([("a", pa.int64())]), {"a": 1}),
    "map": (pa.map_(pa.string(), pa.int64()), [("k", 1)]),
}


@pytest.mark.parametrize("n_bytes", [1, 2**26])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_columns_that_are_null_in_some_files(tmp_path, first, n_bytes):
    kinds = [pa.null(), None, pa.null()][first:] + [pa.null(), None, pa.null()][:first]
    for number, empty in enumerate(kinds):
        columns = {
            name: pa.nulls(4, empty) if empty else pa.array([value, None] * 2, own)
            for name, (own, value) in VALUES.items()
        }
        pq.write_table(pa.table(columns), tmp_path / f"{number}.parquet")
    frame, schema = read(tmp_path, n_bytes=n_bytes)
    for name, (own, value) in VALUES.items():
        wanted = pa.dictionary(pa.int32(), pa.string()) if name == "dictionary" else own
        assert schema.field(name).type == wanted, name
        back = pa.Array.from_pandas(frame[name], type=own if name != "dictionary" else None)
        expected = [v for empty in kinds for v in ([None] * 4 if empty else [value, None] * 2)]
        assert back.to_pylist() == pa.array(expected, own).to_pylist(), name


WIDEST = [
    ([pa.int8(), pa.int64(), pa.null()], pa.int64()),
    ([pa.uint8(), pa.int8()], pa.int16()),
    ([pa.float32(), pa.float64()], pa.float64()),
    ([pa.string(), pa.large_string()], pa.large_string()),
    ([pa.dictionary(pa.int8(), pa.string())] * 2, pa.dictionary(pa.int32(), pa.string())),
    ([pa.dictionary(pa.int8(), pa.string()), pa.string()], pa.string()),
    (
        [pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int16(), pa.string())],
        pa.dictionary(pa.int32(), pa.string()),
    ),
    ([pa.timestamp("ms"), pa.timestamp("us")], pa.timestamp("us")),
    ([pa.list_(pa.null()), pa.list_(pa.int8())], pa.list_(pa.int8())),
    ([pa.decimal128(5, 2), pa.decimal128(9, 3)], pa.decimal128(9, 3)),
    ([pa.null()], pa.null()),
    ([pa.string_view()], pa.string()),
    ([pa.string_view(), pa.large_string()], pa.large_string()),
    ([pa.binary_view(), pa.binary()], pa.binary()),
    ([pa.list_(pa.string_view())], pa.list_(pa.string())),
    ([pa.struct([("a", pa.null())]), pa.struct([("a", pa.int8())])], pa.struct([("a", pa.int8())])),
    ([pa.decimal128(5, 2), pa.decimal256(50, 3)], pa.decimal256(50, 3)),
    # none holds all values of both
    ([pa.int64(), pa.float64()], None),
    ([pa.int64(), pa.uint64()], None),
    ([pa.int64(), pa.string()], None),
    ([pa.bool_(), pa.int8()], None),
    ([pa.binary(), pa.string()], None),
    ([pa.timestamp("us"), pa.timestamp("us", "UTC")], None),
    ([pa.date32(), pa.timestamp("us")], None),
    ([pa.list_(pa.int8()), pa.int8()], None),
    ([pa.list_(pa.int64()), pa.list_(pa.float64())], None),
    ([pa.struct([("a", pa.int64())]), pa.struct([("a", pa.uint64())])], None),
    ([pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.string())], None),
    (
        [pa.dictionary(pa.int8(), pa.string(), True), pa.dictionary(pa.int8(), pa.string())],
        None,
    ),
]


@pytest.mark.parametrize(("types", "wanted"), WIDEST)
def test_the_type_that_holds_all_values(types, wanted):
    assert widest(types) == wanted
    assert widest(types[::-1]) == wanted


def write(place, *columns):
    place.mkdir(exist_ok=True)
    for number, own in enumerate(columns):
        pq.write_table(pa.table(own), place / f"{number}.parquet")
    return place


def test_types_that_differ_keep_their_values(tmp_path):
    big = 2**60 + 1
    place = write(
        tmp_path / "source",
        {"n": pa.array([1, 2], pa.int8()), "t": ["a", "b"], "at": pa.array([NOON] * 2)},
        {
            "at": pa.array([NOON] * 2, pa.timestamp("ms")),
            "t": pa.array(["c", None]).dictionary_encode(),
            "n": [big, None],
        },
    )
    frame, _ = read(place)
    assert frame["n"].fillna(-1).tolist() == [1, 2, big, -1]
    assert frame["t"].fillna("").tolist() == ["a", "b", "c", ""]
    assert frame["at"].tolist() == [NOON] * 4


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"x": [1.5], "y": [0]}, ["'x'", "int64 in '0.parquet'", "double in '1.parquet'"]),
        ({"y": [0]}, ["'x'", "absent in '1.parquet'"]),
        ({"x": ["a"], "y": [0]}, ["'x'", "string in '1.parquet'"]),
    ],
)
def test_types_that_have_none_in_common(tmp_path, second, words):
    place = write(tmp_path / "source", {"x": [1], "y": [0]}, second)
    with pytest.raises(InputError, match="--drop x") as caught:
        read(place)
    assert all(word in str(caught.value) for word in words)
    # which does what it says
    assert read(place, ["y"])[0]["y"].tolist() == [0, 0]


def test_row_groups_stay_in_their_order(tmp_path):
    # of some numbers a set has another order than theirs
    pq.write_table(pa.table({"x": np.arange(4000)}), tmp_path / "x.parquet", row_group_size=100)
    for n_bytes in (1, 2400, 5000, 2**26):
        frame, _ = read(tmp_path / "x.parquet", n_bytes=n_bytes)
        assert frame["x"].tolist() == list(range(4000))


def test_small_files_are_read_together(tmp_path):
    place = write(tmp_path / "source", *[{"x": [n] * 10, "y": [0] * 10} for n in range(200)])
    files = open_parquet(open_source(Location(str(place))), 2**26)
    frame = files.typed(["x"]).frame
    assert frame.npartitions == 4  # of 64 files
    order = frame.compute(scheduler="synchronous")["x"].tolist()
    assert order == [
        int(name.removesuffix(".parquet")) for name in files.footers for _ in range(10)
    ]


FOLDERS = {
    "words": (["a", "b", None], pa.string()),
    "numbers": (["1", "-2", None], pa.int64()),
    "leading zeros": (["01", "02", "10"], pa.string()),
    "signs": (["a b", "ü", "x/y=z"], pa.string()),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_what_folders_name(tmp_path, name):
    values, kind = FOLDERS[name]
    typed = pa.array(
        [None if v is None else int(v) for v in values] if kind == pa.int64() else values
    )
    rows = pa.table({"x": range(30), "f": typed.take(pa.array([n % 3 for n in range(30)]))})
    pq.write_to_dataset(rows, tmp_path / "source", partition_cols=["f"])
    frame, schema = read(tmp_path / "source")
    assert schema.field("f").type == pa.dictionary(pa.int32(), kind)
    wanted = dict(zip(rows["x"].to_pylist(), rows["f"].to_pylist(), strict=True))
    found = frame["f"].astype(object).where(frame["f"].notna(), None)
    assert dict(zip(frame["x"], found, strict=True)) == wanted


def test_names_of_folders_are_decoded(tmp_path):
    write(tmp_path / "m%20x=a%2Fb", {"x": [1]})
    write(tmp_path / "m%20x=-0", {"x": [2]})
    frame, _ = read(tmp_path)
    assert frame["m x"].tolist() == ["-0", "a/b"]


@pytest.mark.parametrize("folder", ["m=1/m=2", "m=1/n=1/m=2", "m=a/x/m=__HIVE_DEFAULT_PARTITION__"])
def test_a_column_that_two_folders_name(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    write(tmp_path / folder, {"x": [1]})
    with pytest.raises(InputError, match=r"has two folders of the column 'm'"):
        read(tmp_path)


@pytest.mark.parametrize("folder", ["m=%FF", "m=a%C3", "%FF=1"])
def test_folders_that_are_no_text(tmp_path, folder):
    write(tmp_path / folder, {"x": [1]})
    with pytest.raises(InputError, match=r"is no UTF-8 once its %-signs are decoded"):
        read(tmp_path)


def test_a_column_that_two_folders_name_alike(tmp_path):
    (tmp_path / "m=1" / "m=1").mkdir(parents=True)
    write(tmp_path / "m=1" / "m=1", {"x": [1]})
    assert read(tmp_path)[0]["m"].tolist() == [1]


def test_a_file_without_rows_has_no_types(tmp_path):
    write(tmp_path, {"x": pa.array([], pa.string())}, {"x": [1, 2]}, {"y": pa.array([], pa.int8())})
    frame, schema = read(tmp_path, ["x"])
    assert (frame["x"].tolist(), str(schema.field("x").type)) == ([1, 2], "int64")


def test_a_value_that_the_widest_type_does_not_hold(tmp_path):
    far = pa.array([dt.datetime(9999, 1, 1)], pa.timestamp("us"))  # noqa: DTZ001 - a table's own
    place = write(tmp_path / "s", {"t": pa.array([NOON], pa.timestamp("ns"))}, {"t": far})
    with pytest.raises(InputError, match=r"The column 't' of '1\.parquet' can't be read as timest"):
        read(place)


def test_a_folder_that_is_not_there_for_all(tmp_path):
    write(tmp_path / "source" / "", {"x": [1]})
    write(tmp_path / "source" / "f=1", {"x": [1]})
    with pytest.raises(InputError, match=r"'0\.parquet' lies in no folder that names 'f'"):
        read(tmp_path / "source")


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def frame_of():
    X, y = make_imbalanced(N, 2, 0.2, seed=3)
    return pd.DataFrame(X, columns=["x0", "x1"]).assign(label=y)


def resample(scheduler, source, out, *options):
    arguments = ["resample", str(source), str(out), "--target", "label", "--seed", "0"]
    return CliRunner().invoke(cli, [*arguments, "--scheduler", scheduler, *options])


SHUFFLED = np.random.default_rng(0).permutation(N)
INDICES = {
    "default": (None, []),
    "a range with a name": (pd.RangeIndex(N, name="row"), []),
    "another range": (pd.RangeIndex(5, 5 + 2 * N, 2), []),
    "another range with a name": (pd.RangeIndex(5, 5 + N, name="row"), []),
    "numbers": (pd.Index(SHUFFLED), []),
    "numbers with a name": (pd.Index(SHUFFLED, name="id"), ["id"]),
    "words with a name": (pd.Index([f"n{n}" for n in range(N)], name="id"), ["id"]),
    "dates with a name": (pd.date_range("2026", periods=N, name="day"), ["day"]),
    "levels": (pd.MultiIndex.from_arrays([SHUFFLED, SHUFFLED], names=["a", "b"]), ["a", "b"]),
    "a level without a name": (pd.MultiIndex.from_arrays([SHUFFLED] * 2, names=["a", None]), ["a"]),
}


def is_default(index):
    """Numbers of rows without a name, which say nothing."""
    return isinstance(index, pd.RangeIndex) and index.name is None


@pytest.mark.cluster
@pytest.mark.parametrize("name", INDICES)
def test_indices(tmp_path, scheduler, name):
    index, columns = INDICES[name]
    given = frame_of() if index is None else frame_of().set_index(index)
    given.to_parquet(tmp_path / "in.parquet")
    options = []
    if columns:
        refused = resample(scheduler, tmp_path / "in.parquet", tmp_path / "no")
        assert (refused.exit_code, "index" in refused.stderr) == (3, True), refused.output
        # what it says
        options = ["--keep", shlex.split(refused.stderr.split("--keep ")[1])[0].rstrip(".")]
        assert options[1].split(",") == columns
    done = resample(scheduler, tmp_path / "in.parquet", tmp_path / "out", *options)
    assert done.exit_code == 0, done.output
    # what is not read is told
    unread = given.index.nlevels > len(columns) and not is_default(given.index)
    assert ("Left out, as the index of a frame" in done.stderr) == unread
    result = pd.read_parquet(tmp_path / "out")
    assert sorted(result.columns) == sorted(["x0", "x1", "label", *columns])
    originals = result.iloc[:N]
    np.testing.assert_array_equal(originals[["x0", "x1"]], given[["x0", "x1"]])
    for column in columns:
        assert originals[column].tolist() == given.reset_index()[column].tolist()


BIG = 2**53 + 1
NESTED = {
    "list": (pa.list_(pa.int64()), [BIG, None]),
    "list of uint64": (pa.list_(pa.uint64()), [2**64 - 1, None]),
    "struct": (pa.struct([("a", pa.int64()), ("b", pa.bool_())]), {"a": BIG, "b": None}),
    "list of structs": (pa.list_(pa.struct([("a", pa.int64())])), [{"a": BIG}, {"a": None}]),
    "map": (pa.map_(pa.string(), pa.int64()), [("k", BIG), ("l", None)]),
    "fixed": (pa.binary(4), b"abcd"),
    "uuid": (pa.uuid(), b"0123456789abcdef"),
    "text": (pa.string_view(), "a"),
}


@pytest.mark.cluster
@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_kept_values_that_pandas_has_no_type_for(tmp_path, scheduler, layout):
    kept = {name: pa.array([value, None] * (N // 2), own) for name, (own, value) in NESTED.items()}
    table = pa.Table.from_pandas(frame_of(), preserve_index=False)
    for name, values in kept.items():
        table = table.append_column(name, values)
    pq.write_table(table, tmp_path / "in.parquet")
    options = ["--keep", ",".join(kept), "--layout", layout, "--mark-synthetic", "made"]
    done = resample(scheduler, tmp_path / "in.parquet", tmp_path / "out", *options)
    assert done.exit_code == 0, done.output
    result = pq.read_table(tmp_path / "out")
    made = result["made"].to_numpy()
    for name, values in kept.items():
        assert result[name].filter(pa.array(~made)).to_pylist() == values.to_pylist(), name
        assert result[name].filter(pa.array(made)).null_count == made.sum(), name
    assert len(pd.read_parquet(tmp_path / "out")) == len(result)
    assert len(dd.read_parquet(tmp_path / "out").compute()) == len(result)


@pytest.mark.cluster
@pytest.mark.parametrize("part", ["--keep", "--categorical"])
@pytest.mark.parametrize("empty", [0, 2])
@pytest.mark.parametrize("size", ["1KiB", "1GiB"])
@pytest.mark.parametrize("kind", ["text", "category"])
def test_a_job_on_a_column_that_is_null_in_a_file(tmp_path, scheduler, part, empty, size, kind):
    (tmp_path / "source").mkdir()
    words = pa.array([f"n{n % 7}" for n in range(100)])
    for number in range(3):
        rows = frame_of().iloc[number * 100 : number * 100 + 100]
        note = words if kind == "text" else words.dictionary_encode()
        note = pa.nulls(100) if number == empty else note
        table = pa.Table.from_pandas(rows, preserve_index=False).append_column("note", note)
        pq.write_table(table, tmp_path / "source" / f"{number}.parquet")
    options = [part, "note", "--missing", "keep", "--partition-size", size]
    done = resample(scheduler, tmp_path / "source", tmp_path / "out", *options)
    assert done.exit_code == 0, done.output
    result = pq.read_table(tmp_path / "out")
    text = pa.string()
    assert result["note"].type in (text, pa.dictionary(pa.int32(), text))
    for number in range(3):
        wanted = [None] * 100 if number == empty else words.to_pylist()
        assert result["note"].slice(number * 100, 100).to_pylist() == wanted
