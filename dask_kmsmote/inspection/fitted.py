"""What is asked of a sampler that has made a result."""

from __future__ import annotations

from typing import Any, Protocol

from ..order.orders import Order
from ..pipeline import Run
from ..planning.plan import SamplingPlan


class FittedSampler(Protocol):
    """A sampler after `fit_resample`."""

    n_jobs: int | None
    plan_: SamplingPlan
    kmeans_estimator_: Any

    @property
    def order_(self) -> Order:
        """Where the result has its rows."""

    @property
    def run_(self) -> Run:
        """What the stages left."""

    @property
    def provenance_(self) -> Any:
        """A Dask frame of parents: a row per synthetic row, by its position in the result."""

    @property
    def voters_(self) -> Any:
        """The same with all nearest of the base rows, in `voter_0` and so on."""
