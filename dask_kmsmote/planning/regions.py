"""Where the synthetic rows of each class and group stand in a result."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .plan import SamplingPlan


class Region(NamedTuple):
    """Synthetic rows of one class: rows [start, stop) of the result.

    `class_code` is the place of the class in the plan's `class_counts`.
    """

    class_code: int
    start: int
    stop: int


def synthetic_regions(plan: SamplingPlan) -> list[Region]:
    """A region for each class that has synthetic rows, in output order."""
    codes = {label: code for code, (label, _) in enumerate(plan.class_counts)}
    made: dict[int, int] = {}
    for group in plan.groups:
        code = codes[group.class_label]
        made[code] = made.get(code, 0) + group.n_synthetic
    stops = accumulate(made.values(), initial=plan.n_rows)
    return [
        Region(code, start, start + n)
        for (code, n), start in zip(made.items(), stops, strict=False)
        if n
    ]


def groups_at(plan: SamplingPlan, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place in `plan.groups` of the synthetic rows at some positions of the result."""
    stops = plan.n_rows + np.cumsum([group.n_synthetic for group in plan.groups])
    return np.searchsorted(stops, positions, side="right").astype(np.int64)
