"""Looking into a result: the labels of all rows are counted, few rows are brought to the client.

Rows are chosen by their position. Only the chunks that hold chosen rows are computed, and each
task gives back these rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from dask.base import is_dask_collection

from ..data.collections import from_dask, partitions_of
from ..data.kinds import require_kinds
from ..data.memory import CHUNK_BYTES, rows_with_schema, source_in_memory
from ..data.polars import as_pandas
from ..errors import InputError
from ..graph.chunks import Chunks, Source, by_chunk
from ..graph.dask.tasks import Part, Tasks, compute
from ..graph.dask.watch import watched
from ..kernels.rows.blocks import Ints, Rows, stack, take
from ..kernels.rows.labels import label_values
from ..kernels.rows.schema import Wanted
from ..pipeline import Run
from ..planning.checks import check_lengths
from ..planning.cuts import block_rows, offsets
from ..threads import in_this_process, on_active_scheduler
from .sampling import LabelQuery, LabelSample, merge_label_samples, sample_labels


@contextmanager
def where_held(*parts: Any, n_jobs: int | None = None) -> Iterator[None]:
    """Compute on the active scheduler if a part is a Dask collection, else in this process."""
    lazy = any(is_dask_collection(part) for part in parts)
    with on_active_scheduler() if lazy else in_this_process(n_jobs), watched("the sample"):
        yield


@dataclass(frozen=True)
class Result:
    """A result of which rows can be taken.

    Attributes
    ----------
    tasks, chunks
        Makes tasks, and the result of known lengths.
    """

    tasks: Tasks
    chunks: Chunks

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each chunk."""
        return self.chunks.lengths

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return sum(self.lengths)

    def labels(self, query: LabelQuery) -> LabelSample:
        """Count the labels and sample the originals; computes."""
        answers = [
            self.tasks("sample-labels", sample_labels, labels, start, query)
            for labels, start in zip(self.chunks.target, offsets(self.lengths), strict=False)
        ]
        found: LabelSample
        (found,) = compute(self.tasks.tree("sample-merge", merge_label_samples, answers))
        return found

    def rows_at(self, positions: Ints) -> Any:
        """Rows of X at one or more positions, in their order; computes."""
        parts, order = self._taken(_rows_of, self.chunks.parts, positions)
        return take(stack(parts), order)

    def labels_at(self, positions: Ints) -> Any:
        """Labels at one or more positions, in their order; computes."""
        parts, order = self._taken(_labels_of, self.chunks.target, positions)
        return np.concatenate(parts)[order]

    def _taken(
        self, function: Callable[..., Any], parts: Sequence[Part], positions: Ints
    ) -> tuple[list[Any], Ints]:
        # each row once, and where each position is among them
        wanted, order = np.unique(positions, return_inverse=True)
        found = [
            self.tasks("sample-rows", function, parts[chunk], inside, self.lengths[chunk])
            for chunk, inside in by_chunk(self.lengths, wanted)
        ]
        return compute(*found), order.astype(np.int64)


def open_result(X: Any, y: Any, run: Run) -> Result:
    """A result of a run as rows in chunks of known lengths; where they are unknown, y is counted.

    Raises
    ------
    InputError
        X or y are of a kind that is not read, or do not go together, or X has not the columns that
        the run's had.
    """
    require_kinds(X, y)
    tasks, schema = Tasks(uuid4().hex), run.schema
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    if len(shape) != 2:
        raise InputError(f"X_resampled has the shape {shape}: it needs rows and columns.")
    _require_columns(shape[1], len(schema.columns))
    wanted = Wanted(
        categorical_features=list(schema.categories),
        missing="keep",
        passthrough=[schema.columns[place] for place in schema.passthrough],
    )
    is_lazy = is_dask_collection(X) or is_dask_collection(y)
    source = from_dask(tasks, X, y, wanted).source if is_lazy else _held(tasks, X, y, wanted)
    return Result(tasks, source.counted(tasks).chunks(tasks, run.encoding, None))


def _require_columns(found: int, n: int) -> None:
    if found != n:
        raise InputError(
            f"X_resampled has {found} features, and X had {n}: pass the whole result of "
            "fit_resample, with the same columns."
        )


def _held(tasks: Tasks, X: Any, y: Any, wanted: Wanted) -> Source:
    (rows, schema), target = rows_with_schema(X, wanted), label_values(as_pandas(y))
    check_lengths([rows.shape[0]], [len(target)])
    size = block_rows(rows.shape[1], CHUNK_BYTES)
    return source_in_memory(tasks, rows, target, size, schema)


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
    # a division is the first row of its partition, so a position equal to it belongs behind
    bounds = np.searchsorted(wanted, inner)
    found = [
        tasks("sample-parents", _parents_of, part, rows)
        for part, rows in zip(parts, np.split(wanted, bounds), strict=True)
        if len(rows)
    ]
    parents: pd.DataFrame = pd.concat(compute(*found)).iloc[order]
    return parents


def _rows_of(block: Rows, inside: Ints, n: int) -> Any:
    """Some rows of a block of n rows."""
    _check_length(block.shape[0], n)
    return take(block, inside)


def _labels_of(block: Any, inside: Ints, n: int) -> Any:
    """Some labels of a block of n rows."""
    _check_length(len(block), n)
    return label_values(block)[inside]


def _parents_of(part: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """Some rows of a partition, by its index."""
    # not `loc`: a row without parents is to become a finding (NaN), not a KeyError
    return part.reindex(rows)


def _check_length(found: int, n: int) -> None:
    if found != n:
        raise InputError(
            f"A chunk of the result has {found} rows where its labels or divisions say {n}: pass "
            "X and y as they came from fit_resample, or compute both first."
        )
