"""A chunk of a table, read by its schema: numbers, and categories by codes of its own.

Codes are numbers of the categories in the order of their values, an absent one the last, so that
they do not depend on which chunk has which value first. They are known once all chunks were read
(`encoding`); until then a chunk has codes of its own (`Table`), by which its categories are counted
(`categories`), and its fingerprint taken, which depends on values alone:

    column     red blue red -       green blue
    own codes  0   1    0   -1      0     1
    labels     red blue             green blue
    encoding   blue green red       codes 2 0 2 3   and   1 0
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import InputError
from .blocks import Ints, frame_values, is_sparse, require_rows, take, unmasked
from .columns import numpy_dtype
from .fingerprint import Fingerprint, combined, of_labels, of_rows
from .labels import Coded, label_values
from .schema import Schema, sparse_categories


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
    if not schema.numbers:
        return np.empty((len(frame), 0), dtype=schema.dtype)
    _check_nulls(frame, schema)
    nothing = [name for name, dtype in frame.dtypes.items() if str(dtype) == "null[pyarrow]"]
    if nothing:
        frame = frame.copy(deep=False)
        for name in nothing:  # Arrow has no floats of its type of nulls alone
            frame[name] = np.nan
    try:
        return frame_values(frame, schema.numbers, schema.dtype)
    except (ValueError, TypeError) as error:
        kinds = frame.dtypes.iloc[list(schema.numbers)].to_dict()
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


def factorized(part: Any, schema: Schema) -> Any:
    """A frame with its categories as numbers and values, which later reads need not find."""
    if not isinstance(part, pd.DataFrame):
        return part
    found = part.copy(deep=False)
    for place in schema.categories:
        column = part.iloc[:, place]
        coded = None if isinstance(column.dtype, pd.CategoricalDtype) else _coded(column)
        # what can't be told apart is refused by whoever reads it
        if coded is not None:
            values = pd.Categorical.from_codes(coded.codes, pd.Index(coded.labels, dtype=object))
            found[schema.columns[place]] = pd.Series(values, index=part.index)
    return found


def sampled_table(part: Any, schema: Schema, indices: Ints) -> Table:
    """Some rows of a chunk; numbers beyond its end are left out, as its length is still a claim."""
    n = len(part)
    inside = indices[indices < n]
    taken = part.iloc[inside] if isinstance(part, pd.DataFrame) else take(part, inside)
    return read(taken, schema)
