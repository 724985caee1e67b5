"""Inspection: whether a result holds what the plan promised, and what its rows look like.

- `fitted`: what is asked of a sampler.
- `validate`: `check_result`, a table of findings; `KMeansSMOTE.validate` calls it.
- `sample`: a result as chunks of which rows can be taken. Labels are counted, all of them; of the
  rows few are brought to the client, chosen by their positions, so that the chunking does not
  matter.
- `sampling`: which rows: seeded; originals drawn in one pass over the labels, synthetic rows from
  the plan.
- `comparison`: what is measured on them: segments, distances, distributions, components.

Where a row is in a result, the sampler's `order_` says, also where the sampler's `layout` was set
to another meanwhile.
"""

from __future__ import annotations

from .validate import check_result

__all__ = ["check_result"]
