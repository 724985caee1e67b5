"""Tables in text: types of all rows, text as it is, separators, encodings, cuts within quotes."""

from __future__ import annotations

import gzip
import json

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_kmsmote.cli import cli
from dask_kmsmote.errors import InputError
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.source import open_source
from dask_kmsmote.job.storage.text.files import open_text
from dask_kmsmote.job.storage.text.spans import TextFormat

N = 600


def read(place, columns=None, as_text=(), judged=(), n_bytes=2**20, **form):
    """The table that a job reads, and its Arrow schema."""
    source = open_source(Location(str(place)), "csv")
    files = open_text(source, TextFormat(**form), n_bytes, lambda _: None)
    with dask.config.set(scheduler="synchronous"):
        table = files.typed(columns or files.names, as_text, judged)
        return table.frame.compute().reset_index(drop=True), table.schema


def column(place, values, **how):
    place.write_text("x,y\n" + "".join(f"{value},{n}\n" for n, value in enumerate(values)))
    frame, schema = read(place, ["x"], **how)
    return frame["x"], str(schema.field("x").type)


EARLY = {  # what a column begins with, and what comes after many of those
    "decimals": (["1"] * 2000, "2.5", "double"),
    "a blank": (["1"] * 2000, "", "int64"),
    "a word for missing": (["1"] * 2000, "NA", "int64"),
    "numbers after blanks": ([""] * 2000, "3", "int64"),
    "words after blanks": ([""] * 2000, "no", "string"),
    "a flag is missing": (["True"] * 2000, "", "bool"),
    "a number among flags": (["True"] * 2000, "1", "string"),
    "a wide number": (["1"] * 2000, str(2**63), "uint64"),
    "a wider number": (["1"] * 2000, str(2**64), "string"),
    "a leading zero": (["1"] * 2000, "01", "string"),
    "an exponent": (["1"] * 2000, "1e3", "double"),
    "a space": (["1"] * 2000, " 2 ", "int64"),
    "infinity": (["1"] * 2000, "inf", "double"),
    "hexadecimal": (["1"] * 2000, "0x10", "string"),
    "underscores": (["1"] * 2000, "1_000", "string"),
    "a date": (["20260101"] * 2000, "2026-01-01", "string"),
}


@pytest.mark.parametrize("n_bytes", [2**20, 1000])
@pytest.mark.parametrize("name", EARLY)
def test_types_are_those_of_all_rows(tmp_path, name, n_bytes):
    early, late, wanted = EARLY[name]
    for values in ([*early, late], [late, *early]):
        found, kind = column(tmp_path / "x.csv", values, n_bytes=n_bytes)
        assert kind == wanted
        assert len(found) == len(values)
        if kind == "string":
            assert found.fillna("").tolist() == values


EXACT = [
    "000001", "1234567890123456789", "9007199254740993", "NA", "None", "nan", "null", "1.10", "1e5",
    "+5", " padded ", "True", "x y", 'a "b"', "a,b", "line\nend", "é", "-0", "1,5", "0x1F", "",
]  # fmt: skip


@pytest.mark.parametrize("n_bytes", [2**20, 64])
def test_kept_text_comes_back_character_for_character(tmp_path, n_bytes):
    values = EXACT * 20
    pd.DataFrame({"x": values, "y": range(len(values))}).to_csv(tmp_path / "x.csv", index=False)
    frame, schema = read(tmp_path / "x.csv", as_text=["x"], n_bytes=n_bytes)
    assert schema.field("x").type == pa.string()
    assert frame["x"].fillna("").tolist() == values
    assert frame["x"].isna().sum() == 20
    assert frame["y"].tolist() == list(range(len(values)))


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=40), size=st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_any_text_in_any_cuts(tmp_path_factory, rows, size):
    place = tmp_path_factory.mktemp("text") / "x.csv"
    # all in quotes, as lone blanks would be lines without values
    pd.DataFrame(rows, columns=["a", "b"]).to_csv(place, index=False, quoting=1)
    frame, _ = read(place, as_text=["a", "b"], n_bytes=size)
    assert frame.fillna("").to_numpy().tolist() == [list(row) for row in rows]


