"""The check of a result: it passes what is right, and finds what was spoilt."""

from __future__ import annotations

from copy import copy

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.cluster import Birch, KMeans
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from conftest import Fetches, make_imbalanced, note
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError

ALL = 10**6
LAYOUTS = ("append", "interleave")
PARENTS = ["parents known", "parents' class", "parents' cluster", "between parents"]


@pytest.fixture(autouse=True)
def _synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


def three_classes():
    X, y = make_imbalanced(n=600, n_features=3, minority=0.2)
    return X, np.where((y == 1) & (np.arange(600) % 3 == 0), 2, y)


def as_kind(X, y, kind):
    frame, names = pd.DataFrame(X, columns=list("abc")), pd.Series(y, name="target")
    return {
        "numpy": lambda: (X, y),
        "list": lambda: (X.tolist(), y.tolist()),
        "pandas": lambda: (frame, names),
        "csr": lambda: (sparse.csr_matrix(X), y),
        "array": lambda: (da.from_array(X, chunks=(70, -1)), da.from_array(y, chunks=70)),
        "sparse array": lambda: (
            da.from_array(X, chunks=(70, -1)).map_blocks(sparse.csr_matrix),
            da.from_array(y, chunks=70),
        ),
        "frame": lambda: (dd.from_pandas(frame, npartitions=4), dd.from_pandas(names, 4)),
    }[kind]()


KINDS = ("numpy", "list", "pandas", "csr", "array", "sparse array", "frame")


def wrong(table):
    """Findings that did not pass: (check, class) -> rows."""
    bad = table[~table.passed.fillna(value=True)]
    return dict(zip(zip(bad.check, bad.class_label, strict=True), bad.n_wrong, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_table_is_the_same_for_every_kind_and_layout(kind, layout):
    expected = tables_of("numpy", "append")
    found = tables_of(kind, layout)
    names = {"pandas": list("abc"), "frame": list("abc")}.get(kind, [0, 1, 2])
    expected["feature"] = expected.feature.map(lambda place: place if place == "" else names[place])
    pd.testing.assert_frame_equal(found, expected)


def tables_of(kind, layout):
    sampler = KMeansSMOTE(random_state=0, layout=layout, kmeans_estimator=5)
    X_res, y_res = sampler.fit_resample(*as_kind(*three_classes(), kind))
    table = sampler.validate(X_res, y_res, n_sample=100)
    assert wrong(table) == {}
    assert table.check.value_counts().to_dict() == {
        "rows": 1, "original rows": 3, "synthetic rows": 2, "KS distance": 6,
        **dict.fromkeys(PARENTS, 2),
    }  # fmt: skip
    assert table[table.check.isin(PARENTS)].n_checked.tolist() == [50] * 8
    return table


@pytest.mark.parametrize(
    ("dtype", "compat"),
    [(dtype, None) for dtype in ("f4", "f2", "i8", "u1", "mixed")]
    + [(dtype, "imbalanced-learn") for dtype in ("f4", "f2", "i8", "mixed")],
)
def test_rounding_of_the_dtype_passes(dtype, compat):
    X, y = three_classes()
    X = np.abs(X) * 20
    if dtype == "mixed":
        X = pd.DataFrame(X, columns=list("abc")).astype({"a": "i4", "b": "f4"})
    else:
        X = X.astype(dtype)
    sampler = KMeansSMOTE(random_state=0, compat=compat, cluster_balance_threshold=0.01)
    X_res, y_res = sampler.fit_resample(X, y)
    assert wrong(sampler.validate(X_res, y_res, n_sample=ALL)) == {}
    # one step of the dtype in one cell is found, or up to 16 of floats
    row = 601
    if dtype == "mixed":
        X_res.loc[row, "a"] += 1 if compat is None else 2
    elif X.dtype.kind == "f":
        X_res[row, 0] += 16 * np.spacing(X_res[row, 0])
    else:
        X_res[row, 0] += 1 if compat is None else 2
    assert wrong(sampler.validate(X_res, y_res, n_sample=ALL)) == {("between parents", 1): 1}


def test_unsigned_differences_of_imbalanced_learn_wrap():
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0, compat="imbalanced-learn", cluster_balance_threshold=0.01)
    table = sampler.validate(*sampler.fit_resample((np.abs(X) * 20).astype("u1"), y))
    assert {name for name, _ in wrong(table)} == {"between parents"}


class Renumbered(KMeans):
    """Labels its own rows otherwise than `predict` does; compat takes these labels."""

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X)
        self.labels_ = (self.labels_ + 1) % self.n_clusters
        return self


