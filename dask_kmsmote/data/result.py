"""The lazy result: originals and synthetic blocks in their order, as the kind that came in.

An `Arrangement` says what a result consists of and in which order; X and y each have one of two
forms (array or frame, array or series), which knows how to make its originals and its synthetic
parts, and how a collection of its kind is made of them. Both forms are arranged by one function, so
that rows and labels can't part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask.delayed import Delayed
from numpy.typing import NDArray

from ..graph.chunks import with_chunks
from ..graph.dask.tasks import Tasks, as_array, as_frame, blocks_of, same
from ..graph.synthesis import SyntheticBlock
from ..kernels.making.partitions import (
    array_of,
    frame_of,
    full_labels,
    no_parents,
    one_hot,
    parents_frame,
    positioned,
    series_of,
    with_null_columns,
)
from ..kernels.rows.blocks import between, in_native_order
from ..kernels.rows.columns import UNKNOWN_CATEGORIES
from ..order.mixing import mix, mix_parents
from ..order.orders import Append, Order
from ..order.places import Partition
from ..pipeline import Run
from ..planning.cuts import offsets
from .unchanged import (
    unchanged_frame,
    unchanged_labels,
    unchanged_rows,
    unchanged_series,
)


class Output(Enum):
    """What is wanted of a result."""

    BOTH = "both"
    ORIGINALS = "originals"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Arrangement:
    """What a result of a run consists of.

    Attributes
    ----------
    run
        What was found.
    order
        Where rows go.
    output
        Which rows.
    """

    run: Run
    order: Order
    output: Output = Output.BOTH

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each chunk of originals."""
        wanted = self.output is not Output.SYNTHETIC
        return self.run.lengths if wanted else ()

    @property
    def blocks(self) -> list[SyntheticBlock]:
        """The synthetic blocks."""
        return self.run.synthesis.blocks if self.output is not Output.ORIGINALS else []

    @property
    def sizes(self) -> list[int]:
        """Rows of each synthetic block."""
        return [block.n_rows for block in self.blocks]

    @property
    def starts(self) -> list[int]:
        """Where each synthetic block starts, after all originals, and where the last one ends."""
        # chunks of 3 and 4 rows, blocks of 2 and 5: of 0 7 9 14, the blocks start at 7 and 9
        return offsets([sum(self.lengths), *self.sizes])[1:]

    @property
    def labels(self) -> list[Any]:
        """The label of each synthetic block."""
        classes = self.run.classes
        return [classes[block.class_code] for block in self.blocks]

    def unchanged(
        self, what: str, check: Callable[..., Any], parts: Sequence[Any], *args: Any
    ) -> list[Delayed]:
        """Tasks that compare the chunks of originals, if any, with what they were."""
        if self.output is Output.SYNTHETIC:
            return []
        return [
            self.run.tasks(f"synthesis-unchanged-{what}", check, part, own, *args)
            for part, own in zip(parts, self.run.fingerprints, strict=True)
        ]

    def unchanged_partitions(
        self, what: str, check: Callable[..., Any], parts: Sequence[Any], *args: Any
    ) -> list[Delayed]:
        """The same of pandas, which know their positions where nothing comes between them."""
        if self.output is Output.SYNTHETIC:
            return []
        starts = offsets(self.lengths)[:-1] if self.in_order else [None] * len(parts)
        return [
            self.run.tasks(f"synthesis-unchanged-{what}", check, part, own, start, *args)
            for part, own, start in zip(parts, self.run.fingerprints, starts, strict=True)
        ]

    @property
    def in_order(self) -> bool:
        """Whether no synthetic row comes before an original."""
        return self.order.appends or self.output is not Output.BOTH

    def partitions(self) -> list[Partition]:
        """Of what each partition of the result is made."""
        # rows of one kind have one order
        order = self.order if self.output is Output.BOTH else Append(0, 0)
        return list(order.partitions(self.lengths, self.sizes))


def arrange(
    tasks: Tasks,
    partitions: Sequence[Partition],
    originals: Sequence[Delayed],
    synthetic: Sequence[Delayed],
    sizes: Sequence[int],
) -> list[Delayed]:
    """A task for each partition of a result, from those of the originals and of the blocks."""
    parts = []
    for partition in partitions:
        own = [] if partition.chunk is None else [originals[partition.chunk]]
        own += _slices_of(tasks, partition, synthetic, sizes)
        # appended, each is one part, and passes without a task or a copy
        mixed = len(own) > 1
        parts.append(tasks("synthesis-mix", mix, own, partition.stretches) if mixed else own[0])
    return parts


