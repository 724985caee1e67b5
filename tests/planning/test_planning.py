"""Decisions on small tables, against imbalanced-learn and the formulas; no Dask."""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from imblearn.utils import check_sampling_strategy

from dask_kmsmote.errors import NoClusterError
from dask_kmsmote.planning import allocate, choose, cuts
from dask_kmsmote.planning.groups import GroupPlan
from dask_kmsmote.planning.strategy import resolve_strategy
from dask_kmsmote.recipes import IMBALANCED_LEARN, OWN

quick = settings(max_examples=200, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def targets(draw):
    n_classes = draw(st.sampled_from([1, 2, 2, 2, 3, 4]))
    names = draw(st.sampled_from([[0, 1, 2, 3], ["a", "b", "c", "d"], [-1, 5, 7, 30]]))
    counts = draw(st.lists(st.integers(1, 30), min_size=n_classes, max_size=n_classes))
    y = np.repeat(np.array(names[:n_classes]), counts)
    return np.random.default_rng(draw(seeds)).permutation(y)


@st.composite
def strategies(draw, labels):
    kind = draw(st.sampled_from(["name", "ratio", "dict", "callable", "list"]))
    if kind == "name":
        names = ["auto", "not majority", "not minority", "minority", "all", "majority", "most"]
        return draw(st.sampled_from(names))
    if kind == "ratio":
        return draw(st.one_of(st.floats(-0.5, 1.5), st.sampled_from([0, 1, 0.5, np.float32(0.5)])))
    if kind == "list":
        return list(labels)
    stranger = "z" if isinstance(labels[0], str) else 99
    chosen = st.sampled_from([*labels, *labels, *labels, stranger])
    final = draw(st.dictionaries(chosen, st.sampled_from([-1, 0, 5, 30, 31, 60, 100]), max_size=4))
    return final if kind == "dict" else lambda y: final


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_strategy_is_that_of_imbalanced_learn(data):
    y = data.draw(targets())
    labels, n = np.unique(y, return_counts=True)
    counts = dict(zip(labels.tolist(), n.tolist(), strict=True))
    strategy = data.draw(strategies(labels.tolist()))
    try:
        expected = check_sampling_strategy(strategy, y, "over-sampling")
    except (ValueError, KeyError, TypeError) as error:
        with pytest.raises(type(error)):
            resolve_strategy(strategy, counts, y)
        return
    amounts = resolve_strategy(strategy, counts, y)
    assert list(amounts.items()) == list(expected.items())
    assert all(type(amount) is int for amount in amounts.values())


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


@given(st.integers(0, 500), st.integers(1, 60))
@quick
def test_cut(n, size):
    ranges = cuts.cut(n, size)
    assert [row for start, stop in ranges for row in range(start, stop)] == list(range(n))
    assert all(stop - start == size for start, stop in ranges[:-1])
    assert all(0 < stop - start <= size for start, stop in ranges[-1:])


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 100), st.integers(1, 30))
@quick
def test_bundle(sizes, limit, fan_in):
    runs = cuts.bundle(sizes, limit, fan_in)
    assert [place for low, high in runs for place in range(low, high)] == list(range(len(sizes)))
    for low, high in runs:
        assert 1 <= high - low <= fan_in
        assert high - low == 1 or sum(sizes[low:high]) <= limit
    for (low, middle), (_, high) in itertools.pairwise(runs):
        # no run ends earlier than it must
        assert middle - low == fan_in or sum(sizes[low : middle + 1]) > limit
        assert middle < high


@given(st.lists(st.integers(0, 100), max_size=20))
def test_offsets(sizes):
    starts = cuts.offsets(sizes)
    assert starts == [sum(sizes[:place]) for place in range(len(sizes) + 1)]


@given(st.integers(0, 10**6), st.integers(1, 2**30))
def test_block_rows(n_features, n_bytes):
    rows = cuts.block_rows(n_features, n_bytes)
    assert rows >= 1
    assert rows == 1 or rows * n_features * 8 <= n_bytes


@st.composite
def tables(draw):
    rng = np.random.default_rng(draw(seeds))
    shape = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    table = rng.integers(0, draw(st.sampled_from([3, 12, 200])), shape)
    table[rng.random(shape[0]) < 0.2] = 0
    assume((table.sum(axis=0) > 0).all())
    return table.astype(np.int64), draw(st.integers(0, shape[1] - 1))


def judged(table, column, threshold, n_neighbors, recipe=OWN):
    """Clusters as seen from one class; without a threshold, from the automatic one."""
    automatic = threshold is None
    in_force = table[:, column].sum() / table.sum() if automatic else threshold
    rules = recipe.clusters
    return choose._judge(table, column, "rare", n_neighbors, in_force, automatic, rules)


@given(tables())
@quick
def test_auto_threshold_keeps_a_cluster_by_share(case):
    table, column = case
    choices = judged(table, column, None, 3)
    assert any(choice.reason not in ("empty", "below threshold") for choice in choices)
    own = table[:, column].sum() / table.sum()
    for choice in choices:
        n, m = int(table[choice.cluster_id].sum()), int(table[choice.cluster_id, column])
        assert (choice.n_rows, choice.n_class_rows) == (n, m)
        if n == 0:
            assert choice.reason == "empty"
            assert math.isnan(choice.class_share)
        elif abs(m / n - own) > 1e-12:
            assert (choice.reason == "below threshold") == (m / n < own)
        else:
            assert choice.reason != "below threshold"


