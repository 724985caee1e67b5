"""Synthetic rows, their labels and their parents as blocks and partitions of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..rows.blocks import Floats, Ints, Rows, as_dense, is_sparse
from ..rows.columns import UNKNOWN_CATEGORIES, Exact, is_whole, numpy_dtype, with_nulls
from ..rows.encoding import Encoding
from ..rows.schema import Schema
from .drawing import Draw


def with_null_columns(frame: Any, schema: Schema) -> Any:
    """The frame, columns that are only taken along in types that have nulls and hold all values."""
    places = {schema.columns[place]: place for place in schema.passthrough}
    types = {name: with_nulls(frame.dtypes.iloc[place]) for name, place in places.items()}
    changed = {name: own for name, own in types.items() if own != frame.dtypes[name]}
    return frame.astype(changed) if changed else frame


def frame_of(
    rows: Rows,
    start: int,
    meta: pd.DataFrame,
    schema: Schema,
    encoding: Encoding,
    to_whole: Callable[[Floats], Floats],
) -> Any:
    """Synthetic rows as a partition with the columns and dtypes of `meta`.

    Integer and boolean numbers are made whole by a function, such as `numpy.rint`. Beside columns
    of floats they were computed in float64, exact up to 2**53. Columns that are only taken along
    are null.
    """
    dense = as_dense(rows) if is_sparse(rows) else rows
    index = pd.RangeIndex(start, start + dense.shape[0])
    columns: dict[int, Any] = {
        place: _nulls(meta.iloc[:, place], encoding.kept.get(place), index)
        for place in schema.passthrough
    }
    for column, place in enumerate(schema.numbers):
        dtype, values = meta.dtypes.iloc[place], dense[:, column]
        columns[place] = _numbers_of(values, dtype, index, schema.exact.get(place), to_whole)
    for feature, place in enumerate(schema.categories):
        codes = dense[:, len(schema.numbers) + feature].astype(np.int64)
        dtype = meta.dtypes.iloc[place]
        values = _categories_of(codes, encoding, feature, dtype)
        # of objects pandas would make strings
        own = None if isinstance(values, pd.Categorical) else dtype
        columns[place] = pd.Series(values, index=index, dtype=own)
    frame = pd.concat([columns[place] for place in range(len(columns))], axis=1)
    frame.columns = meta.columns
    return frame


def _nulls(empty: Any, kept: pd.CategoricalDtype | None, index: pd.RangeIndex) -> Any:
    if isinstance(empty.dtype, pd.CategoricalDtype) and UNKNOWN_CATEGORIES in empty.cat.categories:
        # the type of its partitions, where they have rows
        empty = empty.astype(kept if kept is not None else pd.CategoricalDtype([]))
    # nulls of any type: `pd.Series(pd.NA, index, dtype="float64")` is a TypeError
    return empty.reindex(index)


def _numbers_of(
    values: Any,
    dtype: Any,
    index: pd.RangeIndex,
    exact: Exact | None,
    to_whole: Callable[[Floats], Floats],
) -> Any:
    if exact is not None and exact.make is not None:
        whole = to_whole(values) if exact.digits == 0 else values
        found = [None if np.isnan(own) else exact.make(float(own)) for own in whole]
        return pd.Series(found, index=index, dtype=object)
    if isinstance(dtype, pd.ArrowDtype) and np.isnan(values).all():
        # also of the type null, which has nothing else
        return pd.Series([None] * len(values), index=index, dtype=dtype)
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    if is_whole(dtype) and values.dtype.kind == "f":
        # 0 stands in for what is missing
        values = _within(to_whole(np.where(missing, 0, values)), numpy_dtype(dtype))
    if pd.api.types.is_bool_dtype(dtype):
        values = values != 0
    series = pd.Series(values, index=index).astype(dtype)
    return series.mask(missing) if is_whole(dtype) and missing.any() else series


def _categories_of(codes: Ints, encoding: Encoding, feature: int, dtype: Any) -> Any:
    """The categories of some codes, in the type of their column."""
    known = encoding.categories[feature]
    # the code behind the last: an absent category
    codes = np.where(codes == len(known), -1, codes)
    if isinstance(dtype, pd.CategoricalDtype):
        declared = encoding.declared[feature]
        if UNKNOWN_CATEGORIES in dtype.categories and declared is not None:
            dtype = declared
        number = {value: place for place, value in enumerate(dtype.categories.tolist())}
        places = np.array([*(number[value] for value in known), -1], dtype=np.int64)
        return pd.Categorical.from_codes(places[codes], dtype=dtype)
    if pd.api.types.is_object_dtype(dtype):
        return np.array([*known, None], dtype=object)[codes]
    values = pd.Series(list(known), dtype=dtype).array
    is_missing = bool((codes < 0).any())
    return values.take(codes, allow_fill=True) if is_missing else values.take(codes)


def array_of(rows: Any, schema: Schema, encoding: Encoding, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Synthetic rows of an array with categories, in the order and the type of its columns."""
    out = np.empty((len(rows), len(schema.columns)), dtype=dtype)
    numbers = rows[:, : len(schema.numbers)]
    if dtype.kind in "iu" and numbers.dtype.kind == "f":  # uint64 beside codes of int32
        numbers = _within(np.rint(numbers), dtype)
    out[:, list(schema.numbers)] = numbers
    for feature, place in enumerate(schema.categories):
        # of the type at once: beside a 0, uint64 would be float64
        known = np.array(encoding.categories[feature], dtype=dtype)
        # nothing is missing but of floats
        absent = np.full(1, np.nan if dtype.kind == "f" else 0).astype(dtype)
        codes = rows[:, len(schema.numbers) + feature].astype(np.int64)
        out[:, place] = np.concatenate([known, absent])[codes]
    return out


