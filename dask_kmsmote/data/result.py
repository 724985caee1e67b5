"""Outputs: the originals and the synthetic blocks, appended or mixed, as the kind that came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask._task_spec import Task, TaskRef
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from ..errors import InputError
from ..kernels.rows.blocks import frame_values, unmasked
from ..kernels.rows.fingerprint import (
    ChunkPrints,
    Fingerprint,
    of_labels,
    of_rows,
    of_whole,
    require_unchanged,
)
from ..kernels.making.frames import frame_of, series_of
from ..kernels.rows.labels import code, full_labels, one_hot
from ..kernels.seeding import Choices
from ..planning.cuts import offsets
from .collections import RowBlocks, known_chunks
from .interleaved import interleaved, interleaved_array, interleaved_parents
from ..graph.synthesis import SyntheticBlock
from ..graph.dask.tasks import Tasks

UNKNOWN_CATEGORIES = "__UNKNOWN_CATEGORIES__"  # Dask's own mark


def named_array(task: Delayed, shape: tuple[int, ...], meta: Any) -> da.Array:
    """A task's block as an array whose key starts like the task's."""
    name = f"{task.key[0]}-{task.key[1]}-block"
    return da.from_delayed(task, shape, meta.dtype, meta=meta, name=name)


def resampled_array(
    tasks: Tasks, blocks: RowBlocks, made: Sequence[SyntheticBlock], mixed: bool
) -> da.Array:
    """X and its synthetic rows, with known chunks."""
    matrix = unchanged_array(
        tasks, blocks.matrix, unchanged_rows, [own.rows for own in blocks.prints]
    )
    meta = matrix._meta
    new = [named_array(block.rows, (block.n_rows, matrix.shape[1]), meta) for block in made]
    return _joined(tasks, matrix, new, mixed)


def unchanged_array(
    tasks: Tasks, array: da.Array, check: Callable[..., Any], prints: Sequence[Fingerprint]
) -> da.Array:
    """An array whose chunks, of known lengths, are compared with their fingerprints as they come.

    In a layer of its own, so that those of the user's array can still be optimized.
    """
    rest = (0,) * (array.ndim - 1)
    key = f"kmsmote-{check.__name__.replace('_', '-')}-{tasks.token}"
    graph = {
        (key, place, *rest): Task(
            (key, place, *rest), check, TaskRef((array.name, place, *rest)), own, place
        )
        for place, own in enumerate(prints)
    }
    layers = HighLevelGraph.from_collections(key, graph, [array])
    return da.Array(layers, key, array.chunks, dtype=array.dtype, meta=array._meta)


def unchanged_rows(rows: Any, before: Fingerprint, place: int) -> Any:
    """A chunk of X that is what it was at first."""
    require_unchanged(of_rows(unmasked(rows, "X")), before, "X", place)
    return rows


def unchanged_labels(target: Any, before: Fingerprint, place: int) -> Any:
    """A chunk of y that is what it was at first."""
    require_unchanged(of_labels(*code(unmasked(target, "y"))), before, "y", place)
    return target


def unchanged_frame(part: Any, before: ChunkPrints, dtype: np.dtype[Any], meta: Any) -> Any:
    """A partition of X, in the types of `meta`, whose rows, of a dtype, are what they were."""
    require_unchanged(of_rows(frame_values(part, dtype)), before.rows, "X", before.place)
    require_unchanged(of_whole(part, dtype), before.whole, "X", before.place)
    return as_declared(part, meta, "X", before.place)


def unchanged_series(part: Any, before: ChunkPrints, meta: Any) -> Any:
    """A partition of y, in the type of `meta`, that is what it was at first."""
    part = unchanged_labels(part, before.target, before.place)
    return as_declared(part, meta, "y", before.place)


def as_declared(part: Any, meta: Any, name: str, place: int) -> Any:
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
        return part.astype(declared) if known_categories(meta) else part
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
            f"Partition {place} of {name} is not of the types that its frame says: {wrong}. Give "
            "them to each partition, with astype, where they are made."
        ) from error


def _joined(tasks: Tasks, array: da.Array, made: Sequence[da.Array], mixed: bool) -> da.Array:
    if not made:
        return array
    return interleaved_array(tasks, array, made) if mixed else da.concatenate([array, *made])


def resampled_labels(
    tasks: Tasks,
    target: da.Array,
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    classes: Sequence[Any],
    mixed: bool,
) -> da.Array:
    """y, one- or two-dimensional, and the labels of the synthetic rows, with known chunks."""
    width = target.shape[1:]
    fillers = []
    for block in made:
        label = classes[block.class_code]
        if width:
            filler = tasks("labels", one_hot, block.n_rows, label, *width, target.dtype)
        else:
            filler = tasks("labels", full_labels, block.n_rows, label, target.dtype)
        fillers.append(named_array(filler, (block.n_rows, *width), target._meta))
    target = known_chunks(target, blocks.lengths or ())
    target = unchanged_array(tasks, target, unchanged_labels, [own.target for own in blocks.prints])
    return _joined(tasks, target, fillers, mixed)


def positioned(partition: Any, start: int) -> Any:
    """A partition whose index is the position of its rows in the result."""
    return partition.set_axis(pd.RangeIndex(start, start + len(partition)), axis=0)


def from_partitions(
    parts: list[Delayed], sizes: Sequence[int], meta: Any, starts: Sequence[int] | None = None
) -> Any:
    """A Dask frame or series with known divisions; its index is 0 ... n - 1 without `starts`."""
    import dask.dataframe as dd

    filled = [place for place, size in enumerate(sizes) if size] or [0]
    if starts is None:
        starts = offsets(sizes)
    divisions = (*(starts[place] for place in filled), max(starts[-1] - 1, 0))
    parts = [parts[place] for place in filled]
    return dd.from_delayed(parts, meta=meta, divisions=divisions)


def joined_partitions(
    tasks: Tasks,
    originals: Sequence[Delayed],
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    meta: Any,
    synthetic: Callable[[SyntheticBlock, int, Any], Delayed],
    mixed: bool,
) -> Any:
    """Original partitions and those that `synthetic` makes of a block, its start and `meta`."""
    lengths = blocks.lengths or ()
    sizes = [block.n_rows for block in made]
    starts = offsets([*lengths, *sizes])
    meta = meta.set_axis(pd.RangeIndex(0), axis=0)
    new = [
        synthetic(block, start, meta)
        for block, start in zip(made, starts[len(lengths) :], strict=False)
    ]
    if mixed and new:
        parts, rows = interleaved(tasks, originals, lengths, new, sizes)
        return from_partitions(_positioned(tasks, parts, offsets(rows)), rows, meta)
    return from_partitions(_positioned(tasks, originals, starts) + new, [*lengths, *sizes], meta)


def _positioned(
    tasks: Tasks, partitions: Sequence[Delayed], starts: Sequence[int]
) -> list[Delayed]:
    return [
        tasks("output", positioned, partition, start)
        for partition, start in zip(partitions, starts, strict=False)
    ]


def resampled_frame(
    tasks: Tasks,
    meta: Any,
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    rounded: bool,
    mixed: bool,
) -> Any:
    """A Dask frame and its synthetic rows; `meta` is the empty frame."""

    def synthetic(block: SyntheticBlock, start: int, meta: Any) -> Delayed:
        return tasks("output", frame_of, block.rows, start, meta, rounded)

    originals = [
        tasks("unchanged-rows", unchanged_frame, part, own, blocks.matrix.dtype, meta)
        for part, own in zip(blocks.partitions, blocks.prints, strict=True)
    ]
    return joined_partitions(tasks, originals, blocks, made, meta, synthetic, mixed)


def known_categories(meta: Any) -> bool:
    """Whether a Dask series of categories knows them before it is computed."""
    return UNKNOWN_CATEGORIES not in meta.cat.categories


def resampled_series(
    tasks: Tasks,
    meta: Any,
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    classes: Sequence[Any],
    mixed: bool,
) -> Any:
    """A Dask series of labels and those of the synthetic rows; `meta` is the empty series."""
    like = None
    if isinstance(meta.dtype, pd.CategoricalDtype):
        known = set(meta.cat.categories.tolist())
        if not known.issuperset(classes):  # as Dask has those of Arrow's dictionaries: none
            like, meta = blocks.target[0], meta.cat.set_categories([UNKNOWN_CATEGORIES])

    def synthetic(block: SyntheticBlock, start: int, meta: Any) -> Delayed:
        label = classes[block.class_code]
        return tasks("labels", series_of, block.n_rows, label, start, meta, like)

    originals = [
        tasks("unchanged-labels", unchanged_series, part, own, meta)
        for part, own in zip(blocks.target, blocks.prints, strict=True)
    ]
    return joined_partitions(tasks, originals, blocks, made, meta, synthetic, mixed)


def parents_frame(choices: Choices, start: int) -> pd.DataFrame:
    """Choices as a partition of the provenance, for rows of the result from `start` on."""
    index = pd.RangeIndex(start, start + len(choices.base), name="row")
    content = {
        "base_row": choices.base,
        "neighbor_row": choices.neighbor,
        "gap": choices.gap,
    }
    return pd.DataFrame(content, index=index)


def provenance(
    tasks: Tasks, lengths: Sequence[int], made: Sequence[SyntheticBlock], mixed: bool
) -> Any:
    """A Dask frame of parents: a row per synthetic row, in output order.

    Its index "row" is the row's position in the result.
    """
    none = np.empty(0, dtype=np.int64)
    n, sizes = sum(lengths), [block.n_rows for block in made]
    starts = offsets([n, *sizes])[1:]
    nothing = parents_frame(Choices(none, none, np.empty(0)), n)
    if not made:
        parts = [tasks("provenance-frame", _same, nothing)]
        return from_partitions(parts, [0], nothing, [n, n + 1])
    parts = [
        tasks("provenance-frame", parents_frame, block.parents, start)
        for block, start in zip(made, starts, strict=False)
    ]
    if mixed:
        parts, sizes, starts = interleaved_parents(tasks, lengths, parts, sizes)
    return from_partitions(parts, sizes, nothing, starts)


def _same(value: Any) -> Any:
    return value
