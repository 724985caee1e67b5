"""Hostile data end in a right result or a named error; `benchmarks/fuzz.py` tries thousands."""

from __future__ import annotations

from collections import Counter

import dask
import pytest
from hostile import MANY_COLUMNS, Case, cases
from hypothesis import HealthCheck, given, settings
from outcomes import outcome


@pytest.mark.parametrize("kind", ["numpy", "array", "sparse array", "frame"])
def test_ten_thousand_columns(kind):
    case = Case(X_kind=kind, n_features=MANY_COLUMNS, cuts=[20, 50, 50])
    with dask.config.set(scheduler="synchronous"):
        assert outcome(case) == "right"


@pytest.mark.parametrize(("scheduler", "n"), [("synchronous", 400), ("threads", 100)])
def test_hostile_cases(scheduler, n):
    found = Counter()

    @settings(
        max_examples=n,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def collect(case):
        found[outcome(case)] += 1

    with dask.config.set(scheduler=scheduler):
        collect()
    # the cases are no good if all end alike
    assert found["right"] > n / 8, found
    assert found["InputError"] > n / 10, found
    assert {"ParameterError", "TooFewRowsError"} <= set(found), found