@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
@pytest.mark.parametrize("name", ["no centres", "renumbered", "frozen"])
def test_clusters_are_those_of_the_run(name, compat):
    X, y = three_classes()
    clusterer = {
        "no centres": Birch(n_clusters=5),
        "renumbered": Renumbered(5, n_init=1, random_state=0),
        "frozen": FrozenEstimator(KMeans(5, n_init=1, random_state=0).fit(X)),
    }[name]
    sampler = KMeansSMOTE(
        random_state=0, kmeans_estimator=clusterer, compat=compat, cluster_balance_threshold=0.01
    )
    assert wrong(sampler.validate(*sampler.fit_resample(X, y), n_sample=ALL)) == {}


class Told(KMeansSMOTE):
    """A sampler whose provenance is what a test says."""

    told = None

    @property
    def provenance_(self):
        if self.told is None:
            return super().provenance_
        return dd.from_pandas(self.told, npartitions=2)


@pytest.fixture(scope="module", params=LAYOUTS)
def right(request):
    sampler = Told(random_state=0, layout=request.param, kmeans_estimator=5)
    X_res, y_res = sampler.fit_resample(*three_classes())
    assert wrong(sampler.validate(X_res, y_res, n_sample=ALL)) == {}
    return sampler, X_res, y_res, sampler.provenance_.compute(scheduler="synchronous")


@pytest.fixture
def spoilt(right):
    return tuple(copy(part) for part in right)


def check(spoilt):
    sampler, X_res, y_res, _ = spoilt
    return wrong(sampler.validate(X_res, y_res, n_sample=ALL))


def originals(spoilt):
    """Positions of the originals in the result, in the order of X."""
    _, X_res, _, parents = spoilt
    return np.setdiff1d(np.arange(len(X_res)), parents.index)


def children(parents, row):
    return parents[(parents.base_row == row) | (parents.neighbor_row == row)]


@pytest.mark.parametrize("step", [1e-9, -1e-9, np.nan])
def test_a_synthetic_row_that_moved(spoilt, step):
    _, X_res, y_res, parents = spoilt
    row = parents.index[17]
    X_res[row, 1] += step
    assert check(spoilt) == {("between parents", y_res[row]): 1}


def test_synthetic_rows_in_another_order(spoilt):
    _, X_res, y_res, parents = spoilt
    rows = parents.index[:2]
    assert y_res[rows[0]] == y_res[rows[1]]
    X_res[rows] = X_res[rows[::-1]]
    assert check(spoilt) == {("between parents", y_res[rows[0]]): 2}


def test_an_original_that_moved(spoilt):
    _, X_res, y_res, parents = spoilt
    parent = parents.base_row.iloc[5]
    X_res[originals(spoilt)[parent]] += 1e3  # its cluster may be another
    family = children(parents, parent)
    found = check(spoilt)
    label = y_res[family.index[0]]
    assert found.pop(("between parents", label)) == len(family)
    assert found in ({}, {("parents' cluster", label): len(family)})


def test_labels_of_an_original_and_a_synthetic_row_swapped(spoilt):
    _, _, y_res, parents = spoilt
    majority = originals(spoilt)[np.flatnonzero(y_res[originals(spoilt)] == 0)[0]]
    row = parents.index[3]
    label = y_res[row]
    y_res[[majority, row]] = y_res[[row, majority]]
    assert check(spoilt) == {
        ("original rows", 0): 1, ("original rows", label): 1, ("synthetic rows", label): 1,
    }  # fmt: skip


