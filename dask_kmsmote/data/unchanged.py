"""What must not change meanwhile: chunks of the result are what they were when they were planned.

X and y are read more than once. The census takes a fingerprint of every chunk, the survey compares
it, and so do the functions here, which run in a task for each chunk of originals in a lazy result.
A frame's partitions must also have the types that the frame says, as the synthetic rows have them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..kernels.making.partitions import positioned
from ..kernels.rows.blocks import in_native_order, unmasked
from ..kernels.rows.columns import UNKNOWN_CATEGORIES
from ..kernels.rows.encoding import Encoding
from ..kernels.rows.fingerprint import (
    ChunkFingerprints,
    Fingerprint,
    of_labels,
    of_rows,
    require_unchanged,
)
from ..kernels.rows.labels import code
from ..kernels.rows.schema import Schema
from ..kernels.rows.table import fingerprint_of, read


def unchanged_rows(rows: Any, before: ChunkFingerprints, schema: Schema) -> Any:
    """A chunk of X that is what it was at first."""
    block = unmasked(rows, "X")
    _require(of_rows(block) if schema.is_plain else _fingerprint(block, schema), before)
    return in_native_order(rows)


def _fingerprint(part: Any, schema: Schema) -> Fingerprint:
    return fingerprint_of(part, read(part, schema), schema)


def _require(own: Fingerprint, before: ChunkFingerprints) -> None:
    if before.rows is not None:
        require_unchanged(own, before.rows, "X", before.chunk)


def unchanged_labels(target: Any, before: ChunkFingerprints) -> Any:
    """A chunk of y that is what it was at first."""
    require_unchanged(of_labels(*code(unmasked(target, "y"))), before.target, "y", before.chunk)
    return in_native_order(target) if isinstance(target, np.ndarray) else target


def unchanged_frame(
    part: Any,
    before: ChunkFingerprints,
    start: int | None,
    schema: Schema,
    encoding: Encoding,
    meta: pd.DataFrame,
) -> Any:
    """A partition of X, in the types of `meta`, whose features are what they were.

    Categories that Dask does not know are those of all partitions. Its index is that of rows from a
    start on, or its own where that is None.
    """
    _require(_fingerprint(part, schema), before)
    meta = _with_all_categories(meta, schema, encoding)
    # what is null in new rows, in a type that has nulls
    kept = {schema.columns[place]: meta.dtypes.iloc[place] for place in schema.passthrough}
    changed = {name: own for name, own in kept.items() if part[name].dtype != own}
    own = {name: dtype for name, dtype in changed.items() if not _is_categorical(dtype)}
    found = _as_declared(part.astype(own) if own else part, meta, "X", before.chunk)
    return _from_start(found, start)


def _with_all_categories(meta: pd.DataFrame, schema: Schema, encoding: Encoding) -> pd.DataFrame:
    """The empty frame; categories that Dask does not know are those of all partitions."""
    found = dict(zip(schema.categories, encoding.declared, strict=True)) | dict(encoding.kept)
    unknown = {
        schema.columns[place]: dtype
        for place, dtype in found.items()
        if dtype is not None and _is_unknown(meta.dtypes.iloc[place])
    }
    return meta.astype(unknown)


def _from_start(part: Any, start: int | None) -> Any:
    return part if start is None else positioned(part, start)


def unchanged_series(
    part: Any, before: ChunkFingerprints, start: int | None, meta: pd.Series[Any]
) -> Any:
    """As `unchanged_frame`, of y."""
    found = _as_declared(unchanged_labels(part, before), meta, "y", before.chunk)
    return _from_start(found, start)


def _as_declared(part: Any, meta: Any, name: str, chunk: int) -> Any:
    """A partition in the types of `meta`; all numbers pass for each other, as Dask has them do.

    Raises
    ------
    InputError
        It has others.
    """
    from dask.dataframe.utils import check_meta

    part = _in_categories(part, meta)
    try:
        # categories that nobody knows pass for any
        return check_meta(part, meta)
    except ValueError as error:
        types, said = (pd.DataFrame(each).dtypes.to_dict() for each in (part, meta))
        wrong = {
            column: f"{types.get(column)}, not {dtype}"
            for column, dtype in said.items()
            if types.get(column) != dtype
        }
        raise InputError(
            f"Partition {chunk} of {name} is not of the types that its frame says: {wrong}. Give "
            "them to each partition, with astype, where they are made."
        ) from error


def _in_categories(part: Any, meta: Any) -> Any:
    """The partition with its categories in the types of `meta`, where those are known.

    As read from Parquet, they may be of another type of text than Dask says.
    """
    if not isinstance(part, pd.DataFrame):
        return part.astype(meta.dtype) if _are_known(part.dtype, meta.dtype) else part
    known = {
        name: own for name, own in meta.dtypes.items() if _are_known(part.dtypes.get(name), own)
    }
    return part.astype(known) if known else part


def _are_known(own: Any, declared: Any) -> bool:
    both = _is_categorical(own) and _is_categorical(declared)
    return both and not _is_unknown(declared)


def _is_categorical(dtype: Any) -> bool:
    return isinstance(dtype, pd.CategoricalDtype)


def _is_unknown(dtype: Any) -> bool:
    return _is_categorical(dtype) and UNKNOWN_CATEGORIES in dtype.categories
