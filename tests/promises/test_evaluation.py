"""The evaluation program: its arithmetic by hand, its scores by scikit-learn, and small runs."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from conftest import make_imbalanced, write_two_sets
from protocol import evaluate, split
from ranking import Chosen, choose, compare, rank, rank_by_classifier, tune
from samplers import (
    COMPAT,
    NONE,
    OURS,
    SAMPLERS,
    THEIRS,
    TUNED,
    Candidate,
    DisagreementError,
    require_agreement,
    resample,
)
from sets import DataSet, load_sets

PROGRAM = Path(__file__).parents[2] / "examples" / "evaluation"


def test_ranks_and_gains_by_hand():
    means = pd.DataFrame({"none": [0.5, 0.6], "a": [0.7, 0.5], "b": [0.7, 0.9]})
    # ranks: (3, 1.5, 1.5) and (2, 3, 1); gains of a: 0.2 and -0.1, of b: 0.2 and 0.3
    ranked = rank(means, "none")
    assert ranked["rank"].to_dict() == {"none": 2.5, "a": 2.25, "b": 1.25}
    assert_allclose(ranked["gain"][["none", "a", "b"]], [0, 0.05, 0.25], atol=1e-15)


def by_fold(first, second):
    """Scores of two candidates in three folds of two repetitions."""
    levels = [["set"], ["classifier"], range(2), range(3)]
    index = pd.MultiIndex.from_product(levels, names=["set", "classifier", "repetition", "fold"])
    return pd.DataFrame({7: first, 8: second}, index=index)


def test_choice_by_hand():
    table = by_fold([0.9, 0.5, 0.5, 0.1, 0.1, 0.1], [0.6, 0.6, 0.6, 0.2, 0.2, 0.2])
    # without fold 0 the means are 0.5 and 0.6; without fold 1 or 2 they are 0.7 and 0.6
    assert choose(table, "other folds").tolist() == [1, 0, 0, 1, 1, 1]
    # 2.2 / 6 against 2.4 / 6
    assert choose(table, "best").tolist() == [1] * 6


def test_first_of_equals_is_chosen():
    equal = by_fold([0.1, 0.2, 0.3] * 2, [0.1, 0.2, 0.3] * 2)
    assert choose(equal, "other folds").tolist() == [0] * 6


def test_tuned_ranking_by_hand():
    scores = pd.DataFrame(
        [
            # set, classifier, method, candidate, fold, score, fault
            ("s", "c", "none", 0, 0, 0.4, ""),
            ("s", "c", "none", 0, 1, 0.6, ""),
            ("s", "c", "tuned", 1, 0, 0.9, ""),
            ("s", "c", "tuned", 1, 1, 0.5, ""),
            ("s", "c", "tuned", 2, 0, 0.4, "NoClusterError"),
            ("s", "c", "tuned", 2, 1, 0.6, ""),
        ],
        columns=["set", "classifier", "method", "candidate", "fold", "m", "fault"],
    ).assign(repetition=0)
    honest, best = (
        rank_by_classifier(tune(scores, "m", rule), "none").set_index(["classifier", "method"])
        for rule in ("other folds", "best")
    )
    columns = ["rank", "gain", "refused"]
    # fold 0 goes by fold 1: candidate 2, 0.4; fold 1 by fold 0: candidate 1, 0.5; mean 0.45
    assert_allclose(honest.loc[("all", "tuned"), columns].astype(float), [2, -0.05, 0.5])
    # candidate 1 has the mean 0.7, candidate 2 has 0.5
    assert_allclose(best.loc[("c", "tuned"), columns].astype(float), [1, 0.2, 0])


def test_comparison_by_hand():
    levels = [["s", "t", "u"], ["c"], [0], [0, 1]]
    index = pd.MultiIndex.from_product(levels, names=["set", "classifier", "repetition", "fold"])
    # means of x: 0.5, 0.3, 0.2; of y: 0.4, 0.3, 0.6
    scores = pd.DataFrame(
        {"x": [0.4, 0.6, 0.1, 0.5, 0.2, 0.2], "y": [0.5, 0.3, 0.3, 0.3, 0.5, 0.7]}, index=index
    )
    found = compare(Chosen(scores, scores > 1), "x", "y")
    assert (found["higher"], found["equal"], found["lower"]) == (1, 1, 1)
    assert_allclose(found["gain"], -0.1)


def geometric_mean(y, guess):
    sensitivity, specificity = (recall_score(y, guess, pos_label=label) for label in (1, 0))
    return np.sqrt(sensitivity * specificity)


CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "gradient boosting": HistGradientBoostingClassifier(early_stopping=False),
    "k-NN": KNeighborsClassifier(),
}
SCORERS = {"AUPRC": "average_precision", "F1": "f1", "G-mean": make_scorer(geometric_mean)}


def test_scores_are_those_of_a_pipeline():
    X, y = make_imbalanced(200, 3, 0.3)
    X = X + 3 * y[:, None] * np.linspace(0, 1, 200)[:, None]
    X[0, 0] = 1000  # the scale of a feature depends on which fold this is in
    for fold in split(DataSet("set", X, y), 3, 1, seed=0):
        records = evaluate(fold, [Candidate(NONE, NONE, {})])
        assert [record["classifier"] for record in records] == list(CLASSIFIERS)
        for record in records:
            model = make_pipeline(StandardScaler(), CLASSIFIERS[record["classifier"]])
            for metric, scorer in SCORERS.items():
                rows = [(fold.train, fold.test)]
                with threadpool_limits(1):
                    (wanted,) = cross_val_score(model, X, y, cv=rows, scoring=scorer)
                assert_allclose(record[metric], wanted)


def test_folds_stay_when_repetitions_are_added():
    X, y = make_imbalanced(60, 2, 0.3)
    fewer, more = (list(split(DataSet("set", X, y), 3, n, seed=5)) for n in (1, 2))
    assert len(more) == 6
    assert len({fold.seed for fold in more}) == 6
    for one, other in zip(fewer, more, strict=False):
        assert one.seed == other.seed
        assert one.test.tolist() == other.test.tolist()
    assert sorted(np.concatenate([fold.test for fold in more[3:]])) == list(range(60))


def test_holdout_is_one_split_a_repetition():
    X, y = make_imbalanced(100, 2, 0.2)
    fewer, more = (list(split(DataSet("set", X, y), 5, n, 3, holdout=0.4)) for n in (1, 2))
    assert [(fold.repetition, fold.number) for fold in more] == [(0, 0), (1, 0)]
    assert fewer[0].test.tolist() == more[0].test.tolist() != more[1].test.tolist()
    for fold in more:
        assert (len(fold.test), y[fold.test].sum()) == (40, 8)
        assert sorted([*fold.train, *fold.test]) == list(range(100))


class Spy:
    """A sampler that keeps what it saw, warns and changes nothing."""

    seen = None

    def __init__(self, random_state):
        pass

    def fit_resample(self, X, y):
        Spy.seen = X
        warnings.warn("of a sampler", UserWarning, stacklevel=1)
        return X, y


def test_raw_features_are_for_samplers_alone(monkeypatch):
    monkeypatch.setitem(SAMPLERS, "spy", (Spy, {}))
    X, y = make_imbalanced(100, 3, 0.3)
    X = 1000 * X + 5
    (fold, *_) = split(DataSet("set", X, y), 2, 1, seed=0)
    copies = Candidate("random over-sampling", "random over-sampling", {})
    candidates = [Candidate("spy", "spy", {}), copies]
    records = evaluate(fold, candidates, raw=True)
    assert np.array_equal(Spy.seen, X[fold.train])
    assert records == evaluate(fold, candidates)
    assert_allclose(Spy.seen, StandardScaler().fit_transform(X[fold.train]))


@pytest.mark.parametrize("threshold", [0.0, 0.99])
def test_disagreement_is_seen(threshold):
    X, y = make_imbalanced(200, 3, 0.2)
    theirs = Candidate(THEIRS, THEIRS, {"cluster_balance_threshold": threshold})
    made = resample(theirs, X, y, seed=1)
    assert (made.fault is not None) == (threshold == 0.99)
    require_agreement(theirs, made, X, y, 1, "here")
    other = made._replace(X=made.X + 1e-12) if threshold == 0 else made._replace(fault=None)
    with pytest.raises(DisagreementError, match=r"here: .* seed 1"):
        require_agreement(theirs, other, X, y, 1, "here")


def test_disagreement_stops_the_evaluation(monkeypatch):
    X, y = make_imbalanced(200, 3, 0.2)
    (fold, *_) = split(DataSet("set", X, y), 2, 1, seed=0)
    theirs = Candidate(THEIRS, THEIRS, {"cluster_balance_threshold": 0.0})
    evaluate(fold, [theirs])
    monkeypatch.setitem(SAMPLERS, COMPAT, SAMPLERS[OURS])
    with pytest.raises(DisagreementError, match="set, repetition 0, fold 0: compat differs"):
        evaluate(fold, [theirs])


def test_sets(tmp_path):
    with pytest.raises(ValueError, match="No Parquet file"):
        load_sets(tmp_path, [], 100, 0)
    frame = pd.DataFrame({"a": range(200), "target": [1] * 20 + [0] * 180})
    frame.to_parquet(tmp_path / "good.parquet")
    (sampled,) = load_sets(tmp_path, [], 100, 0)
    assert (sampled.name, sampled.X.shape, sampled.y.sum()) == ("good", (100, 1), 10)
    with pytest.raises(ValueError, match="No absent"):
        load_sets(tmp_path, ["absent"], 100, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 1}, "needs a column 'target'"),
        ({"a": "x"}, r"not numbers: \['a'\]"),
        ({"a": np.nan}, r"NaN or infinity in \['a'\]"),
    ],
)
def test_bad_set_is_named(tmp_path, change, message):
    frame = pd.DataFrame({"a": range(4), "b": range(4), "target": [1, 0, 0, 0]})
    frame.assign(**change).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=rf"bad\.parquet .*{message}"):
        load_sets(tmp_path, [], 100, 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The program on two small sets with a grid of two; the folder of its results, its output."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_two_sets(folder)
    command = [sys.executable, PROGRAM, folder, folder / "out", "--folds", "2"]
    command += ["--repetitions", "1", "--jobs", "1", "--clusters", "2", "--neighbors", "3"]
    command += ["--thresholds", "0,0.99", "--exponents", "n_features"]

    def start(*flags):
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=True)
        return done.stdout

    out = folder / "out"
    out.mkdir()
    (out / "notes.txt").write_text("of the user")
    return out, start(), start


def test_program(run):
    out, printed, _ = run
    scores = pd.read_csv(out / "scores.csv", keep_default_na=False)
    # 2 sets x 2 folds x 3 classifiers x (7 samplers + 2 tuned over k + 2 over the whole grid)
    assert len(scores) == 2 * 2 * 3 * (7 + 2 * 1 + 2 * 2)
    case = ["set", "fold", "classifier"]
    metrics = ["AUPRC", "F1", "G-mean"]
    by_method = {name: part.set_index(case)[metrics] for name, part in scores.groupby("method")}
    pd.testing.assert_frame_equal(by_method[COMPAT], by_method[THEIRS])
    refused = scores[scores["fault"] != ""].set_index(case)
    assert {THEIRS + TUNED, OURS + TUNED} <= set(refused["method"])
    pd.testing.assert_frame_equal(refused[metrics], by_method[NONE].loc[refused.index])
    summary = json.loads((out / "summary.json").read_text())
    assert summary["agreements"] == 4 * (1 + 2)
    ranking = pd.read_csv(out / "ranking.csv")
    means = ranking.groupby(["rule", "metric", "classifier"])["rank"].mean()
    assert_allclose(means, (11 + 1) / 2)  # of 11 ranks
    lines = [line for line in printed.splitlines() if line.startswith(f"| {OURS}{TUNED} |")]
    assert len(lines) == 2 + 1  # both rankings, refusals


def test_resumed_run_keeps_what_is_done(run):
    out, printed, start = run
    assert (out / "notes.txt").exists()
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("joblib/**/output.pkl")}
    assert len(stamps) == 4
    again = start("--resume")
    assert {path: path.stat().st_mtime_ns for path in out.glob("joblib/**/output.pkl")} == stamps
    assert again.splitlines()[:-1] == printed.splitlines()[:-1]  # the last line has the seconds
