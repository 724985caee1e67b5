"""How rows are shared among clusters, against the formulas and imbalanced-learn; no Dask."""

from __future__ import annotations

import itertools
import math
import sys
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dask_kmsmote.planning import allocate
from dask_kmsmote.planning.groups import GroupPlan
from dask_kmsmote.recipes import IMBALANCED_LEARN, OWN

quick = settings(max_examples=200, deadline=None)


@given(st.integers(0, 2**50), st.lists(st.floats(0, 1), min_size=1, max_size=60))
@quick
def test_largest_remainder(n, shares):
    assume(sum(shares) > 1e-300)
    quota = n * (np.array(shares) / np.sum(shares))
    parts = allocate.largest_remainder(quota, *np.full((2, len(quota)), n), n)
    assert sum(parts) == n
    assert all(type(part) is int and part >= 0 for part in parts)
    for part, exact in zip(parts, quota, strict=True):
        assert abs(part - exact) < 1 + n * 1e-14


def remainders(n, weights):
    weights = np.asarray(weights)
    return allocate.largest_remainder(n * weights, *np.full((2, len(weights)), n), n)


def test_equal_remainders_go_to_the_lower_cluster():
    assert remainders(5, np.full(4, 0.25)) == [2, 1, 1, 1]
    assert remainders(2, [0.5, 0.25, 0.25]) == [1, 1, 0]
    assert remainders(0, [0.5, 0.5]) == [0, 0]


def kept_of(rows, count_exponent=-1.0, max_ratio=None, dtype=np.float64):
    """Clusters of some mean distances, exponents and rows."""
    distances, exponents, sizes = zip(*rows, strict=True)
    columns = np.array(distances), np.array(exponents), np.array(sizes)
    return allocate.Kept(*columns, count_exponent, max_ratio, dtype)


def weights_of(kept, recipe=OWN):
    return recipe.shares.share(kept, 100).weights


distances = st.one_of(
    st.floats(0, 1e300), st.sampled_from([0.0, 5e-324, 1e5, sys.float_info.max, math.inf])
)
clusters = st.lists(
    st.tuples(distances, st.floats(-100, 100), st.integers(1, 10**12)), min_size=1, max_size=9
)
count_exponents = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-3, 3))


@given(clusters, count_exponents)
@example([(1e5, 70.0, 10**6), (24_000.0, 70.0, 10**6)], -1.0)
@example([(0.0, 70.0, 10**6), (0.0, 70.0, 2)], 1.0)
@example([(0.0, -3.0, 5), (1.0, -3.0, 5)], 1.0)
@example([(math.inf, 2.0, 5), (math.inf, 2.0, 7), (1.0, 2.0, 1)], 1.0)
@example([(0.0, 0.0, 5), (math.inf, 0.0, 5)], 0.0)
@quick
def test_weights_are_never_nan_and_sum_to_one(rows, count_exponent):
    weights = weights_of(kept_of(rows, count_exponent))
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_weights_where_the_power_overflows():
    kept = kept_of([(1e5, 70.0, 10**6), (2e5, 70.0, 10**6), (1e5, 70.0, 10**6)])
    weights = weights_of(kept)
    assert weights[0] == weights[2]
    assert weights[1] / weights[0] == pytest.approx(2.0**70, rel=1e-9)
    assert weights.sum() == pytest.approx(1)
    compat = weights_of(kept, IMBALANCED_LEARN)
    assert np.isfinite(compat).all()
    assert compat.sum() == pytest.approx(1)