def test_labels_of_two_synthetic_rows_swapped(spoilt):
    _, _, y_res, parents = spoilt
    one = parents.index[y_res[parents.index] == 1][0]
    two = parents.index[y_res[parents.index] == 2][0]
    y_res[[one, two]] = y_res[[two, one]]
    assert check(spoilt) == {("synthetic rows", 1): 1, ("synthetic rows", 2): 1}


def test_labels_of_two_originals_swapped(spoilt):
    _, _, y_res, parents = spoilt
    parent = parents.base_row.iloc[5]
    label = y_res[originals(spoilt)[parent]]
    majority = np.flatnonzero(y_res[originals(spoilt)] == 0)[0]
    places = originals(spoilt)[[parent, majority]]
    y_res[places] = y_res[places[::-1]]
    # the counts are right: only its children tell
    assert check(spoilt) == {("parents' class", label): len(children(parents, parent))}


def test_an_unknown_label(spoilt):
    y_res = spoilt[2]
    y_res[originals(spoilt)[y_res[originals(spoilt)] == 0][0]] = 7
    assert check(spoilt) == {("original rows", 0): 1}


def test_all_labels_of_a_class_gone(spoilt):
    sampler, _, y_res, _ = spoilt
    y_res[y_res == 2] = 0
    found, made = check(spoilt), dict(sampler.plan_.amounts)[2]
    assert found["original rows", 2] == sampler.plan_.class_counts[2][1]
    assert found["synthetic rows", 2] == found["parents' class", 2] == made


@pytest.mark.parametrize("column", ["base_row", "neighbor_row", "gap"])
def test_another_parent_or_gap(spoilt, column):
    sampler, _, y_res, parents = spoilt
    row = parents.index[11]
    mine = parents[(y_res[parents.index] == y_res[row])]
    same = mine[mine.base_row.isin(cluster_mates(sampler, mine, parents.loc[row]))]
    told = parents.copy()
    taken = set(parents.loc[row, ["base_row", "neighbor_row"]].astype(int))
    other = next(b for b in same.base_row if b not in taken)
    told.loc[row, column] = (parents.gap[row] + 0.5) % 1 if column == "gap" else other
    sampler.told = told
    assert check(spoilt) == {("between parents", y_res[row]): 1}


def cluster_mates(sampler, mine, parents):
    rows = np.unique(mine[["base_row", "neighbor_row"]].to_numpy())
    labels = cluster_of(sampler, rows)
    return rows[labels == cluster_of(sampler, [int(parents.base_row)])]


def cluster_of(sampler, rows):
    X, _ = three_classes()
    centers = sampler.kmeans_estimator_.cluster_centers_
    return ((X[rows][:, np.newaxis] - centers) ** 2).sum(axis=2).argmin(axis=1)


@pytest.mark.parametrize(
    ("column", "value"),
    [("base_row", -1), ("neighbor_row", 600), ("gap", 1.5), ("gap", np.nan), ("gap", -0.1)],
)
def test_parents_that_there_are_not(spoilt, column, value):
    sampler, _, y_res, parents = spoilt
    told = parents.copy()
    told.iloc[4, told.columns.get_loc(column)] = value
    sampler.told = told
    assert check(spoilt) == {(name, y_res[parents.index[4]]): 1 for name in PARENTS}


def test_a_row_without_provenance(spoilt):
    sampler, _, y_res, parents = spoilt
    sampler.told = parents.drop(index=parents.index[9])
    assert check(spoilt) == {(name, y_res[parents.index[9]]): 1 for name in PARENTS}


def test_parents_in_another_cluster(spoilt):
    sampler, X_res, y_res, parents = spoilt
    X, y = three_classes()
    row = parents.index[0]
    label, cluster = y_res[row], cluster_of(sampler, [parents.base_row.iloc[0]])
    elsewhere = np.flatnonzero((y == label) & (cluster_of(sampler, np.arange(600)) != cluster))[:2]
    told = parents.copy()
    told.loc[row, ["base_row", "neighbor_row"]] = elsewhere
    X_res[row] = X[elsewhere[0]] + told.gap[row] * (X[elsewhere[1]] - X[elsewhere[0]])
    sampler.told = told
    assert check(spoilt) == {("parents' cluster", label): 1}


