"""Synthetic rows and labels as pandas partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ..rows.blocks import Rows, as_dense
from ..rows.columns import is_whole, numpy_dtype


def frame_of(rows: Rows, start: int, meta: pd.DataFrame, rounded: bool) -> Any:
    """Synthetic rows as a partition with the columns and dtypes of `meta`.

    Integer and boolean columns are rounded to the nearest, or truncated. Beside columns of floats
    they were computed in float64, exact up to 2**53.
    """
    rows = as_dense(rows) if sparse.issparse(rows) else rows
    index = pd.RangeIndex(start, start + len(rows))
    columns = []
    for place, dtype in enumerate(meta.dtypes):
        values = rows[:, place]
        if is_whole(dtype) and values.dtype.kind == "f":
            values = _whole(np.rint(values) if rounded else np.trunc(values), numpy_dtype(dtype))
        if pd.api.types.is_bool_dtype(dtype):
            values = values != 0
        columns.append(pd.Series(values, index=index).astype(dtype))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    frame.columns = meta.columns
    return frame


def _whole(values: NDArray[np.floating], dtype: np.dtype[Any]) -> NDArray[Any]:
    # the largest int64 has no float64: its neighbour above would wrap around
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    above, below = values >= float(limits.max), values <= float(limits.min)
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
        places = {category: place for place, category in enumerate(known.tolist())}
        if label not in places:
            known = known.append(pd.Index([label], dtype=known.dtype))
        codes = np.full(n, places.get(label, len(places)))
        dtype = pd.CategoricalDtype(known, ordered=meta.dtype.ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index, name=meta.name)
    return pd.Series([label] * n, index=index, dtype=meta.dtype, name=meta.name)