def test_all_duplicates_get_equal_weights():
    # equal for clusters of one size; the sparsities are all 0, whatever the exponent
    kept = kept_of([(0.0, 2.0, 5), (0.0, 2.0, 5), (0.0, 2.0, 5)])
    for recipe in (OWN, IMBALANCED_LEARN):
        np.testing.assert_allclose(weights_of(kept, recipe), 1 / 3)


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 1e3), st.floats(0, 20), st.integers(1, 10**6)),
        min_size=1,
        max_size=9,
    ),
    count_exponents,
)
@quick
def test_both_weights_are_the_formula(rows, count_exponent):
    sparsity = np.array([d**e / m for d, e, m in rows])
    theirs = weights_of(kept_of(rows), IMBALANCED_LEARN)
    np.testing.assert_allclose(theirs, sparsity / sparsity.sum(), rtol=1e-13)
    formula = np.array([d**e * float(m) ** count_exponent for d, e, m in rows])
    ours = weights_of(kept_of(rows, count_exponent))
    np.testing.assert_allclose(ours, formula / formula.sum(), rtol=1e-10, atol=1e-300)


ratios = st.one_of(st.sampled_from([1, 1.0, 1.5, 2.0, 50.0]), st.floats(1, 1e6))
few_clusters = st.lists(
    st.tuples(distances, st.floats(-100, 100), st.integers(1, 500)), min_size=1, max_size=12
)
amounts = st.one_of(st.integers(0, 40), st.integers(0, 10**7))


def limit_of(ratio, n, kept, cluster):
    """Rows that the bound allows a cluster, exactly."""
    return Fraction(str(ratio)) * n * int(kept.n_class_rows[cluster]) / int(kept.n_class_rows.sum())


@given(few_clusters, count_exponents, ratios, amounts)
@example([(1.0, 0.0, 1), (1.0, 0.0, 1)], 1.0, 1, 3)
@example([(1.0, 700.0, 3), (2.0, 700.0, 3), (9.0, 700.0, 3)], -1.0, 1.5, 1000)
@quick
def test_shares_are_exact_and_within_the_bound(rows, count_exponent, ratio, n):
    kept = kept_of(rows, count_exponent, ratio)
    _, parts = OWN.shares.share(kept, n)
    assert sum(parts) == n
    limits = [limit_of(ratio, n, kept, cluster) for cluster in range(len(rows))]
    whole = [math.floor(limit) for limit in limits]
    if sum(whole) >= n:
        assert all(0 <= part <= limit for part, limit in zip(parts, whole, strict=True))
        return

    # whole rows can't always be within it: of 3 rows from two originals, one has 2 at least
    def beyond(part, cluster):
        return (part - limits[cluster]) / int(kept.n_class_rows[cluster])

    assert all(limit <= part <= limit + 1 for part, limit in zip(parts, whole, strict=True))
    raised = [beyond(p, c) for c, p in enumerate(parts) if p > whole[c]]
    others = [beyond(p + 1, c) for c, p in enumerate(parts) if p == whole[c]]
    # none of the others would have been taken less far beyond
    assert max(raised) <= min(others, default=math.inf)


