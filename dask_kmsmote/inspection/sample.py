"""Looking into a result: the labels of all rows are counted, few rows are brought to the client.

Rows are chosen by their position. Only the chunks that hold chosen rows are computed, and each
task gives back these rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
import pandas as pd
from dask.base import is_dask_collection
from dask.delayed import Delayed
from scipy import sparse

from ..errors import InputError
from ..kernels.rows.blocks import Rows, frame_to_rows, stack, take
from ..kernels.rows.columns import check_columns, common_dtype
from ..kernels.rows.labels import label_values
from .sampling import LabelQuery, LabelSample, merge_label_samples, sample_labels
from ..kernels.seeding import Ints
from ..planning.checks import check_lengths
from ..planning.cuts import block_rows, cut, offsets
from ..threads import in_this_process, on_active_scheduler
from ..data.collections import RowBlocks, from_dask, from_memory, measure_lengths, partitions_of
from ..graph.dask.tasks import Tasks, compute

MEMORY_CHUNK_BYTES = 32 * 2**20


def by_chunk(lengths: Sequence[int], positions: Ints) -> Iterator[tuple[int, Ints]]:
    """Each chunk that holds some of the ascending positions, and where in it they are."""
    starts = offsets(lengths)
    bounds = np.searchsorted(positions, starts)
    for chunk, (low, high) in enumerate(pairwise(bounds)):
        if low < high:
            yield chunk, positions[low:high] - starts[chunk]


def where_held(*parts: Any, n_jobs: int | None = None) -> AbstractContextManager[None]:
    """Compute on the active scheduler if a part is a Dask collection, else in this process."""
    if any(is_dask_collection(part) for part in parts):
        return on_active_scheduler()
    return in_this_process(n_jobs)


@dataclass(frozen=True)
class Opened:
    """A result of which rows can be taken.

    Attributes
    ----------
    tasks, blocks
        Makes tasks, and the result of known lengths.
    """

    tasks: Tasks
    blocks: RowBlocks

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each chunk."""
        return self.blocks.lengths or ()

    def labels(self, query: LabelQuery) -> LabelSample:
        """Count the labels and sample the originals; computes."""
        answers = [
            self.tasks("sample-labels", sample_labels, labels, start, query)
            for labels, start in zip(self.blocks.target, offsets(self.lengths), strict=False)
        ]
        found: LabelSample = compute(self.tasks.tree("sample-merge", merge_label_samples, answers))[
            0
        ]
        return found

    def rows_at(self, positions: Ints) -> Rows:
        """Rows of X at one or more positions, in their order; computes."""
        parts, order = self._taken(rows_of, self.blocks.rows(), positions)
        return take(stack(parts), order)

    def labels_at(self, positions: Ints) -> Any:
        """Labels at one or more positions, in their order; computes."""
        parts, order = self._taken(labels_of, self.blocks.target, positions)
        return np.concatenate(parts)[order]

    def _taken(
        self, function: Callable[..., Any], parts: Sequence[Delayed], positions: Ints
    ) -> tuple[list[Any], Ints]:
        # each row once, and where each position is among them
        wanted, order = np.unique(positions, return_inverse=True)
        found = [
            self.tasks("sample-rows", function, parts[chunk], places, self.lengths[chunk])
            for chunk, places in by_chunk(self.lengths, wanted)
        ]
        return compute(*found), order.astype(np.int64)


def open_result(X: Any, y: Any) -> Opened:
    """A result as rows in chunks of known lengths; where they are unknown, y is counted.

    Raises
    ------
    InputError
        X and y do not go together.
    """
    tasks = Tasks(uuid4().hex)
    blocks = _blocks(tasks, X, y)
    if blocks.lengths is None:
        blocks = blocks.with_lengths(measure_lengths(tasks, blocks.target))
    return Opened(tasks, blocks)


def _blocks(tasks: Tasks, X: Any, y: Any) -> RowBlocks:
    if is_dask_collection(X) or is_dask_collection(y):
        return from_dask(tasks, X, y)[0]
    rows = X if isinstance(X, pd.DataFrame) or sparse.issparse(X) else np.asarray(X)
    target = label_values(y)
    if rows.ndim != 2:
        raise InputError(f"X_resampled has the shape {rows.shape}: it needs rows and columns.")
    check_lengths([rows.shape[0]], [len(target)])
    size = block_rows(rows.shape[1], MEMORY_CHUNK_BYTES)
    if not isinstance(rows, pd.DataFrame):
        return from_memory(rows, target, size)
    check_columns(rows)
    spans = cut(len(rows), size)
    dtype = common_dtype(rows)
    parts = [
        da.from_delayed(
            tasks("rows", frame_to_rows, rows.iloc[low:high], dtype),
            (high - low, rows.shape[1]),
            dtype,
        )
        for low, high in spans
    ]
    labels = [tasks("target", _pass, target[low:high]) for low, high in spans]
    lengths = tuple(high - low for low, high in spans)
    return RowBlocks(da.concatenate(parts), labels, tuple(rows.columns), lengths)


def parents_at(provenance: Any, positions: Ints) -> pd.DataFrame:
    """Parents of the synthetic rows at one or more positions, in their order; computes.

    Parameters
    ----------
    provenance
        A sampler's `provenance_`, whose index is the position in the result.

    Returns
    -------
    pandas.DataFrame
        NaN where there are none.
    """
    tasks, parts = Tasks(uuid4().hex), partitions_of(provenance)
    wanted, order = np.unique(positions, return_inverse=True)
    inner = np.array(provenance.divisions[1:-1], dtype=np.int64)
    bounds = np.searchsorted(wanted, inner)
    found = [
        tasks("sample-parents", parents_of, part, rows)
        for part, rows in zip(parts, np.split(wanted, bounds), strict=True)
        if len(rows)
    ]
    parents: pd.DataFrame = pd.concat(compute(*found)).iloc[order]
    return parents


def rows_of(block: Rows, places: Ints, n: int) -> Rows:
    """Some rows of a block of n rows."""
    _check_length(block.shape[0], n)
    return take(block, places)


def labels_of(block: Any, places: Ints, n: int) -> Any:
    """Some labels of a block of n rows."""
    _check_length(len(block), n)
    return label_values(block)[places]


def parents_of(part: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """Some rows of a partition, by its index."""
    return part.reindex(rows)


def _check_length(found: int, n: int) -> None:
    if found != n:
        raise InputError(
            f"A chunk of the result has {found} rows where its labels or divisions say {n}: pass "
            "X and y as they came from fit_resample, or compute both first."
        )


def _pass(value: Any) -> Any:
    return value
