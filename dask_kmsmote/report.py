"""The plan as a table."""

from __future__ import annotations

from dataclasses import asdict, fields

import pandas as pd

from .planning.groups import GroupPlan
from .planning.plan import SamplingPlan

COLUMNS = tuple(field.name for field in fields(GroupPlan))


def to_frame(plan: SamplingPlan) -> pd.DataFrame:
    """A row per class and cluster; the columns are the attributes of `GroupPlan`."""
    return pd.DataFrame([asdict(group) for group in plan.groups], columns=list(COLUMNS))
