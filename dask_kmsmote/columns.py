"""Columns of a job's table: which are features, which only ride along, and what a result has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .errors import InputError, ParameterError


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
        return Columns(self.target, features, self.drop, self.keep, self.only_synthetic, self.mark)

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


def result_frame(table: Any, sampled: tuple[Any, Any], n_made: int, columns: Columns) -> Any:
    """Originals and synthetic rows as one Dask frame.

    Parameters
    ----------
    table
        The source.
    sampled
        Features and labels as resampled; their last n_made partitions are synthetic.
    n_made
        Partitions.
    columns
        Resolved.
    """
    import dask.dataframe as dd

    names = columns.of_result(list(table.columns))
    originals = table[names].map_partitions(
        original_part, columns, meta=original_part(table._meta[names], columns)
    )
    if n_made == 0:
        return originals.partitions[:0] if columns.only_synthetic else originals
    X, y = (part.partitions[part.npartitions - n_made :] for part in sampled)
    synthetic = X.map_partitions(
        synthetic_part, y, originals._meta, columns, meta=originals._meta, align_dataframes=False
    )
    if columns.only_synthetic:
        return synthetic
    return dd.concat([originals.clear_divisions(), synthetic.clear_divisions()])


def original_part(frame: Any, columns: Columns) -> Any:
    """Original rows; kept columns in types that have nulls."""
    kept = {name: nullable(frame[name].dtype) for name in columns.keep}
    frame = frame.astype(kept)
    return frame if columns.mark is None else frame.assign(**{columns.mark: False})


def synthetic_part(X: Any, y: Any, meta: Any, columns: Columns) -> Any:
    """Synthetic rows with the columns of `meta`; kept columns are null."""
    import pandas as pd

    nulls = {name: pd.Series(pd.NA, X.index).astype(object) for name in columns.keep}
    marks = {} if columns.mark is None else {columns.mark: True}
    frame = X.assign(**{columns.target: y}, **nulls, **marks)[list(meta.columns)]
    kept = {name: meta[name].dtype for name in columns.keep}
    missing = {name: pd.NaT for name, dtype in kept.items() if dtype.kind in "mM"}
    return frame.assign(**missing).astype(kept)


def nullable(dtype: Any) -> Any:
    """The type with nulls that holds all values of a type."""
    import pandas as pd

    if isinstance(dtype, pd.api.extensions.ExtensionDtype) or dtype.kind not in "biu":
        return dtype
    name = "boolean" if dtype.kind == "b" else str(dtype).replace("i", "I").replace("u", "U")
    return pd.api.types.pandas_dtype(name)
