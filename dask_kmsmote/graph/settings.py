"""A sampler's parameters, resolved: what the stages of one run are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from ..events import Callback
from ..kernels.rows.metric import Metric
from ..planning.strategy import Strategy
from ..recipes import Recipe

STARTS = "init", "means_init"  # of KMeans and mixtures


@dataclass(frozen=True, kw_only=True)
class Clusterer:
    """How clusters are learned.

    Attributes
    ----------
    estimator
        Cloned, unfitted (but for a frozen one).
    kind
        "lloyd": dask-ml's KMeans, from all rows. "fit": one fit on gathered rows. "frozen": none.
    n_clusters
        Clusters that it makes.
    learning_rows
        Most rows to learn from; None where all are.
    """

    estimator: Any
    kind: str
    n_clusters: int
    learning_rows: int | None

    def measured_in(self, metric: Metric) -> Any:
        """The estimator to fit in a metric: centres to start from come in the units of X."""
        if metric.scales is None:
            return self.estimator
        starts: dict[str, Any] = {name: getattr(self.estimator, name, None) for name in STARTS}
        given = {
            name: np.asarray(start, dtype=np.float64) / metric.scales
            for name, start in starts.items()
            # of another shape they are refused by whoever starts from them
            if np.shape(start)[1:] == metric.scales.shape
        }
        return clone(self.estimator).set_params(**given) if given else self.estimator

    def is_bounded(self, n: int) -> bool:
        """Whether it learns from fewer than n rows."""
        return self.learning_rows is not None and self.learning_rows < n


@dataclass(frozen=True, kw_only=True)
class Search:
    """How neighbours are found.

    Attributes
    ----------
    k
        Neighbours of each row.
    estimator
        The object that searches, or None for the package's own search.
    exact_rows
        Largest group whose pairs are all looked at; None where all groups are such.
    """

    k: int
    estimator: Any
    exact_rows: int | None

    @property
    def n_neighbors(self) -> int:
        """A row and its neighbours."""
        return self.k + 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is asked for.

    Attributes
    ----------
    recipe
        The over-sampler.
    strategy, target
        `sampling_strategy`, and what a function is called with.
    clusterer, search
        How clusters and neighbours are found.
    threshold, exponent
        Numbers, or "auto"; the exponent also "n_features".
    count_exponent, max_ratio
        Of the rows of a group in its weight, and the bound on new rows per row; None: none.
    scale, categorical_weight
        "standard", or None for the units of X; and the distance of two categories, or "auto".
    seed
        Root seed.
    callbacks
        Told about the stages.
    """

    # what a plan alone depends on: exploring the data for it finds the same
    PLANNED: ClassVar[frozenset[str]] = frozenset(
        {"strategy", "target", "threshold", "exponent", "count_exponent", "max_ratio"}
    )

    recipe: Recipe
    strategy: Strategy
    target: Any
    clusterer: Clusterer
    search: Search
    threshold: float | str
    exponent: float | str
    count_exponent: float
    max_ratio: float | None
    scale: str | None
    categorical_weight: float | str
    seed: int
    callbacks: Sequence[Callback] = ()
