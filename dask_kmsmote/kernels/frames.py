"""Synthetic rows and labels as pandas partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from .blocks import Rows, as_dense
from .columns import is_whole


def frame_of(rows: Rows, start: int, meta: pd.DataFrame, rounded: bool) -> Any:
    """Synthetic rows as a partition with the columns and dtypes of `meta`.

    Integer and boolean columns are rounded to the nearest, or truncated.
    """
    rows = as_dense(rows) if sparse.issparse(rows) else rows
    index = pd.RangeIndex(start, start + len(rows))
    columns = []
    for place, dtype in enumerate(meta.dtypes):
        values = rows[:, place]
        if is_whole(dtype) and values.dtype.kind == "f":
            values = (np.rint(values) if rounded else np.trunc(values)).astype(np.int64)
        if pd.api.types.is_bool_dtype(dtype):
            values = values != 0
        columns.append(pd.Series(values, index=index).astype(dtype))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    frame.columns = meta.columns
    return frame


def series_of(n: int, label: Any, start: int, meta: Any) -> Any:
    """Labels of synthetic rows as a partition with the dtype and name of `meta`."""
    index = pd.RangeIndex(start, start + n)
    if isinstance(meta.dtype, pd.CategoricalDtype):
        known = meta.dtype if label in meta.dtype.categories else pd.CategoricalDtype([label])
        return pd.Series(pd.Categorical([label] * n, dtype=known), index=index, name=meta.name)
    return pd.Series([label] * n, index=index, dtype=meta.dtype, name=meta.name)
