"""Lloyd's passes over all rows: by dask-ml, one at a time, or in one task where they are one block.

They run on blocks whose size follows from the data's shape alone, so that the centres do not
depend on how the input is chunked. What dask-ml leaves open is settled between passes: an empty
cluster keeps its centre (dask-ml moves it to the origin).

A block is written once, from slices of the chunks that it lies in (`da.rechunk` would copy twice):

    chunks   [0 ............ 700)[700 ...... 1000)
    blocks   [0 ... 400)[400 ....... 800)[800 1000)
    slices   [0 ... 400)[400 700)
                                 [700 800)[800 1000)
"""

from __future__ import annotations

from itertools import count, pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from ...dependencies import explained, require_parameters
from ...kernels.clusters.learning import coordinate_dtype, shifted
from ...kernels.clusters.passes import pass_over, pass_until
from ...kernels.rows.blocks import Floats, between
from ...planning.cuts import block_rows, cut, offsets
from ..dask.own_keys import copy_under_own_keys, named_after
from ..dask.tasks import Tasks, as_array, blocks_of, compute

BLOCK_BYTES = 16 * 2**20, 32 * 2**20  # of a block, least and most
_BLOCKS = 64  # wished for between those bounds


def lloyd_blocks(tasks: Tasks, matrix: da.Array, metric: Delayed, offset: Floats) -> da.Array:
    """Coordinates of the rows minus an offset, and a column of ones, in blocks for the passes."""
    lengths, width = matrix.chunks[0], len(offset)
    n, size = sum(lengths), _block_size(matrix, width)
    parts: list[list[Delayed]] = [[] for _ in cut(n, size)]
    rows, starts = blocks_of(matrix), offsets(lengths)
    edges = sorted({start for start, _ in cut(n, size)} | set(starts))
    for start, stop in pairwise(edges):
        # of chunks that start at the same row, all but the last are empty
        chunk = int(np.searchsorted(starts, start, side="right")) - 1
        part, first = rows[chunk], starts[chunk]
        if (start, stop) != (first, starts[chunk + 1]):
            part = tasks("clustering-slice", between, part, start - first, stop - first)
        parts[start // size].append(part)
    blocks = [tasks("clustering-block", shifted, own, metric, offset) for own in parts]
    chunks = tuple(stop - start for start, stop in cut(n, size))
    meta = np.empty((0, 0), coordinate_dtype(width > matrix.shape[1]))
    return as_array(blocks, (chunks, (width + 1,)), meta, over=[matrix])


def _block_size(matrix: da.Array, width: int) -> int:
    # of indicators fewer rows: a block is several times the rows that it is made of
    part = 2 / 3 if width > matrix.shape[1] else 1
    low, high = (block_rows(width + 1, int(part * size)) for size in BLOCK_BYTES)
    # 10,000,000 x 18 make 64 blocks of 156,250 rows, 1,000,000 x 18 make 10 of up to 110,376
    return min(max(low, -(-int(matrix.shape[0]) // _BLOCKS)), high)


def find_k_means() -> Any:
    """dask-ml's function of one pass and more.

    Raises
    ------
    IncompatibleVersionError
        It is not as it was in the version that this package wants.
    """
    try:
        from dask_ml.cluster.k_means import k_means
    except ImportError as error:
        raise explained(error) from error
    require_parameters("dask-ml", k_means, "init", "max_iter", "tol")
    return k_means


def lloyd(
    tasks: Tasks,
    matrix: da.Array,
    metric: Delayed,
    offset: Floats,
    centers: Floats,
    max_iter: int,
    tolerance: float,
) -> tuple[Floats, list[float]]:
    """Centres after some passes, and how far they moved in each, as a sum of squares; computes.

    Parameters
    ----------
    tasks, matrix, metric
        The run, the rows in the units of X, and what distances are measured in.
    offset
        Where coordinates are passed over from: of rows far from the origin, distances would lose
        their last digits.
    centers
        To start from, in coordinates of the metric.
    max_iter, tolerance
        Most passes, and the movement at which to stop before.
    """
    how = centers - offset, max_iter, tolerance
    if matrix.shape[0] <= _block_size(matrix, len(offset)):
        # one task would do the work all the same: dask-ml's graph takes longer than a small pass
        parts = list(matrix.to_delayed(optimize_graph=False).ravel())
        block = tasks("clustering-block", shifted, parts, metric, offset)
        ((found, shifts),) = compute(tasks("clustering-lloyd", pass_over, block, *how))
    else:
        # the scheduler fuses tasks of arrays, and those of other stages not: keys of its own
        own = copy_under_own_keys(matrix, f"{tasks.token}-lloyd")
        found, shifts = _by_dask_ml(lloyd_blocks(tasks, own, metric, offset), *how)
    return found + offset, shifts


def _by_dask_ml(
    blocks: da.Array, centers: Floats, max_iter: int, tolerance: float
) -> tuple[Floats, list[float]]:
    k_means, numbers = find_k_means(), count()

    def move(centers: Floats) -> Floats:
        with named_after("clustering-lloyd", f"{blocks.name}-{next(numbers)}"):
            # one pass a call: dask-ml's own tolerance is absolute, and it moves empty clusters
            _, found, _ = k_means(blocks, len(centers), init=centers, max_iter=1, tol=0.0)
        return np.asarray(found, dtype=np.float64)

    return pass_until(move, centers, max_iter, tolerance)
