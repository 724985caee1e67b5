"""A Delta table is read as a version says, and its rows come back as they were."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import (
    FEW,
    FIELDS,
    FOLDERS,
    OTHERS,
    ROLES,
    VALUES,
    N,
    add,
    assert_balanced,
    counts,
    cycle,
    delta,
    destination,
    done,
    field,
    hive,
    invoke,
    nans_as_nulls,
    refused,
    report,
    rows,
    source,
    split,
    table,
    types,
    vector_file,
    vector_inline,
    versions,
    write_log,
)


def test_a_plan_and_a_run_say_which_version_they_are_of(versions, tmp_path):
    for version in (0, 3):
        planned = invoke(
            "plan", versions, "--target", "y", "--json", "--quiet", "--version", version
        )
        assert planned.exit_code == 0, planned.stderr
        told = done(versions, tmp_path / f"out-{version}", "--version", version)
        assert json.loads(planned.stdout)["source"] == told["source"]
        assert told["source"]["version"] == version
        shown = invoke("report", tmp_path / f"out-{version}").stdout
        assert f"from {versions} at version {version}, finished" in shown


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
