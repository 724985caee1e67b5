"""A sampler's parameters, resolved: what the stages of one run are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..events import Callback
from ..planning.strategy import Strategy
from ..recipes import Recipe


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
        """Least rows of a kept group: a row and its neighbours."""
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
    seed
        Root seed.
    callbacks
        Told about the stages.
    """

    recipe: Recipe
    strategy: Strategy
    target: Any
    clusterer: Clusterer
    search: Search
    threshold: float | str
    exponent: float | str
    seed: int
    callbacks: Sequence[Callback] = ()