@given(
    values=st.lists(st.floats(allow_nan=False) | st.none(), min_size=1, max_size=60),
    size=st.integers(10, 300),
)
@settings(max_examples=60, deadline=None)
def test_decimals_keep_every_bit(tmp_path_factory, values, size):
    place = tmp_path_factory.mktemp("text") / "x.csv"
    texts = ["" if value is None else repr(value) for value in values]
    place.write_text("x,y\n" + "".join(f"{text},0\n" for text in texts))
    frame, _ = read(place, ["x"], n_bytes=size)
    wanted = np.array([np.nan if value is None else value for value in values])
    np.testing.assert_array_equal(frame["x"].to_numpy(dtype=float), wanted)


def test_what_is_not_used_is_not_looked_at(tmp_path):
    lines = [f"{n},{'15' if n < 500 else 'x1.5'},ä,{n % 2}" for n in range(N)]
    (tmp_path / "x.csv").write_text("x,odd,odder,y\n" + "\n".join(lines))
    frame, schema = read(tmp_path / "x.csv", ["x", "y"])
    assert schema.names == ["x", "y"]
    assert frame["x"].tolist() == list(range(N))


def test_files_are_one_table(tmp_path):
    (tmp_path / "0.csv").write_text("x,y\n" + "1,0\n" * 50)
    (tmp_path / "1.csv").write_text("x,y\r\n" + "1.5,1\r\n" * 50)
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"x,y\n" + b",1\n" * 50))
    (tmp_path / "3.csv").write_text("x,y\n")
    frame, schema = read(tmp_path)
    assert frame["x"].fillna(-1).tolist() == [1.0] * 50 + [1.5] * 50 + [-1] * 50
    assert [str(own.type) for own in schema] == ["double", "int64"]


