"""A chunk of a table, read by its schema: numbers and codes, in one block of rows.

Codes are numbers of the categories in the order of their values, an absent one the last, so that
they do not depend on which chunk has which value first. They are known once all chunks were read
(`Encoding`); until then a chunk has codes of its own (`Table`), by which its categories are
counted, and its fingerprint taken, which depends on values alone:

    column     red blue red -       green blue
    own codes  0   1    0   -1      0     1
    labels     red blue             green blue
    encoding   blue green red       codes 2 0 2 3   and   1 0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import InputError
from ..compiled import compiled
from .blocks import Ints, frame_values, is_sparse, require_rows, take, unmasked
from .columns import UNKNOWN_CATEGORIES, Schema, numpy_dtype, sparse_categories
from .fingerprint import (
    ChunkFingerprints,
    Fingerprint,
    combined,
    of_labels,
    of_rows,
    require_unchanged,
)
from .labels import Coded, keys, label_values

MOST_CATEGORIES = 1_000_000  # of a feature: all are brought together on one worker


class Table(NamedTuple):
    """A chunk.

    Attributes
    ----------
    numbers
        Shape (m, n_numbers), NaN where missing.
    coded
        The categories of each feature; some labels may have no row.
    """

    numbers: NDArray[Any]
    coded: tuple[Coded, ...]

    @property
    def n_rows(self) -> int:
        """Rows of the chunk."""
        return int(self.numbers.shape[0])


def read(part: Any, schema: Schema) -> Table:
    """A chunk by its schema: a partition of pandas, or a block of an array with categories.

    Raises
    ------
    InputError
        Its columns or their values are not those of the schema.
    """
    if isinstance(part, pd.DataFrame):
        _check_order(part, schema)
        numbers = _numbers_of_frame(part, schema)
        columns = [part.iloc[:, place] for place in schema.categories]
    else:
        block = require_rows(unmasked(part, "X"), len(schema.columns))
        if is_sparse(block):
            raise sparse_categories("dask array of sparse blocks")
        numbers = block[:, list(schema.numbers)]
        columns = [block[:, place] for place in schema.categories]
    names = schema.features[len(schema.numbers) :]
    coded = [_coded(own) for own in columns]
    odd = [name for name, own in zip(names, coded, strict=True) if own is None]
    if odd:
        raise InputError(
            f"X has columns of values that are no categories, such as lists: {odd}. Take them "
            f"along, null in new rows: passthrough={odd!r}; or drop them: X = "
            f"X.drop(columns={odd!r})."
        )
    return Table(numbers, tuple(own for own in coded if own is not None))


def fingerprint_of(part: Any, table: Table, schema: Schema) -> Fingerprint:
    """The fingerprint of the features of a chunk, by their values, and what was read of it."""
    whole = _rounded(part, schema) if isinstance(part, pd.DataFrame) else []
    words = [of_labels(*own).bits for own in table.coded]
    return combined(table.n_rows, [of_rows(table.numbers).bits, *whole, *words])


def _check_order(part: pd.DataFrame, schema: Schema) -> None:
    found = tuple(part.columns)
    if found != schema.columns:
        raise InputError(
            f"A partition of X has the columns {list(found)}, and its frame says "
            f"{list(schema.columns)}: give all partitions one order, X = "
            f"X.map_partitions(lambda part: part[{list(schema.columns)!r}], meta=X._meta)."
        )


def _numbers_of_frame(frame: pd.DataFrame, schema: Schema) -> NDArray[Any]:
    own = frame.iloc[:, list(schema.numbers)]
    if not schema.numbers:
        return np.empty((len(frame), 0), dtype=schema.dtype)
    _check_nulls(frame, schema)
    nothing = [name for name, dtype in own.dtypes.items() if str(dtype) == "null[pyarrow]"]
    if nothing:
        own = own.copy(deep=False)
        for name in nothing:  # Arrow has no floats of its type of nulls alone
            own[name] = np.nan
    try:
        return frame_values(own, schema.dtype)
    except (ValueError, TypeError) as error:
        kinds = own.dtypes.to_dict()
        raise InputError(
            f"A partition of X has values that are no numbers ({error}); its columns are {kinds}. "
            "Give each the type that its frame says, with astype, where partitions are made."
        ) from error


def _check_nulls(frame: pd.DataFrame, schema: Schema) -> None:
    """Raise `InputError` where nulls are kept that the type of their column does not have."""
    places = schema.nullless if schema.keeps_missing else ()
    odd = [
        schema.columns[place]
        for place in places
        if frame.dtypes.iloc[place].kind == "f" and frame.iloc[:, place].isna().any()
    ]
    if odd:
        raise InputError(
            f"A partition of X has missing values in {odd}, which its frame says are integers: "
            f"give them a type that has nulls, X = X.astype({dict.fromkeys(odd, 'Int64')!r})."
        )


def _rounded(part: pd.DataFrame, schema: Schema) -> list[int]:
    """Bits of the integers of a partition that floats of its rows may round."""
    if schema.dtype.kind != "f":
        return []
    columns = [part.iloc[:, place] for place in schema.numbers]
    kinds = [numpy_dtype(own.dtype) for own in columns]
    wide = [
        # a missing one is NaN among the rows
        own.to_numpy(dtype=kind, na_value=0)
        for own, kind in zip(columns, kinds, strict=True)
        if kind.kind in "iu" and kind.itemsize > 4
    ]
    return [of_rows(column[:, np.newaxis]).bits for column in wide]


def _coded(column: Any) -> Coded | None:
    """The categories of a column; None where its values can't be told apart."""
    if isinstance(column, pd.Series) and isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        # more of them than rows: those that are there are fewer
        if len(categories) <= len(column):
            return Coded(column.cat.codes.to_numpy(), label_values(categories))
    # an extension type as it is: factorized as objects, a million categories take 30 times as long
    plain = isinstance(getattr(column, "dtype", None), np.dtype)
    try:
        codes, labels = pd.factorize(label_values(column) if plain else column)
    except (TypeError, UnicodeEncodeError):
        return None
    return Coded(codes, label_values(labels))


