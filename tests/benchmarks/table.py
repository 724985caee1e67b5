"""What a line of the table holds, and how seconds are measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

REPEATS = 3


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    what: str
    ours: str
    reference: str
    ratio: float
    target: float


def median_seconds(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median wall time, after one run to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
