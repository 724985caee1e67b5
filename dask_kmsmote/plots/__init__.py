"""Pictures of a plan and of its result, on matplotlib (`pip install 'dask-kmsmote[viz]'`).

Every function takes the axes to draw on, or makes them, and returns them. Those of the plan compute
nothing; those of rows count the labels and bring a bounded sample of rows here.
"""

from __future__ import annotations

from .decision import class_balance, cluster_allocation
from .rows import nearest_original_distances, scatter

__all__ = ["class_balance", "cluster_allocation", "nearest_original_distances", "scatter"]
