"""Columns of a job's table: which are features, which only ride along, and what a result has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import InputError, ParameterError

if TYPE_CHECKING:  # the command line is to answer before what is slow to import
    from ..order.orders import Order
    from ..order.places import Partition


@dataclass(frozen=True)
class Columns:
    """What a job does with the columns.

    Attributes
    ----------
    target
        Holds the classes.
    features
        Rows are clustered and interpolated by these; None means all that have no other part.
    drop, keep
        Left out; and taken along, null in synthetic rows.
    only_synthetic
        Leave out the originals.
    mark
        A column to add that is true in synthetic rows.
    """

    target: str
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    only_synthetic: bool = False
    mark: str | None = None

    def resolved(self, present: Sequence[str]) -> Columns:
        """The same with its features by name.

        Raises
        ------
        InputError
            A column is not there.
        ParameterError
            A column has two parts, or the mark is there already.
        """
        for option, names in (
            ("--target", (self.target,)),
            ("--features", self.features or ()),
            ("--drop", self.drop),
            ("--keep", self.keep),
        ):
            for name in names:
                _require_present(name, present, option)
        taken = [self.target, *self.drop, *self.keep]
        features = self.features or tuple(name for name in present if name not in taken)
        twice = [name for name in [*taken, *features] if [*taken, *features].count(name) > 1]
        if twice:
            raise ParameterError(
                f"The column {twice[0]!r} has two parts: name it once in --target, --features, "
                "--drop and --keep."
            )
        if self.mark in present:
            raise ParameterError(
                f"The source has a column {self.mark!r} already: name another in --mark-synthetic."
            )
        if not features:
            raise InputError("No column is left for --features: name fewer in --drop and --keep.")
        return replace(self, features=features)

    def require_named_features(self) -> None:
        """Raise `InputError` where a feature is a column of CSV files that has no name."""
        # so pandas names the index that `frame.to_csv()` wrote: a row number, and no feature
        nameless = [name for name in self.features or () if name.startswith("Unnamed: ")]
        if nameless:
            raise InputError(
                f"The column {nameless[0]!r} has no name in the files, and may be the index of a "
                f"frame: leave it out with --drop '{nameless[0]}', or give it a name."
            )

    def of_result(self, present: Sequence[str]) -> list[str]:
        """Columns of the result but for the mark, in the order of the source."""
        parts = {self.target, *(self.features or ()), *self.keep}
        return [name for name in present if name in parts]


def _require_present(name: str, present: Sequence[str], option: str) -> None:
    if name in present:
        return
    near = get_close_matches(name, [str(column) for column in present], 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It has {list(present)}."
    raise InputError(
        f"The source has no column {name!r} ({option}). {hint} Name one of its columns."
    )


def result_frame(
    table: Any,
    synthetic: tuple[Any, Any],
    columns: Columns,
    order: Order,
    lengths: Sequence[int],
    sizes: Sequence[int],
) -> Any:
    """Originals and synthetic rows as one Dask frame.

    Parameters
    ----------
    table
        The source, as `storage.tables.read_all_values` reads it.
    synthetic
        Features and labels of the synthetic rows, a partition for each block.
    columns
        Resolved.
    order
        Where rows go.
    lengths, sizes
        Rows of each partition of the source, and of each block.
    """
    import dask.dataframe as dd

    X, y = synthetic
    names = columns.of_result(list(table.columns))
    # what the synthetic rows have, so that both parts have one type: an int64 that was read as
    # Int64 is int64 again. The census lets no null into these columns.
    plain = dict(X._meta.dtypes) | {columns.target: y._meta.dtype}
    originals = table[names].map_partitions(
        _original_part, columns, plain, meta=_original_part(table._meta[names], columns, plain)
    )
    if not sizes:
        return originals.partitions[:0] if columns.only_synthetic else originals
    new = X.map_partitions(
        _synthetic_part, y, originals._meta, columns, meta=originals._meta, align_dataframes=False
    )
    if columns.only_synthetic:
        return new
    if order.appends:  # as frames, whose reads Dask can still optimize
        return dd.concat([originals.clear_divisions(), new.clear_divisions()])
    return _arranged(originals, new, list(order.partitions(lengths, sizes)), sizes)


def _arranged(
    originals: Any, new: Any, partitions: Sequence[Partition], sizes: Sequence[int]
) -> Any:
    import dask
    import dask.dataframe as dd

    from ..data.collections import partitions_of
    from ..data.result import arrange
    from ..graph.dask.tasks import Tasks

    # keys of this call alone: one key with two meanings can make a scheduler deadlock
    tasks = Tasks(uuid4().hex)
    # `partitions_of` joins no small reads: these are the partitions that the sampler counted
    parts = arrange(tasks, partitions, partitions_of(originals), partitions_of(new), sizes)
    # the columns have their types: objects are lists, structs or maps, and no strings
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_delayed(parts, meta=originals._meta)


def _original_part(frame: Any, columns: Columns, plain: dict[str, Any]) -> Any:
    """Original rows; kept columns in types that have nulls, the others in the `plain` ones."""
    import pandas as pd

    # no categories: those of a meta are unknown until data are read, and `astype` to them would
    # make all values null
    types = {name: _nullable(frame[name].dtype) for name in columns.keep} | {
        name: dtype for name, dtype in plain.items() if not isinstance(dtype, pd.CategoricalDtype)
    }
    frame = frame.astype(types)
    if columns.mark is not None:
        frame[columns.mark] = False
    return frame


def _synthetic_part(X: Any, y: Any, meta: Any, columns: Columns) -> Any:
    """Synthetic rows with the columns of `meta`; kept columns are null."""
    # columns are added to this frame alone; the rows stay shared with the other tasks of X
    frame = X.copy(deep=False)
    frame[columns.target] = y
    for name in columns.keep:
        # nulls of any type: `pd.Series(pd.NA, X.index, dtype="float64")` is a TypeError
        frame[name] = meta[name].reindex(X.index)
    if columns.mark is not None:
        frame[columns.mark] = True
    return frame[list(meta.columns)]


def _nullable(dtype: Any) -> Any:
    """The type with nulls that holds all values of a type."""
    import pandas as pd

    if isinstance(dtype, pd.api.extensions.ExtensionDtype) or dtype.kind not in "biu":
        return dtype
    name = "boolean" if dtype.kind == "b" else str(dtype).replace("i", "I").replace("u", "U")
    return pd.api.types.pandas_dtype(name)
