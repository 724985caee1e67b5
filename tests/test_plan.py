"""A plan is frozen, goes through JSON, and reads well; no Dask."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from dask_kmsmote.planning.groups import ClusteringSummary, FeatureSpread, GroupPlan
from dask_kmsmote.planning.plan import SamplingPlan


def some_plan(labels, **changes):
    low, high = labels
    groups = (
        GroupPlan(low, 0, 50, 10, 0.2, 0.1, True, "", 1.5, 0.0, 2.0, 1.0, 7),
        GroupPlan(low, 1, 0, 0, math.nan, 0.1, False, "empty"),
        GroupPlan(low, 2, 40, 1, 0.025, 0.1, False, "below threshold"),
    )
    content = {
        "class_counts": ((low, 11), (high, 79)),
        "amounts": ((low, 7), (high, 0)),
        "groups": groups,
        "k_neighbors": 2,
        "seed": 2**100,
        "compat": None,
        "n_features": 3,
        "block_rows": 5,
        "clustering": ClusteringSummary("KMeans", 3, 90, 90, 2, (0.5, 0.25), True),
        "row_bytes": 24,
        "spread": FeatureSpread("a", 5.0, "b", 2.0),
    }
    return SamplingPlan(**content | changes)


LABELS = [
    (0, 1),
    (-3.0, 2.0),
    ("no", "yes"),
    (False, True),
    (np.int64(0), np.int64(1)),
    (np.str_("a"), np.str_("b")),
    (np.bool_(False), np.bool_(True)),
    (np.float64(1), np.float64(2)),
]


@pytest.mark.parametrize("labels", LABELS, ids=repr)
def test_plan_round_trip(labels):
    plan = some_plan(labels)
    text = plan.to_json()
    json.loads(text, parse_constant=pytest.fail)  # strict: no NaN, no Infinity
    again = SamplingPlan.from_json(text)
    assert again.to_json() == text
    assert SamplingPlan.from_dict(plan.to_dict()).to_dict() == plan.to_dict()
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    restored = [label for label, _ in again.class_counts]
    assert restored == plain
    assert [type(label) for label in restored] == [type(label) for label in plain]
    assert again.groups[0] == dataclasses.replace(plan.groups[0], class_label=plain[0])
    for field in ("class_share", "mean_distance", "mean_distance_se", "exponent"):
        assert math.isnan(getattr(again.groups[1], field))
    assert again.seed == 2**100
    assert (again.clustering, again.spread) == (plan.clustering, plan.spread)
    assert list(again.blocks()) == list(plan.blocks())


def test_plan_round_trip_of_numpy_numbers_and_one_cluster():
    group = GroupPlan(
        "a", np.int64(0), np.int64(9), np.int64(4), np.float64(4 / 9), -math.inf, np.bool_(True),
        "", np.float32(2.5), np.float64(0.0), np.float64(3.0), np.float64(1.0), np.int64(5),
    )  # fmt: skip
    plan = some_plan(("a", "b"), groups=(group,), n_features=np.int32(3))
    again = SamplingPlan.from_json(plan.to_json())
    assert again.groups[0] == group
    assert again.n_features == 3


def test_plan_is_frozen_and_prints_readably():
    plan = some_plan(("rare", "common"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seed = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.groups[0].n_synthetic = 1
    text = str(plan)
    for part in ("rare", "90 rows", "7 synthetic", "below threshold", "empty"):
        assert part in text
    assert (plan.n_rows, plan.n_synthetic) == (90, 7)
    assert [(b.group, b.block, b.start, b.n_rows) for b in plan.blocks()] == [
        (0, 0, 0, 5),
        (0, 1, 5, 2),
    ]


@pytest.mark.parametrize("content", [{}, {"version": 1}, None])
def test_what_is_no_plan_is_refused(content):
    if content is None:
        content = some_plan((0, 1)).to_dict() | {"version": 999}
    with pytest.raises(ValueError, match="plan"):
        SamplingPlan.from_dict(content)
