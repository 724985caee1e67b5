"""What a trained classifier is judged by: the package's own scores, and any scorer of scikit-learn.

The positive class of two is the smaller. Of more classes, AUPRC and F1 are means over classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, nearest
from ..kernels.rows.blocks import Floats, Ints
from ..planning.strategy import Label


class Predictions(NamedTuple):
    """What a classifier says of test rows.

    Attributes
    ----------
    codes, predicted
        Numbers of the classes that rows have, and of those that `predict` gives them; None where
        no score asks for these.
    probabilities
        Shape (n_rows, n_classes); None where the classifier has none.
    scores
        Of the positive class of two, larger for likelier rows; None for more classes.
    positive
        Number of the positive class of two; None for more.
    """

    codes: Ints
    predicted: Ints | None
    probabilities: Floats | None
    scores: Floats | None
    positive: int | None


@dataclass(frozen=True)
class Score:
    """A score by its name.

    Attributes
    ----------
    name
        As results have it.
    measure
        From predictions; None where `scorer` is asked.
    scorer
        Called with the fitted classifier, test rows and labels.
    needs
        Methods of a classifier of which it must have one.
    is_loss
        Less is better.
    is_decision
        It judges `predict`, so that it may be better for another threshold alone.
    """

    name: str
    measure: Callable[[Predictions], float] | None = None
    scorer: Callable[[Any, Any, Any], float] | None = None
    needs: tuple[str, ...] = ()
    is_loss: bool = False
    is_decision: bool = False

    @property
    def sign(self) -> float:
        """What a value is multiplied by so that more is better."""
        return -1.0 if self.is_loss else 1.0


def _average_precision(found: Predictions) -> float:
    from sklearn.metrics import average_precision_score

    if found.scores is not None:
        return float(average_precision_score(found.codes == found.positive, found.scores))
    columns: Any = found.probabilities
    present = np.unique(found.codes)
    parts = [average_precision_score(found.codes == c, columns[:, c]) for c in present]
    return float(np.mean(parts))


def _f1(found: Predictions) -> float:
    from sklearn.metrics import f1_score

    if found.positive is not None:
        hit, said = found.codes == found.positive, found.predicted == found.positive
        return float(f1_score(hit, said, zero_division=0))
    return float(f1_score(found.codes, found.predicted, average="macro", zero_division=0))


def _g_mean(found: Predictions) -> float:
    from imblearn.metrics import geometric_mean_score

    return float(geometric_mean_score(found.codes, found.predicted))


def _log_loss(found: Predictions) -> float:
    from sklearn.metrics import log_loss

    columns: Any = found.probabilities
    return float(log_loss(found.codes, columns, labels=np.arange(columns.shape[1])))


def _brier(found: Predictions) -> float:
    columns: Any = found.probabilities
    if found.positive is not None:
        hit = found.codes == found.positive
        return float(np.mean((columns[:, found.positive] - hit) ** 2))
    hits = found.codes[:, np.newaxis] == np.arange(columns.shape[1])
    return float(np.mean(((columns - hits) ** 2).sum(axis=1)))


_ANY_SCORES = ("predict_proba", "decision_function")
SCORES = {
    own.name: own
    for own in (
        Score("AUPRC", _average_precision, needs=_ANY_SCORES),
        Score("F1", _f1, needs=("predict",), is_decision=True),
        Score("G-mean", _g_mean, needs=("predict",), is_decision=True),
        Score("log loss", _log_loss, needs=("predict_proba",), is_loss=True),
        Score("Brier", _brier, needs=("predict_proba",), is_loss=True),
    )
}


def scores_of(
    scoring: Any, estimator: Any, classes: Sequence[Label], positive: int
) -> tuple[Score, ...]:
    """The scores that are asked for.

    Parameters
    ----------
    scoring
        Names of `SCORES` or of scikit-learn's scorers, or scorers by name.
    estimator
        Must be able to give what they need.
    classes, positive
        Labels in order, and the number of the positive one of two.

    Raises
    ------
    ParameterError
        A name that is none, no name at all, or a classifier without what is needed.
    """
    given = [scoring] if isinstance(scoring, str) or callable(scoring) else scoring
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise ParameterError(f"scoring={scoring!r} names no score: pass scoring={[*SCORES]}.")
    pairs = given.items() if isinstance(given, Mapping) else [(own, own) for own in given]
    # where scikit-learn's own choice, 1, is no label
    label = classes[positive] if len(classes) == 2 and 1 not in classes else None
    scores = tuple(_score(name, own, label) for name, own in pairs)
    if not scores:
        raise ParameterError(f"scoring is empty: name a score, e.g. scoring={[*SCORES]}.")
    names = [own.name for own in scores]
    if len(set(names)) < len(names):
        raise ParameterError(
            f"scoring has scores of one name, {names}: pass a dict of scorers by name."
        )
    _require_methods(scores, estimator, len(classes))
    return scores


def _score(name: Any, own: Any, positive: Label | None) -> Score:
    from sklearn.metrics import get_scorer, get_scorer_names

    if isinstance(own, str) and own in SCORES:
        return replace(SCORES[own], name=str(name))
    if callable(own):
        known_as = getattr(own, "__name__", own) if callable(name) else name
        return Score(str(known_as), scorer=own, needs=_methods_of(own))
    known = get_scorer_names()
    if own not in known:
        near = nearest(str(own), [*SCORES, *known])
        hint = f"did you mean {near!r}?" if near else f"it may be one of {[*SCORES]}."
        raise ParameterError(f"scoring has {own!r}, which is no score: {hint}")
    scorer = _with_positive(get_scorer(own), positive)
    return Score(str(name), scorer=scorer, needs=_methods_of(scorer))


def _with_positive(scorer: Any, label: Label | None) -> Any:
    """A scorer by name, of scikit-learn, that knows the label to look for, if it looks for one."""
    from sklearn.metrics import make_scorer

    takes = "pos_label" in signature(scorer._score_func).parameters
    # of several classes there is none
    if label is None or not takes or scorer._kwargs.get("average", "binary") != "binary":
        return scorer
    return make_scorer(
        scorer._score_func,
        response_method=scorer._response_method,
        greater_is_better=scorer._sign > 0,
        **{**scorer._kwargs, "pos_label": label},
    )


def _methods_of(scorer: Any) -> tuple[str, ...]:
    # of a scorer of scikit-learn; a function does not say
    methods = getattr(scorer, "_response_method", ())
    return (methods,) if isinstance(methods, str) else tuple(methods)


def _require_methods(scores: Sequence[Score], estimator: Any, n_classes: int) -> None:
    def lacks(score: Score) -> bool:
        # the scores of one column are of two classes
        needs = score.needs[:1] if score.measure and n_classes > 2 else score.needs
        return bool(needs) and not any(hasattr(estimator, method) for method in needs)

    lacking = [score.name for score in scores if lacks(score)]
    if not lacking:
        return
    rest = [score.name for score in scores if score.name not in lacking]
    without = f"pass scoring={rest}, or " if rest else ""
    name = type(estimator).__name__
    verb = "needs" if len(lacking) == 1 else "need"
    raise ParameterError(
        f"{', '.join(lacking)} {verb} probabilities, and the estimator, {name}, has no "
        f"predict_proba: {without}estimator=sklearn.calibration.CalibratedClassifierCV(estimator)."
    )


def predictions_of(
    classifier: Any,
    X: Any,
    codes: Ints,
    classes: NDArray[Any],
    positive: int,
    *,
    decides: bool = True,
) -> Predictions:
    """What a fitted classifier says of rows of known classes (sorted labels)."""
    probabilities = scores = None
    if hasattr(classifier, "predict_proba"):
        found = np.asarray(classifier.predict_proba(X))
        # of the type that they sum to one in
        probabilities = np.zeros((len(codes), len(classes)), found.dtype)
        probabilities[:, np.searchsorted(classes, classifier.classes_)] = found
        scores = probabilities[:, positive]
    elif len(classes) == 2 and hasattr(classifier, "decision_function"):
        # of the second class
        scores = np.asarray(classifier.decision_function(X), dtype=np.float64)
        scores = scores if positive == 1 else -scores
    predicted = None
    if decides:
        predicted = np.searchsorted(classes, np.asarray(classifier.predict(X)).ravel())
    return Predictions(
        codes=codes,
        predicted=predicted,
        probabilities=probabilities,
        scores=scores if len(classes) == 2 else None,
        positive=positive if len(classes) == 2 else None,
    )


class Ranking(NamedTuple):
    """Test rows of two classes by their score: whether each is positive, and the score."""

    hits: NDArray[np.bool_]
    scores: NDArray[np.float32]


def at_best_threshold(score: Score, own: Ranking, others: Sequence[Ranking]) -> float:
    """A score of the decision on some rows, at the threshold that is best on others."""
    hits = np.concatenate([part.hits for part in others])
    scores = np.concatenate([part.scores for part in others])
    # F1 and G-mean are best at the score of some positive row: below it, only others are added
    thresholds = np.unique(scores[hits])
    rates = _decisions(score, hits, scores, thresholds)
    best = thresholds[int(np.argmax(rates))]
    return float(_decisions(score, own.hits, own.scores, np.array([best]))[0])


def _decisions(score: Score, hits: Any, scores: Any, thresholds: Any) -> Floats:
    """F1 or G-mean of the decision at each threshold: ``score >= threshold``."""
    positive, negative = np.sort(scores[hits]), np.sort(scores[~hits])
    n_true = len(positive) - np.searchsorted(positive, thresholds)
    n_false = len(negative) - np.searchsorted(negative, thresholds)
    if score.measure is _f1:
        return np.asarray(2 * n_true / (n_true + n_false + len(positive)), dtype=np.float64)
    shares = n_true / len(positive) * (1 - n_false / len(negative))
    return np.asarray(np.sqrt(shares), dtype=np.float64)
