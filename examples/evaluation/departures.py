"""Samplers that decide as ours does, but for one thing as imbalanced-learn does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.planning.allocate import (
    Kept,
    Shares,
    fill,
    limits_of,
    log_weights,
    weights_from_log,
)
from dask_kmsmote.recipes import IMBALANCED_LEARN as THEIR
from dask_kmsmote.recipes import OWN, Recipe

_their_clusterer = {"make_clusterer": THEIR.make_clusterer, "keeps_fit_labels": True}


def share_rounding_up(kept: Kept, n: int) -> Shares:
    """Our quotas, rounded up as imbalanced-learn does."""
    logs = log_weights(kept)
    quota = fill(n, logs, limits_of(kept, n, logs))
    return Shares(weights_from_log(logs), [int(part) for part in np.ceil(quota)])


RECIPES: dict[str, Recipe] = {
    "ours, their clusterer": replace(OWN, **_their_clusterer),
    "ours, their threshold": replace(OWN, clusters=THEIR.clusters),
    "ours, their exponent": replace(
        OWN, shares=replace(OWN.shares, auto_exponent=THEIR.shares.auto_exponent)
    ),
    "ours, their rounding": replace(OWN, shares=replace(OWN.shares, share=share_rounding_up)),
}


def depart(recipe: Recipe) -> type[KMeansSMOTE]:
    """Our sampler with another recipe."""
    return type("Departure", (KMeansSMOTE,), {"_recipe": recipe})


# class and parameters, as in `samplers.SAMPLERS`
DEPARTURES: dict[str, tuple[type, dict[str, Any]]] = {
    name: (depart(recipe), {"n_jobs": 1}) for name, recipe in RECIPES.items()
}
