"""Synthetic rows, their labels and their parents as blocks and partitions of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..rows.blocks import Floats, Ints, Rows, as_dense, is_sparse
from ..rows.columns import is_whole, numpy_dtype
from .drawing import Draw


def frame_of(
    rows: Rows, start: int, meta: pd.DataFrame, to_whole: Callable[[Floats], Floats]
) -> Any:
    """Synthetic rows as a partition with the columns and dtypes of `meta`.

    Integer and boolean columns are made whole by a function, such as `numpy.rint`. Beside columns
    of floats they were computed in float64, exact up to 2**53.
    """
    dense = as_dense(rows) if is_sparse(rows) else rows
    index = pd.RangeIndex(start, start + dense.shape[0])
    columns = []
    for column, dtype in enumerate(meta.dtypes):
        values = dense[:, column]
        if is_whole(dtype) and values.dtype.kind == "f":
            values = _within(to_whole(values), numpy_dtype(dtype))
        if pd.api.types.is_bool_dtype(dtype):
            values = values != 0
        columns.append(pd.Series(values, index=index).astype(dtype))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    frame.columns = meta.columns
    return frame


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


def parents_frame(draw: Draw, positions: Sequence[Ints], start: int) -> pd.DataFrame:
    """Parents of an output block as a partition of the provenance.

    Parameters
    ----------
    draw
        In numbers of the group.
    positions
        Positions in X of the group's rows, a part for each of its blocks.
    start
        Of the block's first row in the result, or among the synthetic rows.
    """
    position_of = np.concatenate(positions)
    content = {
        "base_row": position_of[draw.base],
        "neighbor_row": position_of[draw.neighbor],
        "gap": draw.gap,
    }
    return pd.DataFrame(content, index=_rows_from(start, len(draw.base)))


def no_parents(start: int) -> pd.DataFrame:
    """The provenance of no rows, of a result of so many."""
    none = np.empty(0, dtype=np.int64)
    content = {"base_row": none, "neighbor_row": none, "gap": np.empty(0)}
    return pd.DataFrame(content, index=_rows_from(start, 0))


def _rows_from(start: int, n: int) -> pd.RangeIndex:
    return pd.RangeIndex(start, start + n, name="row")


def positioned(partition: Any, start: int) -> Any:
    """A partition whose index is the position of its rows in the result."""
    return partition.set_axis(pd.RangeIndex(start, start + len(partition)), axis=0)
