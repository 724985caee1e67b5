"""The input of the stages: X and y in chunks of rows, whatever they came as.

Arrays of numbers are `Chunks` from the start. A `Table` (a frame, or an array with categories) is
read by the census first, which learns what its codes mean; from then on it is `Chunks`, too, whose
rows are made of the parts where they are used, so that X is never held twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol, Self

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from ..errors import InputError
from ..kernels.rows.blocks import Ints
from ..kernels.rows.census import encoded_sample, note_rows, note_table, noted_rows
from ..kernels.rows.encoding import coded_rows
from ..kernels.rows.fingerprint import ChunkFingerprints
from ..kernels.rows.schema import Schema
from ..planning.cuts import offsets
from .dask.tasks import Part, Tasks, compute, nested, same


class Source(Protocol):
    """X and y before the census."""

    @property
    def schema(self) -> Schema:
        """What the columns are."""

    @property
    def target(self) -> list[Delayed]:
        """A task for each chunk's labels: numpy or pandas."""

    @property
    def n_features(self) -> int:
        """Columns of the rows."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the rows."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each chunk, where they are known."""

    @property
    def parts(self) -> Sequence[Part]:
        """What makes each chunk of X, as it came."""

    def of_lengths(self, lengths: tuple[int, ...]) -> Source:
        """The same with these lengths."""

    def counted(self, tasks: Tasks) -> Source:
        """The same with known lengths; where they are unknown, the labels are counted."""

    def notes(self, tasks: Tasks, sample: Ints) -> list[Delayed]:
        """What a census notes of each chunk, and the rows at some ascending positions."""

    def sampled(self, tasks: Tasks, notes: Delayed, encoding: Delayed) -> Delayed:
        """The rows that were noted."""

    def chunks(
        self, tasks: Tasks, encoding: Delayed, before: Sequence[ChunkFingerprints] | None
    ) -> Chunks:
        """The rows by chunk, of which the census has the fingerprints, where it took some."""


@dataclass(frozen=True)
class _Parted:
    """X and y in parts, whose rows may be unknown."""

    parts: Sequence[Part]
    target: list[Delayed]
    schema: Schema
    known: tuple[int, ...] | None

    @property
    def n_features(self) -> int:
        """Columns of the rows."""
        return self.schema.n_features

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each chunk, where they are known."""
        return self.known or ()

    def of_lengths(self, lengths: tuple[int, ...]) -> Self:
        """The same with these lengths."""
        return replace(self, known=lengths)

    def counted(self, tasks: Tasks) -> Self:
        """The same with known lengths; where they are unknown, the labels are counted."""
        if self.known is not None:
            return self
        return self.of_lengths(measure_lengths(tasks, self.target))


@dataclass(frozen=True)
class Chunks(_Parted):
    """X and y as rows, cut alike into chunks.

    Attributes
    ----------
    parts
        What makes each chunk's rows: numbers, then codes.
    target
        A task for each chunk's labels: numpy or pandas.
    schema
        What the columns are.
    known
        Rows of each chunk; None where they are unknown.
    dtype
        Type of the rows.
    is_compared
        Rows are compared with what they were wherever they are read.
    """

    dtype: np.dtype[Any]
    is_compared: bool = False

    @property
    def feature_names(self) -> tuple[Any, ...]:
        """Names of the features, as rows have them."""
        return self.schema.features

    def notes(self, tasks: Tasks, sample: Ints) -> list[Delayed]:
        """What a census notes of each chunk, and the rows at some ascending positions."""
        return [
            tasks("census", note_rows, x, y, self.n_features, inside)
            for x, y, inside in zip(
                self.parts, self.target, in_chunks(self.lengths, sample), strict=True
            )
        ]

    def sampled(self, tasks: Tasks, notes: Delayed, encoding: Delayed) -> Delayed:  # noqa: ARG002 - a source's
        """The rows that were noted."""
        return tasks("census-sample", noted_rows, notes)

    def chunks(self, *_: Any) -> Chunks:
        """Itself."""
        return self


@dataclass(frozen=True)
class Table(_Parted):
    """X and y as parts of a table.

    Attributes
    ----------
    parts
        A task for each partition of a frame, or block of an array with categories.
    target
        A task for each part's labels: numpy or pandas.
    schema
        What the columns are.
    known
        Rows of each part; None where they are unknown.
    is_held
        In this process, where no later read gives other values.
    """

    is_held: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the rows."""
        return self.schema.dtype

    def notes(self, tasks: Tasks, sample: Ints) -> list[Delayed]:
        """What a census notes of each chunk, and the rows at some ascending positions."""
        schema = self._shared_schema(tasks)
        return [
            tasks("census", note_table, x, y, schema, inside)
            for x, y, inside in zip(
                self.parts, self.target, in_chunks(self.lengths, sample), strict=True
            )
        ]

    def sampled(self, tasks: Tasks, notes: Delayed, encoding: Delayed) -> Delayed:
        """The rows that were noted."""
        return tasks("census-sample", encoded_sample, notes, encoding, self.schema.dtype)

    def chunks(
        self, tasks: Tasks, encoding: Delayed, before: Sequence[ChunkFingerprints] | None
    ) -> Chunks:
        """The rows by chunk, of which the census has the fingerprints, where it took some."""
        schema = self._shared_schema(tasks)
        nothing: list[ChunkFingerprints | None] = [None] * len(self.parts)
        known = nothing if self.is_held or before is None else before
        rows: list[Part] = [
            nested(coded_rows, part, schema, encoding, own)
            for part, own in zip(self.parts, known, strict=True)
        ]
        return Chunks(rows, self.target, self.schema, self.known, self.dtype, is_compared=True)

    def _shared_schema(self, tasks: Tasks) -> Delayed:
        # as an argument it would be in the task of every chunk
        return tasks("input-schema", same, self.schema)


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
        "known, so they can't be aligned. Take both from the same frame; of arrays, count them: "
        "X = X.compute_chunk_sizes(); y = y.compute_chunk_sizes()."
    )


def measure_lengths(tasks: Tasks, target: list[Delayed]) -> tuple[int, ...]:
    """Rows of each chunk, counted on the labels alone; computes."""
    sizes = [tasks("census-lengths", len, block) for block in target]
    return tuple(int(n) for n in compute(*sizes))


def by_chunk(lengths: Sequence[int], positions: Ints) -> Iterator[tuple[int, Ints]]:
    """Each chunk that holds some of the ascending positions, and where in it they are.

    Of chunks of 3, 0 and 4 rows and the positions 1, 2, 5: chunk 0 has 1, 2 and chunk 2 has 2.
    """
    for chunk, inside in enumerate(in_chunks(lengths, positions)):
        if len(inside):
            yield chunk, inside


def in_chunks(lengths: Sequence[int], positions: Ints) -> list[Ints]:
    """Where in each chunk the ascending positions are; of the same, 1 2, none and 2."""
    starts = offsets(lengths)
    # of the example: starts 0 3 3 7 stand at 0 2 2 3 in the positions, so chunk 1 has none
    bounds = np.searchsorted(positions, starts).tolist()
    return [
        positions[low:high] - start
        for (low, high), start in zip(pairwise(bounds), starts, strict=False)
    ]
