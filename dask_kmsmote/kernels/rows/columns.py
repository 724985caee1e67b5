"""Which columns of a frame are features, and in which dtype they are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import InputError

_NUMBERS_IN_OBJECTS = ("integer", "floating", "mixed-integer-float", "boolean", "empty")


def check_columns(frame: pd.DataFrame) -> None:
    """All columns are numbers, each under a name of its own.

    Parameters
    ----------
    frame
        Of any length; object columns pass if it holds numbers in them.

    Raises
    ------
    InputError
        Missing or duplicate names, or columns of text, categories, dates or complex numbers.
    """
    if frame.shape[1] == 0:
        raise InputError("X has no columns: at least one feature is needed.")
    if any(pd.api.types.is_scalar(name) and pd.isna(name) for name in frame.columns):
        raise InputError(
            "X has a column without a name (None or NaN): rename it, e.g. "
            "X.columns = [str(name) for name in X.columns]."
        )
    twice = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise InputError(
            f"X has duplicate column names: {twice}. Rename or drop them, "
            "e.g. X = X.loc[:, ~X.columns.duplicated()]."
        )
    wrong = {name: str(frame[name].dtype) for name in frame.columns if not _is_numeric(frame[name])}
    if wrong:
        listed = ", ".join(f"{name!r} ({dtype})" for name, dtype in list(wrong.items())[:10])
        raise InputError(
            f"X has columns that are no numbers: {listed}. Encode them first, e.g. with "
            f"pd.get_dummies, or drop them: X = X.drop(columns={list(wrong)[:10]})."
        )


def _is_numeric(column: pd.Series[Any]) -> bool:
    dtype = column.dtype
    if types.is_object_dtype(dtype):
        return len(column) > 0 and types.infer_dtype(column) in _NUMBERS_IN_OBJECTS
    numeric = types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype)
    return bool(numeric) and numpy_dtype(dtype).kind in "biuf"


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """The numpy dtype of the values of a column's dtype."""
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    plain: np.dtype[Any] = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    return plain


def common_dtype(frame: pd.DataFrame) -> np.dtype[Any]:
    """The numpy dtype that holds all columns; booleans count as int8."""
    found: np.dtype[Any] = np.result_type(np.int8, *(numpy_dtype(dtype) for dtype in frame.dtypes))
    return found


def is_whole(dtype: Any) -> bool:
    """Whether values of the dtype are integers or booleans."""
    return types.is_integer_dtype(dtype) or types.is_bool_dtype(dtype)
