"""Where blocks begin and end: integers in, integers out.

    cut(10, 4)               [(0, 4), (4, 8), (8, 10)]
    offsets([4, 0, 3])       [0, 4, 4, 7]
    bundle([4, 4, 9, 1], 8)  [(0, 2), (2, 3), (3, 4)]    4 + 4 fit, 9 stays alone

Nothing here depends on how the input is chunked, except `bundle`, which only says what is merged
with what and keeps the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FAN_IN = 25  # pieces merged by one task: measured best of 10-50 on 500 chunks


def block_rows(n_features: int, n_bytes: int) -> int:
    """Rows of `n_features` float64 that fit in `n_bytes`, at least one."""
    return max(1, n_bytes // (8 * max(1, n_features)))


def cut(n: int, size: int) -> list[tuple[int, int]]:
    """The half-open ranges of `size` (the last one shorter) that make up range(n)."""
    return [(start, min(start + size, n)) for start in range(0, n, size)]


def bundle(sizes: Sequence[int], limit: int, fan_in: int = FAN_IN) -> list[tuple[int, int]]:
    """Runs of neighbours, of at most `fan_in` pieces and `limit` rows together.

    A piece larger than the limit stays alone.
    """
    runs: list[tuple[int, int]] = []
    start, total = 0, 0
    for number, size in enumerate(sizes):
        # a run has one piece at least: one beyond the limit would leave an empty run before it
        if number > start and (total + size > limit or number - start == fan_in):
            runs.append((start, number))
            start, total = number, 0
        total += size
    if sizes:
        runs.append((start, len(sizes)))
    return runs


class Sector(NamedTuple):
    """Output blocks [first, last) of a group whose base rows are rows [low, high) of it."""

    first: int
    last: int
    low: int
    high: int


def sectors(n_rows: int, sizes: Sequence[int]) -> list[Sector]:
    """Sectors in which each row of a group is the base of as many new rows, but for rounding.

    Parameters
    ----------
    n_rows
        Rows of the group.
    sizes
        Rows of its output blocks.

    Notes
    -----
    A sector has about as many rows as one of its output blocks, or as many blocks as rows need. Of
    a group of 100 rows, blocks of 50, 50, 50, 50, 50 and 10 are sectors of 3 blocks each: blocks 0
    to 2 from the rows 0 to 56 (150 * 100 / 260 is 57.7), and 3 to 5 from the others.
    """
    starts = offsets(sizes)
    together = -(-starts[-1] // n_rows)
    return [
        Sector(
            first=first,
            last=last,
            low=n_rows * starts[first] // starts[-1],
            high=n_rows * starts[last] // starts[-1],
        )
        for first, last in cut(len(sizes), together)
    ]


def single_blocks(n_rows: int, sizes: Sequence[int]) -> list[Sector]:
    """A sector for each output block, which draws from all rows of the group."""
    return [Sector(block, block + 1, 0, n_rows) for block in range(len(sizes))]


def offsets(sizes: Sequence[int]) -> list[int]:
    """Where each piece starts, and the total: one entry more than pieces."""
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts
