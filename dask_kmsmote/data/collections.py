"""Dask collections as the input of a run: X and y aligned.

X is one Dask array of features, in one block of columns; y has its chunks. What the stages read of
arrays goes under keys of the run's own: what they keep in cluster memory remembers how it was
computed, and a key of the user's that is computed later with another optimisation would contradict
it. The partitions of frames are read as they are. The result is made of the user's own collections.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.base import is_dask_collection
from dask.delayed import Delayed

from ..errors import InputError, UnsupportedDaskError
from ..graph.chunks import (
    Chunks,
    Source,
    Table,
    has_known_chunks,
    lengths_of,
    measure_lengths,
    misaligned,
    with_chunks,
)
from ..graph.dask.held import held
from ..graph.dask.own_keys import blocks_under_own_keys, with_known_aliases
from ..graph.dask.tasks import Tasks
from ..kernels.rows.blocks import is_sparse
from ..kernels.rows.labels import label_values
from ..kernels.rows.schema import Schema, Wanted, schema_of_array, schema_of_frame
from ..planning.checks import check_dimensions, check_lengths
from ..threads import on_active_scheduler
from .kinds import called, is_dask_frame
from .result import (
    Arrangement,
    ArrayFeatures,
    ArrayTarget,
    FrameFeatures,
    SeriesTarget,
)


@dataclass(frozen=True)
class DaskInput:
    """X and y as Dask collections.

    Attributes
    ----------
    tasks
        Makes the tasks of the run.
    source
        What the stages read.
    features, target
        What the result is made of.
    """

    tasks: Tasks
    source: Source
    features: ArrayFeatures | FrameFeatures
    target: ArrayTarget | SeriesTarget

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Where its stages compute: where the user does."""
        with on_active_scheduler():
            try:
                yield
            except ValueError as error:
                _require_folders_without_nulls(error)
                raise

    def resampled(self, wanted: Arrangement) -> tuple[Any, Any]:
        """X and y of the kinds that came in, lazy."""
        return self.features.arranged(wanted), self.target.arranged(wanted)


def _require_folders_without_nulls(error: ValueError) -> None:
    """Raise `InputError` where Dask could not read a folder of Parquet files that names a null."""
    wanted = r"No non-null segments .* field '(.*?)'|categories cannot be null"
    found = re.search(wanted, str(error))
    if found:
        name = found[1] or "city"
        raise InputError(
            f"A folder of Parquet files names a null ({name}=__HIVE_DEFAULT_PARTITION__), which "
            "Dask does not read as a category. Say of which type the names are, and no filesystem: "
            'dd.read_parquet(path, dataset={"partitioning": {"flavor": "hive", "schema": '
            f"pa.schema([({name!r}, pa.string())])}}}})."
        ) from error


def _check_dask() -> None:
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


def from_dask(tasks: Tasks, X: Any, y: Any, wanted: Wanted) -> DaskInput:
    """Dask collections, or one beside something in memory, as the input of a run.

    Counts the labels of a series beside an array of known chunks.

    Raises
    ------
    InputError, ParameterError
        They can't be taken, or not together, or not as wanted.
    UnsupportedDaskError
        A setting of Dask stands against it.
    """
    _check_dask()
    if isinstance(X, da.Array):
        return _beside_array(tasks, X, y, wanted)
    if not is_dask_frame(X):
        raise InputError(
            f"X is {called(X)}, in memory, and y {called(y)}: pass both in memory, y = "
            "y.compute(), or both as Dask collections."
        )
    return _beside_frame(tasks, X, y, schema_of_frame(X._meta, wanted, "dask frame"))


def _beside_array(tasks: Tasks, X: da.Array, y: Any, wanted: Wanted) -> DaskInput:
    check_dimensions(X.shape)
    holder = "dask array of sparse blocks" if is_sparse(X._meta) else "dask array"
    schema = schema_of_array(X.shape[1], X.dtype, wanted, holder)
    # a task needs rows that are whole, and dask-ml refuses two blocks of columns
    matrix = X if X.numblocks[1] == 1 else X.rechunk({1: -1})
    y = _labels(X, y, matrix.chunks[0])
    if not isinstance(y, da.Array):
        y = _label_array(tasks, y, known=has_known_chunks(matrix))
    target = _align(matrix.chunks[0], y)
    if not has_known_chunks(matrix) and has_known_chunks(target):
        matrix = with_chunks(matrix, lengths_of(target))
    parts: list[Any] = blocks_under_own_keys(matrix, tasks.token)
    labels = blocks_under_own_keys(target, tasks.token)
    known = lengths_of(matrix) if has_known_chunks(matrix) else None
    source: Source = Table(parts, labels, schema, known)
    if schema.is_plain:
        source = Chunks(parts, labels, schema, known, matrix.dtype)
    features = ArrayFeatures(matrix)
    return DaskInput(tasks=tasks, source=source, features=features, target=ArrayTarget(target))