def _slices_of(
    tasks: Tasks, partition: Partition, blocks: Sequence[Delayed], sizes: Sequence[int]
) -> list[Delayed]:
    """What a partition has of the synthetic blocks."""
    return [
        blocks[own.block]
        if own.high - own.low == sizes[own.block]
        else tasks("synthesis-slice", between, blocks[own.block], own.low, own.high)
        for own in partition.slices
    ]


@dataclass(frozen=True)
class ArrayFeatures:
    """X as an array, under the user's keys, with one block of columns."""

    matrix: da.Array

    def arranged(self, wanted: Arrangement) -> da.Array:
        """X and the synthetic rows, with known chunks."""
        matrix = with_chunks(self.matrix, wanted.run.lengths)
        schema = wanted.run.shared_schema
        originals = wanted.unchanged("rows", unchanged_rows, blocks_of(matrix), schema)
        return _array(matrix, wanted, originals, self._synthetic(wanted, schema))

    def _synthetic(self, wanted: Arrangement, schema: Delayed) -> list[Delayed]:
        run, dtype = wanted.run, in_native_order(self.matrix._meta).dtype
        rows = [block.rows for block in wanted.blocks]
        if run.schema.is_plain:
            return rows
        args = schema, run.encoding, dtype
        return [run.tasks("synthesis-array", array_of, own, *args) for own in rows]


@dataclass(frozen=True)
class ArrayTarget:
    """y as an array, one- or two-dimensional, in the chunks of X."""

    target: da.Array

    def arranged(self, wanted: Arrangement) -> da.Array:
        """Labels of the originals and of the synthetic rows, with known chunks."""
        run, tasks = wanted.run, wanted.run.tasks
        target = with_chunks(self.target, run.lengths)
        originals = wanted.unchanged("labels", unchanged_labels, blocks_of(target))
        width = target.shape[1:]
        fill = one_hot if width else full_labels
        dtype = in_native_order(target._meta).dtype
        synthetic = [
            tasks("synthesis-labels", fill, block.n_rows, label, *width, dtype)
            for block, label in zip(wanted.blocks, wanted.labels, strict=True)
        ]
        return _array(target, wanted, originals, synthetic)


def _array(
    array: da.Array,
    wanted: Arrangement,
    originals: Sequence[Delayed],
    synthetic: Sequence[Delayed],
) -> da.Array:
    partitions = wanted.partitions()
    if not partitions:
        return array[:0]
    parts = arrange(wanted.run.tasks, partitions, originals, synthetic, wanted.sizes)
    rows = tuple(partition.n_rows for partition in partitions)
    meta = in_native_order(array._meta)
    return as_array(parts, (rows, *array.chunks[1:]), meta, over=[array])


@dataclass(frozen=True)
class FrameFeatures:
    """X as a frame: a task for each partition, and the empty frame."""

    partitions: list[Delayed]
    meta: pd.DataFrame

    def arranged(self, wanted: Arrangement) -> Any:
        """A Dask frame of X and the synthetic rows, its index 0 ... n - 1."""
        run, tasks, schema = wanted.run, wanted.run.tasks, wanted.run.shared_schema
        meta = with_null_columns(_reindexed(self.meta), run.schema)
        # as an argument it would be in the task of every partition
        shared = tasks("synthesis-meta", same, meta)
        originals = wanted.unchanged_partitions(
            "rows", unchanged_frame, self.partitions, schema, run.encoding, shared
        )
        args = shared, schema, run.encoding, run.recipe.to_whole
        synthetic = [
            tasks("synthesis-frame", frame_of, block.rows, start, *args)
            # not strict: starts have the end, too
            for block, start in zip(wanted.blocks, wanted.starts, strict=False)
        ]
        return _frame(meta, wanted, originals, synthetic)


