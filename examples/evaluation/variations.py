"""What `--vary` compares: samplers by default, ours with other parameters, and departures."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from departures import DEPARTURES
from samplers import NONE, OURS, THEIRS, Candidate

NAME = "ours"
SMOTE = "SMOTE"

BASELINES = [
    Candidate(NONE, NONE, {}),
    Candidate("random over-sampling", "random over-sampling", {}),
    Candidate(SMOTE, "SMOTE", {}),
    Candidate("SMOTE, k_neighbors=2", "SMOTE", {"k_neighbors": 2}),
    Candidate("Borderline-SMOTE", "Borderline-SMOTE", {}),
    Candidate(THEIRS, THEIRS, {}),
    Candidate(NAME, OURS, {}),
]


def clusters_by_rows(y: np.ndarray) -> int:
    """A third of the square root of the rows, from 8 to 50."""
    return max(8, min(50, round(len(y) ** 0.5 / 3)))


def scikit_learn_k_means(y: np.ndarray) -> KMeans:  # noqa: ARG001 - a rule's
    """As many clusters as ours by default, each run to its end, the best of ten starts."""
    return KMeans(8, n_init=10, random_state=0)


def half_share(y: np.ndarray) -> float:
    """Half of the minority's share of the rows."""
    return float(np.mean(y)) / 2


# parameters of ours, a method each
VARIATIONS: list[dict[str, Any]] = [
    {"k_neighbors": 3},
    {"k_neighbors": 5},
    {"kmeans_estimator": 2},
    {"kmeans_estimator": 20},
    {"kmeans_estimator": 50},
    {"kmeans_estimator": clusters_by_rows},
    {"kmeans_estimator": scikit_learn_k_means},
    {"cluster_balance_threshold": 0.0},
    {"cluster_balance_threshold": half_share},
    {"cluster_balance_threshold": 0.5},
    {"density_exponent": 0},
    {"density_exponent": 1},
    {"density_exponent": 2},
    {"density_exponent": "n_features"},
    {"count_exponent": -1},
    {"count_exponent": 0},
    {"count_exponent": 0.5},
    {"max_ratio": None},
    {"max_ratio": 1},
    {"max_ratio": 1.5},
    {"max_ratio": 3},
    {"max_ratio": 5},
    {"scale": None},
    {"count_exponent": -1, "max_ratio": None, "scale": None},
    {"count_exponent": -1, "max_ratio": None},
    {"count_exponent": 0.5, "density_exponent": 1},
    {"k_neighbors": 5, "cluster_balance_threshold": 0.0},
    {"k_neighbors": 5, "cluster_balance_threshold": half_share},
]
# methods that take categories, SMOTE as SMOTENC
WITH_CATEGORIES = [
    NONE,
    "random over-sampling",
    SMOTE,
    NAME,
    "ours, k_neighbors=5",
    "ours, cluster_balance_threshold=0.0",
    "ours, k_neighbors=5, cluster_balance_threshold=0.0",
]
NAMES = {"ours, count_exponent=-1, max_ratio=None, scale=None": "first round's default"}


def list_variations(names: list[str], references: list[str]) -> list[Candidate]:
    """The named methods and the references, or all methods, each with one candidate.

    Raises
    ------
    ValueError
        There is no such method.
    """
    known = {candidate.method: candidate for candidate in _list_all()}
    unknown = {*names, *references} - set(known)
    if unknown:
        raise ValueError(f"No method {', '.join(sorted(unknown))}: there are {'; '.join(known)}.")
    wanted = {*names, *references} if names else set(known)
    return [candidate for method, candidate in known.items() if method in wanted]


def _list_all() -> list[Candidate]:
    varied = [Candidate(name_of(setting), OURS, setting) for setting in VARIATIONS]
    departures = [Candidate(name, name, {}) for name in DEPARTURES]
    return [*BASELINES, *varied, *departures]


def name_of(setting: dict[str, Any]) -> str:
    """Name of the method: "ours, k_neighbors=5", but for those in `NAMES`."""
    name = ", ".join(
        [NAME, *(f"{key}={getattr(value, '__name__', value)}" for key, value in setting.items())]
    )
    return NAMES.get(name, name)
