"""Which synthetic rows each class and group has, in the order of the plan."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .plan import SamplingPlan


class Region(NamedTuple):
    """Synthetic rows of one class: rows [start, stop), counted behind the originals.

    `class_code` is the place of the class in the plan's `class_counts`.
    """

    class_code: int
    start: int
    stop: int


def synthetic_regions(plan: SamplingPlan) -> list[Region]:
    """A region for each class that has synthetic rows, in the plan's order."""
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


def groups_at(plan: SamplingPlan, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place in `plan.groups` of some synthetic rows, counted behind the originals."""
    stops = plan.n_rows + np.cumsum([group.n_synthetic for group in plan.groups])
    return np.searchsorted(stops, rows, side="right").astype(np.int64)
