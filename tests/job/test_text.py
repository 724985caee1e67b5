"""Tables in text: types of all rows, text as it is, what is in doubt, and jobs on them."""

from __future__ import annotations

import gzip
import json
import re
import shlex

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
from dask_kmsmote.job.columns import as_option
from texts import read, written

N = 600


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


def test_a_point_is_no_decimal_where_the_comma_is(tmp_path):
    # of thousands: in any cuts the same
    (tmp_path / "x.csv").write_text("x;y\n" + "1.234;0\n" * 40 + "999,5;1\n" * 4)
    for n_bytes in (2**20, 60):
        form = {"separator": ";", "decimal": ","}
        assert read(tmp_path / "x.csv", n_bytes=n_bytes, **form)[0]["x"][0] == "1.234"
        with pytest.raises(InputError, match=r"such as '1\.234'"):
            read(tmp_path / "x.csv", judged=["x"], n_bytes=n_bytes, **form)


@pytest.mark.parametrize("odd", ["2,5", "5,", "info", "1,234.5", "n/k", "1,200,300", "#"])
def test_numbers_but_for_a_value_are_in_doubt(tmp_path, odd):
    rows = [["1.5", "0"]] * 99 + [[odd, "1"]]
    (tmp_path / "x.csv").write_text("x,y\n" + written(rows))
    with pytest.raises(InputError, match="--categorical") as caught:
        read(tmp_path / "x.csv", judged=["x"])
    assert repr(odd) in str(caught.value)
    # somebody has said what it is
    assert read(tmp_path / "x.csv")[0]["x"].tolist() == [row[0] for row in rows]


@pytest.mark.parametrize("odd", ["1.5", "1.23457E+18", "inf"])
def test_ids_that_would_lose_digits_are_in_doubt(tmp_path, odd):
    ids = [str(10**18 + 7919 * n) for n in range(99)]
    (tmp_path / "x.csv").write_text("x,y\n" + "".join(f"{v},0\n" for v in [*ids, odd]))
    with pytest.raises(InputError, match=re.escape(repr(odd))):
        read(tmp_path / "x.csv", judged=["x"])
    assert read(tmp_path / "x.csv", as_text=["x"])[0]["x"].tolist() == [*ids, odd]


CLEAR = [
    ["007", "123"], ["1.2.3", "1.2.4"], ["a", "b", "1"], ["2026-01-01", "2026-01-02"],
    ["12345678901234567890123", "1"], ["E10", "E11"], ["10.0.0.1", "10.0.0.2"], ["1a", "2b"],
]  # fmt: skip


@pytest.mark.parametrize("values", CLEAR)
def test_codes_are_clear(tmp_path, values):
    (tmp_path / "x.csv").write_text("x,y\n" + "".join(f"{v},0\n" for v in values * 50))
    frame, _ = read(tmp_path / "x.csv", judged=["x"])
    assert frame["x"].tolist() == values * 50


def test_folders_that_name_a_column_are_of_parquet(tmp_path):
    (tmp_path / "m=1").mkdir()
    (tmp_path / "m=1" / "x.csv").write_text("x,y\n1,0\n")
    with pytest.raises(InputError, match="'m=1', which is read of Parquet alone"):
        read(tmp_path)
    assert len(read(tmp_path / "m=1")[0]) == 1


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


REFUSED = {
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), {}, "--encoding utf-16"),
    "UTF-16 without a mark": ("x,y\n1,2\n".encode("utf-16-le"), {}, "--encoding utf-16-le"),
    "the other": ("x,y\n1,2\n".encode("utf-16-be"), {}, "--encoding utf-16-be"),
    "no mark": ("x,y\n1,2\n".encode("utf-16-le"), {"encoding": "utf-16"}, "--encoding utf-16-le"),
    "UTF-32": ("x,y\n1,2\n".encode("utf-32"), {}, "--encoding utf-32"),
    "a byte 0": (b"x,y\n1,2\n3,\0\n4,5\n", {}, "has the byte 0 at 10"),
    "latin-1 header": ("é,y\n1,2\n".encode("latin-1"), {}, "--encoding cp1252"),
    "latin-1 value": ("x,y\né,2\n".encode("latin-1"), {}, "--encoding cp1252"),
    "no latin-1": (b"x,y\n\x8f,2\n", {"encoding": "cp1252"}, "--encoding utf-8"),
    "semicolons": (b"x;y\n1;2\n", {}, "--separator ';'"),
    "tabs": (b"x\ty\n1\t2\n", {}, "--separator tab"),
    "commas": (b"x,y\n1,2\n", {"separator": ";"}, "--separator ','"),
    "a value too many": (b"x,y\n1,2\n1,2,3\n", {}, "1,2,3"),
    "a value too few": (b"x,y\n1,2\n1\n", {}, "Expected 2 columns"),
    "nothing": (b"", {}, "no line of column names"),
    "a line for Excel": (b"sep=;\nx;y\n1;2\n", {"separator": ";"}, "line for Excel"),
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
def test_names_that_options_can_hardly_hold(tmp_path, scheduler):
    header = 'Unnamed: 0,," b","price, EUR","it\'s","say ""x""",label\n'
    rows = "".join(
        f"{n},{n},{n % 9},{n % 7}.5,{n % 5},{n % 4},{int(n % 10 == 0)}\n" for n in range(N)
    )
    (tmp_path / "in.csv").write_text(header + rows)

    def resample(*options):
        arguments = ["resample", str(tmp_path / "in.csv"), str(tmp_path / "out"), "--overwrite"]
        arguments += ["--target", "label", "--threshold", "0", "--scheduler", scheduler, *options]
        return CliRunner().invoke(cli, arguments)

    refused = resample()
    assert refused.exit_code == 3, refused.output
    # as a shell takes it
    index = shlex.split(refused.stderr.split("--drop ")[1])[0].rstrip(",")
    for names in (["b"], ["price, EUR"], ["it's"], ['say "x"'], ["b", "price, EUR", "it's"]):
        listed = shlex.split(as_option(names))[0]
        done = resample("--drop", index, "--keep", listed)
        assert done.exit_code == 0, done.output
        result = pd.read_parquet(tmp_path / "out")
        wanted = [" b" if name == "b" else name for name in names]
        assert [name for name in result if result[name].isna().any()] == wanted


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
