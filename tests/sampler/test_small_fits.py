"""Fits of few rows: in the thread that asks, with few tasks, and the same result as anywhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import dask
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from conftest import chunked, make_imbalanced
from dask_kmsmote import KMeansSMOTE, libraries
from dask_kmsmote.data import memory
from dask_kmsmote.graph.dask import tasks


def resample(X, y, **params):
    return [np.asarray(part).tobytes() for part in KMeansSMOTE(random_state=0, **params)
            .fit_resample(X, y)]  # fmt: skip


def n_threads():
    return [pool["num_threads"] for pool in threadpool_info()]


@pytest.mark.parametrize("scheduler", [None, "synchronous", "threads"])
@pytest.mark.parametrize("n_jobs", [None, 1])
def test_libraries_are_looked_for_once(monkeypatch, imbalanced, scheduler, n_jobs):
    with dask.config.set(scheduler=scheduler) if scheduler else nullcontext():
        resample(*imbalanced, n_jobs=n_jobs)
        found, controller = [], libraries.ThreadpoolController
        monkeypatch.setattr(
            libraries, "ThreadpoolController", lambda: found.append(1) or controller()
        )
        resample(*imbalanced, n_jobs=n_jobs)
    assert found == []


@pytest.mark.parametrize("scheduler", [None, "synchronous"])
def test_few_rows_are_few_tasks_of_this_thread(monkeypatch, imbalanced, scheduler):
    graphs, in_turn = [], tasks._in_turn

    def note(graph, keys):
        graphs.append(len(graph))
        return in_turn(graph, keys)

    def refuse(*_, **__):
        raise AssertionError("tasks went to threads")

    monkeypatch.setattr(tasks, "_in_turn", note)
    monkeypatch.setattr(dask.threaded, "get", refuse)
    with dask.config.set(scheduler=scheduler) if scheduler else nullcontext():
        resample(*imbalanced)
    assert len(graphs) <= 10
    assert sum(graphs) <= 80


@pytest.mark.parametrize("params", [{}, {"callbacks": [lambda _: None]}, {"n_jobs": 2}])
@pytest.mark.parametrize("scheduler", [None, "synchronous", "threads"])
@pytest.mark.parametrize("few", [0, 2**16])
def test_few_rows_come_out_as_many_do(monkeypatch, imbalanced, params, scheduler, few):
    expected = resample(*chunked(*imbalanced, 300))
    monkeypatch.setattr(memory, "FEW", few)
    with dask.config.set(scheduler=scheduler) if scheduler else nullcontext():
        assert resample(*imbalanced, **params) == expected


@pytest.mark.parametrize("scheduler", [None, "synchronous", "threads"])
@pytest.mark.parametrize("n_jobs", [None, 1])
def test_fits_at_once_give_back_the_threads_of_libraries(scheduler, n_jobs):
    data = [make_imbalanced(300 + 50 * number, seed=number) for number in range(8)]
    before, expected = n_threads(), [resample(*each) for each in data]
    with (
        dask.config.set(scheduler=scheduler) if scheduler else nullcontext(),
        ThreadPoolExecutor(4) as pool,
    ):
        fits = [pool.submit(resample, *each, n_jobs=n_jobs) for each in data * 4]
        assert [fit.result() for fit in fits] == expected * 4
    assert n_threads() == before
