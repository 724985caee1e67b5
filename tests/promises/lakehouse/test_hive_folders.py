"""Folders that columns name come back in the types of the source."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import (
    FEW,
    FOLDERS,
    NULL,
    ROLES,
    UTC_TIME,
    N,
    assert_balanced,
    cycle,
    delta,
    destination,
    done,
    files_in,
    hive,
    refused,
    resample,
    rows,
    source,
    split,
    table,
    types,
    versions,
)


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
