"""Where each row goes when originals and synthetic rows are interleaved: arithmetic on numbers.

The synthetic rows, in their order by class and cluster, are cut into a few runs. Row i of n
originals has the place ``(i + 1/2) / n``, row k of a run of s rows the place ``(k + 1/2) / s``.
Sorted by place, originals before runs, all are spread evenly, and as a place does not depend on how
the input is chunked, neither does the order. Of 4 originals a b c d and one run of 2 rows x y:

    a .125   x .25   b .375   c .625   y .75   d .875          a x b c y d

A chunk [begin, end) of the input takes with it all rows whose place is below that of row `end`. In
chunks of 2 rows, a and b take x, as x is below .625, the place of c; c and d take y.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..planning.cuts import offsets

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RUNS = 8  # so many slices a partition; a class with 1/8 of the synthetic rows is in every one


class Stretch(NamedTuple):
    """Consecutive rows of the originals or of a run: all its rows, the first, and how many."""

    total: int
    first: int
    n_rows: int


class Slice(NamedTuple):
    """Rows [low, high) of a block of synthetic rows."""

    block: int
    low: int
    high: int


class Partition(NamedTuple):
    """What one partition of a result consists of.

    Attributes
    ----------
    chunk
        The chunk of the input that is in it whole; None where there is none.
    slices
        Of blocks of synthetic rows, after the chunk.
    stretches
        What these are of the originals and of the runs, where the rows are to be sorted by place;
        none where they stay one after the other.
    n_rows
        Rows of the partition.
    """

    chunk: int | None
    slices: tuple[Slice, ...]
    stretches: tuple[Stretch, ...]
    n_rows: int


def interleave(lengths: Sequence[int], sizes: Sequence[int]) -> Iterator[Partition]:
    """The partitions of an interleaved result, one for each chunk of the input.

    Parameters
    ----------
    lengths
        Rows of each chunk of the input; their sum is positive.
    sizes
        Rows of each block of synthetic rows.
    """
    n, starts = sum(lengths), offsets(sizes)
    runs = runs_of(starts[-1])
    # how far each run is, and in which block: a partition goes on there, without a search
    next_rows, block = [0] * len(runs), [0] * len(runs)
    for chunk, (begin, end) in enumerate(pairwise(offsets(lengths))):
        stretches, slices = [Stretch(n, begin, end - begin)], []
        for number, run in enumerate(runs):
            first, total = next_rows[number], len(run)
            stop = total if end == n else _first_at_least(_place(end, n), total)
            next_rows[number] = stop
            if stop > first:
                stretches.append(Stretch(total, first, stop - first))
                found = _slices(starts, run.start + first, run.start + stop, block[number])
                block[number] = found[-1].block
                slices += found
        yield Partition(
            chunk=chunk,
            slices=tuple(slices),
            stretches=tuple(stretches),
            n_rows=sum(stretch.n_rows for stretch in stretches),
        )


def runs_of(n_synthetic: int) -> list[range]:
    """The synthetic rows in up to `RUNS` runs: 20 rows are cut at 2, 5, 7, 10, 12, 15, 17."""
    bounds = [n_synthetic * run // RUNS for run in range(RUNS + 1)]
    return [range(low, high) for low, high in pairwise(bounds) if high > low]


def sort_by_place(stretches: Sequence[Stretch]) -> Ints:
    """Numbers of the rows of all stretches, sorted by place; of equals the earlier stretch's."""
    places = [
        (np.arange(part.first, part.first + part.n_rows) + 0.5) / part.total for part in stretches
    ]
    return np.argsort(np.concatenate(places), kind="stable")


def n_below(bounds: Floats | float, total: Ints | int) -> Ints:
    """Rows of so many whose places are below a bound, to the last bit.

    ``ceil(bound * total - 1/2)`` is the number but for rounding, which the loops mend.
    """
    found = np.clip(np.ceil(np.multiply(bounds, total) - 0.5), 0, total).astype(np.int64)
    # the place of row found - 1 is (found - 1/2) / total
    while (high := (found > 0) & ((found - 0.5) / total >= bounds)).any():
        found -= high
    while (low := (found < total) & ((found + 0.5) / total < bounds)).any():
        found += low
    return found


def _place(row: int, total: int) -> float:
    return (row + 0.5) / total


def _first_at_least(bound: float, total: int) -> int:
    # as `n_below`, on one number: a graph of a million partitions asks 8 million times
    # bound 175.5 / 273 of 91 rows: 58 exactly, which comes out above it, as 59, and is mended
    row = min(max(math.ceil(bound * total - 0.5), 0), total)
    while row > 0 and _place(row - 1, total) >= bound:
        row -= 1
    while row < total and _place(row, total) < bound:
        row += 1
    return row


def _slices(starts: Sequence[int], low: int, high: int, block: int) -> list[Slice]:
    # blocks of 4, 0, 4 rows start at 0 4 4: rows [2, 6) are [2, 4) of block 0, [0, 2) of block 2
    found = []
    while low < high:
        while starts[block + 1] <= low:
            block += 1
        stop = min(high, starts[block + 1])
        found.append(Slice(block, low - starts[block], stop - starts[block]))
        low = stop
    return found
