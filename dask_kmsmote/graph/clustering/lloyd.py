"""Lloyd's passes over all rows: a task for each chunk, and their sums in a tree.

dask-ml's own graph has eight tasks a chunk, a chain of its sums, and costs the client a time that
grows as the square of the chunks (1e8 rows: 16.6 s); its sums depend on the chunks, so that rows
had to be written anew in blocks that do not. What it leaves open is settled here: an empty cluster
keeps its centre (dask-ml moves it to the origin), and the tolerance is relative.
"""

from __future__ import annotations

from collections.abc import Sequence

from dask.delayed import Delayed

from ...kernels.clusters.passes import (
    Pass,
    merge_sums,
    moved,
    pass_over,
    pass_until,
    sum_by_center,
)
from ...kernels.rows.blocks import Floats
from ...kernels.rows.metric import Metric
from ..dask.tasks import Part, Tasks, compute, same


def lloyd(
    tasks: Tasks,
    rows: Sequence[Part],
    n_rows: int,
    peaks: Floats,
    metric: Metric,
    offset: Floats,
    centers: Floats,
    max_iter: int,
    tolerance: float,
) -> tuple[Floats, list[float]]:
    """Centres after some passes, and how far they moved in each, as a sum of squares; computes.

    Parameters
    ----------
    tasks, rows, n_rows
        The run, what makes the rows of each chunk in the units of X, and how many there are.
    peaks
        Largest absolute value of each of their numbers.
    metric
        What distances are measured in.
    offset
        Where coordinates are summed from: of rows far from the origin, means would lose their last
        digits.
    centers
        To start from, in coordinates of the metric.
    max_iter, tolerance
        Most passes, and the movement at which to stop before.
    """

    def move(centers: Floats) -> Floats:
        asked = pass_over(peaks, n_rows, centers, offset, metric)
        (sums,) = compute(_summed(tasks, rows, asked))
        return moved(sums, asked)

    return pass_until(move, centers, max_iter, tolerance)


def _summed(tasks: Tasks, rows: Sequence[Part], asked: Pass) -> Delayed:
    # a task of its own: as an argument, the centres would be in the task of every chunk
    shared = tasks("clustering-pass", same, asked)
    sums = [tasks("clustering-lloyd", sum_by_center, own, shared) for own in rows]
    return tasks.tree("clustering-lloyd-sum", merge_sums, sums)
