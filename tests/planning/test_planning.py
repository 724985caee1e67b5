"""Decisions on small tables, against imbalanced-learn and the formulas; no Dask."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from imblearn.utils import check_sampling_strategy

from dask_kmsmote.errors import NoClusterError
from dask_kmsmote.planning import choose, cuts
from dask_kmsmote.planning.strategy import cut_to_ratio, nearest_to_ratio, resolve_strategy
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
            resolve_strategy(strategy, counts, y, cut_to_ratio)
        return
    amounts = resolve_strategy(strategy, counts, y, cut_to_ratio)
    assert list(amounts.items()) == list(expected.items())
    assert all(type(amount) is int for amount in amounts.values())


def minority(ratio, majority, minority):
    counts = {0: majority, 1: minority}
    return minority + resolve_strategy(ratio, counts, None, nearest_to_ratio)[1]


@pytest.mark.parametrize(
    ("ratio", "majority", "rare", "wanted"),
    [
        (0.29, 100, 20, 29),
        (0.29, 100, 28, 29),
        (0.7, 90, 20, 63),
        (0.57, 100, 20, 57),
        (np.float32(0.29), 100, 20, 29),
        (np.float64(0.1), 30, 2, 3),
        (Fraction(1, 3), 9, 2, 3),
        (1e-05, 10**5, 0, 1),
        (0.333, 9, 2, 3),
        (0.5, 5, 2, 3),  # between two, the larger
        (0.7, 9 * 10**17, 20, 63 * 10**16),
        (1, 7, 2, 7),
        (True, 7, 2, 7),
    ],
)
def test_a_ratio_is_taken_as_it_is_written(ratio, majority, rare, wanted):
    assert minority(ratio, majority, rare) == wanted


@given(st.integers(1, 100), st.integers(1, 10**12))
@quick
def test_a_ratio_in_hundredths_is_exact(hundredths, hundreds):
    assert minority(hundredths / 100, 100 * hundreds, 0) == hundredths * hundreds


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
        choose._require_kept(choices, least, recipe.clusters)
        return None
    with pytest.raises(NoClusterError, match="'rare'") as caught:
        choose._require_kept(choices, least, recipe.clusters)
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
    lower, k = (named_number(message, n) for n in ("cluster_balance_threshold", "k_neighbors"))
    # their float product loses some clusters of just enough rows, and then k alone may do
    assert lower is not None or k is not None, message
    again = judged(
        table, column, threshold if lower is None else lower, int(k or n_neighbors - 1) + 1, recipe
    )
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


@given(st.integers(1, 400), st.lists(st.integers(1, 60), min_size=1, max_size=40), st.booleans())
@settings(max_examples=300)
def test_sectors_share_out_rows_and_blocks(n_rows, sizes, equal):
    # as output blocks are: of one size, and a rest
    sizes = [max(sizes)] * (len(sizes) - 1) + sizes[-1:] if equal else sorted(sizes, reverse=True)
    found = cuts.sectors(n_rows, sizes)
    assert [own.first for own in found] == [0, *(own.last for own in found[:-1])]
    assert found[-1].last == len(sizes)
    assert [own.low for own in found] == [0, *(own.high for own in found[:-1])]
    assert found[-1].high == n_rows
    each = sum(sizes) / n_rows
    for own in found:
        made = sum(sizes[own.first : own.last])
        # as many new rows for each row as in the whole group, but for a row at either end
        assert abs(made - each * (own.high - own.low)) <= each
        assert own.high > own.low or not equal
