"""A plan is frozen, goes through JSON, and reads well; no Dask."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from dask_kmsmote.planning.groups import ClusteringSummary, Features, FeatureSpread, GroupPlan
from dask_kmsmote.planning.plan import SamplingPlan, groups_at, synthetic_regions


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
        "features": Features(3, spread=FeatureSpread("a", 5.0, "b", 2.0)),
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
def test_plan_as_json(labels):
    plan = some_plan(labels)
    text = plan.to_json()
    content = json.loads(text, parse_constant=pytest.fail)  # strict: no NaN, no Infinity
    assert content == plan.to_dict()
    fields = {field.name for field in dataclasses.fields(SamplingPlan)}
    assert set(content) == fields | {"warnings"}
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    told = [label for label, _ in content["class_counts"]]
    assert told == plain
    assert [type(label) for label in told] == [type(label) for label in plain]
    first, second, _ = content["groups"]
    assert first == dataclasses.asdict(plan.groups[0]) | {
        "class_label": plain[0],
        "neighbor_recall": None,
        "new_rows_per_row": 0.7,
    }
    for field in ("class_share", "mean_distance", "mean_distance_se", "exponent"):
        assert math.isnan(getattr(plan.groups[1], field))
        assert second[field] is None
    assert content["seed"] == 2**100
    assert content["clustering"]["center_shifts"] == [0.5, 0.25]
    assert content["features"]["spread"] == dataclasses.asdict(plan.features.spread)
    assert (content["amounts"], content["version"]) == ([[plain[0], 7], [plain[1], 0]], 5)


def test_plan_as_json_of_numpy_numbers_and_one_cluster():
    group = GroupPlan(
        "a", np.int64(0), np.int64(9), np.int64(4), np.float64(4 / 9), -math.inf, np.bool_(True),
        "", np.float32(2.5), np.float64(0.0), np.float64(3.0), np.float64(1.0), np.int64(5),
    )  # fmt: skip
    plan = some_plan(("a", "b"), groups=(group,), n_features=np.int32(3))
    content = json.loads(plan.to_json())
    assert content["groups"][0] == {
        "class_label": "a", "cluster_id": 0, "n_rows": 9, "n_class_rows": 4, "class_share": 4 / 9,
        "threshold": None, "kept": True, "reason": "", "mean_distance": 2.5,
        "mean_distance_se": 0.0, "exponent": 3.0, "weight": 1.0, "n_synthetic": 5,
        "neighbor_recall": None, "new_rows_per_row": 1.25,
    }  # fmt: skip
    assert content["n_features"] == 3


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


def test_groups_that_were_not_measured_are_equal():
    one, other = (some_plan((0, 1)).groups for _ in range(2))
    assert one == other
    assert hash(one[1]) == hash(other[1])
    assert one[1] != dataclasses.replace(one[1], exponent=1.0)


def test_regions_and_groups_of_synthetic_rows():
    groups = tuple(
        GroupPlan(label, cluster, 9, 9, 1.0, 0.0, n > 0, "", n_synthetic=n)
        for label, amounts in ((1, (5, 0, 7)), (2, (0, 4, 0)))
        for cluster, n in enumerate(amounts)
    )
    plan = some_plan((0, 1), class_counts=((0, 90), (1, 9), (2, 1)), groups=groups)
    assert synthetic_regions(plan) == [(1, 100, 112), (2, 112, 116)]
    rows = np.array([100, 104, 105, 111, 112, 115])
    assert groups_at(plan, rows).tolist() == [0, 0, 2, 2, 4, 4]
