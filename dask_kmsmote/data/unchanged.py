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
from ..kernels.rows.blocks import frame_values, in_native_order, unmasked
from ..kernels.rows.fingerprint import (
    ChunkFingerprints,
    of_labels,
    of_rows,
    of_whole,
    require_unchanged,
)
from ..kernels.rows.labels import code

UNKNOWN_CATEGORIES = "__UNKNOWN_CATEGORIES__"  # Dask's own mark


def unchanged_rows(rows: Any, before: ChunkFingerprints) -> Any:
    """A chunk of X that is what it was at first."""
    require_unchanged(of_rows(unmasked(rows, "X")), before.rows, "X", before.chunk)
    return in_native_order(rows)


def unchanged_labels(target: Any, before: ChunkFingerprints) -> Any:
    """A chunk of y that is what it was at first."""
    require_unchanged(of_labels(*code(unmasked(target, "y"))), before.target, "y", before.chunk)
    return in_native_order(target) if isinstance(target, np.ndarray) else target


def unchanged_frame(
    part: Any, before: ChunkFingerprints, dtype: np.dtype[Any], meta: pd.DataFrame
) -> Any:
    """A partition of X, in the types of `meta`, whose rows, of a dtype, are what they were."""
    # as the rows were computed, and then the integers that floats of their dtype may round
    require_unchanged(of_rows(frame_values(part, dtype)), before.rows, "X", before.chunk)
    require_unchanged(of_whole(part, dtype), before.whole, "X", before.chunk)
    return _as_declared(part, meta, "X", before.chunk)


def unchanged_series(part: Any, before: ChunkFingerprints, meta: pd.Series[Any]) -> Any:
    """A partition of y, in the type of `meta`, that is what it was at first."""
    return _as_declared(unchanged_labels(part, before), meta, "y", before.chunk)


def _as_declared(part: Any, meta: Any, name: str, chunk: int) -> Any:
    """A partition in the types of `meta`; all numbers pass for each other, as Dask has them do.

    Raises
    ------
    InputError
        It has others.
    """
    from dask.dataframe.utils import check_meta

    own, declared = part.dtypes, meta.dtypes
    if isinstance(declared, pd.CategoricalDtype) and isinstance(own, pd.CategoricalDtype):
        # as read from Parquet, categories may be of another type of text than Dask says
        return part.astype(declared) if _has_known_categories(meta) else part
    try:
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


def _has_known_categories(meta: Any) -> bool:
    """Whether a Dask series of categories knows them before it is computed."""
    return UNKNOWN_CATEGORIES not in meta.cat.categories
