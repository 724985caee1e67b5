"""Parts of files of text: cuts within quotes, compressed files, encodings, headers."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dask_kmsmote.errors import InputError
from dask_kmsmote.job.storage.text.quotes import quotes_in
from texts import read, written

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=40), size=st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_any_text_in_any_cuts(tmp_path_factory, rows, size):
    place = tmp_path_factory.mktemp("text") / "x.csv"
    # all in quotes, as lone blanks would be lines without values
    pd.DataFrame(rows, columns=["a", "b"]).to_csv(place, index=False, quoting=1)
    frame, _ = read(place, as_text=["a", "b"], n_bytes=size)
    assert frame.fillna("").to_numpy().tolist() == [list(row) for row in rows]


quotes = st.text(st.sampled_from('"a,\n5 '), max_size=8)


@given(rows=st.lists(st.tuples(quotes, quotes), min_size=1, max_size=40), size=st.integers(1, 99))
@settings(max_examples=100, deadline=None)
def test_quotes_within_values_in_any_cuts(tmp_path_factory, rows, size):
    place = tmp_path_factory.mktemp("text") / "x.csv"
    place.write_text("a,b\n" + written(rows))
    frame, _ = read(place, as_text=["a", "b"], n_bytes=size)
    assert frame.fillna("").to_numpy().tolist() == [list(row) for row in rows]


@given(text=st.text(st.sampled_from('"a,\n\r'), max_size=30), cut=st.integers(0, 30))
def test_quotes_are_counted_as_they_are_read(text, cut):
    whole, (first, last) = quotes_in(text.encode(), ","), (text[:cut], text[cut:])
    # a cut comes after the end of a line
    assume(not first or first.endswith("\n"))
    parts = [quotes_in(part.encode(), ",").ends_within for part in (first, last)]
    for start in (False, True):
        assert parts[1][parts[0][start]] == whole.ends_within[start]


@pytest.mark.parametrize("columns", [["x", "y"], ["x"]])
@pytest.mark.parametrize("n_bytes", [2**20, 64])
def test_a_quote_that_is_never_closed(tmp_path, columns, n_bytes):
    lines = [f"{n},0,fine" for n in range(50)] + ['50,0,"oops'] + [f"{n},0,fine" for n in range(50)]
    (tmp_path / "x.csv").write_text("x,y,k\n" + "\n".join(lines))
    with pytest.raises(InputError, match=r"never closed, before '\"oops"):
        read(tmp_path / "x.csv", columns, n_bytes=n_bytes)


COMPRESSED = {
    "x.csv.gz": gzip.compress,
    "x.csv.GZ": gzip.compress,
    "x.csv.bz2": bz2.compress,
    "x.csv.xz": lzma.compress,
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_files_are_read_as_a_whole(tmp_path, name):
    text = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(5000))
    (tmp_path / name).write_bytes(COMPRESSED[name](text.encode()))
    for place in (tmp_path / name, tmp_path):
        frame, _ = read(place, n_bytes=500)
        assert frame["x"].tolist() == list(range(5000))


def test_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.csv.zip", "w") as file:
        file.writestr("x.csv", "x,y\n" + "1,0\n" * 500)
    assert len(read(tmp_path / "x.csv.zip", n_bytes=100)[0]) == 500


AROUND = {
    "blank lines before": "\n\r\n  \nx,y\n1,0\n2,1\n",
    "a mark and blank lines": "\ufeff\n\nx,y\n1,0\n2,1\n",
    "no last end": "x,y\n1,0\n2,1",
    "spaces behind": "x,y\n1,0\n2,1\n   ",
    "Ctrl-Z behind": "x,y\n1,0\n2,1\n\x1a",
    "blank lines behind": "x,y\n1,0\n2,1\n\n\r\n",
}


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("n_bytes", [2**20, 8])
def test_what_stands_around_the_rows(tmp_path, name, n_bytes):
    (tmp_path / "0.csv").write_bytes(AROUND[name].encode())
    (tmp_path / "1.csv").write_text("x,y")  # without an end of its only line
    frame, _ = read(tmp_path, n_bytes=n_bytes)
    assert frame.to_numpy().tolist() == [[1, 0], [2, 1]]


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "utf-16", "utf-8"])
@pytest.mark.parametrize("pad", [0, 1])
def test_headers_that_are_long_and_files_that_are_cut_within_a_sign(tmp_path, encoding, pad):
    names = [f"{'列' * 60}{n}" for n in range(3000)]
    text = "x" * pad + ",".join(names) + "\n" + ",".join(["ア"] * 3000) + "\n"
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    frame, _ = read(tmp_path / "x.csv", [names[-1]], encoding=encoding)
    assert frame[names[-1]].tolist() == ["ア"]


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