def _within(values: NDArray[np.floating], dtype: np.dtype[Any]) -> NDArray[Any]:
    # the largest int64 has no float64: its neighbour above would wrap around
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    above, below = values >= float(limits.max), values <= float(limits.min)
    # 0 stands in for them, as what numpy makes of numbers beyond the dtype is not defined
    inside = np.where(above | below, 0, values).astype(limits.dtype)
    return np.where(above, limits.max, np.where(below, limits.min, inside)).astype(limits.dtype)


def series_of(n: int, label: Any, start: int, meta: Any, like: Any = None) -> Any:
    """Labels of synthetic rows as a partition with the dtype and name of `meta`.

    Where that does not know its categories, those of the partition `like` are used.
    """
    index = pd.RangeIndex(start, start + n)
    if isinstance(meta.dtype, pd.CategoricalDtype):
        known = (meta if like is None else like).cat.categories
        # no lookup in an index that threads share, which may find labels missing (pandas 21150)
        numbers = {category: number for number, category in enumerate(known.tolist())}
        if label not in numbers:
            known = known.append(pd.Index([label], dtype=known.dtype))
        codes = np.full(n, numbers.get(label, len(numbers)))
        dtype = pd.CategoricalDtype(known, ordered=meta.dtype.ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index, name=meta.name)
    return pd.Series([label] * n, index=index, dtype=meta.dtype, name=meta.name)


def full_labels(n: int, label: Any, dtype: Any) -> NDArray[Any]:
    """N rows of one label."""
    if np.dtype(dtype).kind in "US":
        # a declared width is no promise: a longer label would be cut
        return np.full(n, label)
    labels = np.empty(n, dtype=dtype)
    labels.fill(label)  # a tuple is one label
    return labels


def one_hot(n: int, column: int, n_classes: int, dtype: Any) -> NDArray[Any]:
    """N rows of a one-vs-all target, shape (n, n_classes)."""
    rows = np.zeros((n, n_classes), dtype=dtype)
    rows[:, column] = 1
    return rows


def parents_frame(draw: Draw, positions: Sequence[Ints], start: int, k: int) -> pd.DataFrame:
    """Parents of an output block as a partition of the provenance.

    Parameters
    ----------
    draw
        In numbers of the group.
    positions
        Positions in X of the group's rows, a part for each of its blocks.
    start
        Of the block's first row in the result, or among the synthetic rows.
    k
        Voters to name; 0 where rows are made of two parents alone.
    """
    position_of = np.concatenate(positions)
    voters = position_of[draw.neighbors[:, :k]].astype(np.float64)
    content = {
        "base_row": position_of[draw.base],
        "neighbor_row": position_of[draw.neighbor],
        "gap": draw.gap,
    }
    fewer = np.full(len(draw.base), np.nan)
    named = {
        f"voter_{rank}": voters[:, rank] if rank < voters.shape[1] else fewer for rank in range(k)
    }
    return pd.DataFrame(content | named, index=_rows_from(start, len(draw.base)))


def no_parents(start: int, k: int) -> pd.DataFrame:
    """The provenance of no rows, of a result of so many."""
    none = np.empty(0, dtype=np.int64)
    content = {"base_row": none, "neighbor_row": none, "gap": np.empty(0)}
    content |= {f"voter_{rank}": np.empty(0) for rank in range(k)}
    return pd.DataFrame(content, index=_rows_from(start, 0))


def _rows_from(start: int, n: int) -> pd.RangeIndex:
    return pd.RangeIndex(start, start + n, name="row")


def positioned(partition: Any, start: int) -> Any:
    """A partition whose index is the position of its rows in the result."""
    return partition.set_axis(pd.RangeIndex(start, start + len(partition)), axis=0)