def test_parents_of_another_class(spoilt):
    sampler, X_res, y_res, parents = spoilt
    X, y = three_classes()
    row = parents.index[0]
    mates = cluster_of(sampler, np.arange(600)) == cluster_of(sampler, [parents.base_row.iloc[0]])
    strangers = np.flatnonzero((y == 0) & mates)[:2]
    told = parents.copy()
    told.loc[row, ["base_row", "neighbor_row"]] = strangers
    X_res[row] = X[strangers[0]] + told.gap[row] * (X[strangers[1]] - X[strangers[0]])
    sampler.told = told
    assert check(spoilt) == {("parents' class", y_res[row]): 1}


def test_a_result_of_another_length(spoilt):
    sampler, X_res, y_res, _ = spoilt
    table = sampler.validate(X_res[:-3], y_res[:-3])
    assert wrong(table) == {("rows", ""): 3}
    assert len(table) == 1


@pytest.mark.parametrize(("own", "other"), [LAYOUTS, LAYOUTS[::-1]])
def test_the_other_layout(own, other):
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0, layout=own).fit(X, y)
    result = KMeansSMOTE(random_state=0, layout=other).fit_resample(X, y)
    assert ("original rows", 0) in wrong(sampler.validate(*result))


def test_ks_distance_is_that_of_scipy():
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    table = sampler.validate(X_res, y_res, n_sample=ALL)
    new, label = X_res[600:], y_res[600:]
    for found in table[table.check == "KS distance"].itertuples():
        mine, real = new[label == found.class_label], X[y == found.class_label]
        expected = stats.ks_2samp(mine[:, found.feature], real[:, found.feature]).statistic
        assert found.distance == pytest.approx(expected)
        assert found.n_checked == len(mine)
        assert found.passed is pd.NA


def test_nothing_was_to_be_made():
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0, sampling_strategy={1: int((y == 1).sum())})
    table = sampler.validate(*sampler.fit_resample(X, y))
    assert table.check.tolist() == ["rows", *["original rows"] * 3]
    assert wrong(table) == {}


def test_what_is_computed_is_bounded():
    X, y = make_imbalanced(n=3000)
    sampler = KMeansSMOTE(random_state=0)
    reads = []
    rows = da.from_array(X, chunks=(50, -1)).map_blocks(note, reads, dtype=X.dtype, meta=X[:0])
    result = sampler.fit_resample(rows, da.from_array(y, chunks=50))
    reads.clear()
    with Fetches() as fetches:
        table = sampler.validate(*result, n_sample=5)
    assert wrong(table) == {}
    assert table[table.check == "between parents"].n_checked.tolist() == [5]
    assert 5 < fetches.rows <= 4 * 5
    assert fetches.computes <= 4
    assert 1 <= len(reads) <= 3 * 5


@pytest.mark.parametrize("n_sample", [1, 7])
def test_every_class_is_looked_at(right, n_sample):
    sampler, *result, _ = right
    table = sampler.validate(*result, n_sample=n_sample)
    assert table[table.check.isin(PARENTS)].n_checked.tolist() == [max(1, n_sample // 2)] * 8


def test_what_does_not_go_together():
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0)
    with pytest.raises(NotFittedError):
        sampler.validate(X, y)
    X_res, y_res = sampler.fit_resample(X, y)
    with pytest.raises(InputError, match="inconsistent"):
        sampler.validate(X_res, y_res[:-1])
    with pytest.raises(InputError, match="rows and columns"):
        sampler.validate(y_res, y_res)
    lazy = da.from_array(X_res, chunks=(100, -1)), da.from_array(y_res, chunks=100)
    unknown = ((np.nan,) * lazy[0].numblocks[0], (3,))
    short = lazy[0].map_blocks(lambda block: block[:-1], dtype=X.dtype, meta=X[:0])
    short = da.Array(short.dask, short.name, unknown, dtype=X.dtype, meta=X[:0])
    with pytest.raises(InputError, match="chunk of the result has 99 rows"):
        sampler.validate(short, lazy[1])
