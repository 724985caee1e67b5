"""The search: rows, folds and candidates are settled, trials run, and a result is left."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import validate_parameter_constraints

from ..errors import ParameterError
from ..events import StageProgressed, Warned, emit, stage
from ..kernels.rows.blocks import Floats
from ..kernels.rows.labels import keys
from ..kernels.seeding import SELECTION, root_seed, small_seed
from ..listeners import ProgressBar
from ..parameters import CONSTRAINTS, require_callables, settings_of
from ..process import levels_to_caller
from ..sampler import KMeansSMOTE
from .candidates import NONE, Candidate, candidates_of, params_of
from .classifier import default_classifier, require_classifier, weights_of
from .folds import Fold, folds_of
from .result import Facts, Fault, SearchResult
from .sample import Sample, take_sample
from .scoring import SCORES, Ranking, Score, at_best_threshold, scores_of
from .trials import Bench, Piece, Trial, pieces_of, work_on
from .workers import done

_SPLITS, _SETTINGS = 3, 4  # of the streams of a selection
_DEFAULT_SCORES = tuple(SCORES)


def search(
    X: Any,
    y: Any,
    estimator: Any = None,
    *,
    sampler: KMeansSMOTE | None = None,
    grid: Any = None,
    scoring: Any = _DEFAULT_SCORES,
    cv: Any = 5,
    n_repeats: int = 2,
    groups: Any = None,
    n_rows: int = 200_000,
    n_iter: int = 20,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = False,
    callbacks: Sequence[Any] = (),
) -> SearchResult:
    """Try over-sampling on a classifier, and what else could be done, by cross-validation.

    Always tried: nothing ("none"), class weights where the classifier takes them, random
    over-sampling, and SMOTE (one cluster, 5 neighbours); the last two with each `sampling_strategy`
    that the grid lists. Samplers see the training part of a fold alone.

    Parameters
    ----------
    X, y
        As for `KMeansSMOTE.fit_resample`.
    estimator : classifier, optional
        Of scikit-learn's kind, or a pipeline; sees the features as they are, with text and what is
        missing, in a frame if X is one, and the labels. Default:
        `HistGradientBoostingClassifier`, with categories as categories. What has a `random_state`
        of None gets a seed, the same for all candidates of a fold.
    sampler : KMeansSMOTE, optional
        Has what the grid does not vary, e.g. ``missing`` and ``passthrough`` (which no trial sees).
    grid : dict of lists or distributions, or a list of such, optional
        By parameter of `KMeansSMOTE`. Default: clusters {8, 32, 128}, where the smallest class has
        4 rows for each, threshold {"auto", 0}, `count_exponent` {1, -1}; of two classes,
        `sampling_strategy` {0.1, 0.3, the sampler's own}, where the data have less.
    scoring : names, scorers by name
        Of "AUPRC", "F1", "G-mean", "log loss", "Brier" (two classes: of the smaller), or
        scikit-learn's. The first decides `best_params`.
    cv : int, splitter or pairs of rows
        Folds, stratified and shuffled; or a splitter, e.g. for time (rows keep their order), or for
        `groups`.
    n_repeats : int
        How often the rows are split, where `cv` is a number.
    groups : array-like, optional
        Of all rows, for the splitter.
    n_rows : int
        Most rows to try on: of more, each class keeps its share. Only these leave a cluster.
    n_iter : int
        Settings to draw, where the grid has distributions.
    random_state : int, RandomState, Generator or None
        The same table for the same int, whatever computes it.
    n_jobs : int, optional
        Threads, where no cluster is active; None: all cores. Each trains on one.
    progress : bool
        Show a bar; needs tqdm.
    callbacks : sequence of callables
        Told events of the stage "search".

    Returns
    -------
    SearchResult
        Prints as a table. `best`, `best_params`, `table`, `estimate`, `plot`. After an interrupt,
        of the folds that are done (`is_complete` is False).

    Raises
    ------
    InputError, ParameterError
        What can't be tried, before anything is; or the classifier fails whatever is done.
    ClusterError
        The cluster can't do the work, or does nothing for too long.

    Notes
    -----
    On an active distributed cluster the trials run on its workers, else on threads here. Clusters
    and densities are found once for each fold, number of clusters and scale: other thresholds,
    exponents, bounds and strategies are planned from them. A worker holds the sampled rows, one
    training part, and that resampled.
    """
    start = perf_counter()
    base = KMeansSMOTE() if sampler is None else sampler
    _require_sampler(base)
    _require_numbers(n_rows=n_rows, n_repeats=n_repeats, n_iter=n_iter)
    _require_kinds(random_state=random_state, n_jobs=n_jobs, progress=progress, callbacks=callbacks)
    seed = root_seed(random_state)
    told = [*callbacks, *([ProgressBar()] if progress else [])]
    sample = take_sample(base, X, y, n_rows, seed)
    for found in sample.advice:
        emit(told, Warned(found.message))
        warnings.warn(found.category(found.message), stacklevel=levels_to_caller())
    estimator = default_classifier(sample) if estimator is None else estimator
    require_classifier(estimator)
    scores = scores_of(scoring, estimator, keys(sample.classes), sample.positive)
    folds = folds_of(cv, n_repeats, sample, groups, small_seed(seed, SELECTION, _SPLITS))
    candidates = candidates_of(
        base,
        grid,
        min((sample.counts(own.train) for own in folds), key=lambda own: min(own.values())),
        takes_weights=bool(weights_of(estimator)),
        n_iter=n_iter,
        seed=small_seed(seed, SELECTION, _SETTINGS),
    )
    columns = _columns(base, sample)
    _require_settings(base, candidates, columns, sample)
    bench = Bench(sample, folds, candidates, scores, estimator, type(base), columns, seed)
    pieces = pieces_of(len(folds), candidates)
    trials, whole = _trials(bench, pieces, n_jobs, told)
    facts = Facts(
        n_rows=sample.n_rows,
        n_all=sample.n_all,
        n_planned=len(folds),
        n_clusterings=sum(
            own.fold in whole and candidates[own.candidates[0]].is_sampler for own in pieces
        ),
        seconds=perf_counter() - start,
        seed=seed,
        given=_given(base),
    )
    return _result(bench, trials, whole, facts)


def _require_numbers(**given: Any) -> None:
    wrong = {name: n for name, n in given.items() if not isinstance(n, int | np.integer) or n < 1}
    if wrong:
        listed = ", ".join(f"{name}={n!r}" for name, n in wrong.items())
        raise ParameterError(f"{listed}: pass a whole number of at least 1.")


def _given(base: KMeansSMOTE) -> dict[str, Any]:
    """What a sampler was given."""
    taken = {"passthrough": base.passthrough} if len(base.passthrough) else {}
    return {**params_of(base, {}), **taken}


def _require_kinds(**given: Any) -> None:
    validate_parameter_constraints({name: CONSTRAINTS[name] for name in given}, given, "search")
    require_callables(given["callbacks"])


def _require_sampler(base: Any) -> None:
    name = base.__name__ if isinstance(base, type) else type(base).__name__
    if isinstance(base, type) and issubclass(base, KMeansSMOTE):
        raise ParameterError(f"sampler={name} is a class: pass an instance, sampler={name}().")
    if not isinstance(base, KMeansSMOTE):
        raise ParameterError(
            f"sampler={base!r} is a {name}: pass a KMeansSMOTE, e.g. sampler=KMeansSMOTE()."
        )
    base._validate_params()
    if isinstance(base.sampling_strategy, Mapping) and not base.sampling_strategy:
        raise ParameterError(
            "The sampler has sampling_strategy={}, as after a search that found nothing to make: "
            "with it no row is made, and nothing can be compared. Pass sampling_strategy='auto'."
        )


def _columns(base: KMeansSMOTE, sample: Sample) -> dict[str, Any]:
    """Parameters of columns as trials have them, which see none that is taken along."""
    if not sample.schema.passthrough or isinstance(base.categorical_features, str):
        return {}
    return {"categorical_features": [sample.schema.columns[p] for p in sample.schema.categories]}


def _require_settings(
    base: KMeansSMOTE,
    candidates: Sequence[Candidate],
    columns: dict[str, Any],
    sample: Sample,
) -> None:
    """Raise what a sampler would say of values of the grid, before any is tried."""
    for own in candidates:
        if own.is_sampler:
            made = type(base)(**{**own.params, **columns})
            made._validate_params()
            settings_of(made, sample.y)


def _trials(
    bench: Bench, pieces: Sequence[Piece], n_jobs: int | None, told: Sequence[Any]
) -> tuple[list[Trial], list[int]]:
    """The trials, and the folds that they are of: all, or what is left when a user interrupts."""
    trials: list[Trial] = []
    whole = list(range(len(bench.folds)))
    try:
        with stage("search", told):
            for number, own in enumerate(done(work_on, bench, pieces, n_jobs), start=1):
                trials += own
                emit(told, StageProgressed("search", number, len(pieces)))
    except KeyboardInterrupt:
        whole = _comparable(_whole_folds(trials, pieces, len(bench.folds)), bench)
        if not whole:
            raise
        warnings.warn(
            f"The search was interrupted: the result is of {len(whole)} of {len(bench.folds)} "
            "folds.",
            stacklevel=3,
        )
    trials = [own for own in trials if own.fold in whole]
    return sorted(trials, key=lambda own: (own.fold, own.candidate)), whole


def _whole_folds(trials: Sequence[Trial], pieces: Sequence[Piece], n_folds: int) -> list[int]:
    wanted = sum(len(own.candidates) for own in pieces) // n_folds
    n_done = np.bincount([own.fold for own in trials], minlength=n_folds)
    return [int(fold) for fold in np.flatnonzero(n_done == wanted)]


def _comparable(whole: list[int], bench: Bench) -> list[int]:
    """Of an interrupted search, the folds that others can choose for; all where there are none."""
    apart = _apart([bench.folds[fold] for fold in whole], bench.sample.n_rows)
    return [fold for fold, others in zip(whole, apart, strict=True) if others.any()] or whole


def _result(
    bench: Bench, trials: Sequence[Trial], whole: Sequence[int], facts: Facts
) -> SearchResult:
    names = [own.name for own in bench.candidates]
    faults = tuple(Fault(names[own.candidate], own.fold, own.fault) for own in trials if own.fault)
    if len(faults) == len(trials):
        raise ParameterError(
            f"All candidates failed on all folds. {faults[0].candidate!r}, fold {faults[0].fold}: "
            f"{faults[0].message}"
        )
    values = np.full((len(names), len(whole), len(bench.scores)), np.nan)
    for own in trials:
        values[own.candidate, whole.index(own.fold)] = own.values
    folds = [bench.folds[fold] for fold in whole]
    apart = _apart(folds, bench.sample.n_rows)
    rankings = [own.ranking for own in trials if bench.candidates[own.candidate].kind == NONE]
    return SearchResult(
        candidates=bench.candidates,
        scores=bench.scores,
        values=values,
        moved=_moved(bench.scores, rankings, apart),
        apart=apart,
        overlap=float(np.mean([len(own.test) / len(own.train) for own in folds])),
        faults=faults,
        facts=facts,
    )


def _apart(folds: Sequence[Fold], n_rows: int) -> NDArray[np.bool_]:
    marks = np.zeros((len(folds), n_rows), dtype=bool)
    for mark, own in zip(marks, folds, strict=True):
        mark[own.test] = True
    return np.array([[not (a & b).any() for b in marks] for a in marks])


def _moved(
    scores: Sequence[Score], rankings: Sequence[Ranking | None], apart: NDArray[np.bool_]
) -> Floats:
    """Decisions without over-sampling, each fold's at the threshold that is best on others."""
    moved = np.full((len(apart), len(scores)), np.nan)
    if any(own is None for own in rankings) or not apart.any(axis=1).all():
        return moved
    for (fold, own), (place, score) in product(enumerate(rankings), enumerate(scores)):
        if score.is_decision and own is not None:
            others = [
                part for part, free in zip(rankings, apart[fold], strict=True) if free and part
            ]
            moved[fold, place] = at_best_threshold(score, own, others)
    return moved
