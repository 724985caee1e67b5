"""Samplers that are compared, and the grid over which some of them are tuned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from imblearn import FunctionSampler
from imblearn.over_sampling import SMOTE, SMOTENC, BorderlineSMOTE, RandomOverSampler
from imblearn.over_sampling import KMeansSMOTE as ImbalancedLearnKMeansSMOTE

from dask_kmsmote import KMeansSMOTE
from departures import DEPARTURES

NONE = "none"
THEIRS = "KMeansSMOTE of imbalanced-learn"
OURS = "KMeansSMOTE here"
COMPAT = "KMeansSMOTE here, compat"
TUNED = ", tuned"

SAMPLERS: dict[str, tuple[type, dict[str, Any]]] = {
    NONE: (FunctionSampler, {}),
    "random over-sampling": (RandomOverSampler, {}),
    "SMOTE": (SMOTE, {}),
    "Borderline-SMOTE": (BorderlineSMOTE, {}),
    THEIRS: (ImbalancedLearnKMeansSMOTE, {"n_jobs": 1}),
    OURS: (KMeansSMOTE, {"n_jobs": 1}),
    COMPAT: (KMeansSMOTE, {"n_jobs": 1, "compat": "imbalanced-learn"}),
    **DEPARTURES,
}


# by the sampler of numbers
KNOW_CATEGORIES: dict[type, type] = {SMOTE: SMOTENC, KMeansSMOTE: KMeansSMOTE}


class Candidate(NamedTuple):
    """A sampler with one setting; candidates of one method are the grid it is tuned over."""

    method: str
    sampler: str
    parameters: dict[str, Any]


class Grid(NamedTuple):
    """Values to tune over; the exponent may be "n_features"."""

    clusters: list[int]
    neighbors: list[int]
    thresholds: list[float]
    exponents: list[float | str]


class Outcome(NamedTuple):
    """Resampled rows; or the rows as they were, and the error by which the sampler refused them."""

    X: np.ndarray
    y: np.ndarray
    fault: Exception | None = None


class DisagreementError(Exception):
    """Compat mode did something else than imbalanced-learn."""


def list_candidates(grid: Grid) -> list[Candidate]:
    """Every sampler by default, then the tuned ones over the grid, or the part that they have."""
    neighbors = [{"k_neighbors": k} for k in grid.neighbors]
    everything = [
        {
            "kmeans_estimator": clusters,
            "k_neighbors": k,
            "cluster_balance_threshold": threshold,
            "density_exponent": exponent,
        }
        for clusters, k, threshold, exponent in product(*grid)
    ]
    tuned = {"SMOTE": neighbors, "Borderline-SMOTE": neighbors, THEIRS: everything,
             OURS: everything}  # fmt: skip
    return [Candidate(name, name, {}) for name in SAMPLERS if name not in DEPARTURES] + [
        Candidate(name + TUNED, name, setting)
        for name, settings in tuned.items()
        for setting in settings
    ]


def resample(
    candidate: Candidate, X: np.ndarray, y: np.ndarray, seed: int, categorical: Sequence[int] = ()
) -> Outcome:
    """Resample; a sampler may refuse: no cluster qualifies, or too few rows for k.

    Where some columns are codes of categories, SMOTE is SMOTENC.

    Warnings of samplers are ignored: some hold for most sets, as fewer distinct rows than clusters.
    """
    kind, fixed = SAMPLERS[candidate.sampler]
    parameters = fixed | candidate.parameters
    if categorical and kind in KNOW_CATEGORIES:
        kind = KNOW_CATEGORIES[kind]
        parameters["categorical_features"] = list(categorical)
    if parameters.get("density_exponent") == "n_features":
        parameters["density_exponent"] = float(X.shape[1])
    # rules that follow the data
    parameters = {name: v(y) if callable(v) else v for name, v in parameters.items()}
    if candidate.sampler != NONE:
        parameters["random_state"] = seed
    sampler = kind(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Outcome(*sampler.fit_resample(X, y))
        except (RuntimeError, ValueError) as error:
            return Outcome(X, y, error)


def require_agreement(
    theirs: Candidate, made: Outcome, X: np.ndarray, y: np.ndarray, seed: int, where: str
) -> None:
    """Compare imbalanced-learn's result with that of compat mode for the same setting and seed.

    Parameters
    ----------
    theirs, made
        A candidate of imbalanced-learn's sampler, and what it made of X and y.
    X, y, seed
        What it was given.
    where
        Set and fold, for the message.

    Raises
    ------
    DisagreementError
        They differ in a row, or in the kind of error.
    """
    ours = resample(theirs._replace(sampler=COMPAT), X, y, seed)
    same_fault = isinstance(ours.fault, type(made.fault))  # our errors are kinds of theirs
    same_rows = np.array_equal(ours.X, made.X) and np.array_equal(ours.y, made.y)
    if not (same_fault and same_rows):
        raise DisagreementError(
            f"{where}: compat differs from imbalanced-learn for {theirs.parameters}, seed {seed}: "
            f"{ours.X.shape} {ours.fault!r} against {made.X.shape} {made.fault!r}."
        )
