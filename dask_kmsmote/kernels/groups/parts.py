"""Clusters of each of some parts of the rows, learned anew: how much a cluster varies with them.

Row number r is in the part r modulo their number, whatever chunks the rows are in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..clusters.assignment import NearestCenter
from ..clusters.passes import Pass, Sums, merge_sums, moved, sum_by_center
from ..rows.blocks import Ints, Rows, take
from ..rows.labels import code, encode


def _part(rows: Any, start: int, part: int, n_parts: int) -> Ints:
    return np.arange((part - start) % n_parts, rows.shape[0], n_parts)


def sum_parts(rows: Rows, start: int, n_parts: int, asked: Pass) -> list[Sums]:
    """What a pass sums in each part of a chunk that begins at row `start`."""
    return [
        sum_by_center(take(rows, _part(rows, start, part, n_parts)), asked)
        for part in range(n_parts)
    ]


def move_parts(chunks: Sequence[Sequence[Sums]], asked: Pass) -> list[NearestCenter]:
    """The centres after the pass of each part."""
    return [
        NearestCenter(moved(merge_sums(own), asked), asked.metric)
        for own in zip(*chunks, strict=True)
    ]


def count_parts(
    rows: Rows, target: Any, start: int, clusters: Sequence[NearestCenter], classes: Sequence[Any]
) -> Ints:
    """Rows of a chunk by part, cluster and class, each part in clusters of its own."""
    codes, n_parts = encode(code(target), classes), len(clusters)
    found = []
    for part, own in enumerate(clusters):
        mine = _part(rows, start, part, n_parts)
        shape = len(own.centers), len(classes)
        labels, _ = own.label(take(rows, mine))
        cells = labels.astype(np.int64) * shape[1] + codes[mine]
        found.append(np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape))
    return np.array(found, dtype=np.int64)