def _beside_frame(tasks: Tasks, X: Any, y: Any, schema: Schema) -> DaskInput:
    partitions = partitions_of(X)
    unknown = (math.nan,) * len(partitions)
    y, known = _labels(X, y, unknown), None
    target: ArrayTarget | SeriesTarget
    if isinstance(y, da.Array):
        y = _align(unknown, y)
        target, parts = ArrayTarget(y), blocks_under_own_keys(y, tasks.token)
        known = lengths_of(y) if has_known_chunks(y) else None
    else:
        parts = partitions_of(y)
        target = SeriesTarget(parts, y._meta)
        if len(parts) != len(partitions):
            raise misaligned(len(partitions), len(parts))
    source = Table(partitions, parts, schema, known)
    features = FrameFeatures(partitions, X._meta)
    return DaskInput(tasks=tasks, source=source, features=features, target=target)


def partitions_of(frame: Any) -> list[Delayed]:
    """A task for each partition of a Dask frame or series.

    Only the needed columns are read, but small reads are not joined: Dask joins them by the bytes
    that the columns have, so a frame and one of its columns would fall into different partitions.
    """
    return held(frame.simplify().to_delayed(optimize_graph=False))


def _labels(X: Any, y: Any, lengths: tuple[float, ...]) -> Any:
    """Labels as a Dask array, in one block of columns, or a series."""
    y = y if is_dask_collection(y) else _cut_like(X, y, lengths)
    return y.rechunk({1: -1}) if isinstance(y, da.Array) and y.ndim == 2 else y


def _cut_like(X: Any, y: Any, lengths: tuple[float, ...]) -> da.Array:
    """Labels in memory, in the chunks of X."""
    values = np.asarray(y)
    # as scikit-learn takes one column of labels
    values = values.ravel() if values.shape[1:] == (1,) else values
    if any(math.isnan(n) for n in lengths):
        cut = (
            "y = da.from_array(np.asarray(y), chunks=(tuple(X.map_partitions(len).compute()), "
            "*np.shape(y)[1:]))"
        )
        mend = cut if is_dask_frame(X) else "X = X.compute_chunk_sizes()"
        raise InputError(
            f"y is {called(y)} beside a Dask X that does not know the lengths of its partitions, "
            f"so y can't be cut like X. Count them: {mend}; or, where X fits into memory, "
            "X = X.compute()."
        )
    if values.shape[:1] != (sum(lengths),):
        raise InputError(
            f"X and y have inconsistent numbers of samples: {sum(lengths)} rows, and y is "
            f"{called(y)} of shape {values.shape}. Select the same rows of both."
        )
    return da.from_array(values, chunks=(lengths, *((n,) for n in values.shape[1:])))


def _label_array(tasks: Tasks, y: Any, known: bool) -> da.Array:
    """The labels of a Dask series as an array; for `known` chunks they are counted."""
    parts = partitions_of(y)
    # where X knows its lengths, labels of other chunks can be aligned, if theirs are known too
    lengths = measure_lengths(tasks, parts) if known else (math.nan,) * len(parts)
    dtype = label_values(y._meta).dtype
    arrays = [
        da.from_delayed(tasks("input-labels", label_values, part), (n,), dtype)
        for part, n in zip(parts, lengths, strict=True)
    ]
    return with_known_aliases(da.concatenate(arrays))


def _align(lengths: tuple[float, ...], target: da.Array) -> da.Array:
    """The target in the chunks of X, where both are known; else as it is."""
    if any(math.isnan(n) for n in lengths) or not has_known_chunks(target):
        if len(lengths) != target.numblocks[0]:
            raise misaligned(len(lengths), target.numblocks[0])
        return target
    n_matrix, n_target = tuple(int(n) for n in lengths), lengths_of(target)
    # as many chunks: the one that differs can be named
    if len(n_matrix) == len(n_target) and sum(n_matrix) != sum(n_target):
        check_lengths(n_matrix, n_target)
    if sum(n_matrix) != sum(n_target):
        raise InputError(
            "X and y have inconsistent numbers of samples: "
            f"{sum(n_matrix)} rows and {sum(n_target)} labels. "
            "Select the same rows of both."
        )
    # labels go to the chunks of X, and not X to theirs: they are the smaller
    return target if n_matrix == n_target else target.rechunk({0: n_matrix})
