"""What the columns of a table are: numbers, categories, or only taken along; judged by their types.

A `Schema` is made from the columns alone, before any row is read, and says all that is wrong with
them at once. By it a chunk is read (`table`). Rows have their numbers first and the codes of their
categories last; of the columns id, color, size, weight, with id taken along and color a category,

    features   size, weight, color
    rows       (0.5, 71.3, 2)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ...errors import InputError, ParameterError
from ...planning.checks import drop_of
from .columns import (
    UNKNOWN_CATEGORIES,
    Exact,
    common_dtype,
    exact_of,
    is_datetime,
    is_object,
    kind_of,
)

_NUMBERS = ("number", "decimal", "boolean")
_CATEGORIES = ("category", "text", "boolean")
_NEVER = {"nested": "nested values", "complex": "complex numbers", "mixed": "values of mixed types"}
_REASONS = _NEVER | {
    "date": "dates or times",
    "interval": "intervals",
    "category": "categories",
    "text": "text",
}
_SHOWN = 20  # columns in a message
_NOWHERE = -1


@dataclass(frozen=True)
class Schema:
    """The columns of X.

    Attributes
    ----------
    holder
        What holds the rows: "pandas", "polars", "dask frame", "numpy", "numbers as objects",
        "array of objects" (text among them), "sparse", "sparse of objects", "dask array" or "dask
        array of sparse blocks".
    columns
        Names of all columns, in their order; their numbers in an array.
    numbers, categories, passthrough
        Places of the columns that are numbers, categories, and only taken along.
    dtype
        Of rows: holds all numbers, and codes.
    keeps_missing
        Missing values are allowed.
    guessed
        Places of the categories that nobody has named: objects of a frame that has no rows yet.
    exact
        By place, numbers that floats stand for: integers, booleans or decimals as objects, and
        Arrow's decimals.
    nullless
        Places of numbers whose numpy type has no nulls: integers and booleans.
    fillable
        Places of numbers that a mean can be filled into: dense floats.
    known
        By place, the type of categories that a Dask frame knows before it is computed.
    takes_tables
        Categories and missing values may be asked for: no recipe decides them.
    """

    holder: str
    columns: tuple[Any, ...]
    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    passthrough: tuple[int, ...]
    dtype: np.dtype[Any]
    keeps_missing: bool = False
    guessed: tuple[int, ...] = ()
    exact: Mapping[int, Exact] = field(default_factory=dict)
    nullless: tuple[int, ...] = ()
    fillable: tuple[int, ...] = ()
    known: Mapping[int, pd.CategoricalDtype] = field(default_factory=dict)
    takes_tables: bool = True

    @property
    def features(self) -> tuple[Any, ...]:
        """Names of the features, as rows have them: numbers, then categories."""
        return tuple(self.columns[place] for place in (*self.numbers, *self.categories))

    @property
    def n_features(self) -> int:
        """Columns of the rows."""
        return len(self.numbers) + len(self.categories)

    @property
    def is_plain(self) -> bool:
        """Whether rows are the columns as they came."""
        return not (self.categories or self.passthrough)

    def by_column(self, values: Any, otherwise: float) -> Any:
        """What is by feature of the rows, by column of X that is a feature, in its order."""
        found = np.full(len(self.columns), otherwise)
        found[[*self.numbers, *self.categories]] = values
        return np.delete(found, self.passthrough)


@dataclass(frozen=True)
class Wanted:
    """What the parameters of a sampler say of columns; `KMeansSMOTE` says what each is."""

    categorical_features: Any = "auto"
    missing: str = "error"
    passthrough: Sequence[Any] = ()

    @property
    def takes_tables(self) -> bool:
        """Whether a user may ask for categories: a recipe that has none says None."""
        return self.categorical_features is not None


def schema_of_frame(frame: Any, wanted: Wanted, holder: str) -> Schema:
    """The schema of a frame, of any length.

    Raises
    ------
    InputError
        All columns that can't be features, and why; or names that are missing or there twice.
    ParameterError
        The parameters name columns that are not there, or one in two parts.
    """
    _check_names(frame, holder)
    columns = frame.columns.tolist()
    passthrough = _passthrough_in(columns, wanted.passthrough)
    named = _named_in(columns, wanted.categorical_features)
    _check_parts(columns, passthrough, named)
    kinds = {
        place: kind_of(frame.iloc[:, place])
        for place in range(len(columns))
        if place not in passthrough
    }
    if not kinds:
        raise InputError(
            "X has no column left that is a feature: name fewer in passthrough, or drop fewer."
        )
    chosen = (
        [place for place, kind in kinds.items() if kind in _CATEGORIES] if named is None else named
    )
    wrong = {
        place: kind
        for place, kind in kinds.items()
        if kind in _NEVER or (place not in chosen and kind not in _NUMBERS)
    }
    if wrong:
        offered = named if wanted.takes_tables else None
        raise InputError(_refusal(frame, wrong, offered, passthrough, holder))
    numbers = [place for place in kinds if place not in chosen]
    keeps_missing = wanted.missing == "keep"
    exact = {place: exact_of(frame.iloc[:, place]) for place in numbers}
    return Schema(
        holder=holder,
        columns=tuple(columns),
        numbers=tuple(numbers),
        categories=tuple(chosen),
        passthrough=tuple(passthrough),
        dtype=_row_dtype(frame.iloc[:, numbers], keeps_missing, bool(chosen)),
        keeps_missing=keeps_missing,
        # of no rows, objects may be anything: the census tells
        guessed=tuple(p for p in chosen if named is None and is_object(frame.iloc[:, p])),
        exact={place: own for place, own in exact.items() if own is not None},
        nullless=_without_nulls(frame, numbers),
        fillable=tuple(p for p in numbers if _has_mean(frame.dtypes.iloc[p])),
        known=_known_categories(frame, [*chosen, *passthrough]),
        takes_tables=wanted.takes_tables,
    )


def _has_mean(dtype: Any) -> bool:
    # filled, sparse columns would have another type in each partition
    return bool(types.is_float_dtype(dtype)) and not isinstance(dtype, pd.SparseDtype)


def _without_nulls(frame: Any, places: list[int]) -> tuple[int, ...]:
    dtypes = {place: frame.dtypes.iloc[place] for place in places}
    return tuple(p for p, own in dtypes.items() if isinstance(own, np.dtype) and own.kind in "biu")


def _known_categories(frame: Any, places: list[int]) -> dict[int, pd.CategoricalDtype]:
    dtypes = {place: frame.dtypes.iloc[place] for place in places}
    return {
        place: own
        for place, own in dtypes.items()
        if isinstance(own, pd.CategoricalDtype) and UNKNOWN_CATEGORIES not in own.categories
    }


def schema_of_array(n_columns: int, dtype: np.dtype[Any], wanted: Wanted, holder: str) -> Schema:
    """The schema of an array or sparse matrix of numbers.

    Raises
    ------
    InputError
        Sparse rows have categories.
    ParameterError
        The parameters name columns that are not there, or names.
    """
    require_names(wanted)
    named = _named_in(list(range(n_columns)), wanted.categorical_features) or []
    if named and "sparse" in holder:
        raise sparse_categories(holder)
    if named and dtype.kind not in "biuf":
        raise InputError(
            f"X is an array of {dtype} with categorical_features: such values are read by column. "
            "Pass a frame, e.g. pd.DataFrame(X) or dd.from_dask_array(X), with the names of its "
            "columns."
        )
    numbers = tuple(place for place in range(n_columns) if place not in named)
    return Schema(
        holder=holder,
        columns=tuple(range(n_columns)),
        numbers=numbers,
        categories=tuple(named),
        passthrough=(),
        dtype=_with_codes(dtype if numbers else np.dtype(np.int8)) if named else dtype,
        keeps_missing=wanted.missing == "keep",
        fillable=numbers if dtype.kind == "f" else (),
        takes_tables=wanted.takes_tables,
    )


def require_names(wanted: Wanted) -> None:
    """Raise `ParameterError` where columns are wanted by a name, which an array does not have."""
    if len(wanted.passthrough):
        raise ParameterError(
            f"passthrough={list(wanted.passthrough)!r} names columns of a frame, and X is an array "
            "of one type: take them out of X, or pass a frame."
        )


def sparse_categories(holder: str) -> InputError:
    """The error for categories among sparse rows."""
    line = "X = X.toarray()" if holder == "sparse" else "X = X.map_blocks(lambda b: b.toarray())"
    return InputError(
        "categorical_features beside a sparse X: sparse rows can't have categories, whose codes "
        f"are no zeros. Pass a dense array, {line}, or a frame; or indicators as they are, as "
        "numbers."
    )


def _check_names(frame: Any, holder: str) -> None:
    if frame.shape[1] == 0:
        raise InputError("X has no columns: at least one feature is needed.")
    if any(pd.api.types.is_scalar(name) and pd.isna(name) for name in frame.columns):
        raise InputError(
            "X has a column without a name (None or NaN): rename it, e.g. "
            "X = X.rename(columns=str)."
        )
    twice = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
    if twice:
        first = "X.loc[:, ~X.columns.duplicated()]"
        if holder == "dask frame":
            first = f"X.map_partitions(lambda X: {first})"
        raise InputError(
            f"X has duplicate column names: {twice}. Rename them; or keep the first of each, "
            f"X = {first}."
        )


def _passthrough_in(columns: list[Any], passthrough: Any) -> list[int]:
    names = list(passthrough)
    _check_listed("passthrough", names, columns)
    return [columns.index(name) for name in names]


def _named_in(columns: list[Any], named: Any) -> list[int] | None:
    """Places of the columns that are named as categories; None for "auto".

    As scikit-learn has it: text is a name, a number a place (from the end, where negative), and
    booleans are a mask.
    """
    if isinstance(named, str) and named == "auto":
        return None
    if named is None:
        return []
    given = list(named)
    if given and all(isinstance(each, bool | np.bool_) for each in given):
        if len(given) != len(columns):
            raise ParameterError(
                f"categorical_features is a mask of {len(given)} columns, and X has {len(columns)}."
            )
        return [place for place, each in enumerate(given) if each]
    by_place = [
        _place(each, len(columns)) if isinstance(each, int | np.integer) else None for each in given
    ]
    # by its name, where a column of a frame has such; what is not there is told as it was given
    found = [
        each if place is None else columns[place] if place >= 0 else each
        for each, place in zip(given, by_place, strict=True)
    ]
    missing = [each for each, place in zip(given, by_place, strict=True) if place == _NOWHERE]
    _check_listed("categorical_features", found, columns, missing)
    return sorted(columns.index(name) for name in found)


def _place(number: int | np.integer[Any], n: int) -> int:
    return int(number) % n if -n <= number < n else _NOWHERE


def _check_listed(
    parameter: str, names: list[Any], columns: list[Any], missing: Sequence[Any] = ()
) -> None:
    """Raise `ParameterError` where names are not columns, or are there twice."""
    gone = [*missing, *(name for name in names if name not in columns and name not in missing)]
    if gone:
        places = " Numbers are places, from 0 on." if missing else ""
        raise ParameterError(
            f"{parameter} names {gone[:_SHOWN]}, which X does not have: its columns are "
            f"{columns[:_SHOWN]}{', ...' if len(columns) > _SHOWN else ''}.{places}"
        )
    twice = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if twice:
        raise ParameterError(f"{parameter} names {twice[:_SHOWN]} twice: name each column once.")


def _check_parts(columns: list[Any], passthrough: list[int], named: list[int] | None) -> None:
    both = [columns[place] for place in passthrough if place in (named or ())]
    if both:
        raise ParameterError(
            f"{both[:_SHOWN]} are in passthrough and in categorical_features: a column that is "
            "taken along is no feature. Name it in one of the two."
        )


def _refusal(
    frame: Any,
    wrong: dict[int, str],
    named: list[int] | None,
    passthrough: list[int],
    holder: str,
) -> str:
    own = frame.columns.tolist()
    names = [own[place] for place in wrong]
    listed = ", ".join(
        f"{name!r} ({frame.dtypes.iloc[place]}): {_REASONS[kind]}"
        for (place, kind), name in list(zip(wrong.items(), names, strict=True))[:_SHOWN]
    )
    more = f" and {len(wrong) - _SHOWN} columns more" if len(wrong) > _SHOWN else ""
    text = f"X has columns that are neither numbers nor categories: {listed}{more}."
    # what a list of the user's leaves out
    encodable = [place for place, kind in wrong.items() if named is not None and kind not in _NEVER]
    if encodable:
        # by place where names are numbers, which are taken for places
        places = sorted({*(named or ()), *encodable})
        by_name = all(isinstance(name, str) for name in own)
        told = [own[place] for place in places] if by_name else places
        text += f" Take them as categories: categorical_features={told!r}."
    if holder == "array of objects":
        anew = ", and name categorical_features anew" if named else ""
        return f"{text} Drop them: X = np.delete(X, {names!r}, axis=1){anew}."
    kept = [*(own[place] for place in passthrough), *names]
    text += f" Take them along, null in new rows: passthrough={kept!r}. Or drop them: "
    text += f"{drop_of(names, holder)}."
    dates = [own[place] for place in wrong if is_datetime(frame.dtypes.iloc[place])]
    return text + (f" Dates can be numbers: {_seconds_of(dates[0], holder)}." if dates else "")


def _seconds_of(name: Any, holder: str) -> str:
    """A line that makes seconds of dates."""
    if holder == "polars":
        dates = f"pl.col({name!r})"
        return f"X = X.with_columns(({dates} - {dates}.min()).dt.total_seconds())"
    return f"X[{name!r}] = (X[{name!r}] - X[{name!r}].min()).dt.total_seconds()"


def _row_dtype(numbers: Any, keeps_missing: bool, has_codes: bool) -> np.dtype[Any]:
    dtype = common_dtype(numbers)
    nullable = any(isinstance(own, pd.api.extensions.ExtensionDtype) for own in numbers.dtypes)
    if keeps_missing and nullable and dtype.kind in "iu":
        dtype = np.dtype(np.float64)
    return _with_codes(dtype) if has_codes else dtype


def _with_codes(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that holds codes, too: a float of 32 bits those of 16,777,216 categories."""
    return np.result_type(dtype, np.float32 if dtype.kind == "f" else np.int32)
