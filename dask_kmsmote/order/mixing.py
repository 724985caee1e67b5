"""The rows of one partition of a result, put together: what runs in a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from ..kernels.rows.blocks import stack, take
from .places import Stretch, sort_by_place


def mix(parts: Sequence[Any], stretches: Sequence[Stretch]) -> Any:
    """The rows of a partition from a chunk and slices of blocks, in order of place.

    The parts are arrays, sparse matrices, or frames or series of pandas.
    """
    order = sort_by_place(stretches)
    if isinstance(parts[0], pd.Series):
        return _joined(parts).iloc[order]
    if isinstance(parts[0], pd.DataFrame):
        columns = [_joined([part.iloc[:, j] for part in parts]) for j in range(parts[0].shape[1])]
        return pd.concat(columns, axis=1).iloc[order]
    return take(stack(parts), order)


def _joined(parts: Sequence[Any]) -> Any:
    """Series one below the other, with the index 0 ... n - 1."""
    if not isinstance(parts[0].dtype, pd.CategoricalDtype):
        return pd.concat(parts, ignore_index=True)
    # partitions may have categories of their own, which concat makes objects of
    joined = union_categoricals([part.array for part in parts], ignore_order=True)
    if parts[0].cat.ordered:
        joined = joined.as_ordered()
    return pd.Series(joined, name=parts[0].name)


def mix_parents(
    parts: Sequence[pd.DataFrame], stretches: Sequence[Stretch], start: int
) -> pd.DataFrame:
    """Parents of the synthetic rows of a partition that starts at a row of the result."""
    order = sort_by_place(stretches)
    # the first stretch is that of the originals: of a, b and x in the order 0 2 1, which is a x b,
    # row 1 is x, and its parents are row 2 - 2 of the parts
    n_originals = stretches[0].n_rows
    rows = np.flatnonzero(order >= n_originals)
    parents = pd.concat(parts).iloc[order[rows] - n_originals]
    return parents.set_axis(pd.Index(rows + start, name=parents.index.name), axis=0)
