"""What the type of a column says: what its values are, and in which types they are computed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

_OF_OBJECTS = {
    "string": "text",
    "boolean": "boolean",
    "decimal": "decimal",
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "empty"), "number"),
    **dict.fromkeys(("datetime", "datetime64", "date", "time", "timedelta", "period"), "date"),
    **dict.fromkeys(("mixed-integer", "mixed", "bytes", "complex"), "mixed"),
    "interval": "interval",
}
UNKNOWN_CATEGORIES = "__UNKNOWN_CATEGORIES__"  # Dask's own mark


class Exact(NamedTuple):
    """What a float stands for.

    Attributes
    ----------
    digits
        Behind the point.
    make
        Of a number rounded to them, the object; None where the column's type does it.
    """

    digits: int
    make: Callable[[float], Any] | None


def exact_of(column: pd.Series[Any]) -> Exact | None:
    """What floats stand for in a column of objects or decimals; None in all others."""
    if isinstance(column.dtype, pd.ArrowDtype):
        own = column.dtype.pyarrow_dtype
        return Exact(own.scale, None) if _kind_of_arrow(own) == "decimal" else None
    found = types.infer_dtype(column) if is_object(column) else ""
    if found == "decimal":
        # a Decimal of 1.20 has the exponent -2, and one that is not finite a letter in its place
        exponents = [value.as_tuple().exponent for value in column.dropna()]
        digits = max((-own for own in exponents if isinstance(own, int)), default=0)
        return Exact(digits, partial(_decimal, digits))
    return {"integer": Exact(0, int), "boolean": Exact(0, bool)}.get(found)


def _decimal(digits: int, value: float) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-digits))


def is_object(column: pd.Series[Any]) -> bool:
    """Whether the values are Python objects."""
    return bool(types.is_object_dtype(column.dtype))


def kind_of(column: pd.Series[Any]) -> str:
    """What the values are: "number", "text", … as in `schema`."""
    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _kind_of_arrow(dtype.pyarrow_dtype)
    if types.is_object_dtype(dtype):
        # of no rows, as Dask has them: text, until the census knows
        found = types.infer_dtype(column) if len(column) else "string"
        return _OF_OBJECTS.get(found, "nested")
    for kind, fits in (
        ("category", isinstance(dtype, pd.CategoricalDtype)),
        ("interval", isinstance(dtype, pd.IntervalDtype)),
        ("date", isinstance(dtype, pd.PeriodDtype) or types.is_datetime64_any_dtype(dtype)),
        ("boolean", types.is_bool_dtype(dtype)),
        ("text", types.is_string_dtype(dtype)),
    ):
        if fits:
            return kind
    kind = numpy_dtype(dtype).kind
    return {"m": "date", "M": "date", "c": "complex", "V": "nested"}.get(kind, "number")


def _kind_of_arrow(dtype: Any) -> str:
    import pyarrow.types as of

    for kind, tests in (
        ("boolean", (of.is_boolean,)),
        ("number", (of.is_integer, of.is_floating, of.is_null)),
        ("decimal", (of.is_decimal,)),
        ("text", (of.is_string, of.is_large_string, of.is_string_view)),
        ("category", (of.is_dictionary,)),
        ("date", (of.is_temporal,)),
    ):
        if any(test(dtype) for test in tests):
            return kind
    return "nested"


def is_datetime(dtype: Any) -> bool:
    """Whether values of the dtype are dates and times of pandas."""
    return bool(types.is_datetime64_any_dtype(dtype)) and not isinstance(dtype, pd.ArrowDtype)


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """The numpy dtype of the values of a column's dtype; decimals and objects are float64."""
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    plain: np.dtype[Any] = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    return np.dtype(np.float64) if plain.kind == "O" else plain


def common_dtype(frame: pd.DataFrame) -> np.dtype[Any]:
    """The numpy dtype that holds all columns of numbers; booleans count as int8."""
    found: np.dtype[Any] = np.result_type(np.int8, *(numpy_dtype(dtype) for dtype in frame.dtypes))
    return found


def is_whole(dtype: Any) -> bool:
    """Whether values of the dtype are integers or booleans."""
    return types.is_integer_dtype(dtype) or types.is_bool_dtype(dtype)


def with_nulls(dtype: Any) -> Any:
    """The type with nulls that holds all values of a type."""
    if isinstance(dtype, pd.SparseDtype) and dtype.subtype.kind in "biu":
        dtype = dtype.subtype
    if isinstance(dtype, pd.IntervalDtype) and numpy_dtype(dtype.subtype).kind in "iu":
        return pd.IntervalDtype("float64", dtype.closed)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype) or dtype.kind not in "biu":
        return dtype
    name = "boolean" if dtype.kind == "b" else str(dtype).replace("i", "I").replace("u", "U")
    return pd.api.types.pandas_dtype(name)


def is_whole_in_arrow(arrow_type: Any) -> bool:
    """Whether the type is of integers or booleans."""
    import pyarrow.types as of

    return bool(of.is_integer(arrow_type) or of.is_boolean(arrow_type))


def type_without_nulls(arrow_type: Any) -> Any:
    """As `exact_type`, where no integer and no boolean is missing."""
    return None if is_whole_in_arrow(arrow_type) else exact_type(arrow_type)


def exact_type(arrow_type: Any) -> Any:
    """The pandas type that holds all values of an Arrow type; None where that is the usual one."""
    import pyarrow.types as of

    if of.is_string(arrow_type) or of.is_large_string(arrow_type):
        return pd.StringDtype("pyarrow")
    if of.is_boolean(arrow_type):
        return pd.BooleanDtype()
    if of.is_integer(arrow_type):
        kind = "UInt" if of.is_unsigned_integer(arrow_type) else "Int"
        return types.pandas_dtype(f"{kind}{arrow_type.bit_width}")
    return None if any(test(arrow_type) for test in _has_usual()) else pd.ArrowDtype(arrow_type)


def type_with_nulls(arrow_type: Any) -> Any:
    """As `exact_type`, where a NaN is no missing value."""
    import pyarrow.types as of

    is_float = of.is_float32(arrow_type) or of.is_float64(arrow_type)
    return pd.ArrowDtype(arrow_type) if is_float else exact_type(arrow_type)


def _has_usual() -> tuple[Callable[[Any], bool], ...]:
    import pyarrow.types as of

    return of.is_dictionary, of.is_floating, of.is_timestamp, of.is_duration
