"""Seeded samples of the rows of each class, drawn in one pass over the labels.

Every position in X has a random key of its own, by the finalizer of splitmix64 (Steele, Lea, Flood
2014), and the sample of a class is its rows of the smallest keys. Samples of blocks merge into the
sample of all, so it does not depend on how the rows are chunked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .labels import label_values
from .seeding import INSPECTION, Ints, stream


class LabelQuery(NamedTuple):
    """What is asked of the labels of a result.

    Attributes
    ----------
    classes
        Labels in order.
    bounds
        Where the originals and the synthetic rows of each class start, and the last ends.
    sizes
        Originals to sample of each class.
    seed
        Root seed.
    """

    classes: pd.Index
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
    positions
        Sampled originals of each class, ascending.
    """

    query: LabelQuery
    counts: Ints
    positions: tuple[Ints, ...]


def codes_of(labels: Any, classes: pd.Index) -> Ints:
    """Number of each label in `classes`; their length for one that is not among them."""
    codes = classes.get_indexer(pd.Index(label_values(labels)))
    return np.where(codes < 0, len(classes), codes).astype(np.int64)


def sample_labels(labels: Any, start: int, query: LabelQuery) -> LabelSample:
    """The answer of one block, whose first row is row `start` of the result."""
    codes = codes_of(labels, query.classes)
    cuts = np.clip(np.array(query.bounds) - start, 0, len(codes))
    n = len(query.classes) + 1
    counts = np.array([np.bincount(codes[low:high], minlength=n) for low, high in pairwise(cuts)])
    originals = codes[: cuts[1]]
    positions = [start + np.flatnonzero(originals == code) for code in range(n - 1)]
    return LabelSample(query, counts, _smallest(positions, query))


def merge_label_samples(parts: Sequence[LabelSample]) -> LabelSample:
    """The answer of all parts, in their order."""
    query = parts[0].query
    counts = np.sum([part.counts for part in parts], axis=0)
    positions = [
        np.concatenate(same) for same in zip(*(part.positions for part in parts), strict=True)
    ]
    return LabelSample(query, counts, _smallest(positions, query))


def _smallest(positions: Sequence[Ints], query: LabelQuery) -> tuple[Ints, ...]:
    salt = stream(query.seed, INSPECTION).integers(2**64, dtype=np.uint64)
    return tuple(
        mine
        if len(mine) <= size
        else np.sort(mine[np.argpartition(_keys(mine, salt), size)[:size]])
        for mine, size in zip(positions, query.sizes, strict=True)
    )


def _keys(positions: Ints, salt: np.uint64) -> NDArray[np.uint64]:
    keys = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
