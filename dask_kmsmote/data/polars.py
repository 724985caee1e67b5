"""Frames and series of polars: read through Arrow by pandas types that hold all their values.

The originals of a result are the user's own, to which new rows are appended in the types that they
have. polars is imported where data are of it, so it need not be installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..errors import InputError
from ..kernels.rows.columns import exact_type, type_without_nulls
from .kinds import is_polars


def as_pandas(value: Any) -> Any:
    """A frame or series of pandas with the values of one of polars; anything else as it is.

    Raises
    ------
    InputError
        Arrow has no type for a column.
    """
    if not is_polars(value):
        return value
    if hasattr(value, "columns"):
        columns = {name: _column(value[name]) for name in value.columns}
        return pd.DataFrame(columns, columns=list(columns))
    return _column(value)


def _column(series: Any) -> pd.Series[Any]:
    import pyarrow as pa

    try:
        values = series.to_arrow()
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The column {series.name!r} is of {series.dtype}, which Arrow has no type for: drop "
            f"it, X = X.drop({series.name!r}), or give it another type."
        ) from error
    # of integers and booleans of which none is missing numpy's types, as other frames have them
    mapper = exact_type if values.null_count else type_without_nulls
    found: pd.Series[Any] = values.to_pandas(types_mapper=mapper)
    return found.rename(series.name)


def with_rows(frame: Any, n: int | None, made: pd.DataFrame, passthrough: Sequence[Any]) -> Any:
    """The first n rows of a frame of polars, all for None, and rows that were made.

    What is only taken along is null in them.
    """
    import polars as pl

    # by name, as polars gives one of its own to a list's series without
    rows = pl.DataFrame(
        {
            name: pl.Series(name, [], dtype).extend_constant(None, len(made))
            if name in passthrough
            else _like(made[name], name, dtype)
            for name, dtype in frame.schema.items()
        }
    )
    return pl.concat([frame[:n], rows])


def _like(column: pd.Series[Any], name: str, dtype: Any) -> Any:
    import polars as pl
    import pyarrow as pa

    values = pa.Array.from_pandas(column)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return pl.Series(name, pl.from_arrow(values)).cast(dtype)


def with_labels(series: Any, n: int | None, counts: Sequence[tuple[int, Any]]) -> Any:
    """The first n labels of a series of polars, all for None, and so many of each label."""
    import polars as pl

    made = [
        pl.Series(series.name, [label], series.dtype).new_from_index(0, m) for m, label in counts
    ]
    return pl.concat([series[:n], *made])