@given(tables(), st.floats(-0.1, 1.1), st.integers(2, 7))
@quick
def test_clusters_are_kept_by_threshold_and_rows(case, threshold, n_neighbors):
    table, column = case
    for choice in judged(table, column, threshold, n_neighbors):
        n, m = table[choice.cluster_id].sum(), table[choice.cluster_id, column]
        if n == 0:
            assert choice.reason == "empty"
        elif m / n < threshold:
            assert choice.reason == "below threshold"
        else:
            few = "too few rows" if m < 2 else "fewer neighbours"
            assert choice.reason == (few if m < n_neighbors else "")
            assert choice.kept == (m >= 2)


@given(tables(), st.floats(-0.1, 1.1), st.integers(2, 7))
@quick
def test_with_compat_clusters_have_all_neighbors(case, threshold, n_neighbors):
    table, column = case
    for choice in judged(table, column, threshold, n_neighbors, IMBALANCED_LEARN):
        assert choice.kept == (choice.reason == "")
        assert not choice.kept or choice.n_class_rows >= n_neighbors


def test_auto_thresholds():
    counts, amounts = {"a": 100, "b": 20, "c": 30}, {"a": 0, "b": 80, "c": 70}
    assert OWN.clusters.auto_thresholds(counts, amounts) == {
        "b": pytest.approx(20 / 150),
        "c": pytest.approx(30 / 150),
    }
    assert IMBALANCED_LEARN.clusters.auto_thresholds(counts, amounts) == {
        "b": pytest.approx(80 / 150 / 2),
        "c": pytest.approx(70 / 150 / 2),
    }


def test_k_plus_one_rows_are_judged_on_integers():
    table = np.array([[44, 3], [10, 0]])  # (3 / 47) * 47 < 3 in floats
    ours, theirs = (judged(table, 1, 0.0, 3, recipe)[0] for recipe in (OWN, IMBALANCED_LEARN))
    assert (ours.reason, theirs.reason) == ("", "too few rows")


def refused(table, column, threshold, n_neighbors, recipe):
    """The error's message, and the clusters that had rows enough; None where one is kept."""
    choices = judged(table, column, threshold, n_neighbors, recipe)
    least = recipe.clusters.least_rows(n_neighbors)
    if any(choice.kept for choice in choices):
        choose._require_kept(choices, least)
        return None
    with pytest.raises(NoClusterError, match="'rare'") as caught:
        choose._require_kept(choices, least)
    return str(caught.value), [c for c in choices if c.n_class_rows >= least]


def named_number(message, name):
    found = re.search(name + r"=([-\d.]+(?:e-?\d+)?)", message)
    return found and float(found[1])


@st.composite
def refusals(draw, large):
    """Cases that keep no cluster, though some has (`large`) rows enough, or none has."""
    table, column = draw(tables())
    most = int(table[:, column].max())
    if large:
        assume(most >= 2)
        n_neighbors = draw(st.integers(2, most))
        n, m = table.sum(axis=1), table[:, column]
        best = float(np.max(m[m >= n_neighbors] / n[m >= n_neighbors]))
        above = st.floats(best, 1.2, exclude_min=True)
        return table, column, draw(st.one_of(above, above, above, st.none())), n_neighbors
    return table, column, draw(st.one_of(st.floats(0, 1.1), st.none())), most + draw(few)


few = st.integers(1, 5)


@pytest.mark.parametrize("recipe", [OWN, IMBALANCED_LEARN], ids=["own", "compat"])
@given(case=refusals(large=True))
@quick
def test_no_cluster_error_names_a_threshold_that_keeps_one(recipe, case):
    table, column, threshold, n_neighbors = case
    error = refused(table, column, threshold, n_neighbors, recipe)
    assume(error)
    message, large = error
    # no number mends it where their float product has less than two rows
    assume("Fewer clusters" not in message)
    best = max(large, key=lambda c: c.class_share)
    assert f"{best.class_share:.6g}" in message
    assert f"{best.n_rows} rows" in message
    lower = named_number(message, "cluster_balance_threshold")
    assert lower is not None, message
    # their float product loses some clusters of just enough rows
    k = named_number(message, "k_neighbors") or n_neighbors - 1
    again = judged(table, column, lower, int(k) + 1, recipe)
    assert any(choice.kept for choice in again), message


@given(refusals(large=False))
@quick
def test_no_cluster_error_names_a_k_that_keeps_one(case):
    table, column, threshold, n_neighbors = case
    assume(table[:, column].max() >= 2)
    message, _ = refused(table, column, threshold, n_neighbors, IMBALANCED_LEARN)
    k = named_number(message, "k_neighbors")
    assert k is not None, message
    assert 1 <= k < n_neighbors - 1
    # all that the message names together: a threshold too, where k alone is not enough
    lower = named_number(message, "cluster_balance_threshold")
    in_force = threshold if lower is None else lower
    again = judged(table, column, in_force, int(k) + 1, IMBALANCED_LEARN)
    assert any(choice.kept for choice in again), message


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
