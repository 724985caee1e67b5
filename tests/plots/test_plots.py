"""Plots: what the artists hold is what the data say, and little is computed for them."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import dask
import dask.array as da
import dask.dataframe as dd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba
from scipy import sparse
from scipy.spatial.distance import cdist, pdist
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator

from conftest import Fetches, make_imbalanced, note
from dask_kmsmote import KMeansSMOTE, plots
from dask_kmsmote.errors import InputError, MissingPackageError, ParameterError
from dask_kmsmote.planning.groups import GroupPlan

ALL = 10**6
mpl.use("Agg")


@pytest.fixture(autouse=True)
def _synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield
    plt.close("all")


def three_classes(n=1200):
    return make_classification(
        n, 4, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=2,
        weights=[0.8, 0.14, 0.06], random_state=1,
    )  # fmt: skip


def clustered(n_clusters, **params):
    """A sampler whose clusters are those of a KMeans that the test knows."""
    X, y = three_classes()
    kmeans = KMeans(n_clusters, n_init=1, random_state=0).fit(X)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=FrozenEstimator(kmeans), **params)
    return sampler, X, y, kmeans.labels_


@pytest.fixture
def no_scheduler():
    def refuse(*_, **__):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        yield


def texts(ax):
    return [text.get_text() for text in ax.texts]


def marks(ax):
    """Points of each collection, and whether they are filled."""
    return [
        (np.asarray(marks.get_offsets()), len(marks.get_facecolors()) > 0)
        for marks in ax.collections
    ]


def test_class_balance_counts_rows():
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0)
    _, y_res = sampler.fit_resample(X, y)
    _, given = plt.subplots()
    ax = plots.class_balance(sampler.plan_, given)
    assert ax is given
    original, synthetic = ax.containers
    before, after = np.bincount(y), np.bincount(y_res)
    assert [bar.get_height() for bar in original] == before.tolist()
    assert [bar.get_y() for bar in synthetic] == before.tolist()
    assert [bar.get_height() for bar in synthetic] == (after - before).tolist()
    assert all(bar.get_hatch() for bar in synthetic)
    assert not any(bar.get_hatch() for bar in original)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("class", "rows")
    assert f"{before[1]:,}\n+ {after[1] - before[1]:,}" in texts(ax)


@pytest.mark.parametrize("n_clusters", [2, 8, 50, 200])
def test_cluster_allocation_shows_each_cluster(n_clusters):
    sampler, X, y, labels = clustered(n_clusters)
    _, y_res = sampler.fit_resample(X, y)
    ax = plots.cluster_allocation(sampler.plan_)
    in_cluster = np.bincount(labels, minlength=n_clusters)
    report = sampler.report_
    parts = iter(marks(ax))
    for code in (1, 2):
        (left, filled), (kept, full) = next(parts), next(parts)
        assert (filled, full) == (False, True)
        shares = np.bincount(labels[y == code], minlength=n_clusters) / in_cluster
        np.testing.assert_allclose(np.sort([*left[:, 0], *kept[:, 0]]), np.sort(shares))
        assert kept[:, 0].min() >= (y == code).mean()
        assert not left[:, 1].any()
        assert kept[:, 1].sum() == (y_res[1200:] == code).sum()
        mine = report[(report.class_label == code) & report.kept]
        points = mine[["class_share", "n_synthetic"]].to_numpy()
        assert sorted(map(tuple, kept)) == sorted(map(tuple, points))
    lines = [line for line in ax.lines if len(line.get_xdata())]
    thresholds = [line.get_xdata()[0] for line in lines]
    np.testing.assert_allclose(thresholds, [(y == 1).mean(), (y == 2).mean()])
    assert len({line.get_linestyle() for line in lines}) == 2
    boxes = [text.get_window_extent() for text in ax.texts]
    assert boxes
    assert not any(
        one.overlaps(two) for place, one in enumerate(boxes) for two in boxes[place + 1 :]
    )
    top = report.loc[report.n_synthetic.idxmax()]
    assert str(top.cluster_id) in texts(ax)
    assert ax.get_ylabel() == "rows made"


def test_numbers_of_clusters_do_not_cover_each_other():
    sampler, X, y, _ = clustered(8)
    plan = sampler.fit(X, y).plan_
    shares = iter([0.30, 0.31, 0.9, *[0.1] * 20])
    groups = tuple(replace(g, class_share=next(shares), n_synthetic=50) for g in plan.groups)
    ax = plots.cluster_allocation(replace(plan, groups=groups))
    assert texts(ax) == ["0", "2", "3"]


@pytest.mark.parametrize(("giant", "scale"), [(400, "linear"), (90_000, "symlog")])
def test_cluster_allocation_beside_a_giant(giant, scale):
    plan = clustered(8)[0].fit(*three_classes()).plan_
    made = (0, 20, 25, 30, 45, 70, giant)
    groups = tuple(
        GroupPlan(1, place, 100, 10, 0.1 + 0.1 * place, 0.1, n > 0, "", n_synthetic=n)
        for place, n in enumerate(made)
    )
    ax = plots.cluster_allocation(replace(plan, groups=groups))
    ax.figure.draw_without_rendering()
    assert ax.get_yscale() == scale
    at = [ax.transData.transform((0, n))[1] for n in made]
    low, high = ax.get_window_extent().intervaly
    assert all(low < height < high for height in at)
    if scale == "symlog":
        # no cluster that makes rows lies on the axis, or at another's height
        assert np.diff(at).min() > 0.01 * (high - low)
        assert set(texts(ax)) >= {"1", "5", "6"}
        ticks = [label.get_text() for label in ax.get_yticklabels()]
        assert "10,000" in ticks
        assert all(re.fullmatch("[0-9,]*", text) for text in ticks)


def test_cluster_allocation_of_a_rare_class():
    # 0.3 % of the rows, and a cluster of its own: on a linear axis all others are at its left end
    plan = clustered(8)[0].fit(*three_classes()).plan_
    shares = (0.001, 0.002, 0.004, 0.008, 0.02, 1.0)
    groups = tuple(
        GroupPlan(1, place, 1000, 10, share, 0.003, share > 0.003, "", n_synthetic=30 + place)
        for place, share in enumerate(shares)
    )
    ax = plots.cluster_allocation(replace(plan, groups=groups))
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "linear")
    at = [ax.transData.transform((share, 0))[0] for share in shares]
    left, right = ax.get_window_extent().intervalx
    assert all(left < place < right for place in at)
    assert np.diff(at).min() > 0.03 * (right - left)


def test_cluster_allocation_of_one_class():
    sampler, X, y, _ = clustered(8)
    sampler.fit(X, y)
    ax = plots.cluster_allocation(sampler.plan_, class_label=2)
    mine = sampler.report_[sampler.report_.class_label == 2]
    assert sum(len(points) for points, _ in marks(ax)) == len(mine)
    assert "1 of 2 classes" in ax.get_title(loc="left")
    with pytest.raises(ParameterError, match=r"class 0: class_label is one of \[1, 2\]"):
        plots.cluster_allocation(sampler.plan_, class_label=0)


def test_cluster_allocation_of_many_classes_says_what_is_left_out():
    rng = np.random.default_rng(0)
    sizes = [300, *range(20, 160, 20)]
    y = np.repeat(np.arange(len(sizes)), sizes)
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=3, cluster_balance_threshold=0.0)
    ax = plots.cluster_allocation(sampler.fit(rng.normal(size=(len(y), 3)), y).plan_)
    assert "5 of 7 classes" in ax.get_title(loc="left")
    shown = [text.get_text().split(":")[0] for text in ax.get_legend().get_texts()]
    assert shown == [f"class {code}" for code in range(1, 6)] + ["not kept"]
    # one cluster takes all classes: there is no threshold
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=1)
    ax = plots.cluster_allocation(sampler.fit(rng.normal(size=(len(y), 3)), y).plan_)
    assert not [line for line in ax.lines if len(line.get_xdata())]


@pytest.mark.parametrize("draw", [plots.class_balance, plots.cluster_allocation])
def test_plots_of_a_plan_compute_nothing(draw, no_scheduler):
    with dask.config.set(scheduler="synchronous"):
        plan = KMeansSMOTE(random_state=0).fit(*three_classes()).plan_
    axes = draw(plan)
    axes.figure.draw_without_rendering()


def as_kind(X, y, kind):
    frame = pd.DataFrame(X, columns=list("abcd")), pd.Series(y, name="target")
    return {
        "numpy": lambda: (X, y),
        "pandas": lambda: frame,
        "csr": lambda: (sparse.csr_matrix(X), y),
        "array": lambda: (da.from_array(X, chunks=(90, -1)), da.from_array(y, chunks=90)),
        "chunks": lambda: (da.from_array(X, chunks=(311, -1)), da.from_array(y, chunks=311)),
        "sparse": lambda: (
            da.from_array(X, chunks=(90, -1)).map_blocks(sparse.csr_matrix),
            da.from_array(y, chunks=90),
        ),
        "frame": lambda: tuple(dd.from_pandas(part, npartitions=3) for part in frame),
    }[kind]()


KINDS = ["numpy", "pandas", "csr", "array", "chunks", "sparse", "frame"]


@pytest.fixture(scope="module")
def expected():
    return shown("numpy", "append")


def shown(kind, layout):
    """Points of a scatter plot and lines of the distances."""
    sampler, X, y, _ = clustered(5, layout=layout)
    X_res, y_res = sampler.fit_resample(*as_kind(X, y, kind))
    features = ["b", "d"] if kind in ("pandas", "frame") else [1, 3]
    ax = plots.scatter(X_res, y_res, sampler, features=features, n_sample=100)
    near = plots.nearest_original_distances(X_res, y_res, sampler, n_sample=100)
    axis = plots.scatter(X_res, y_res, sampler, n_sample=100)
    return marks(ax), [line.get_xydata() for line in near.lines], marks(axis), ax, near


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_shows_the_same(kind, layout, expected):
    found = shown(kind, layout)
    for (points, filled), (others, full) in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(points, others)
        assert filled is full
    np.testing.assert_allclose(np.concatenate(found[1]), np.concatenate(expected[1]))
    for (points, _), (others, _) in zip(found[2], expected[2], strict=True):
        np.testing.assert_allclose(points, others, atol=1e-9)
    names = ("b", "d") if kind in ("pandas", "frame") else ("feature 1", "feature 3")
    ax = found[3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == tuple(f"{name} (units of X)" for name in names)
    assert found[4].get_xlabel() == "distance (standard deviations)"


def test_scatter_marks_what_is_synthetic():
    sampler, X, y, _ = clustered(5)
    X_res, y_res = sampler.fit_resample(X, y)
    ax = plots.scatter(X_res, y_res, sampler, features=[0, 2], n_sample=200)
    wanted = [
        (X[y == 0], True),
        (X[y == 1], True), (X_res[1200:][y_res[1200:] == 1], False),
        (X[y == 2], True), (X_res[1200:][y_res[1200:] == 2], False),
    ]  # fmt: skip
    for (points, filled), (rows, full) in zip(marks(ax), wanted, strict=True):
        assert filled is full
        assert len(points) == 200 // 5
        among = {tuple(row) for row in rows[:, [0, 2]]}
        assert {tuple(point) for point in points} <= among
        assert len(np.unique(points, axis=0)) == len(points)
    shapes = [collection.get_paths()[0].vertices.tobytes() for collection in ax.collections]
    assert shapes[1] == shapes[2]
    assert shapes[3] == shapes[4]
    assert len(set(shapes)) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "class 0: original", "class 1: original", "class 1: synthetic",
        "class 2: original", "class 2: synthetic",
    ]  # fmt: skip
    edges = [c.get_edgecolors() for c in ax.collections if not len(c.get_facecolors())]
    assert all((edge[0] == to_rgba("#202020")).all() for edge in edges)


SCALES = pytest.mark.parametrize(
    ("scale", "unit"), [("standard", "standard deviations"), (None, "units of X")]
)


@SCALES
def test_principal_components_of_two_features_keep_distances(scale, unit):
    X, y = three_classes()
    X = X[:, :2]
    sampler = KMeansSMOTE(random_state=0, scale=scale)
    result = sampler.fit_resample(X, y)
    plain = plots.scatter(*result, sampler, features=[0, 1], n_sample=150)
    turned = plots.scatter(*result, sampler, n_sample=150)
    before, after = (np.concatenate([p for p, _ in marks(ax)]) for ax in (plain, turned))
    np.testing.assert_allclose(pdist(after), pdist(before / sampler.scale_), atol=1e-9)
    originals = np.concatenate([points for points, filled in marks(turned) if filled])
    np.testing.assert_allclose(originals.mean(axis=0), 0, atol=1e-9)
    first, second = originals.var(axis=0)
    assert first >= second
    assert f"{first / (first + second):.0%} of variance ({unit})" in turned.get_xlabel()


@SCALES
def test_distances_are_those_of_all_pairs(scale, unit):
    X, y = three_classes()
    sampler = KMeansSMOTE(random_state=0, scale=scale)
    X_res, y_res = sampler.fit_resample(X, y)
    ax = plots.nearest_original_distances(X_res, y_res, sampler, class_label=1, n_sample=ALL)
    assert ax.get_xlabel() == f"distance ({unit})"
    X, X_new = X / sampler.scale_, X_res[1200:] / sampler.scale_
    real, new = X[y == 1], X_new[y_res[1200:] == 1]
    among = cdist(real, real)
    np.fill_diagonal(among, np.inf)
    for line, distances in zip(ax.lines, (among, cdist(new, real)), strict=True):
        np.testing.assert_allclose(line.get_xdata()[1:], np.sort(distances.min(axis=1)))
        assert line.get_ydata()[-1] == 1
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    # without a class: the one that most rows are made of
    ax = plots.nearest_original_distances(X_res, y_res, sampler, n_sample=100)
    assert "class 2" in ax.get_title(loc="left")
    assert "50 originals" in ax.get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_are_seeded(seed):
    sampler, X, y, _ = clustered(5)
    result = sampler.fit_resample(X, y)
    first, second, other = (
        np.concatenate([
            points
            for points, filled in marks(
                plots.scatter(*result, sampler, features=[0, 1], n_sample=50, random_state=state)
            )
            if filled
        ])
        for state in (seed, seed, seed + 1)
    )  # fmt: skip
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("draw", [plots.scatter, plots.nearest_original_distances])
def test_what_is_computed_is_bounded(draw):
    X, y = make_imbalanced(n=3000)
    reads = []
    rows = da.from_array(X, chunks=(50, -1)).map_blocks(note, reads, dtype=X.dtype, meta=X[:0])
    sampler = KMeansSMOTE(random_state=0)
    result = sampler.fit_resample(rows, da.from_array(y, chunks=50))
    reads.clear()
    with Fetches() as fetches:
        draw(*result, sampler, n_sample=12)
    assert 6 <= fetches.rows <= 12
    assert fetches.computes == 2
    assert 1 <= len(reads) <= 12


def test_errors_say_what_is_wrong():
    sampler, X, y, _ = clustered(5)
    X_res, y_res = sampler.fit_resample(X, y)
    with pytest.raises(InputError, match=r"has 1200 rows and the sampler's plan makes"):
        plots.scatter(X, y, sampler)
    with pytest.raises(ParameterError, match=r"features=\[0, 9\] are not two columns"):
        plots.scatter(X_res, y_res, sampler, features=[0, 9])
    with pytest.raises(ParameterError, match="are not two columns"):
        plots.scatter(X_res, y_res, sampler, features=[0])
    with pytest.raises(ParameterError, match=r"class 0: class_label is one of \[1, 2\]"):
        plots.nearest_original_distances(X_res, y_res, sampler, class_label=0)
    with pytest.raises(InputError, match="labels are not where"):
        plots.scatter(X_res[::-1], y_res[::-1], sampler)
    one = KMeansSMOTE(random_state=0, kmeans_estimator=5)
    with pytest.raises(InputError, match="two features"):
        plots.scatter(*one.fit_resample(X[:, :1], y), one)
    nothing = KMeansSMOTE(random_state=0, sampling_strategy={1: int((y == 1).sum())})
    same = nothing.fit_resample(X, y)
    assert [filled for _, filled in marks(plots.scatter(*same, nothing))] == [True] * 3
    assert plots.class_balance(nothing.plan_).containers
    with pytest.raises(ParameterError, match="makes no rows"):
        plots.nearest_original_distances(*same, nothing)
    with pytest.raises(ParameterError, match="makes no rows"):
        plots.cluster_allocation(nothing.plan_)


def test_without_matplotlib(monkeypatch):
    plan = KMeansSMOTE(random_state=0).fit(*three_classes()).plan_
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'dask-kmsmote\[viz\]'"):
        plots.class_balance(plan)


def test_matplotlib_is_imported_when_it_is_needed():
    code = "import dask_kmsmote.plots, sys; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
