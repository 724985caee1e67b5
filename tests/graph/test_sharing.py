"""One exploration serves any plans that differ in who gets how many rows, and changes none."""

from __future__ import annotations

import numpy as np
import pytest

from dask_kmsmote import KMeansSMOTE, pipeline
from dask_kmsmote.data.memory import from_memory
from dask_kmsmote.errors import NoClusterError, ParameterError
from dask_kmsmote.parameters import PLANNED, settings_of, wanted_of
from kinds import make_sampler

PLANS = {
    "threshold": [{"cluster_balance_threshold": own} for own in ("auto", 0.0, 0.3)],
    "exponents": [{"density_exponent": own, "count_exponent": -1} for own in ("auto", 0, 3.5)],
    "bound": [{"max_ratio": own} for own in (None, 1, 2)],
    "amounts": [{"sampling_strategy": own} for own in ("auto", 0.5, {1: 100}, {})],
    "all": [
        {"cluster_balance_threshold": 0.0, "max_ratio": None},
        {"sampling_strategy": 0.4, "density_exponent": "n_features"},
        {},
    ],
}


def explored(samplers, X, y):
    data = from_memory(samplers[0], X, y, 1, wanted_of(samplers[0]))
    with data.computing():
        return pipeline.explore(data.tasks, data.source, [settings_of(own, y) for own in samplers])


@pytest.mark.parametrize("varied", PLANS)
@pytest.mark.parametrize("turned", [False, True])
def test_plans_of_a_shared_exploration_are_those_of_each_alone(data, varied, turned):
    X, y = data
    samplers = [make_sampler(**own) for own in PLANS[varied]][:: -1 if turned else 1]
    found = explored(samplers, X, y)
    for own in samplers:
        plan = pipeline.decide(found, settings_of(own, y)).plan
        assert plan == own.fit(X, y).plan_


@pytest.mark.parametrize(
    "wrong", [{"cluster_balance_threshold": 0.9999}, {"sampling_strategy": 0.01}]
)
def test_one_plan_that_can_not_be_leaves_the_others(data, wrong):
    X, y = data
    good, bad = make_sampler(), make_sampler(**wrong)
    found = explored([bad, good], X, y)
    assert pipeline.decide(found, settings_of(good, y)).plan == good.fit(X, y).plan_
    with pytest.raises((NoClusterError, ParameterError)) as alone:
        bad.fit(X, y)
    with pytest.raises(type(alone.value)) as shared:
        pipeline.decide(found, settings_of(bad, y))
    assert str(shared.value) == str(alone.value)
    with pytest.raises(type(alone.value)):
        explored([bad, bad], X, y)


def test_parameters_of_a_plan_are_parameters():
    assert set(KMeansSMOTE().get_params()) >= PLANNED
    assert np.all([isinstance(own, str) for own in PLANNED])
