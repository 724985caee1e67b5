"""Originals and synthetic rows mixed in every partition, without a shuffle.

A partition takes its originals and a slice of each run of synthetic rows (see
`planning.interleave`): tasks grow with the partitions and the blocks, not with their product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
from dask.delayed import Delayed

from ..kernels.rows.blocks import between
from ..order.mixing import interleave, interleave_parents
from ..order.places import Mixture, Slice, mix
from ..planning.cuts import offsets
from .collections import measure_lengths, partitions_of
from ..graph.dask.tasks import Tasks, as_array


def interleaved(
    tasks: Tasks,
    originals: Sequence[Delayed],
    lengths: Sequence[int],
    synthetic: Sequence[Delayed],
    sizes: Sequence[int],
) -> tuple[list[Delayed], list[int]]:
    """Partitions of the result, and their rows.

    Parameters
    ----------
    tasks
        Makes tasks.
    originals, lengths
        A task for each partition of the input, and its rows.
    synthetic, sizes
        A task for each block of synthetic rows, and its rows.
    """
    mixtures = list(mix(lengths, sizes))
    parts = [
        tasks("interleave", interleave, [original, *_slices(tasks, mixture, synthetic)], mixture)
        for original, mixture in zip(originals, mixtures, strict=True)
    ]
    return parts, [mixture.n_rows for mixture in mixtures]


def interleaved_array(tasks: Tasks, array: da.Array, made: Sequence[da.Array]) -> da.Array:
    """Rows of an array of known chunks and of its synthetic blocks, mixed."""
    originals, synthetic = (
        [part for each in arrays for part in each.to_delayed(optimize_graph=False).ravel()]
        for arrays in ([array], made)
    )
    sizes = [block.shape[0] for block in made]
    parts, rows = interleaved(tasks, originals, array.chunks[0], synthetic, sizes)
    return as_array(parts, (tuple(rows), *array.chunks[1:]), array._meta)


def interleaved_frame(originals: Any, synthetic: Any, sizes: Sequence[int]) -> Any:
    """Two Dask frames of the same columns as one, mixed, its divisions unknown.

    Counts the rows of the originals.

    Parameters
    ----------
    originals, synthetic
        Frames; the partitions of the second are blocks of synthetic rows.
    sizes
        Rows of each block.
    """
    import dask.dataframe as dd

    tasks = Tasks(uuid4().hex)
    lengths = measure_lengths(tasks, partitions_of(originals[originals.columns[:1]]))
    parts, _ = interleaved(
        tasks, partitions_of(originals), lengths, partitions_of(synthetic), sizes
    )
    # the columns have their types: objects are lists, structs or maps, and no strings
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_delayed(parts, meta=originals._meta)


def interleaved_parents(
    tasks: Tasks, lengths: Sequence[int], frames: Sequence[Delayed], sizes: Sequence[int]
) -> tuple[list[Delayed], list[int], list[int]]:
    """Partitions of the provenance, their rows, and where in the result each could begin."""
    mixtures = list(mix(lengths, sizes))
    starts = offsets([mixture.n_rows for mixture in mixtures])
    filled = [place for place, mixture in enumerate(mixtures) if mixture.slices]
    parts = [
        tasks(
            "provenance-interleave",
            interleave_parents,
            _slices(tasks, mixtures[place], frames),
            mixtures[place],
            starts[place],
        )
        for place in filled
    ]
    rows = [sum(piece.n_rows for piece in mixtures[place].pieces) for place in filled]
    return parts, rows, [*(starts[place] for place in filled), starts[-1]]


def _slices(tasks: Tasks, mixture: Mixture, blocks: Sequence[Delayed]) -> list[Delayed]:
    return [_slice(tasks, part, blocks[part.block]) for part in mixture.slices]


def _slice(tasks: Tasks, part: Slice, block: Delayed) -> Delayed:
    return tasks("interleave-slice", between, block, part.low, part.high)
