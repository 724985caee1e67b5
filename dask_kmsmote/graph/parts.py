"""Parts of a sample, each in clusters of its own: how far the clusters of the sample may be off."""

from __future__ import annotations

import numpy as np

from ..kernels.clusters.passes import pass_over
from ..kernels.groups.parts import count_parts, move_parts, sum_parts
from ..kernels.rows.blocks import Floats, Ints
from ..planning.cuts import offsets
from .census import Census
from .dask.tasks import Tasks, compute

_PARTS = 20


def count_in_parts(tasks: Tasks, census: Census, centers: Floats) -> Ints:
    """Rows by part, cluster and class, where each part moves the centres to its own rows; computes.

    Shape (n_parts, n_clusters, n_classes).
    """
    chunks, offset = census.chunks, np.zeros(centers.shape[1])
    asked = pass_over(census.peaks, census.n_rows, centers, offset, census.metric)
    placed = list(zip(chunks.parts, chunks.target, offsets(chunks.lengths), strict=False))
    sums = [tasks("survey-parts", sum_parts, rows, at, _PARTS, asked) for rows, _, at in placed]
    moved = tasks("survey-parts-moved", move_parts, sums, asked)
    classes = list(census.classes)
    found = compute(
        *[
            tasks("survey-parts-count", count_parts, rows, target, at, moved, classes)
            for rows, target, at in placed
        ]
    )
    total: Ints = np.sum(found, axis=0, dtype=np.int64)
    return total