def factorized(part: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The partition with its categories as numbers and values, which later reads need not find."""
    found = part.copy(deep=False)
    for place in schema.categories:
        column = part.iloc[:, place]
        coded = None if isinstance(column.dtype, pd.CategoricalDtype) else _coded(column)
        # what can't be told apart is refused by whoever reads it
        if coded is not None:
            values = pd.Categorical.from_codes(coded.codes, pd.Index(coded.labels, dtype=object))
            found[schema.columns[place]] = pd.Series(values, index=part.index)
    return found


class Categories(NamedTuple):
    """Categories of one feature in some chunks.

    Attributes
    ----------
    counts
        Rows by category; None where there are more than `MOST_CATEGORIES`, and where only their
        number is told.
    n
        Their number, or more than `MOST_CATEGORIES`.
    n_missing
        Rows without one.
    kinds
        Of which types they are, as a user calls them.
    declared
        Of a categorical type: its categories, in its order, and whether they are ordered; or None.
        Where chunks disagree, those that they all have.
    """

    counts: Mapping[Any, int] | None
    n: int
    n_missing: int
    kinds: frozenset[str]
    declared: pd.CategoricalDtype | None


def count_categories(part: Any, table: Table, schema: Schema) -> tuple[Categories, ...]:
    """The categories of a chunk.

    Raises
    ------
    InputError
        A frame says that it knows them, and a partition has others.
    """
    found = []
    for coded, place in zip(table.coded, schema.categories, strict=True):
        dtype = part.dtypes.iloc[place] if isinstance(part, pd.DataFrame) else None
        values = keys(coded.labels)
        # behind an absent one, of code -1, the others are counted from 1; codes may be of 8 bits
        shifted = coded.codes.astype(np.int64) + 1
        n_absent, *numbers = np.bincount(shifted, minlength=1 + len(values)).tolist()
        counts = {value: n for value, n in zip(values, numbers, strict=True) if n}
        if place in schema.known:
            _check_known(counts, schema.known[place], schema.columns[place])
        found.append(
            Categories(
                counts=counts if len(counts) <= MOST_CATEGORIES else None,
                n=len(counts),
                n_missing=n_absent,
                kinds=frozenset(map(_kind, counts)),
                declared=dtype if isinstance(dtype, pd.CategoricalDtype) else None,
            )
        )
    return tuple(found)


def _check_known(counts: Mapping[Any, int], known: pd.CategoricalDtype, name: Any) -> None:
    strange = sorted(map(str, set(counts).difference(known.categories)))
    if strange:
        raise InputError(
            f"A partition of X has categories of {name!r} that its frame does not know: "
            f"{strange[:10]}. Have Dask not know them: X[{name!r}] = X[{name!r}].cat.as_unknown()."
        )


def kept_types(part: Any, schema: Schema) -> dict[int, pd.CategoricalDtype]:
    """The categorical types of the columns that are only taken along."""
    return {
        place: part.dtypes.iloc[place]
        for place in schema.passthrough
        if isinstance(part.dtypes.iloc[place], pd.CategoricalDtype)
    }


def merge_types(
    parts: Sequence[Mapping[int, pd.CategoricalDtype]],
) -> dict[int, pd.CategoricalDtype]:
    """Those of several chunks."""
    places = dict.fromkeys(place for part in parts for place in part)
    found = {place: common_type([part.get(place) for part in parts]) for place in places}
    return {place: dtype for place, dtype in found.items() if dtype is not None}


def merge_categories(parts: Sequence[Categories]) -> Categories:
    """Those of several chunks."""
    counts = _add(part.counts for part in parts)
    return Categories(
        counts=counts,
        n=MOST_CATEGORIES + 1 if counts is None else len(counts),
        n_missing=sum(part.n_missing for part in parts),
        kinds=frozenset().union(*(part.kinds for part in parts)),
        declared=common_type([part.declared for part in parts]),
    )


def _add(parts: Iterable[Mapping[Any, int] | None]) -> dict[Any, int] | None:
    total: dict[Any, int] = {}
    for part in parts:
        if part is None or len(total) > MOST_CATEGORIES:
            return None
        for value, n in part.items():
            total[value] = total.get(value, 0) + n
    return total if len(total) <= MOST_CATEGORIES else None


def common_type(dtypes: Sequence[pd.CategoricalDtype | None]) -> pd.CategoricalDtype | None:
    """The type of categories that chunks have in common, or one of all that they have."""
    # an empty partition may be of Dask's own making, and then has its mark
    given = [dtype for dtype in dtypes if dtype is not None]
    known = [dtype for dtype in given if UNKNOWN_CATEGORIES not in dtype.categories]
    if not known:
        return None
    first = known[0]
    if all(dtype == first and list(dtype.categories) == list(first.categories) for dtype in known):
        return first
    # each file may have a dictionary of its own: all of them, whatever came first
    union = {value: None for dtype in known for value in dtype.categories}
    return pd.CategoricalDtype(_in_order(union), ordered=first.ordered)


def _in_order(values: Iterable[Any]) -> list[Any]:
    # kinds before values: a type without an order among others is refused elsewhere
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, str(value)))


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "booleans"
    return "numbers" if isinstance(value, int | float | np.number) else type(value).__name__


@dataclass(frozen=True)
class Encoding:
    """What codes mean.

    Attributes
    ----------
    categories
        Of each feature its categories, in the order of their values; an absent one has the code
        behind the last.
    declared
        Of each feature the categorical type of its columns, or None.
    kept
        By place, the categorical types of columns that are only taken along.
    """

    categories: tuple[tuple[Any, ...], ...]
    declared: tuple[pd.CategoricalDtype | None, ...]
    kept: Mapping[int, pd.CategoricalDtype]

    def write_codes(self, feature: int, coded: Coded, out: NDArray[Any]) -> None:
        """Write the codes of some rows, shape (m,).

        Raises
        ------
        InputError
            A category was not there when they were counted.
        """
        code_of, values = self._code_of[feature], keys(coded.labels)
        # -1, of an absent category, picks the last
        known = np.array([*(code_of.get(value, -1) for value in values), len(code_of)])
        _write_codes(coded.codes, known, out)
        strange = np.flatnonzero(known[:-1] < 0)
        # of too many categories none are known, which the census refuses
        if code_of and len(strange) and np.isin(coded.codes, strange).any():
            found = next(int(own) for own in strange if (coded.codes == own).any())
            raise InputError(
                f"X has the category {values[found]!r}, which was not there when its categories "
                "were counted: its source changed meanwhile. Persist it first: X = X.persist()."
            )

    @cached_property
    def _code_of(self) -> list[dict[Any, int]]:
        # no index of pandas: one that threads share may not find its labels (pandas issue 21150)
        return [{value: code for code, value in enumerate(own)} for own in self.categories]

    # what is cached is made anew where it is sent
    def __reduce__(self) -> tuple[Any, ...]:
        return Encoding, (self.categories, self.declared, self.kept)


@compiled
def _write_codes(codes, known, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(codes)):
        out[i] = known[codes[i]]


def encoding_of(found: Sequence[Categories], kept: Mapping[int, pd.CategoricalDtype]) -> Encoding:
    """The encoding that all chunks together make."""
    return Encoding(
        categories=tuple(tuple(_in_order(own.counts or ())) for own in found),
        declared=tuple(own.declared for own in found),
        kept=kept,
    )


def rows_by_code(found: Sequence[Categories], encoding: Encoding) -> list[Ints]:
    """Rows of each code of each feature, the absent ones last (where there are none, 0)."""
    return [
        np.array([*((own.counts or {})[value] for value in known), own.n_missing], dtype=np.int64)
        for own, known in zip(found, encoding.categories, strict=True)
    ]


def encoded(table: Table, encoding: Encoding, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows of a chunk: numbers, then codes."""
    if not table.coded:
        return np.ascontiguousarray(table.numbers)
    n_numbers = table.numbers.shape[1]
    # integers of a partition in which one is missing came as floats, and are refused later
    dtype = np.result_type(dtype, table.numbers.dtype) if n_numbers else dtype
    out = np.empty((table.n_rows, n_numbers + len(table.coded)), dtype=dtype)
    out[:, :n_numbers] = table.numbers
    for feature, coded in enumerate(table.coded):
        encoding.write_codes(feature, coded, out[:, n_numbers + feature])
    return out


def sampled_table(part: Any, schema: Schema, indices: Ints) -> Table:
    """Some rows of a chunk; numbers beyond its end are left out, as its length is still a claim."""
    n = len(part)
    inside = indices[indices < n]
    taken = part.iloc[inside] if isinstance(part, pd.DataFrame) else take(part, inside)
    return read(taken, schema)


def join_sampled(parts: Sequence[Table], encoding: Encoding, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The sampled rows of all chunks, encoded."""
    return np.concatenate([encoded(part, encoding, dtype) for part in parts])


def coded_rows(
    part: Any, schema: Schema, encoding: Encoding, before: ChunkFingerprints | None
) -> NDArray[Any]:
    """The rows of a chunk, which must be what they were before, where that is known.

    Raises
    ------
    InputError
        They are not.
    """
    table = read(part, schema)
    if before is not None and before.rows is not None:
        own = fingerprint_of(part, table, schema)
        require_unchanged(own, before.rows, "X", before.chunk)
    return encoded(table, encoding, schema.dtype)
