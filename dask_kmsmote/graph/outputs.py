"""Outputs: the originals, untouched, then the synthetic blocks, as the kind that came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask.delayed import Delayed

from ..kernels.frames import frame_of, series_of
from ..kernels.labels import full_labels, one_hot
from ..kernels.seeding import Choices
from ..planning.layout import offsets
from .inputs import RowBlocks, known_chunks
from .synthesis import SyntheticBlock
from .tasks import Tasks

UNKNOWN_CATEGORIES = "__UNKNOWN_CATEGORIES__"  # Dask's own mark


def named_array(task: Delayed, shape: tuple[int, ...], meta: Any) -> da.Array:
    """A task's block as an array whose key starts like the task's."""
    name = f"{task.key[0]}-{task.key[1]}-block"
    return da.from_delayed(task, shape, meta.dtype, meta=meta, name=name)


def resampled_array(matrix: da.Array, made: Sequence[SyntheticBlock]) -> da.Array:
    """X and its synthetic rows, with known chunks."""
    meta = matrix._meta
    blocks = [named_array(block.rows, (block.n_rows, matrix.shape[1]), meta) for block in made]
    return da.concatenate([matrix, *blocks]) if blocks else matrix


def resampled_labels(
    tasks: Tasks,
    target: da.Array,
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    classes: Sequence[Any],
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
    known = known_chunks(target, blocks.lengths or ())
    return da.concatenate([known, *fillers]) if fillers else known


def positioned(partition: Any, start: int) -> Any:
    """A partition whose index is the position of its rows in the result."""
    return partition.set_axis(pd.RangeIndex(start, start + len(partition)), axis=0)


def from_partitions(parts: list[Delayed], sizes: Sequence[int], meta: Any) -> Any:
    """A Dask frame or series with the index 0 ... n - 1 and known divisions."""
    import dask.dataframe as dd

    filled = [place for place, size in enumerate(sizes) if size] or [0]
    starts = offsets([sizes[place] for place in filled])
    divisions = (*starts[:-1], max(starts[-1] - 1, 0))
    parts = [parts[place] for place in filled]
    return dd.from_delayed(parts, meta=meta, divisions=divisions, verify_meta=False)


def appended(
    tasks: Tasks,
    originals: Sequence[Delayed],
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    meta: Any,
    synthetic: Callable[[SyntheticBlock, int, Any], Delayed],
) -> Any:
    """Original partitions, then those that `synthetic` makes of a block, its start and `meta`."""
    lengths = blocks.lengths or ()
    sizes = [*lengths, *(block.n_rows for block in made)]
    starts = offsets(sizes)
    meta = meta.set_axis(pd.RangeIndex(0), axis=0)
    kept = [
        tasks("output", positioned, partition, start)
        for partition, start in zip(originals, starts, strict=False)
    ]
    new = [
        synthetic(block, start, meta)
        for block, start in zip(made, starts[len(lengths) :], strict=False)
    ]
    return from_partitions(kept + new, sizes, meta)


def resampled_frame(
    tasks: Tasks, meta: Any, blocks: RowBlocks, made: Sequence[SyntheticBlock], rounded: bool
) -> Any:
    """A Dask frame and its synthetic rows; `meta` is the empty frame."""

    def synthetic(block: SyntheticBlock, start: int, meta: Any) -> Delayed:
        return tasks("output", frame_of, block.rows, start, meta, rounded)

    return appended(tasks, blocks.partitions, blocks, made, meta, synthetic)


def known_categories(meta: Any) -> bool:
    """Whether a Dask series of categories knows them before it is computed."""
    return UNKNOWN_CATEGORIES not in meta.cat.categories


def resampled_series(
    tasks: Tasks,
    meta: Any,
    blocks: RowBlocks,
    made: Sequence[SyntheticBlock],
    classes: Sequence[Any],
) -> Any:
    """A Dask series of labels and those of the synthetic rows; `meta` is the empty series."""
    unknown = getattr(meta.dtype, "name", "") == "category" and not known_categories(meta)
    like = blocks.target[0] if unknown else None

    def synthetic(block: SyntheticBlock, start: int, meta: Any) -> Delayed:
        label = classes[block.class_code]
        return tasks("labels", series_of, block.n_rows, label, start, meta, like)

    return appended(tasks, blocks.target, blocks, made, meta, synthetic)


def parents_frame(choices: Choices, start: int) -> pd.DataFrame:
    """Choices as a partition of the provenance."""
    index = pd.RangeIndex(start, start + len(choices.base))
    content = {
        "base_row": choices.base,
        "neighbor_row": choices.neighbor,
        "gap": choices.gap,
    }
    return pd.DataFrame(content, index=index)


def provenance(tasks: Tasks, made: Sequence[SyntheticBlock]) -> Any:
    """A Dask frame of parents: a row per synthetic row, in output order."""
    none = np.empty(0, dtype=np.int64)
    meta = parents_frame(Choices(none, none, np.empty(0)), 0)
    sizes = [block.n_rows for block in made]
    parts = [
        tasks("provenance-frame", parents_frame, block.parents, start)
        for block, start in zip(made, offsets(sizes), strict=False)
    ]
    if not parts:
        parts, sizes = (
            [tasks("provenance-frame", parents_frame, Choices(none, none, np.empty(0)), 0)],
            [0],
        )
    return from_partitions(parts, sizes, meta)