FORMS = {
    "semicolons, commas": ({"separator": ";", "decimal": ","}, "x;y\n1,5;0\n-2,25;1\n", "utf-8"),
    "tabs": ({"separator": "\t"}, "x\ty\n1.5\t0\n-2.25\t1\n", "utf-8"),
    "bars": ({"separator": "|"}, "x|y\n1.5|0\n-2.25|1\n", "utf-8"),
    "utf-16": ({"encoding": "utf-16"}, "x,y\n1.5,0\n-2.25,1\n", "utf-16"),
    "utf-32": ({"encoding": "utf-32"}, "x,y\n1.5,0\n-2.25,1\n", "utf-32"),
    "Windows' mark": ({}, "x,y\n1.5,0\n-2.25,1\n", "utf-8-sig"),
    "old ends of lines": ({}, "x,y\r1.5,0\r-2.25,1\r", "utf-8"),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("n_bytes", [2**20, 8])
def test_forms(tmp_path, name, n_bytes):
    form, text, encoding = FORMS[name]
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    frame, _ = read(tmp_path / "x.csv", n_bytes=n_bytes, **form)
    assert frame["x"].tolist() == [1.5, -2.25]
    assert frame["y"].tolist() == [0, 1]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso8859-15", "shift_jis", "utf-16-le"])
def test_encodings(tmp_path, encoding):
    word = "ア" if encoding == "shift_jis" else "é"
    (tmp_path / "x.csv").write_bytes(f"{word}x,y\n{word},1\n".encode(encoding))
    frame, _ = read(tmp_path / "x.csv", encoding=encoding)
    assert frame.iloc[0].tolist() == [word, 1]


REFUSED = {
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), {}, "--encoding utf-16"),
    "UTF-16 without a mark": ("x,y\n1,2\n".encode("utf-16-le"), {}, "--encoding utf-16"),
    "latin-1 header": ("é,y\n1,2\n".encode("latin-1"), {}, "--encoding latin-1"),
    "latin-1 value": ("x,y\né,2\n".encode("latin-1"), {}, "--encoding latin-1"),
    "no latin-1": (b"x,y\n\x8f,2\n", {"encoding": "cp1252"}, "--encoding utf-8"),
    "semicolons": (b"x;y\n1;2\n", {}, "--separator ';'"),
    "tabs": (b"x\ty\n1\t2\n", {}, "--separator tab"),
    "commas": (b"x,y\n1,2\n", {"separator": ";"}, "--separator ','"),
    "a value too many": (b"x,y\n1,2\n1,2,3\n", {}, "1,2,3"),
    "a value too few": (b"x,y\n1,2\n1\n", {}, "Expected 2 columns"),
    "nothing": (b"", {}, "no line of column names"),
    "a header alone": (b"x,y\n", {}, "has no rows"),
    "decimal commas": (b'x,y\n"1,5",2\n"2,5",3\n', {}, "--decimal ','"),
    "a stray word": (b"x,y\n" + b"1,2\n" * 50 + b"n/k,3\n", {}, "such as 'n/k'"),
    "a cut gzip": (gzip.compress(b"x,y\n" * 9000)[:40], {}, "file is damaged"),
    "no gzip": (b"x,y\n1,2\n", {}, "file is damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_texts_that_are_refused_say_how_they_are_read(tmp_path, name):
    content, form, word = REFUSED[name]
    ending = "csv.gz" if "gzip" in name else "csv"
    (tmp_path / f"x.{ending}").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path, judged=["x"], **form)
    assert word in str(caught.value)


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.mark.cluster
def test_a_job_on_ids_and_codes(tmp_path, scheduler):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "id": [str(10**18 + 7919 * n) for n in range(N)],
        "code": [f"{n % 40:06}" for n in range(N)],
        "x": [str(n % 50) if n < 500 else f"{n % 50}.5" for n in range(N)],
        "z": rng.normal(size=N),
        "unused": ["15"] * (N - 1) + ["fifteen"],
        "label": (np.arange(N) % 10 == 0).astype(int),
    })  # fmt: skip
    frame.loc[3, "id"] = ""
    frame.to_csv(tmp_path / "in.csv", index=False)
    arguments = ["resample", str(tmp_path / "in.csv"), str(tmp_path / "out"), "--target", "label"]
    arguments += ["--scheduler", scheduler, "--keep", "id", "--features", "code,x,z", "--json"]
    done = CliRunner().invoke(cli, [*arguments, "--threshold", "0"])
    assert done.exit_code == 0, done.output
    result = pq.read_table(tmp_path / "out")
    originals = result.slice(0, N)
    assert [own or "" for own in originals["id"].to_pylist()] == frame["id"].tolist()
    assert originals["code"].to_pylist() == frame["code"].tolist()
    assert originals["x"].to_pylist() == frame["x"].astype(float).tolist()
    assert originals["z"].to_pylist() == frame["z"].tolist()
    assert set(result.slice(N)["code"].to_pylist()) <= set(frame["code"])
    assert "unused" not in result.column_names
    assert "Left out, as no option names them: unused" in done.stderr
    assert json.loads(done.stdout)["columns"]["left_out"] == ["unused"]


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv"])
def test_quiet_is_quiet(tmp_path, scheduler, name):
    text = "x,y\n" + "".join(f"{n % 7},{int(n % 10 == 0)}\n" for n in range(N))
    content = gzip.compress(text.encode()) if name.endswith("gz") else text.encode()
    (tmp_path / name).write_bytes(content)
    arguments = ["resample", str(tmp_path / name), str(tmp_path / "out"), "--target", "y"]
    done = CliRunner().invoke(cli, [*arguments, "--scheduler", scheduler, "--quiet"])
    assert (done.exit_code, done.stderr) == (0, "")


def test_options_of_text_are_of_text(tmp_path):
    pd.DataFrame({"x": [1.0], "y": [0]}).to_parquet(tmp_path / "x.parquet")
    arguments = ["resample", str(tmp_path / "x.parquet"), str(tmp_path / "out"), "--target", "y"]
    done = CliRunner().invoke(cli, [*arguments, "--separator", ";"])
    assert (done.exit_code, "--separator" in done.stderr) == (2, True), done.output
    for option, value in (("separator", ";;"), ("decimal", "é"), ("encoding", "utf-99")):
        done = CliRunner().invoke(cli, [*arguments, f"--{option}", value])
        assert (done.exit_code, value in done.stderr) == (2, True), done.output
