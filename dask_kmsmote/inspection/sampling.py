"""Seeded samples of the originals of each class, drawn in one pass over the labels of a result.

Every row of X has a random key of its own, by the finalizer of splitmix64 (Steele, Lea, Flood
2014), and the sample of a class is its rows of the smallest keys. Samples of blocks merge into the
sample of all, so it does not depend on how the rows are chunked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows.blocks import Ints
from ..kernels.rows.labels import code, numbers_of
from ..kernels.seeding import INSPECTION, sample_rows, small_seed, stream
from ..order.orders import Order
from ..planning.plan import Region, SamplingPlan, synthetic_regions


class LabelQuery(NamedTuple):
    """What is asked of the labels of a result.

    Attributes
    ----------
    order
        Where the result has its rows.
    classes
        Labels in order.
    bounds
        Of the rows: 0, the first synthetic row, and where those of each class end.
    sizes
        Originals to sample of each class.
    seed
        Root seed.
    """

    order: Order
    classes: tuple[Any, ...]
    bounds: tuple[int, ...]
    sizes: tuple[int, ...]
    seed: int


class LabelSample(NamedTuple):
    """What consecutive blocks of labels answer.

    Attributes
    ----------
    query
        What was asked.
    counts
        Rows by region and class, shape (n_regions, n_classes + 1); the last column counts labels
        that are no class.
    originals
        Sampled originals of each class, by their position in X, ascending.
    """

    query: LabelQuery
    counts: Ints
    originals: tuple[Ints, ...]


def query_of(plan: SamplingPlan, order: Order, sizes: Mapping[int, int], seed: int) -> LabelQuery:
    """The query for a result of a plan; `sizes` are by class code, 0 where there is none."""
    return LabelQuery(
        order=order,
        classes=tuple(label for label, _ in plan.class_counts),
        # of 100 originals, 30 rows of class 1 and 20 of class 2: 0 100 130 150
        bounds=(0, plan.n_rows, *(region.stop for region in synthetic_regions(plan))),
        sizes=tuple(sizes.get(code, 0) for code in range(len(plan.class_counts))),
        seed=seed,
    )


def sample_synthetic(regions: Sequence[Region], size: int, seed: int) -> list[Ints]:
    """Up to `size` synthetic rows of each region, ascending."""
    # `sample_rows` keys by the level alone, here a class: under the seed of a run, classes 0, 1
    # and 2 would draw from the streams of the run's own samples
    salted = small_seed(seed, INSPECTION)
    return [
        region.start + sample_rows(region.stop - region.start, size, salted, region.class_code)
        for region in regions
    ]


def codes_of(labels: Any, classes: Sequence[Any]) -> Ints:
    """Number of each label in `classes`; their length for one that is not among them."""
    codes = numbers_of(code(labels), classes)
    return np.where(codes < 0, len(classes), codes)


def sample_labels(labels: Any, start: int, query: LabelQuery) -> LabelSample:
    """The answer of one block, which starts at a position of the result."""
    codes = codes_of(labels, query.classes)
    rows = query.order.rows(start, start + len(codes))
    region = np.searchsorted(np.array(query.bounds), rows, side="right") - 1
    n_classes = len(query.classes)
    shape = (len(query.bounds) - 1, n_classes + 1)
    # of 3 classes, with a column for no class: region 1 and class 2 are 1 * 4 + 2 = 6
    flat = region * shape[1] + codes
    counts = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    # the originals are region 0, so the flat number of theirs is the class itself
    originals = [rows[flat == code] for code in range(n_classes)]
    return LabelSample(query, counts, _smallest(originals, query))


def merge_label_samples(parts: Sequence[LabelSample]) -> LabelSample:
    """The answer of all parts, in their order."""
    query = parts[0].query
    counts = np.sum([part.counts for part in parts], axis=0)
    originals = [
        np.concatenate(same) for same in zip(*(part.originals for part in parts), strict=True)
    ]
    return LabelSample(query, counts, _smallest(originals, query))


def _smallest(originals: Sequence[Ints], query: LabelQuery) -> tuple[Ints, ...]:
    salt = stream(query.seed, INSPECTION).integers(2**64, dtype=np.uint64)
    return tuple(
        mine
        if len(mine) <= size
        else np.sort(mine[np.argpartition(_keys(mine, salt), size)[:size]])
        for mine, size in zip(originals, query.sizes, strict=True)
    )


def _keys(rows: Ints, salt: np.uint64) -> NDArray[np.uint64]:
    # every step can be undone, so no two rows have one key: there are no ties to settle
    keys = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
