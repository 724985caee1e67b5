"""Where blocks begin and end: integers in, integers out.

    cut(10, 4)               [(0, 4), (4, 8), (8, 10)]
    offsets([4, 0, 3])       [0, 4, 4, 7]
    bundle([4, 4, 9, 1], 8)  [(0, 2), (2, 3), (3, 4)]    4 + 4 fit, 9 stays alone

Nothing here depends on how the input is chunked, except `bundle`, which only says what is merged
with what and keeps the order.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def offsets(sizes: Sequence[int]) -> list[int]:
    """Where each piece starts, and the total: one entry more than pieces."""
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts
