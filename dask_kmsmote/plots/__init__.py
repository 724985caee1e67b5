"""Pictures of a plan and of its result, on matplotlib (`pip install 'dask-kmsmote[viz]'`).

- `class_balance`, `cluster_allocation` (`decision`): of a plan: who gets rows, and why. They
  compute nothing.
- `scatter`, `nearest_original_distances` (`rows`): of a result; the labels are counted, all of
  them, and a bounded sample of rows, chosen by position, is brought here.
- `candidate_scores` (`scores`): of a search: what each candidate scores, and how sure that is.

Every function takes the axes to draw on, or makes them, and returns them: a picture is the user's
to change. Classes differ by the shape of their marks, and hatching tells new rows from old, so that
grey is enough (`style`).
"""

from __future__ import annotations

from .decision import class_balance, cluster_allocation
from .rows import nearest_original_distances, scatter
from .scores import candidate_scores

__all__ = [
    "candidate_scores",
    "class_balance",
    "cluster_allocation",
    "nearest_original_distances",
    "scatter",
]
