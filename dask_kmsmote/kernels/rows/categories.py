"""The categories of each feature: counted in a chunk, and put together from all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...errors import InputError
from .columns import UNKNOWN_CATEGORIES
from .labels import keys
from .schema import Schema
from .table import Table

MOST_CATEGORIES = 1_000_000  # of a feature: all are brought together on one worker


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


def _check_known(values: Iterable[Any], known: pd.CategoricalDtype, name: Any) -> None:
    strange = sorted(map(str, set(values).difference(known.categories)))
    if strange:
        raise InputError(
            f"A partition of X has categories of {name!r} that its frame does not know: "
            f"{strange[:10]}. Have Dask not know them: X[{name!r}] = X[{name!r}].cat.as_unknown()."
        )


def kept_types(part: Any, schema: Schema) -> dict[int, pd.CategoricalDtype]:
    """The categorical types of the columns that are only taken along.

    Raises
    ------
    InputError
        As `count_categories`.
    """
    dtypes = {place: part.dtypes.iloc[place] for place in schema.passthrough}
    found = {place: own for place, own in dtypes.items() if isinstance(own, pd.CategoricalDtype)}
    for place in found.keys() & schema.known.keys():
        if not set(found[place].categories) <= set(schema.known[place].categories):
            values = part.iloc[:, place].dropna().unique()
            _check_known(values, schema.known[place], schema.columns[place])
    return found


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
    if all(dtype.ordered for dtype in known):
        return pd.CategoricalDtype(_merged_orders(known), ordered=True)
    # each file may have a dictionary of its own: all of them, whatever came first
    union = {value: None for dtype in known for value in dtype.categories}
    return pd.CategoricalDtype(in_order(union), ordered=first.ordered)


def _merged_orders(dtypes: Sequence[pd.CategoricalDtype]) -> list[Any]:
    """One order of all categories in which those of every chunk keep theirs.

    Of low < high and low < middle < high it is the second; where chunks leave open which of two
    comes first, the order of their values tells.

    Raises
    ------
    InputError
        There is none.
    """
    before: dict[Any, set[Any]] = {}
    for dtype in dtypes:
        values = dtype.categories.tolist()
        for place, value in enumerate(values):
            before.setdefault(value, set()).update(values[:place])
    merged: list[Any] = []
    while before:
        free = in_order(value for value, others in before.items() if not others - set(merged))
        if not free:
            orders = sorted({str(dtype.categories.tolist()) for dtype in dtypes})
            raise InputError(
                f"Partitions of X have ordered categories in orders that contradict each other: "
                f"{'; '.join(orders[:3])}. Give all partitions one type, with astype."
            )
        merged.append(free[0])
        del before[free[0]]
    return merged


def in_order(values: Iterable[Any]) -> list[Any]:
    """Categories in the order of their values."""
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
