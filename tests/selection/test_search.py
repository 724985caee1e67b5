"""The search against scikit-learn, imbalanced-learn and the sampler itself, and who sees what."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest
import trial_data
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampling
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, get_scorer, make_scorer
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from trial_data import Recorder, as_kind, rows_of, search_quickly

from dask_kmsmote import KMeansSMOTE, search
from dask_kmsmote.errors import ManyCategoriesWarning, ParameterError
from dask_kmsmote.events import Warned
from dask_kmsmote.kernels.seeding import SELECTION, small_seed
from dask_kmsmote.selection.candidates import NONE, RANDOM, SMOTE, WEIGHTS, Candidate
from dask_kmsmote.selection.result import Facts, SearchResult
from dask_kmsmote.selection.scoring import SCORES
from dask_kmsmote.selection.trials import _SAMPLERS

PLANS = [
    {
        "kmeans_estimator": [3],
        "cluster_balance_threshold": ["auto", 0.0],
        "count_exponent": [1, -1],
    },
    {"kmeans_estimator": [4], "max_ratio": [None, 1.5]},
    {"kmeans_estimator": [3], "scale": [None], "density_exponent": [1.5]},
]
STRATEGIES = {2: [0.5, {0: 130}], 3: ["minority", {0: 90, 1: 95}]}


@pytest.fixture(autouse=True)
def _nothing_noted():
    trial_data.noted.clear()


def folds_of(X, y, n=3):
    return list(StratifiedKFold(n, shuffle=True, random_state=1).split(X, y))


def fitted():
    return [own for own in trial_data.noted if own[0] == "fit"]


def sampler_seed(result, fold):
    return small_seed(result.facts.seed, SELECTION, _SAMPLERS, fold)


def macro_auprc(y, probabilities):
    hits = np.asarray(y)[:, None] == np.unique(y)
    return average_precision_score(hits, probabilities, average="macro")


def scorers(n_classes):
    """What scikit-learn calls the scores."""
    if n_classes == 2:
        said = {"pos_label": 0}
        auprc = make_scorer(average_precision_score, response_method="predict_proba", **said)
    else:
        auprc = make_scorer(macro_auprc, response_method="predict_proba")
    macro = "f1_macro" if n_classes > 2 else make_scorer(f1_of_first)
    loss = "neg_brier_score" if n_classes == 2 else make_scorer(
        brier, response_method="predict_proba"
    )  # fmt: skip
    return {
        "AUPRC": auprc,
        "F1": macro,
        "log loss": "neg_log_loss",
        "Brier": loss,
        "balanced_accuracy": "balanced_accuracy",
    }


def f1_of_first(y, predicted):
    hit = np.sum((y == 0) & (predicted == 0))
    return 2 * hit / (np.sum(y == 0) + np.sum(predicted == 0))


def brier(y, probabilities):
    hits = np.asarray(y)[:, None] == np.unique(y)
    return np.mean(np.sum((probabilities - hits) ** 2, axis=1))


def means_there(make_estimator, X, y, folds, scoring):
    """Of one fit for each fold, as scikit-learn has it."""
    # one for each: several scorers of scikit-learn share a column, whatever their pos_label
    called = {name: get_scorer(own) for name, own in scoring.items()}

    def score(fitted, X, y):
        return {name: own(fitted, X, y) for name, own in called.items()}

    found = [
        cross_validate(make_estimator(number), X, y, cv=[fold], scoring=score)
        for number, fold in enumerate(folds)
    ]
    # of scikit-learn's, more is better
    signs = {"log loss": -1, "Brier": -1 if scoring["Brier"] == "neg_brier_score" else 1}
    return {
        name: signs.get(name, 1) * np.mean([own[f"test_{name}"] for own in found])
        for name in scoring
    }


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), DecisionTreeClassifier(max_depth=3, random_state=0)]
)
def test_means_are_those_of_scikit_learn(n_classes, estimator):
    X, y = rows_of(n_classes=n_classes)
    folds, theirs = folds_of(X, y), scorers(n_classes)
    result = search_quickly(X, y, estimator, cv=folds, scoring=[*theirs])
    weighted = estimator.__class__(**estimator.get_params() | {"class_weight": "balanced"})
    expected = {
        "none": lambda fold: estimator,
        "class weights": lambda fold: weighted,
        "random": lambda fold: make_resampling(
            RandomOverSampler(random_state=sampler_seed(result, fold)), estimator
        ),
    }
    for name, make in expected.items():
        for metric, mean in means_there(make, X, y, folds, theirs).items():
            table = result.table(metric).set_index("candidate")
            assert table.loc[name, "mean"] == pytest.approx(mean, rel=1e-9, abs=1e-12), metric


def test_scorers_by_name_have_the_rows_and_labels():
    X, y = rows_of()
    labels = np.array(["few", "many"])[y]
    folds = folds_of(X, labels)
    scoring = {"right": "accuracy", "own": lambda fitted, X, y: np.mean(fitted.predict(X) == y)}
    result = search_quickly(X, labels, cv=folds, scoring=scoring)
    there = cross_validate(LogisticRegression(), X, labels, cv=folds)["test_score"]
    assert result.metrics == ("right", "own")
    for metric in result.metrics:
        table = result.table(metric).set_index("candidate")
        assert table.loc["none", "mean"] == pytest.approx(there.mean())


@pytest.mark.parametrize(
    ("kind", "n_classes"), [("numpy", 2), ("frame", 3), ("mixed", 2), ("sparse", 3)]
)
def test_candidates_that_share_clusters_train_on_what_each_makes_alone(kind, n_classes):
    X, y = rows_of(n_classes=n_classes)
    X = as_kind(kind, X)
    grid = [own | {"sampling_strategy": STRATEGIES[n_classes]} for own in PLANS]
    base = KMeansSMOTE(missing="keep", n_jobs=3)
    folds = folds_of(X, y, 2)
    result = search_quickly(X, y, Recorder(), sampler=base, grid=grid, cv=folds)
    made = sorted(hash_of(rows, labels) for _, rows, labels, _ in fitted())
    expected = []
    for fold, (train, _) in enumerate(folds):
        own, labels = X.iloc[train] if hasattr(X, "iloc") else X[train], y[train]
        for candidate in result.candidates:
            if candidate.is_sampler:
                sampler = KMeansSMOTE(**candidate.params, random_state=sampler_seed(result, fold))
            elif candidate.name.startswith("random"):
                sampler = RandomOverSampler(
                    **candidate.params, random_state=sampler_seed(result, fold)
                )
            else:
                expected.append(hash_of(own, labels))
                continue
            expected.append(hash_of(*sampler.fit_resample(own, labels)))
    assert not result.faults
    assert made == sorted(expected)
    assert len(made) > 30


def hash_of(X, y):
    if hasattr(X, "iloc"):
        content = [(str(name), X[name].astype(object).map(repr).tolist()) for name in X]
        dtypes = [str(dtype) for dtype in X.dtypes]
    elif hasattr(X, "indptr"):
        content, dtypes = [X.toarray().tobytes(), X.format], [str(X.dtype)]
    else:
        content, dtypes = [X.tobytes()], [str(X.dtype)]
    return joblib.hash([content, dtypes, np.asarray(y).tobytes(), np.asarray(y).dtype.str])


@pytest.mark.parametrize("kind", ["numpy", "frame", "mixed"])
def test_classifiers_and_samplers_see_training_rows_alone(kind):
    X, y = rows_of()
    X = as_kind(kind, X)
    own = X["a"].to_numpy() if hasattr(X, "iloc") else X[:, 0]
    folds = folds_of(X, y)
    search_quickly(X, y, Recorder(), sampler=KMeansSMOTE(missing="keep"), cv=folds)
    n_fits = len(fitted()) // len(folds)
    for number, (_, rows, labels, _) in enumerate(fitted()):
        seen = rows["a"].to_numpy() if hasattr(rows, "iloc") else rows[:, 0]
        train, test = folds[number // n_fits]
        assert not set(seen) & set(own[test])
        assert seen[: len(train)].tolist() == own[train].tolist()
        assert len(seen) == len(labels)
        # interpolated between rows of training
        assert seen.min() >= own[train].min()
        assert seen.max() <= own[train].max()
    asked = [rows for what, rows, *_ in trial_data.noted if what == "predict"]
    for number, rows in enumerate(asked):
        seen = rows["a"].to_numpy() if hasattr(rows, "iloc") else rows[:, 0]
        assert seen.tolist() == own[folds[number // n_fits][1]].tolist()


@pytest.mark.parametrize("passthrough", [("id",), ("id", "c")])
def test_no_trial_sees_a_column_that_is_taken_along(passthrough):
    X, y = rows_of()
    frame = as_kind("mixed", X)
    frame.insert(1, "id", [f"row {n}" for n in range(len(frame))])
    base = KMeansSMOTE(missing="keep", passthrough=list(passthrough))
    result = search_quickly(frame, y, Recorder(), sampler=base)
    assert not result.faults
    for _, rows, *_ in trial_data.noted:
        assert [*rows.columns] == [name for name in frame if name not in passthrough]
    assert KMeansSMOTE(**result.params("SMOTE")).passthrough == [*passthrough]
    resampled, _ = KMeansSMOTE(**result.params("SMOTE")).fit_resample(frame, y)
    assert resampled["id"].notna().sum() == len(frame)


@pytest.mark.parametrize("seed", [None, 5])
def test_all_candidates_of_a_fold_have_one_seed_of_the_classifier(seed):
    X, y = rows_of()
    result = search_quickly(X, y, Recorder(random_state=seed), cv=3)
    seeds = [own[3] for own in fitted()]
    n = len(result.candidates)
    by_fold = [set(seeds[fold * n : (fold + 1) * n]) for fold in range(3)]
    assert [len(own) for own in by_fold] == [1, 1, 1]
    assert by_fold == [{5}] * 3 if seed else len(set.union(*by_fold)) == 3


@pytest.mark.parametrize(
    ("grid", "per_fold"),
    [
        ({"kmeans_estimator": [3]}, 1),
        ({"kmeans_estimator": [3, 4], "cluster_balance_threshold": ["auto", 0.0, 0.2]}, 2),
        ({"kmeans_estimator": [3, 4], "scale": ["standard", None], "max_ratio": [2, None]}, 4),
        ({"kmeans_estimator": [3], "sampling_strategy": [0.4, 0.6], "count_exponent": [1, 0]}, 1),
        ([{"kmeans_estimator": [3]}, {"kmeans_estimator": [3], "density_exponent": [1.0]}], 1),
        ({"kmeans_estimator": [3], "k_neighbors": [2, 3]}, 2),
    ],
)
def test_clusterings_are_one_for_each_fold_number_and_scale(grid, per_fold):
    X, y = rows_of()
    result = search_quickly(X, y, grid=grid, cv=3)
    assert result.facts.n_clusterings == 3 * (per_fold + 1)


def test_the_default_is_a_grid_on_boosted_trees():
    X, y = rows_of(200)
    result = search(X, y, cv=2, n_repeats=1, n_jobs=2, random_state=0, scoring=["AUPRC"])
    kinds = {own.kind for own in result.candidates}
    assert kinds == {"none", "class weights", "random", "SMOTE", "KMeansSMOTE"}
    assert not np.isnan(result.values).all(axis=(1, 2)).any()


@pytest.mark.parametrize("kind", ["numpy", "mixed", "sparse"])
def test_best_params_make_what_the_candidate_was_tried_with(kind):
    X, y = rows_of()
    X = as_kind(kind, X)
    result = search_quickly(X, y, sampler=KMeansSMOTE(missing="keep"), estimator=Recorder())
    # shares of classes alone: nothing beats none
    assert result.best() == "none"
    X_res, y_res = KMeansSMOTE(**result.best_params).fit_resample(X, y)
    assert X_res.shape[0] == len(y_res) == len(y)
    for own in result.candidates:
        if own.is_sampler:
            X_res, y_res = KMeansSMOTE(**result.params(own.name)).fit_resample(X, y)
            assert len(y_res) > len(y)
            assert X_res.shape[0] == len(y_res)


def test_a_table_is_the_same_for_the_same_seed_and_another_for_another():
    X, y = rows_of()
    first, again, other = (
        search_quickly(X, y, GaussianNB(), random_state=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.values, again.values, equal_nan=True)
    assert not np.array_equal(first.values, other.values, equal_nan=True)
    pd.testing.assert_frame_equal(first.table(), again.table())


def test_a_sampler_that_makes_no_row_is_refused():
    # as the `best_params` of an earlier search has it
    X, y = rows_of()
    with pytest.raises(ParameterError, match="Pass sampling_strategy='auto'"):
        search_quickly(X, y, sampler=KMeansSMOTE(sampling_strategy={}))


@pytest.mark.parametrize("labels", [("N", "Y"), ("b", "a"), (-1, 3), (3, -1), (False, True)])
def test_scorers_of_scikit_learn_look_for_the_smaller_class_of_any_labels(labels):
    X, y = rows_of()
    y = 1 - y  # 1 is the smaller
    names = ["f1", "average_precision", "precision", "roc_auc", "f1_macro", "neg_brier_score"]
    expected = search_quickly(X, y, scoring=names)
    found = search_quickly(X, np.array(labels)[y], scoring=names)
    # "none": rows that are made have other streams where the classes have another order
    np.testing.assert_allclose(found.values[0], expected.values[0])
    assert not found.faults


def test_text_that_looks_like_an_id_is_told():
    X, y = rows_of()
    frame = pd.DataFrame(X, columns=[f"x{place}" for place in range(X.shape[1])])
    frame["reference"] = [f"ref-{number}" for number in range(len(frame))]
    told = []
    with pytest.warns(ManyCategoriesWarning, match="reference"):
        search(frame, y, grid={"kmeans_estimator": [3]}, cv=2, n_repeats=1, callbacks=[told.append])
    assert any(isinstance(event, Warned) for event in told)


def test_what_the_sampler_does_not_make_is_said_how_to_have():
    rng = np.random.default_rng(0)
    for kind, word in ((RANDOM, "RandomOverSampler"), (WEIGHTS, "class_weight='balanced'")):
        candidates = tuple(Candidate(own, own, {}) for own in (NONE, kind, SMOTE))
        values = 0.5 + 0.01 * rng.random((3, 5, 1)) + np.array([0, 0.3, 0]).reshape(3, 1, 1)
        result = SearchResult(
            candidates=candidates,
            scores=(SCORES["AUPRC"],),
            values=values,
            moved=np.full((5, 1), np.nan),
            apart=~np.eye(5, dtype=bool),
            overlap=0.25,
            faults=(),
            facts=Facts(100, 100, 5, 5, 1.0, 0),
        )
        assert result.best() == kind
        assert word in result.advice[0]
        assert result.best_params == {"sampling_strategy": {}}
