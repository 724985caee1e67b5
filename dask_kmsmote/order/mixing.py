"""Originals and synthetic rows of one partition, in the order of their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import union_categoricals

from .places import Mixture, Piece
from ..kernels.rows.blocks import stack, take


def places(piece: Piece) -> NDArray[np.float64]:
    """Where the rows of a piece lie, between 0 and 1."""
    return (np.arange(piece.first, piece.first + piece.n_rows) + 0.5) / piece.total


def order_of(mixture: Mixture) -> NDArray[np.int64]:
    """Numbers of the rows, the originals' first, sorted by place."""
    found = np.concatenate([places(piece) for piece in (mixture.originals, *mixture.pieces)])
    return np.argsort(found, kind="stable")


def interleave(parts: Sequence[Any], mixture: Mixture) -> Any:
    """The rows of a partition from the originals and from slices of blocks, in order of place.

    The parts are arrays, sparse matrices, or frames or series of pandas.
    """
    order = order_of(mixture)
    if isinstance(parts[0], pd.Series) and isinstance(parts[0].dtype, pd.CategoricalDtype):
        # partitions may have categories of their own, which concat makes objects of
        joined = union_categoricals([part.array for part in parts])
        return pd.Series(joined, name=parts[0].name).iloc[order]
    if isinstance(parts[0], pd.DataFrame | pd.Series):
        return pd.concat(parts).iloc[order]
    return take(stack(parts), order)


def interleave_parents(parts: Sequence[pd.DataFrame], mixture: Mixture, start: int) -> pd.DataFrame:
    """Parents of the synthetic rows of a partition that starts at a row of the result."""
    order = order_of(mixture)
    rows = np.flatnonzero(order >= mixture.originals.n_rows)
    parents = pd.concat(parts).iloc[order[rows] - mixture.originals.n_rows]
    return parents.set_axis(pd.Index(rows + start, name=parents.index.name), axis=0)
