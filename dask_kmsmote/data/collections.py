"""The input as rows in chunks: one Dask array of features and one collection of labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask.base import is_dask_collection
from dask.delayed import Delayed

from ..errors import InputError, UnsupportedDaskError
from ..kernels.rows.blocks import frame_to_rows
from ..kernels.rows.columns import check_columns, common_dtype
from ..kernels.rows.fingerprint import ChunkPrints
from ..kernels.rows.labels import label_values
from ..planning.checks import check_dimensions, check_lengths
from ..graph.dask.own_keys import private_copy, with_own_keys
from ..graph.dask.tasks import Tasks, compute


@dataclass(frozen=True)
class RowBlocks:
    """X and y, cut alike into chunks of rows.

    Attributes
    ----------
    matrix
        Features, one block of columns; row chunks may be unknown until the census.
    target
        A task for each chunk's labels: numpy or pandas.
    feature_names
        Names of the columns; their numbers where they have none.
    lengths
        Rows of each chunk, or None while unknown.
    partitions
        A task for each partition, where X is a frame.
    prints
        Fingerprints of each chunk, once the census has read it.
    """

    matrix: da.Array
    target: list[Delayed]
    feature_names: tuple[Any, ...]
    lengths: tuple[int, ...] | None
    partitions: list[Delayed] = field(default_factory=list)
    prints: tuple[ChunkPrints, ...] = ()

    def rows(self) -> list[Delayed]:
        """A task for each chunk's features."""
        return list(self.matrix.to_delayed(optimize_graph=False).ravel())

    def with_lengths(self, lengths: tuple[int, ...]) -> RowBlocks:
        """The same with known chunks."""
        return replace(self, matrix=known_chunks(self.matrix, lengths), lengths=lengths)


def known_chunks(array: da.Array, lengths: tuple[int, ...]) -> da.Array:
    """The same array, its row chunks declared, at no cost."""
    if len(lengths) != array.numblocks[0]:
        raise misaligned(array.numblocks[0], len(lengths))
    chunks = (lengths, *array.chunks[1:])
    return da.Array(array.dask, array.name, chunks, dtype=array.dtype, meta=array._meta)


def lengths_of(array: da.Array) -> tuple[int, ...] | None:
    """Rows of each chunk; None where Dask does not know them."""
    rows = array.chunks[0]
    return None if any(math.isnan(n) for n in rows) else tuple(int(n) for n in rows)


def measure_lengths(tasks: Tasks, target: list[Delayed]) -> tuple[int, ...]:
    """Rows of each chunk, counted on the labels alone."""
    sizes = [tasks("lengths", len, block) for block in target]
    return tuple(int(n) for n in compute(*sizes))


def check_dask() -> None:
    """The Dask arrays here can be taken apart into chunks.

    Raises
    ------
    UnsupportedDaskError
        Dask's experimental array query planning is on.
    """
    if da.array_expr_enabled():
        raise UnsupportedDaskError(
            "Dask's experimental array query planning is on, and dask-ml's KMeans does not work "
            "with it. Turn it off before Dask is imported: "
            "DASK_ARRAY__QUERY_PLANNING=False in the environment."
        )


def partitions_of(frame: Any) -> list[Delayed]:
    """A task for each partition of a Dask frame or series.

    Only the needed columns are read, but small reads are not joined: Dask joins them by the bytes
    that the columns have, so a frame and one of its columns would fall into different partitions.
    """
    return list(frame.simplify().to_delayed(optimize_graph=False))


def read_rows(tasks: Tasks, X: Any) -> RowBlocks:
    """Features as one array with one block of columns, still without a target.

    Raises
    ------
    InputError
        Not two-dimensional, no columns, or columns that are no numbers.
    """
    if isinstance(X, da.Array):
        check_dimensions(X.shape)
        matrix = X if X.numblocks[1] == 1 else X.rechunk({1: -1})
        return RowBlocks(matrix, [], tuple(range(X.shape[1])), lengths_of(matrix))
    if not _is_frame(X) or X.ndim != 2:
        raise InputError(
            f"X is a {type(X).__name__} beside a Dask y: pass both as Dask collections, or both "
            "in memory, e.g. y = y.compute()."
        )
    check_columns(X._meta)
    dtype, parts = common_dtype(X._meta), partitions_of(X)
    shape = (math.nan, len(X.columns))
    arrays = [
        da.from_delayed(tasks("rows", frame_to_rows, part, dtype), shape, dtype) for part in parts
    ]
    return RowBlocks(da.concatenate(arrays), [], tuple(X.columns), None, parts)


