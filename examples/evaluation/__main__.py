"""Compare over-samplers by the protocol of the KMeans-SMOTE paper on a folder of Parquet sets.

    python examples/evaluation FOLDER OUT

FOLDER has one Parquet file per set: numeric features and a column `target`, 1 in the minority. OUT
gets scores.csv (every fold), ranking.csv and summary.json; tables are printed as Markdown. The
program fails if compat mode differs from imbalanced-learn anywhere. The paper is arXiv 1711.00837.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.metadata import version
from typing import Any

import joblib
import pandas as pd

from options import make_parser
from protocol import METRICS, Fold, evaluate, split
from ranking import RULES, Chosen, compare, rank_by_classifier, tune
from rendering import to_markdown
from samplers import NONE, OURS, THEIRS, TUNED, Candidate, DisagreementError, Grid, list_candidates
from sets import load_sets

PACKAGES = ["dask-kmsmote", "imbalanced-learn", "scikit-learn", "numpy"]
PAIRS = [(OURS, THEIRS), (OURS, "SMOTE"), (OURS + TUNED, THEIRS + TUNED),
         (OURS + TUNED, "SMOTE" + TUNED)]  # fmt: skip


def main() -> None:
    """Evaluate, rank, print and write."""
    parser = make_parser()
    options = parser.parse_args()
    started = time.monotonic()
    grid = Grid(options.clusters, options.neighbors, options.thresholds, options.exponents)
    candidates = list_candidates(grid)
    try:
        sets = load_sets(options.folder, options.sets, options.max_rows, options.seed)
        folds = [
            fold
            for data in sets
            for fold in split(data, options.folds, options.repetitions, options.seed)
        ]
    except ValueError as error:
        parser.error(str(error))
    folds.sort(key=lambda fold: fold.repetition)  # whole repetitions first
    try:
        scores = evaluate_all(folds, candidates, options)
    except DisagreementError as error:
        sys.exit(f"\n{error}")
    chosen = {(rule, metric): tune(scores, metric, rule) for rule in RULES for metric in METRICS}
    ranked = {key: rank_by_classifier(choice, NONE) for key, choice in chosen.items()}
    ranking = pd.concat(ranked, names=["rule", "metric"]).reset_index(["rule", "metric"])
    scores.to_csv(options.out / "scores.csv", index=False)
    ranking.to_csv(options.out / "ranking.csv", index=False)
    summary = summarise(scores, candidates) | {
        "comparisons": compare_pairs(chosen),
        "options": {name: str(value) for name, value in vars(options).items()},
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: version(name) for name in PACKAGES},
    }
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1))
    print(to_markdown(ranking, summary))


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
    for done, found in enumerate(run(joblib.delayed(work)(fold, candidates) for fold in folds), 1):
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
