"""What is asked of a sampler that has made a result."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows.metric import Metric
from ..order.orders import Order
from ..planning.plan import SamplingPlan
from ..recipes import Recipe


class FittedSampler(Protocol):
    """A sampler after `fit_resample`."""

    n_jobs: int | None
    plan_: SamplingPlan
    kmeans_estimator_: Any

    @property
    def order_(self) -> Order:
        """Where the result has its rows."""

    @property
    def recipe_(self) -> Recipe:
        """What the over-sampler decided."""

    @property
    def scale_(self) -> NDArray[np.float64]:
        """What each feature is divided by where distances are measured."""

    @property
    def provenance_(self) -> Any:
        """A Dask frame of parents: a row per synthetic row, by its position in the result."""


def metric_of(sampler: FittedSampler) -> Metric:
    """What the sampler has measured distances in."""
    return Metric(sampler.scale_ if sampler.plan_.scale else None)
