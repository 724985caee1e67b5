"""Chunks of tables as rows: codes by value, whatever chunk has which value first."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_kmsmote.errors import InputError
from dask_kmsmote.kernels.making.partitions import array_of, frame_of
from dask_kmsmote.kernels.rows.categories import (
    common_type,
    count_categories,
    merge_categories,
)
from dask_kmsmote.kernels.rows.census import encoded_sample, merge_notes, note_table
from dask_kmsmote.kernels.rows.encoding import (
    coded_rows,
    encoding_of,
    rows_by_code,
)
from dask_kmsmote.kernels.rows.schema import Wanted, schema_of_array, schema_of_frame
from dask_kmsmote.kernels.rows.table import fingerprint_of, read

quick = settings(max_examples=60, deadline=None)
VALUES = {
    "text": ["red", "blue", "green"],
    "empty text": ["", "b", "a"],
    "numbers": [30, -1, 7],
    "floats": [0.5, -0.25, 3.0],
    "booleans": [True, False, True],
    "dates": [pd.Timestamp("2024-03-01"), pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")],
    "intervals": list(pd.interval_range(0, 3)[[2, 0, 1]]),
}
TYPES = {
    "category": ("text", "category"),
    "category of numbers": ("numbers", "category"),
    "category of floats": ("floats", "category"),
    "category of booleans": ("booleans", "category"),
    "category of dates": ("dates", "category"),
    "category of intervals": ("intervals", "category"),
    "object": ("text", object),
    "objects of booleans": ("booleans", object),
    "str": ("text", "str"),
    "string": ("empty text", "string"),
    "arrow string": ("text", pd.ArrowDtype(pa.string())),
    "arrow large string": ("text", pd.ArrowDtype(pa.large_string())),
    "arrow dictionary": ("text", pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
    "bool": ("booleans", bool),
    "boolean": ("booleans", "boolean"),
    "arrow bool": ("booleans", pd.ArrowDtype(pa.bool_())),
    "ints": ("numbers", "int16"),
    "nullable ints": ("numbers", "Int64"),
    "floats": ("floats", "float32"),
    "dates": ("dates", "datetime64[ns]"),
}
NO_NULLS = ("bool", "ints")


def frame_with(values, dtype):
    column = pd.Series(values, dtype=dtype)
    return pd.DataFrame({"x": np.arange(len(values)) * 0.5, "c": column})


def bits_of(part, schema):
    return fingerprint_of(part, read(part, schema), schema)


def learned(parts, schema):
    notes = [count_categories(part, read(part, schema), schema) for part in parts]
    found = tuple(merge_categories(own) for own in zip(*notes, strict=True))
    return found, encoding_of(found, {})


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("missing", [False, True])
def test_every_type_comes_back(name, missing):
    kind, dtype = TYPES[name]
    values = VALUES[kind] * 3
    if missing and name not in NO_NULLS:
        values[2] = values[5] = None
    frame = frame_with(values, dtype)
    wanted = Wanted(categorical_features=["c"], missing="keep")
    schema = schema_of_frame(frame, wanted, "pandas")
    found, encoding = learned([frame.iloc[:4], frame.iloc[4:]], schema)
    known = sorted({value for value in values if value is not None})
    assert list(encoding.categories[0]) == known
    expected = [len(known) if value is None else known.index(value) for value in values]
    rows = coded_rows(frame, schema, encoding, None)
    copy = pickle.loads(pickle.dumps(encoding))  # noqa: S301 - its own
    np.testing.assert_array_equal(coded_rows(frame, schema, copy, None), rows)
    assert rows[:, 1].tolist() == expected
    counts = np.bincount(expected, minlength=len(known) + 1)
    assert rows_by_code(found, encoding)[0].tolist() == counts.tolist()
    assert (found[0].n, found[0].n_missing) == (len(known), values.count(None))
    made = frame_of(rows, 0, frame.iloc[:0], schema, encoding, np.rint)
    pd.testing.assert_frame_equal(made, frame)


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40), st.data())
@quick
def test_codes_and_fingerprints_do_not_depend_on_the_chunks(values, data):
    frame = frame_with(values, "string")
    schema = schema_of_frame(frame, Wanted(), "pandas")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    edges = [0, *cuts, len(values)]
    parts = [frame.iloc[a:b] for a, b in pairwise(edges)]
    _, encoding = learned(parts, schema)
    assert encoding.categories == (tuple(sorted(set(values))),)
    rows = np.concatenate([coded_rows(part, schema, encoding, None) for part in parts])
    np.testing.assert_array_equal(rows, coded_rows(frame, schema, encoding, None))
    # as a category, whatever the order of its categories
    other = frame.astype({"c": pd.CategoricalDtype(list("gfedcbaz"))})
    assert bits_of(other, schema) == bits_of(frame, schema)
    changed = frame.assign(c=frame["c"].str.replace("a", "b"))
    same = "a" not in values
    assert (bits_of(changed, schema) == bits_of(frame, schema)) == same


def test_sampled_rows_have_the_codes_of_all():
    frame = frame_with(list("cabacb"), "string")
    schema = schema_of_frame(frame, Wanted(), "dask frame")
    parts = [frame.iloc[:2], frame.iloc[2:]]
    _, encoding = learned(parts, schema)
    sampled = [np.array([1, 9]), np.array([0, 2])]
    notes = [
        note_table(part, np.zeros(len(part)), schema, own)
        for part, own in zip(parts, sampled, strict=True)
    ]
    rows = encoded_sample(merge_notes(notes), encoding, schema.dtype)
    assert rows.tolist() == [[0.5, 0], [1.0, 1], [2.0, 2]]


def test_a_category_that_was_not_counted():
    frame = frame_with(list("ab"), "string")
    schema = schema_of_frame(frame, Wanted(), "dask frame")
    _, encoding = learned([frame], schema)
    with pytest.raises(InputError, match="category 'z'"):
        coded_rows(frame_with(list("az"), "string"), schema, encoding, None)


def test_dictionaries_of_chunks_are_joined():
    parts = [frame_with(list("ba"), pd.CategoricalDtype(list("ba"))),
             frame_with(list("cb"), pd.CategoricalDtype(list("cb")))]  # fmt: skip
    mark = frame_with([], pd.CategoricalDtype(["__UNKNOWN_CATEGORIES__"]))
    schema = schema_of_frame(mark, Wanted(), "dask frame")
    found, _ = learned(parts, schema)
    assert found[0].declared.categories.tolist() == ["a", "b", "c"]
    found, _ = learned(parts[:1], schema)
    assert found[0].declared.categories.tolist() == ["b", "a"]
    # an empty partition may be of Dask's own making
    found, _ = learned([mark, parts[0]], schema)
    assert found[0].declared.categories.tolist() == ["b", "a"]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i8", "u1"])
def test_arrays_of_numbers_with_categories(dtype):
    block = np.array([[7, 1, 40], [3, 2, 40], [7, 5, 9]], dtype=dtype)
    schema = schema_of_array(3, block.dtype, Wanted(categorical_features=[0, 2]), "numpy")
    _, encoding = learned([block[:1], block[1:]], schema)
    rows = coded_rows(block, schema, encoding, None)
    assert rows.tolist() == [[1, 1, 1], [2, 0, 1], [5, 1, 0]]
    made = array_of(rows, schema, encoding, block.dtype)
    assert made.dtype == block.dtype
    np.testing.assert_array_equal(made, block)


def test_integers_that_floats_would_round_are_in_the_fingerprint():
    frame = pd.DataFrame({"x": [0.5, 1.5], "n": [2**60 + 1, 5]})
    schema = schema_of_frame(frame, Wanted(), "pandas")
    other = frame.assign(n=[2**60 + 2, 5])
    np.testing.assert_array_equal(read(frame, schema).numbers, read(other, schema).numbers)
    assert bits_of(frame, schema) != bits_of(other, schema)


@pytest.mark.parametrize("n_categories", [127, 128, 129, 300])
def test_as_many_categories_as_small_codes_have(n_categories):
    values = [f"{number:03d}" for number in range(n_categories)] + [None]
    frame = frame_with(values, "category")
    schema = schema_of_frame(frame, Wanted(missing="keep"), "pandas")
    found, encoding = learned([frame], schema)
    assert (found[0].n, found[0].n_missing) == (n_categories, 1)
    rows = coded_rows(frame, schema, encoding, None)
    assert rows[:, 1].tolist() == list(range(n_categories + 1))


def test_categories_without_rows_are_none():
    frame = frame_with(list("ba"), pd.CategoricalDtype(list("zbya")))
    schema = schema_of_frame(frame, Wanted(), "pandas")
    found, encoding = learned([frame], schema)
    assert encoding.categories == (("a", "b"),)
    assert found[0].n == 2
    made = frame_of(np.array([[0.0, 1], [1.0, 0]]), 0, frame.iloc[:0], schema, encoding, np.rint)
    assert made["c"].tolist() == ["b", "a"]
    assert made["c"].cat.categories.tolist() == list("zbya")


def ordered(*values):
    return pd.CategoricalDtype(list(values), ordered=True)


def test_orders_of_chunks_are_merged_or_refused():
    merged = common_type([ordered("low", "high"), ordered("low", "middle", "high")])
    assert (merged.categories.tolist(), merged.ordered) == (["low", "middle", "high"], True)
    # nothing says which of a and z comes first
    merged = common_type([ordered("m", "z"), ordered("m", "a")])
    assert merged.categories.tolist() == ["m", "a", "z"]
    with pytest.raises(InputError, match="contradict each other"):
        common_type([ordered("low", "high"), ordered("high", "low")])
