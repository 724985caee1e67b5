"""Trials: candidates that share clusters, trained on one fold and judged on its test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from imblearn.over_sampling import RandomOverSampler

from .. import pipeline
from ..data.memory import MemoryInput, from_memory
from ..data.result import Arrangement, Output
from ..graph.settings import Settings
from ..kernels.rows.blocks import Ints, take
from ..kernels.seeding import SELECTION, small_seed
from ..order.orders import Append
from ..parameters import settings_of, wanted_of
from ..sampler import KMeansSMOTE
from ..threads import in_this_thread
from .candidates import NONE, RANDOM, WEIGHTS, Candidate
from .classifier import seeded, weights_of
from .folds import Fold
from .sample import Sample
from .scoring import Ranking, Score, predictions_of

_SAMPLERS, _CLASSIFIERS = 1, 2  # of the streams of a selection


@dataclass(frozen=True)
class Bench:
    """What all trials have alike.

    Attributes
    ----------
    sample, folds, candidates, scores
        What is tried on what, and by what it is judged.
    estimator
        The classifier, unfitted.
    make_sampler, columns
        The sampler's class, and its parameters of columns as trials have them.
    seed
        Root seed.
    """

    sample: Sample
    folds: tuple[Fold, ...]
    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    estimator: Any
    make_sampler: Callable[..., KMeansSMOTE]
    columns: Mapping[str, Any]
    seed: int


class Piece(NamedTuple):
    """One piece of work: a fold, and the numbers of candidates that share what it computes."""

    fold: int
    candidates: tuple[int, ...]


class Trial(NamedTuple):
    """What became of a candidate on a fold.

    Attributes
    ----------
    fold, candidate
        Numbers.
    values
        By score; NaN where it failed.
    ranking
        Of the test rows of two classes by their score, of the candidate that does nothing.
    fault
        What went wrong; "" where nothing did.
    """

    fold: int
    candidate: int
    values: tuple[float, ...]
    ranking: Ranking | None = None
    fault: str = ""


def pieces_of(folds: int, candidates: Sequence[Candidate]) -> list[Piece]:
    """Pieces of work, fold by fold: so many clusterings as there are pieces with a sampler."""
    shared: dict[str, list[int]] = {}
    for number, own in enumerate(candidates):
        shared.setdefault(own.shared if own.is_sampler else own.kind, []).append(number)
    return [Piece(fold, tuple(own)) for fold in range(folds) for own in shared.values()]


def work_on(bench: Bench, piece: Piece) -> list[Trial]:
    """Try the candidates of a piece, one after the other; computes in the calling thread."""
    with in_this_thread():
        rows = _rows(bench.sample, bench.folds[piece.fold].train)
        resampled = _resamplers(bench, piece, *rows)
        return [
            _try(bench, piece.fold, number, make)
            for number, make in zip(piece.candidates, resampled, strict=True)
        ]


def _rows(sample: Sample, rows: Ints) -> tuple[Any, Any]:
    X = sample.X
    return X.iloc[rows] if hasattr(X, "iloc") else take(X, rows), sample.y[rows]


Resampled = tuple[Any, Any]


def _resamplers(bench: Bench, piece: Piece, X: Any, y: Any) -> list[Callable[[], Resampled]]:
    """What makes the training rows of each candidate."""
    candidates = [bench.candidates[number] for number in piece.candidates]
    seed = small_seed(bench.seed, SELECTION, _SAMPLERS, piece.fold)
    if candidates[0].is_sampler:
        alike = {**bench.columns, "random_state": seed, "n_jobs": 1}
        return _sharing([bench.make_sampler(**{**own.params, **alike}) for own in candidates], X, y)
    if candidates[0].kind == RANDOM:
        samplers = [RandomOverSampler(**own.params, random_state=seed) for own in candidates]
        return [partial(own.fit_resample, X, y) for own in samplers]
    return [lambda: (X, y)] * len(candidates)


def _sharing(samplers: Sequence[KMeansSMOTE], X: Any, y: Any) -> list[Callable[[], Resampled]]:
    """What resamples by each of some samplers that share clusters, explored once."""
    settings = [settings_of(own, y) for own in samplers]
    data, found = from_memory(samplers[0], X, y, 1, wanted_of(samplers[0])), None
    # what is wrong with all is asked for again, of each alone
    with suppress(Exception), data.computing():
        found = pipeline.explore(data.tasks, data.source, settings)
    return [partial(_resampled, data, found, own) for own in settings]


def _resampled(
    data: MemoryInput, found: pipeline.Exploration | None, settings: Settings
) -> Resampled:
    with data.computing():
        explored = found or pipeline.explore(data.tasks, data.source, [settings])
        run = pipeline.decide(explored, settings)
    order = Append(run.plan.n_rows, run.plan.n_synthetic)
    return data.resampled(Arrangement(run, order, Output.BOTH))


def _try(bench: Bench, fold: int, number: int, make: Callable[[], Resampled]) -> Trial:
    candidate = bench.candidates[number]
    try:
        classifier = _trained(bench, fold, candidate, *make())
        return Trial(fold, number, *_judged(bench, fold, candidate, classifier))
    except Exception as error:  # noqa: BLE001 - one that fails does not stop the others
        nothing = (np.nan,) * len(bench.scores)
        return Trial(fold, number, nothing, fault=f"{type(error).__name__}: {error}")


def _trained(bench: Bench, fold: int, candidate: Candidate, X: Any, y: Any) -> Any:
    classifier = seeded(bench.estimator, small_seed(bench.seed, SELECTION, _CLASSIFIERS, fold))
    if candidate.kind == WEIGHTS:
        classifier.set_params(**dict.fromkeys(weights_of(classifier), "balanced"))
    classifier.fit(X, y)
    return classifier


def _judged(
    bench: Bench, fold: int, candidate: Candidate, classifier: Any
) -> tuple[tuple[float, ...], Ranking | None]:
    sample, test = bench.sample, bench.folds[fold].test
    rows, labels = _rows(sample, test)
    args = sample.codes[test], sample.classes, sample.positive
    decides = any(own.is_decision for own in bench.scores)
    found = predictions_of(classifier, rows, *args, decides=decides)
    values = tuple(
        own.measure(found) if own.measure else float(own.scorer(classifier, rows, labels))  # type: ignore[misc] # has one of them
        for own in bench.scores
    )
    named = zip(bench.scores, values, strict=True)
    wrong = [f"{own.name} is {value}" for own, value in named if not np.isfinite(value)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} on the test rows.")
    if candidate.kind != NONE or found.scores is None:
        return values, None
    return values, Ranking(found.codes == found.positive, found.scores.astype(np.float32))
