"""Lloyd's passes over all rows, by dask-ml, one at a time.

They run on blocks whose size follows from the data's shape alone, so that the centres do not
depend on how the input is chunked. What dask-ml leaves open is settled between passes: an empty
cluster keeps its centre (dask-ml moves it to the origin).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.highlevelgraph import HighLevelGraph

from ...dependencies import explained, require_parameters
from ...kernels.rows.blocks import between
from ...kernels.clusters.learning import Floats, shifted
from ...planning.cuts import block_rows, cut, offsets
from ..dask.naming import named_after
from ..dask.tasks import Tasks

BLOCK_BYTES = 16 * 2**20, 32 * 2**20  # of a block, least and most
BLOCKS = 64  # wished for between those bounds


def lloyd_blocks(tasks: Tasks, matrix: da.Array, offset: Floats) -> da.Array:
    """The rows minus an offset and a column of ones, in blocks for Lloyd's passes.

    A block is written once, from the chunks that it lies in: `da.rechunk` would copy twice.
    """
    n, n_features = sum(matrix.chunks[0]), len(offset)
    low, high = (block_rows(n_features + 1, size) for size in BLOCK_BYTES)
    ranges = cut(n, min(max(low, -(-n // BLOCKS)), high))
    starts, name = offsets(matrix.chunks[0]), f"kmsmote-clustering-block-{tasks.token}"
    graph: dict[Any, Task] = {}
    needed: list[list[TaskRef]] = [[] for _ in ranges]
    edges = sorted({start for start, _ in ranges} | set(starts))
    for number, (start, stop) in enumerate(pairwise(edges)):
        chunk = int(np.searchsorted(starts, start, side="right")) - 1
        part = TaskRef((matrix.name, chunk, 0))
        if (start, stop) != (starts[chunk], starts[chunk + 1]):
            key = (f"kmsmote-clustering-slice-{tasks.token}", number)
            graph[key] = Task(key, between, part, start - starts[chunk], stop - starts[chunk])
            part = TaskRef(key)
        needed[start // ranges[0][1]].append(part)
    for number, parts in enumerate(needed):
        graph[name, number, 0] = Task((name, number, 0), shifted, List(*parts), offset)
    chunks = (tuple(stop - start for start, stop in ranges), (n_features + 1,))
    layers = HighLevelGraph.from_collections(name, graph, [matrix])
    return da.Array(layers, name, chunks, meta=np.empty((0, 0)))


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
    blocks: da.Array, centers: Floats, max_iter: int, tolerance: float
) -> tuple[Floats, list[float]]:
    """Centres after some passes, and how far they moved in each, as a sum of squares.

    Parameters
    ----------
    blocks
        As `lloyd_blocks` makes them.
    centers
        To start from, minus the offset of the blocks.
    max_iter, tolerance
        Most passes, and the movement at which to stop before.
    """
    k_means, centers = find_k_means(), np.column_stack([centers, np.ones(len(centers))])
    shifts: list[float] = []
    while len(shifts) < max_iter and (not shifts or shifts[-1] > tolerance):
        with named_after("lloyd", f"{blocks.name}-{len(shifts)}"):
            _, found, _ = k_means(blocks, len(centers), init=centers, max_iter=1, tol=0.0)
        empty = found[:, -1] == 0
        found[empty] = centers[empty]
        shifts.append(float(((found - centers) ** 2).sum()))
        centers = found
    return centers[:, :-1], shifts
