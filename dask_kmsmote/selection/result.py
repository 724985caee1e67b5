"""What a search found: means and paired differences with their errors, and what is best.

Of J folds with differences d_j, the standard error of their mean is

    sqrt((1 / J + n_test / n_train) * variance(d))

as training parts overlap, and so do the errors of what is trained on them (C. Nadeau, Y. Bengio,
"Inference for the Generalization Error", Machine Learning 52, 2003, section 3).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ..errors import ParameterError
from ..kernels.rows.blocks import Floats
from ..planning.plan import as_plain
from .candidates import NONE, RANDOM, SMOTE, WEIGHTS, Candidate
from .display import as_html, as_text, display_of
from .scoring import Score

# of what is no matter of the sampler: no row is to be made
_NOTHING: dict[str, Any] = {"sampling_strategy": {}}
# how to have what is best, where the sampler does not make it
_AS = {
    WEIGHTS: " KMeansSMOTE makes no row then: give the classifier class_weight='balanced'.",
    RANDOM: " KMeansSMOTE makes no row then: use imblearn.over_sampling.RandomOverSampler.",
}
# how often labels that mean nothing may have something beat "none"
_ALARMS = 0.1


class Mean(NamedTuple):
    """A mean over folds, and its standard error; NaN where there are too few."""

    value: float
    error: float

    def __repr__(self) -> str:
        return f"{self.value:.4g} ± {self.error:.2g}"


class Estimate(NamedTuple):
    """What taking the best gives, from folds that had no part in choosing it.

    Attributes
    ----------
    score, gain
        Of what other folds chose, and by how much it is better than "none" (more is better, also
        of losses).
    chosen
        How often each candidate was chosen.
    """

    score: Mean
    gain: Mean
    chosen: dict[str, int]


class Fault(NamedTuple):
    """A candidate that failed on a fold, and why."""

    candidate: str
    fold: int
    message: str


@dataclass(frozen=True)
class Facts:
    """What was done.

    Attributes
    ----------
    n_rows, n_all
        Rows that were tried, and those of the data.
    n_planned
        Folds that were planned; more than there are results of where a user interrupted.
    n_clusterings
        How often clusters were learned.
    seconds, seed
        Time in all, and the root seed.
    given
        Parameters of the search's sampler that are not the defaults.
    """

    n_rows: int
    n_all: int
    n_planned: int
    n_clusterings: int
    seconds: float
    seed: int
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class SearchResult:
    """Candidates compared, see `dask_kmsmote.search`.

    Attributes
    ----------
    candidates, scores
        What was tried, and judged by; the first score is the one that decides.
    values
        Shape (n_candidates, n_folds, n_scores); NaN where a candidate failed.
    moved
        Shape (n_folds, n_scores): "none" with the threshold of the decision that is best on folds
        of other test rows; NaN where a score does not judge decisions, or of more than two classes.
    apart
        Shape (n_folds, n_folds): whether two folds have no test row in common.
    overlap
        Rows of a test part per row of the training part, on average.
    faults
        What failed.
    facts
        What was done.
    """

    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    values: Floats
    moved: Floats
    apart: NDArray[np.bool_]
    overlap: float
    faults: tuple[Fault, ...]
    facts: Facts

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the scores."""
        return tuple(own.name for own in self.scores)

    @property
    def n_folds(self) -> int:
        """Folds that all candidates were tried on."""
        return int(self.values.shape[1])

    @property
    def is_complete(self) -> bool:
        """Whether no fold is left out, as a user interrupted."""
        return self.n_folds == self.facts.n_planned

    def table(self, metric: str | None = None) -> pd.DataFrame:
        """The candidates by a score, the best first.

        Parameters
        ----------
        metric
            A score's name; the first where None.

        Returns
        -------
        pandas.DataFrame
            `candidate`, `mean`, `standard_error`; `over_none` and `over_SMOTE`, the differences of
            the score (the SMOTE of the same `sampling_strategy`) with errors of theirs; and
            `n_failed` folds. A candidate that failed on a fold has no mean.
        """
        place = self._place(metric)
        lines = []
        for number, own in enumerate(self.candidates):
            mean = self.mean_of(self.values[number, :, place])
            over_none = self.over(number, self.number_of(NONE), place)
            over_smote = self.over(number, self._smote_of(number), place)
            lines.append([own.name, *mean, *over_none, *over_smote, self._n_failed(number)])
        names = ["candidate", "mean", "standard_error"]
        names += ["over_none", "over_none_error", "over_SMOTE", "over_SMOTE_error", "n_failed"]
        table = pd.DataFrame(lines, columns=names)
        is_loss = self.scores[place].is_loss
        return table.sort_values("mean", ascending=is_loss, kind="stable", ignore_index=True)

    def best(self, metric: str | None = None) -> str:
        """The candidate of the best mean, or "none" where nothing beats that.

        A candidate must be better than "none" by more than one standard error, by F1 and G-mean of
        two classes also than "none" at its best threshold; and what folds choose for one another
        (`estimate`) by so many that chance does as well once in ten times: of 10 folds, by 1.38.

        Parameters
        ----------
        metric
            A score's name; the first where None.
        """
        place = self._place(metric)
        beating = [number for number in range(len(self.candidates)) if self._beats(number, place)]
        found = self.estimate(self.scores[place].name)
        if found is None:
            # nobody chooses for another: each must be as sure itself
            beating = [n for n in beating if self._is_sure(self._gain(n, place))]
        if not beating or not (found is None or self._is_sure(found.gain)):
            return NONE
        means = self.scores[place].sign * self.values[beating, :, place].mean(axis=1)
        return self.candidates[beating[int(np.argmax(means))]].name

    @property
    def best_params(self) -> dict[str, Any]:
        """What `KMeansSMOTE` is constructed with for what is best by the first score.

        Where that is none of its own (none, class weights, random), it makes no row. What the
        search's sampler was given is there as well.
        """
        return self.params(self.best())

    def params(self, candidate: str) -> dict[str, Any]:
        """What `KMeansSMOTE` is constructed with for a candidate."""
        own = self.candidates[self.number_of(candidate)]
        given = dict(self.facts.given)
        if not own.is_sampler:
            return given | _NOTHING
        return dict(own.params) | {name: given[name] for name in ("passthrough",) if name in given}

    def estimate(self, metric: str | None = None) -> Estimate | None:
        """What to expect of taking the candidate of the best mean.

        On each fold, the candidate that is best on the folds without its test rows is judged. (The
        best mean of all is too good: it was taken for being the best.)

        Parameters
        ----------
        metric
            A score's name; the first where None.

        Returns
        -------
        Estimate or None
            None where the test parts of all folds overlap, so that none can choose for another.
        """
        place = self._place(metric)
        sound = [n for n in range(len(self.candidates)) if not self._n_failed(n)]
        none = self.number_of(NONE)
        if none not in sound or not self.apart.any(axis=1).all():
            return None
        sign = self.scores[place].sign
        own = sign * self.values[sound, :, place]
        means = [own[:, others].mean(axis=1) for others in self.apart]
        chosen = [int(np.argmax(mean)) for mean in means]
        judged = own[chosen, range(self.n_folds)]
        names = [self.candidates[sound[number]].name for number in chosen]
        return Estimate(
            score=self.mean_of(sign * judged),
            gain=self.mean_of(judged - self._rival(place)),
            chosen={name: names.count(name) for name in dict.fromkeys(names)},
        )

    @property
    def advice(self) -> tuple[str, ...]:
        """What follows, in a sentence or two for each score."""
        return tuple(self._advice(place) for place in range(len(self.scores)))

    def plot(self, metric: str | None = None, ax: Any = None) -> Any:
        """Means with their errors, see `dask_kmsmote.plots.candidate_scores`."""
        from ..plots.scores import candidate_scores

        return candidate_scores(self, metric, ax)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, numbers and strings; NaN becomes None."""
        found: dict[str, Any] = as_plain(
            {
                "metrics": {name: self._about(name) for name in self.metrics},
                "best_params": self.best_params,
                "advice": self.advice,
                "faults": [own._asdict() for own in self.faults],
                "folds": self.n_folds,
                "complete": self.is_complete,
                "facts": vars(self.facts),
            }
        )
        return found

    def _about(self, metric: str) -> dict[str, Any]:
        found = self.estimate(metric)
        estimate = found and {
            "score": found.score._asdict(),
            "gain": found.gain._asdict(),
            "chosen": found.chosen,
        }
        table = self.table(metric).to_dict("records")
        return {"best": self.best(metric), "estimate": estimate, "table": table}

    def to_json(self, *, indent: int | None = None) -> str:
        """`to_dict` as strict JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def __str__(self) -> str:
        return as_text(display_of(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(display_of(self))

    def _place(self, metric: str | None) -> int:
        if metric is None:
            return 0
        if metric not in self.metrics:
            raise ParameterError(
                f"metric={metric!r} was not asked for: it is one of {self.metrics}."
            )
        return self.metrics.index(metric)

    def number_of(self, candidate: str) -> int:
        """Place of a candidate in `candidates`."""
        names = [own.name for own in self.candidates]
        if candidate not in names:
            raise ParameterError(f"There is no candidate {candidate!r}: it is one of {names}.")
        return names.index(candidate)

    def _smote_of(self, number: int) -> int:
        """The SMOTE of a candidate's strategy; that of the sampler's own where there is none."""
        smotes = [n for n, own in enumerate(self.candidates) if own.kind == SMOTE]
        strategy = self.candidates[number].strategy
        same = [n for n in smotes if self.candidates[n].strategy == strategy]
        return (same or smotes)[0]

    def _n_failed(self, number: int) -> int:
        return int(np.isnan(self.values[number, :, 0]).sum())

    def mean_of(self, values: Floats) -> Mean:
        """Mean of values by fold, and its corrected standard error."""
        n = len(values)
        if n < 2:
            return Mean(float(values.mean()), math.nan)
        variance = (1 / n + self.overlap) * float(values.var(ddof=1))
        return Mean(float(values.mean()), math.sqrt(variance))

    def over(self, number: int, other: int, place: int) -> Mean:
        """Difference of two candidates by a score, paired by fold."""
        return self.mean_of(self.values[number, :, place] - self.values[other, :, place])

    def _rival(self, place: int) -> Floats:
        """What a candidate must beat, by fold, more is better: "none", at the better threshold."""
        sign = self.scores[place].sign
        plain = sign * self.values[self.number_of(NONE), :, place]
        moved = sign * self.moved[:, place]
        return moved if moved.mean() > plain.mean() else plain

    def _gain(self, number: int, place: int) -> Mean:
        """By how much a candidate is better than what it must beat."""
        own = self.scores[place].sign * self.values[number, :, place]
        return self.mean_of(own - self._rival(place))

    def _is_sure(self, gain: Mean) -> bool:
        return bool(gain.value > stats.t.ppf(1 - _ALARMS, self.n_folds - 1) * gain.error)

    def _beats(self, number: int, place: int) -> bool:
        own = self.scores[place].sign * self.values[number, :, place]
        plain = self.scores[place].sign * self.values[self.number_of(NONE), :, place]
        gains = [self.mean_of(own - rival) for rival in (plain, self._rival(place))]
        # NaN, of one that failed or a single fold, is more than nothing
        return all(gain.value > gain.error for gain in gains)

    def _advice(self, place: int) -> str:
        name, best = self.metrics[place], self.best(self.metrics[place])
        none = float(self.values[self.number_of(NONE), :, place].mean())
        if best != NONE:
            rival, sign = self._rival(place), self.scores[place].sign
            gain = self._gain(self.number_of(best), place)
            than = "none" if sign * rival.mean() == none else "none at its best threshold"
            return (
                f"{name}: {best}, {_better(gain)} than {than} ({sign * rival.mean():.4g})."
                f"{self._apart(name)}{_AS.get(self.candidates[self.number_of(best)].kind, '')}"
            )
        if math.isnan(none):
            return f"{name}: none failed, and nothing can be compared with it."
        if any(self._beats(number, place) for number in range(len(self.candidates))):
            return (
                f"{name}: none ({none:.4g}). Some are better by more than one standard error, as "
                f"the best of {len(self.candidates)} are by chance alone.{self._apart(name)}"
            )
        moved = float(self.moved[:, place].mean())
        if moved > none:
            return (
                f"{name}: none. Another threshold of the decision gives {moved:.4g} in place of "
                f"{none:.4g} (sklearn.model_selection.TunedThresholdClassifierCV), and nothing "
                "beats that by more than one standard error."
            )
        return f"{name}: none ({none:.4g}). Nothing beats it by more than one standard error."

    def _apart(self, name: str) -> str:
        found = self.estimate(name)
        if found is None:
            return " No folds have test rows apart from it, so what to expect of it is not known."
        return (
            f" On folds that did not choose it, the best has {found.score.value:.4g}, "
            f"{_better(found.gain)} than none."
        )


def _better(gain: Mean) -> str:
    word = "worse" if gain.value < 0 else "better"
    return f"{abs(gain.value):.4f} ± {gain.error:.4f} {word}"