def read_target(tasks: Tasks, y: Any, blocks: RowBlocks) -> Any:
    """The labels with the chunks of X: a Dask series beside a frame, else a Dask array.

    Raises
    ------
    InputError
        y has two dimensions and is not one-vs-all, or can't be aligned with X.
    """
    matrix, lengths = blocks.matrix, blocks.lengths
    if not is_dask_collection(y):
        y = np.asarray(y)
        if lengths is None or y.shape[:1] != (sum(lengths),):
            raise InputError(
                f"y is a {type(y).__name__} of shape {y.shape} beside a Dask X with "
                f"{matrix.shape[0]} rows: pass y as a Dask collection chunked like X."
            )
        y = da.from_array(y, chunks=(lengths, *((n,) for n in y.shape[1:])))
    if isinstance(y, da.Array):
        if y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] == 1):
            raise InputError(
                f"y is two-dimensional, shape {y.shape}: pass its one column, y = y[:, 0]."
            )
        y = y if y.ndim == 1 else y.rechunk({1: -1})
        return align(matrix, y)
    if not _is_frame(y) or isinstance(y._meta, pd.Index):
        raise InputError(
            f"y is a {type(y).__name__}: pass a Dask array or series of labels, e.g. "
            "y = y.to_series() of an index."
        )
    if y.ndim != 1:
        raise InputError(
            f"y is two-dimensional, with the columns {list(y.columns)}: pass one of them, "
            f"y = y[{y.columns[0]!r}]."
        )
    if not blocks.partitions:
        return align(matrix, label_array(tasks, y, known=lengths is not None))
    if y.npartitions != matrix.numblocks[0]:
        raise misaligned(matrix.numblocks[0], y.npartitions)
    return y


def _is_frame(collection: Any) -> bool:
    # a Delayed has every attribute that it is asked for
    return (
        not isinstance(collection, Delayed)
        and hasattr(collection, "npartitions")
        and hasattr(collection, "ndim")
    )


def label_array(tasks: Tasks, y: Any, known: bool) -> da.Array:
    """The labels of a Dask series as an array; for `known` chunks they are counted."""
    parts = partitions_of(y)
    lengths = measure_lengths(tasks, parts) if known else (math.nan,) * len(parts)
    dtype = label_values(y._meta).dtype
    arrays = [
        da.from_delayed(tasks("target", label_values, part), (n,), dtype)
        for part, n in zip(parts, lengths, strict=True)
    ]
    return with_own_keys(da.concatenate(arrays))


def align(matrix: da.Array, target: da.Array) -> da.Array:
    """The target with the row chunks of the matrix, where both are known; else as it is."""
    n_matrix, n_target = lengths_of(matrix), lengths_of(target)
    if n_matrix is not None and n_target is not None:
        if len(n_matrix) == len(n_target) and sum(n_matrix) != sum(n_target):
            check_lengths(n_matrix, n_target)
        if sum(n_matrix) != sum(n_target):
            raise InputError(
                "X and y have inconsistent numbers of samples: "
                f"{sum(n_matrix)} rows and {sum(n_target)} labels. "
                "Select the same rows of both."
            )
        return target if n_matrix == n_target else target.rechunk({0: n_matrix})
    if matrix.numblocks[0] != target.numblocks[0]:
        raise misaligned(matrix.numblocks[0], target.numblocks[0])
    return target


def misaligned(n_matrix: int, n_target: int) -> InputError:
    """The error for chunks that do not pair up."""
    return InputError(
        f"X has {n_matrix} partitions of rows, y has {n_target}, and not all their lengths are "
        "known, so they can't be aligned. Take both from the same frame, or call "
        "compute_chunk_sizes() on the arrays first."
    )


def from_dask(tasks: Tasks, X: Any, y: Any) -> tuple[RowBlocks, RowBlocks, Any]:
    """Dask collections as rows in chunks.

    Returns
    -------
    blocks
        For the stages, under keys of their own: what they keep in cluster memory remembers how it
        was computed, and a key of the user's that is computed later with another optimisation
        would contradict it.
    original
        The same under the user's keys, for the result.
    target
        y as it was aligned.
    """
    check_dask()
    original = read_rows(tasks, X)
    target = read_target(tasks, y, original)
    lengths = original.lengths
    if isinstance(target, da.Array):
        lengths = lengths or lengths_of(target)
        parts = list(private_copy(target, tasks.token).to_delayed(optimize_graph=False).ravel())
    else:
        parts = partitions_of(target)
    if lengths is not None:
        original = replace(original, matrix=known_chunks(original.matrix, lengths), lengths=lengths)
    original = replace(original, target=parts)
    if original.partitions:
        return original, original, target
    return replace(original, matrix=private_copy(original.matrix, tasks.token)), original, target


def from_memory(rows: Any, target: np.ndarray[Any, Any], chunk_rows: int) -> RowBlocks:
    """An array or sparse matrix in this process, as chunks that refer to it."""
    n = rows.shape[0]
    names = tuple(range(rows.shape[1]))
    lengths = tuple(min(chunk_rows, n - start) for start in range(0, n, chunk_rows))
    chunks = (lengths, (rows.shape[1],))
    matrix = da.from_array(rows, chunks=chunks, name=False, asarray=False)
    labels = da.from_array(target, chunks=(lengths,), name=False)
    return RowBlocks(matrix, list(labels.to_delayed(optimize_graph=False)), names, lengths)