@dataclass(frozen=True)
class SeriesTarget:
    """y as a series: a task for each partition, and the empty series."""

    partitions: list[Delayed]
    meta: pd.Series[Any]

    def arranged(self, wanted: Arrangement) -> Any:
        """A Dask series of all labels, its index 0 ... n - 1."""
        run, tasks, meta = wanted.run, wanted.run.tasks, _reindexed(self.meta)
        like = None
        if isinstance(meta.dtype, pd.CategoricalDtype):
            known = set(meta.cat.categories.tolist())
            # as Dask has those of Arrow's dictionaries: none, until a partition is computed
            if not known.issuperset(run.classes):
                like, meta = self.partitions[0], meta.cat.set_categories([UNKNOWN_CATEGORIES])
        originals = wanted.unchanged_partitions("labels", unchanged_series, self.partitions, meta)
        synthetic = [
            tasks("synthesis-labels", series_of, block.n_rows, label, start, meta, like)
            for block, label, start in zip(
                wanted.blocks, wanted.labels, wanted.starts, strict=False
            )
        ]
        return _frame(meta, wanted, originals, synthetic)


def _reindexed(meta: Any) -> Any:
    return meta.set_axis(pd.RangeIndex(0), axis=0)


def _frame(
    meta: Any, wanted: Arrangement, originals: Sequence[Delayed], synthetic: Sequence[Delayed]
) -> Any:
    tasks, partitions = wanted.run.tasks, wanted.partitions()
    if not partitions:
        return _from_partitions([tasks("synthesis-empty", same, meta)], [0], meta)
    rows = [partition.n_rows for partition in partitions]
    starts = offsets(rows)
    arranged = arrange(tasks, partitions, originals, synthetic, wanted.sizes)
    parts = [
        # what is mixed does not know its positions
        part
        if partition.chunk is None or wanted.in_order
        else tasks("synthesis-position", positioned, part, start)
        for part, partition, start in zip(arranged, partitions, starts, strict=False)
    ]
    return _from_partitions(parts, rows, meta)


def _from_partitions(
    parts: Sequence[Delayed], sizes: Sequence[int], meta: Any, starts: Sequence[int] | None = None
) -> Any:
    """A Dask frame or series with known divisions; its index is 0 ... n - 1 without `starts`.

    Partitions of 3, 0 and 2 rows have the divisions 0, 3, 4: the starts of those that hold rows,
    and the last row.
    """
    # an empty partition would repeat a division, and Dask repartitions by unique ones alone
    filled = [number for number, size in enumerate(sizes) if size] or [0]
    starts = offsets(sizes) if starts is None else starts
    divisions = (*(starts[number] for number in filled), max(starts[-1] - 1, 0))
    return as_frame([parts[number] for number in filled], meta, divisions)


def provenance(wanted: Arrangement, *, with_voters: bool = False) -> Any:
    """A Dask frame of parents: a row per synthetic row, in output order.

    Its index "row" is the row's position in the result. `with_voters` it has all nearest of the
    base row, too, where rows are made of them: `voter_0`, …, NaN where a group has fewer.
    """
    k = wanted.run.plan.k_neighbors if with_voters and wanted.run.schema.categories else 0
    tasks, nothing = wanted.run.tasks, no_parents(sum(wanted.lengths), k)
    frames = [
        tasks("synthesis-provenance", parents_frame, block.draw, block.positions, start, k)
        for block, start in zip(wanted.blocks, wanted.starts, strict=False)
    ]
    partitions = wanted.partitions()
    bounds = offsets([partition.n_rows for partition in partitions])
    parts, rows, starts = [], [], []
    for partition, start in zip(partitions, bounds, strict=False):
        if partition.slices:
            # without a chunk, it is one whole block, which knows its positions
            own = _slices_of(tasks, partition, frames, wanted.sizes)
            if partition.chunk is not None:
                args = own, partition.stretches, start
                own = [tasks("synthesis-provenance-mix", mix_parents, *args)]
            parts += own
            rows.append(sum(part.high - part.low for part in partition.slices))
            starts.append(start)
    if not parts:
        n = bounds[-1]
        return _from_partitions([tasks("synthesis-empty", same, nothing)], [0], nothing, [n, n + 1])
    return _from_partitions(parts, rows, nothing, [*starts, bounds[-1]])


def origins(wanted: Arrangement) -> NDArray[np.int64]:
    """The position in X that each row of a result comes from: its own, or its base row's; computes.

    Of 3 originals, and 2 rows made of the last and the first, appended: 0 1 2 2 0.
    """
    parents, n = provenance(wanted).compute(), sum(wanted.lengths)
    found = np.empty(n + len(parents), dtype=np.int64)
    found[wanted.order.positions(np.arange(n))] = np.arange(n)
    found[parents.index] = parents["base_row"]
    return found