@given(few_clusters, count_exponents, ratios, amounts, st.randoms(use_true_random=False))
@quick
def test_shares_do_not_depend_on_the_order_of_the_clusters(rows, count_exponent, ratio, n, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    _, parts = OWN.shares.share(kept_of(rows, count_exponent, ratio), n)
    mixed = [rows[place] for place in order]
    weights, shuffled = OWN.shares.share(kept_of(mixed, count_exponent, ratio), n)
    alike = Counter(zip(weights.tolist(), [size for _, _, size in mixed], strict=True))
    for place, part, key in zip(
        order, shuffled, zip(weights, (size for *_, size in mixed), strict=True), strict=True
    ):
        # clusters that are alike are told apart by their order alone, where a row is left
        assert abs(part - parts[place]) <= (alike[key] > 1)


@given(few_clusters, count_exponents, ratios, amounts)
@quick
def test_shares_grow_with_the_weight(rows, count_exponent, ratio, n):
    # of as many rows each, so that all have the same limit
    kept = kept_of([(d, e, 7) for d, e, _ in rows], count_exponent, ratio)
    weights, parts = OWN.shares.share(kept, n)
    order = np.lexsort((parts, weights))
    for low, high in itertools.pairwise(order):
        assert parts[low] <= parts[high] + (weights[low] == weights[high])


@given(few_clusters, count_exponents, ratios, amounts)
@quick
def test_what_is_cut_goes_to_the_others_by_weight(rows, count_exponent, ratio, n):
    kept = kept_of(rows, count_exponent, ratio)
    logs = allocate.log_weights(kept)
    limits = allocate.limits_of(kept, n, logs)
    quota = allocate.fill(n, logs, limits)
    assert math.fsum(quota) == pytest.approx(n, rel=1e-9)
    assert (quota <= limits * (1 + 1e-12)).all()
    within = np.flatnonzero((quota < limits * (1 - 1e-9)) & np.isfinite(logs) & (quota > 1e-6))
    for one, other in itertools.pairwise(within):
        # two that are not cut have the ratio of their weights, be these as small as they may
        found = math.log(quota[one]) - math.log(quota[other])
        assert found == pytest.approx(logs[one] - logs[other], abs=1e-6, rel=1e-9)


def test_a_bound_by_hand():
    # 6 for each row on average; the limits are 1200, 120 and 480
    kept = kept_of([(1.0, 0.0, 100), (1.0, 0.0, 10), (1.0, 0.0, 40)], 0.0, 2.0)
    logs = np.log([0.2, 0.6, 0.2])
    weights, parts = allocate.share_by_logs(logs, kept, 900)
    np.testing.assert_allclose(weights, [0.2, 0.6, 0.2])
    assert parts == [390, 120, 390]
    # of 1 row and 3, from 200 originals and 2, no bound can hold: the least beyond it
    few = kept_of([(1.0, 0.0, 200), (1.0, 0.0, 2)], -1.0, 1.0)
    assert OWN.shares.share(few, 1)[1] == [1, 0]
    assert OWN.shares.share(few, 3)[1] == [3, 0]
    # weights that are nothing beside the first still share what it can't take
    far = np.array([0.0, -900.0, -900.0 - math.log(3)])
    assert allocate.share_by_logs(far, kept._replace(max_ratio=1.2), 900)[1] == [720, 72, 108]


def test_imbalanced_learn_has_no_bound():
    kept = kept_of([(9.0, 2.0, 5), (1.0, 2.0, 500)])
    weights, parts = IMBALANCED_LEARN.shares.share(kept, 1000)
    assert parts == [math.ceil(1000 * weight) for weight in weights]
    assert sum(parts) > 1000
    assert parts[0] > 990


@pytest.mark.parametrize("n", [1, 2, 10, 100, 10**3, 10**5, 10**6])
def test_auto_exponents(n):
    expected = (math.log(n) / math.log(1.6)) ** 1.8 * 0.16
    assert OWN.shares.auto_exponent(n, 99) == pytest.approx(expected, rel=1e-12)
    assert IMBALANCED_LEARN.shares.auto_exponent(99, n) == pytest.approx(expected, rel=1e-12)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(2, 10**6)), min_size=1, max_size=8),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
@quick
def test_allocate_fills_each_class_exactly(rows, first, second):
    groups = [
        GroupPlan(
            label, place, m, m, 1.0, 0.0, place % 3 != 1, "" if place % 3 != 1 else "x", d, 0.0, 9.0
        )
        for label in ("a", "b")
        for place, (d, m) in enumerate(rows)
    ]
    done = allocate.allocate(groups, {"a": first, "b": second}, OWN.shares, 1.0, 2.0, np.float64)
    assert [(g.class_label, g.cluster_id) for g in done] == [
        (g.class_label, g.cluster_id) for g in groups
    ]
    for label, amount in (("a", first), ("b", second)):
        mine = [group for group in done if group.class_label == label]
        assert sum(group.n_synthetic for group in mine) == amount
        assert sum(group.weight for group in mine) == pytest.approx(1)
        assert all(group.n_synthetic == group.weight == 0 for group in mine if not group.kept)
