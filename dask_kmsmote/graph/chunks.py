"""The input of the stages: X and y in chunks of rows, whatever they came as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from ..errors import InputError
from ..kernels.rows.blocks import Ints
from ..planning.cuts import offsets
from .dask.tasks import Tasks, compute


@dataclass(frozen=True)
class Chunks:
    """X and y, cut alike into chunks of rows.

    Attributes
    ----------
    matrix
        Features, one block of columns; row chunks may be unknown until the census.
    target
        A task for each chunk's labels: numpy or pandas.
    feature_names
        Names of the columns; their numbers where they have none.
    partitions
        A task for each partition, where X is a frame.
    """

    matrix: da.Array
    target: list[Delayed]
    feature_names: tuple[Any, ...]
    partitions: list[Delayed]

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return int(self.matrix.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the features."""
        dtype: np.dtype[Any] = self.matrix.dtype
        return dtype

    @property
    def are_known(self) -> bool:
        """Whether the rows of each chunk are known."""
        return has_known_chunks(self.matrix)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each chunk, where they are known."""
        return lengths_of(self.matrix)

    def rows(self) -> list[Delayed]:
        """A task for each chunk's features."""
        # an array's graph was optimized already, when it was copied under keys of the run's own
        return list(self.matrix.to_delayed(optimize_graph=False).ravel())

    def with_lengths(self, lengths: tuple[int, ...]) -> Chunks:
        """The same with known chunks."""
        return replace(self, matrix=with_chunks(self.matrix, lengths))

    def counted(self, tasks: Tasks) -> Chunks:
        """The same with known chunks; where they are unknown, the labels are counted."""
        return self if self.are_known else self.with_lengths(measure_lengths(tasks, self.target))


def has_known_chunks(array: da.Array) -> bool:
    """Whether Dask knows the rows of each chunk."""
    return not any(math.isnan(n) for n in array.chunks[0])


def lengths_of(array: da.Array) -> tuple[int, ...]:
    """Rows of each chunk of an array that knows them."""
    return tuple(int(n) for n in array.chunks[0])


def with_chunks(array: da.Array, lengths: tuple[int, ...]) -> da.Array:
    """The same array, its row chunks declared, at no cost."""
    if len(lengths) != array.numblocks[0]:
        raise misaligned(array.numblocks[0], len(lengths))
    # a claim: the census compares it with what the chunks hold
    chunks = (lengths, *array.chunks[1:])
    return da.Array(array.dask, array.name, chunks, dtype=array.dtype, meta=array._meta)


def misaligned(n_matrix: int, n_target: int) -> InputError:
    """The error for chunks that do not pair up."""
    return InputError(
        f"X has {n_matrix} partitions of rows, y has {n_target}, and not all their lengths are "
        "known, so they can't be aligned. Take both from the same frame, or call "
        "compute_chunk_sizes() on the arrays first."
    )


def measure_lengths(tasks: Tasks, target: list[Delayed]) -> tuple[int, ...]:
    """Rows of each chunk, counted on the labels alone; computes."""
    sizes = [tasks("census-lengths", len, block) for block in target]
    return tuple(int(n) for n in compute(*sizes))


def by_chunk(lengths: Sequence[int], positions: Ints) -> Iterator[tuple[int, Ints]]:
    """Each chunk that holds some of the ascending positions, and where in it they are.

    Of chunks of 3, 0 and 4 rows and the positions 1, 2, 5: chunk 0 has 1, 2 and chunk 2 has 2.
    """
    starts = offsets(lengths)
    # of the example: starts 0 3 3 7 stand at 0 2 2 3 in the positions, so chunk 1 has none
    bounds = np.searchsorted(positions, starts)
    for chunk, (low, high) in enumerate(pairwise(bounds)):
        if low < high:
            yield chunk, positions[low:high] - starts[chunk]
