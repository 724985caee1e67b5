"""The same values wherever trials run, and what is left of a search that is interrupted."""

from __future__ import annotations

import signal
import threading
from types import SimpleNamespace

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from trial_data import as_kind, rows_of, search_quickly, values_of

from conftest import chunked
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import ParameterError
from dask_kmsmote.selection.folds import Fold
from dask_kmsmote.selection.search import _comparable

GRID = {"kmeans_estimator": [3, 4], "cluster_balance_threshold": ["auto", 0.0]}


def searched(X, y, **params):
    # without a seed of its own
    estimator = DecisionTreeClassifier(max_features=1, max_depth=3)
    return search_quickly(X, y, estimator, sampler=KMeansSMOTE(missing="keep"),
                          **{"grid": GRID} | params)  # fmt: skip


def kinds():
    X, y = rows_of(300)
    frame = as_kind("mixed", X)[["a", "b", "d"]]
    return [(X, y), (frame, y), (as_kind("sparse", X), y), chunked(X, y, 90)]


@pytest.fixture(scope="module")
def alone():
    with dask.config.set(scheduler="synchronous"):
        return [searched(*own) for own in kinds()]


def check(alone, **params):
    for own, expected in zip(kinds(), alone, strict=True):
        result = searched(*own, **params)
        assert not result.faults
        assert np.array_equal(values_of(result), values_of(expected), equal_nan=True)
        assert result.best_params == expected.best_params


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_values_are_the_same_for_any_number_of_threads(alone, n_jobs):
    check(alone, n_jobs=n_jobs)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_values_are_the_same_on_the_schedulers_of_this_process(alone, scheduler):
    with dask.config.set(scheduler=scheduler):
        check(alone, n_jobs=3)


@pytest.fixture(scope="module", params=[1, 2])
def cluster(request):
    with (
        LocalCluster(
            n_workers=request.param, threads_per_worker=2, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.cluster
def test_values_are_the_same_on_any_number_of_workers(alone, cluster):
    check(alone)


class StopsAt:
    """Interrupts once so many pieces are done."""

    def __init__(self, n, stop):
        self.n, self.stop, self.told = n, stop, []

    def __call__(self, event):
        self.told.append(event)
        if getattr(event, "n_done", None) == self.n:
            self.stop()


def raise_it():
    raise KeyboardInterrupt


def press():
    assert threading.current_thread() is threading.main_thread()
    # a suite that a shell runs in the background passes on that it ignores SIGINT
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


# of 3 folds with 6 pieces each, done in any order: none, weights, random, SMOTE, and two numbers of
# clusters; where 1 is left one fold is not whole, and where 2 are, one or two
@pytest.mark.parametrize("stop", [raise_it, press])
@pytest.mark.parametrize(("n_done", "n_folds"), [(16, {1, 2}), (17, {2})])
def test_whole_folds_are_left_of_an_interrupted_search(n_done, n_folds, stop):
    X, y = rows_of()
    expected = searched(X, y, cv=3)
    with pytest.warns(UserWarning, match=r"interrupted: the result is of \d of 3 folds"):
        result = searched(X, y, cv=3, callbacks=[StopsAt(n_done, stop)])
    assert not result.is_complete
    assert result.n_folds in n_folds
    assert result.facts.n_planned == 3
    whole = {own.tobytes() for own in expected.values.swapaxes(0, 1)}
    assert {own.tobytes() for own in result.values.swapaxes(0, 1)} < whole
    assert result.facts.n_clusterings == 3 * result.n_folds
    assert f"interrupted: {result.n_folds} of 3 folds" in str(result)
    assert KMeansSMOTE(**result.best_params)
    assert not [own for own in threading.enumerate() if "kmsmote-search" in own.name]


@pytest.mark.parametrize("n_done", [1, 4])
def test_an_interrupt_before_a_fold_is_whole_is_one(n_done):
    X, y = rows_of()
    with pytest.raises(KeyboardInterrupt):
        searched(X, y, cv=3, callbacks=[StopsAt(n_done, raise_it)])
    assert not [own for own in threading.enumerate() if "kmsmote-search" in own.name]


@pytest.mark.cluster
def test_an_interrupt_cancels_what_the_workers_have_not_begun(cluster):
    X, y = rows_of()
    with pytest.warns(UserWarning, match="interrupted"):
        result = searched(X, y, cv=3, n_repeats=2, callbacks=[StopsAt(34, raise_it)])
    # of 4 that are whole, one may have no other of its repetition
    assert 3 <= result.n_folds < 6
    # and the cluster is free for the next
    assert searched(X, y, cv=2).is_complete


def test_what_a_callback_raises_ends_the_search():
    def raise_error():
        raise OSError("no room")

    X, y = rows_of()
    with pytest.raises(OSError, match="no room"):
        searched(X, y, callbacks=[StopsAt(2, raise_error)])
    assert not [own for own in threading.enumerate() if "kmsmote-search" in own.name]


def test_events_are_of_the_stage():
    X, y = rows_of()
    told = StopsAt(-1, raise_it)
    result = searched(X, y, callbacks=[told])
    first, *between, last = told.told
    assert {own.stage for own in told.told} == {"search"}
    assert (type(first).__name__, type(last).__name__) == ("StageStarted", "StageFinished")
    assert [own.n_done for own in between] == list(range(1, len(between) + 1))
    assert between[-1].n_tasks == len(between) == 2 * 6
    assert result.is_complete


@pytest.mark.parametrize(
    "params",
    [
        {"n_jobs": "2"}, {"n_jobs": 1.5}, {"random_state": "seed"}, {"random_state": -1},
        {"callbacks": [3]}, {"callbacks": print}, {"progress": "yes"}, {"n_rows": 0},
        {"n_rows": 1e5}, {"n_iter": 0}, {"n_repeats": 2.5}, {"n_repeats": 0},
    ],
    ids=str,
)  # fmt: skip
def test_arguments_of_no_use_are_told_before_the_rows_are_read(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        search_quickly(None, None, GaussianNB(), **params)


def test_values_are_the_same_from_many_searches_at_once():
    X, y = rows_of()
    expected, found = searched(X, y), []
    threads = [threading.Thread(target=lambda: found.append(searched(X, y))) for _ in range(3)]
    for own in threads:
        own.start()
    for own in threads:
        own.join()
    assert len(found) == 3
    for own in found:
        assert np.array_equal(values_of(own), values_of(expected), equal_nan=True)


def test_a_search_leaves_the_process_as_it_was():
    before = dask.config.get("scheduler", None), np.geterr()
    searched(*rows_of())
    with pytest.raises(ParameterError):
        searched(*rows_of(), grid={"nothing": [1]})
    assert (dask.config.get("scheduler", None), np.geterr()) == before


@pytest.mark.parametrize(
    ("whole", "kept"),
    [([0, 1, 3], [0, 1]), ([0, 3], [0, 3]), ([4], [4]), ([0, 1, 2, 3, 4, 5],) * 2],
)
def test_of_an_interrupted_search_folds_are_left_that_can_choose_for_another(whole, kept):
    # twice three folds: those of one repetition have no test row in common
    tests = [np.arange(30)[start::3] for start in range(3)]
    tests += [np.arange(30)[start : start + 10] for start in (0, 10, 20)]
    folds = tuple(Fold(np.setdiff1d(np.arange(30), test), test) for test in tests)
    bench = SimpleNamespace(folds=folds, sample=SimpleNamespace(n_rows=30))
    assert _comparable(whole, bench) == kept
