"""Interleaving: where each synthetic row goes, so that every stretch of the result mixes all.

The synthetic rows, in their order by class and cluster, are cut into a few runs. Row i of n
originals has the place ``(i + 1/2) / n``, row k of a run of s rows the place ``(k + 1/2) / s``.
Sorted by place, originals before runs, all are spread evenly, and as a place does not depend on
how the input is chunked, neither does the order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ..planning.cuts import offsets

RUNS = 8  # so many slices a partition; a class with 1/8 of the synthetic rows is in every one


class Piece(NamedTuple):
    """Consecutive rows of a run: the run's length, the first of the rows, and their number."""

    total: int
    first: int
    n_rows: int


class Slice(NamedTuple):
    """Rows [low, high) of a block of synthetic rows."""

    block: int
    low: int
    high: int


class Mixture(NamedTuple):
    """What one partition of the result consists of.

    Attributes
    ----------
    originals
        Consecutive rows of the input.
    pieces
        Of the runs of synthetic rows, in order.
    slices
        The blocks that the rows of the pieces lie in, in the same order.
    """

    originals: Piece
    pieces: tuple[Piece, ...]
    slices: tuple[Slice, ...]

    @property
    def n_rows(self) -> int:
        """Rows of the partition."""
        return self.originals.n_rows + sum(piece.n_rows for piece in self.pieces)


def mix(lengths: Sequence[int], sizes: Sequence[int]) -> Iterator[Mixture]:
    """The partitions of the result.

    Parameters
    ----------
    lengths
        Rows of each chunk of the input; their sum is positive.
    sizes
        Rows of each block of synthetic rows.
    """
    n, starts = sum(lengths), offsets(sizes)
    bounds = [starts[-1] * run // RUNS for run in range(RUNS + 1)]
    runs = [(low, high - low) for low, high in pairwise(bounds) if high > low]
    next_rows, block = [0] * len(runs), [0] * len(runs)
    begins = offsets(lengths)
    for begin, end in pairwise(begins):
        pieces, slices = [], []
        for run, (start, total) in enumerate(runs):
            first = next_rows[run]
            stop = total if end == n else first_at_least(place(end, n), total)
            next_rows[run] = stop
            if stop > first:
                pieces.append(Piece(total, first, stop - first))
                found = _slices(starts, start + first, start + stop, block[run])
                block[run] = found[-1].block
                slices += found
        yield Mixture(Piece(n, begin, end - begin), tuple(pieces), tuple(slices))


def place(row: int, total: int) -> float:
    """Where a row of so many lies, between 0 and 1."""
    return (row + 0.5) / total


def first_at_least(bound: float, total: int) -> int:
    """The first row of so many whose place is at least a bound, to the last bit."""
    row = min(max(math.ceil(bound * total - 0.5), 0), total)
    while row > 0 and place(row - 1, total) >= bound:
        row -= 1
    while row < total and place(row, total) < bound:
        row += 1
    return row


def _slices(starts: Sequence[int], low: int, high: int, block: int) -> list[Slice]:
    found = []
    while low < high:
        while starts[block + 1] <= low:
            block += 1
        stop = min(high, starts[block + 1])
        found.append(Slice(block, low - starts[block], stop - starts[block]))
        low = stop
    return found
