"""Parameters that do not fit are errors before heavy work, which name the mend."""

from __future__ import annotations

import re

import numpy as np
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from refusals import (
    EVERY,
    MEMORY,
    MEND,
    N_CHUNKS,
    N,
    SpyKMeans,
    fits,
    make_X,
    make_y,
    reads,
    refuse,
    whole,
)

pytestmark = pytest.mark.usefixtures("spies")


@pytest.fixture
def data():
    return make_imbalanced(N, 4, 0.25, seed=3)


# keywords


CALLS = {
    "fit": lambda X, y, **more: KMeansSMOTE().fit(X, y, **more),
    "fit_resample": lambda X, y, **more: KMeansSMOTE().fit_resample(X, y, **more),
    "fit_synthesize": lambda X, y, **more: KMeansSMOTE().fit_synthesize(X, y, **more),
    "validate": lambda X, y, **more: KMeansSMOTE().fit(X, y).validate(X, y, **more),
    "constructor": lambda X, y, **more: KMeansSMOTE(**more),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["sampel_wieght", "sample_weight"])
def test_keywords_that_nobody_takes(data, call, name):
    with pytest.raises(TypeError, match=name):
        CALLS[call](*data, **{name: np.ones(N)})


# strategies


STRATEGIES = {
    "unknown class": ({1: 90, 9: 10}, [whole(9), whole(0), whole(1)]),
    "unknown text": ({"rare": 90}, ["rare", whole(0), whole(1)]),
    "fewer than present": ({1: 29}, [whole(30), whole(1), whole(29)]),
    "negative": ({1: -5}, ["negative", "-5"]),
    "ratio above 1": (1.5, [r"1\.5"]),
    "ratio of 0": (0.0, ["0"]),
    "ratio that would remove": (0.1, ["ratio"]),
    "majority": ("majority", ["majority"]),
    "other name": ("some", ["some"]),
    "list": ([1], ["list|sampling_strategy"]),
    "number in a function": (lambda y: {1: 10}, [whole(30), whole(1), whole(10)]),
}


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_that_the_classes_do_not_allow(data, kind, name):
    strategy, words = STRATEGIES[name]
    # for an unknown class the mend is the classes there are
    mend = re.compile("0.*1") if "unknown" in name else MEND
    given = make_X(kind, data[0]), make_y(kind, data[1])
    refuse(*given, *words, mend=mend, sampling_strategy=strategy)


@pytest.mark.parametrize("kind", EVERY)
def test_float_strategy_on_many_classes(data, kind):
    y = data[1].copy()
    y[np.flatnonzero(y == 0)[:20]] = 2
    given = make_X(kind, data[0]), make_y(kind, y)
    refuse(*given, "float", "binary", sampling_strategy=0.5)


# parameters


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(
    "estimator",
    [13, np.int64(13), SpyKMeans(13), DaskKMeans(13), None],
    ids=["int", "numpy int", "sklearn", "dask-ml", "default"],
)
@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_more_clusters_than_rows(kind, estimator, compat):
    n = 7 if estimator is None else 12
    X, y = make_imbalanced(n, 4, 0.45, seed=0)
    asked = 8 if estimator is None else 13
    given = make_X(kind, X), make_y(kind, y)
    message = refuse(*given, "cluster", kmeans_estimator=estimator, compat=compat)
    assert re.search(whole(asked), message), message
    assert re.search(whole(n), message), message


INVALID = [
    ("random_state", "seed"), ("random_state", -1), ("random_state", 1.5),
    ("k_neighbors", 0), ("k_neighbors", -1), ("k_neighbors", 2.5), ("k_neighbors", "2"),
    ("k_neighbors", None), ("k_neighbors", object()),
    ("k_neighbors", NearestNeighbors(n_neighbors=1)),
    ("n_jobs", "all"), ("n_jobs", 1.5),
    ("kmeans_estimator", 0), ("kmeans_estimator", -3), ("kmeans_estimator", 2.5),
    ("kmeans_estimator", "kmeans"), ("kmeans_estimator", object()),
    ("cluster_balance_threshold", "half"), ("cluster_balance_threshold", None),
    ("density_exponent", "two"), ("density_exponent", None), ("density_exponent", np.nan),
    ("compat", "imblearn"), ("compat", True),
    ("learning_rows", 0), ("learning_rows", "all"),
    ("sampling_strategy", None), ("sampling_strategy", b"auto"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["numpy", "array", "frame"])
@pytest.mark.parametrize(("name", "value"), INVALID, ids=[f"{n}-{v!r:.20}" for n, v in INVALID])
def test_invalid_parameters(data, kind, name, value):
    refuse(make_X(kind, data[0]), make_y(kind, data[1]), name, **{name: value})
    # they are judged before the data are touched
    assert not reads


@pytest.mark.parametrize("kind", ["numpy", "array"])
@pytest.mark.parametrize("shape", [(2, 4), (3, 3)])
def test_start_of_another_shape(data, kind, shape):
    estimator = DaskKMeans(3, init=np.zeros(shape))
    refuse(
        make_X(kind, data[0]),
        make_y(kind, data[1]),
        re.escape(str(shape)),
        re.escape("(3, 4)"),
        kmeans_estimator=estimator,
    )


# no cluster


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_threshold_that_no_cluster_reaches(kind, compat):
    X, y = make_imbalanced(N, 4, 0.25, seed=3)
    given = make_X(kind, X), make_y(kind, y)
    frozen = FrozenEstimator(KMeans(3, n_init=1, random_state=0).fit(X))
    params = {"kmeans_estimator": frozen, "random_state": 0, "compat": compat}
    with pytest.raises(RuntimeError) as caught:
        KMeansSMOTE(cluster_balance_threshold=0.999, **params).fit_resample(*given)
    message = str(caught.value)
    if compat:
        return
    cluster = frozen.predict(X)
    share = np.bincount(cluster[y == 1], minlength=3) / np.bincount(cluster)
    best = share.argmax()
    shown = float(re.search(r"(?i)best share.*?(0\.\d+)", message)[1])
    assert shown == pytest.approx(share[best], abs=1e-5)
    # the rows it has
    assert re.search(whole(np.bincount(cluster)[best]), message), message
    # the threshold named in the message keeps that cluster
    threshold = float(re.search(r"cluster_balance_threshold=([\d.e-]+\d)", message)[1])
    sampler = KMeansSMOTE(cluster_balance_threshold=threshold, **params).fit(*given)
    assert sampler.report_["cluster_id"][sampler.report_["kept"]].tolist() == [best]


COMPAT = "imbalanced-learn"


@pytest.mark.parametrize("kind", EVERY)
def test_clusters_with_too_few_rows(kind):
    X, y = make_imbalanced(N, 4, 0.25, seed=3)
    given = make_X(kind, X), make_y(kind, y)
    frozen = FrozenEstimator(KMeans(6, n_init=1, random_state=0).fit(X))
    most = np.bincount(frozen.predict(X)[y == 1]).max()
    params = {"kmeans_estimator": frozen, "random_state": 0, "cluster_balance_threshold": 0.0}
    with pytest.raises(RuntimeError) as caught:
        KMeansSMOTE(k_neighbors=int(most), compat=COMPAT, **params).fit_resample(*given)
    message = str(caught.value)
    assert re.search(whole(most), message), message
    assert re.search("class.*1", message), message
    k = int(re.search(r"k_neighbors=(\d+)", message)[1])
    assert most - 2 <= k < most
    sampler = KMeansSMOTE(k_neighbors=k, compat=COMPAT, **params)
    assert sampler.fit(*given).report_["kept"].sum() >= 1
    # by our own rules, rows are joined to those that there are
    own = KMeansSMOTE(k_neighbors=int(most), **params).fit(*given)
    assert set(own.report_.query("kept").reason) == {"fewer neighbours"}


@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_threshold_reached_only_where_rows_are_too_few(kind):
    # four rows of the class alone in a far cluster, the others spread thin
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (N, 4))
    y = np.zeros(N, int)
    y[:12] = 1
    X[:4] += 100
    params = {"kmeans_estimator": 2, "random_state": 0, "k_neighbors": 5, "compat": COMPAT}
    given = make_X(kind, X), make_y(kind, y)
    with pytest.raises(RuntimeError) as caught:
        KMeansSMOTE(cluster_balance_threshold=0.5, **params).fit_resample(*given)
    message = str(caught.value)
    mends = dict(re.findall(r"(cluster_balance_threshold|k_neighbors)=([\d.]+\d|\d)", message))
    assert mends, message
    changed = {"cluster_balance_threshold": 0.5} | params
    changed |= {name: float(v) if "." in v else int(v) for name, v in mends.items()}
    assert KMeansSMOTE(**changed).fit(*given).report_["kept"].any()


@pytest.mark.parametrize("kind", EVERY)
def test_what_a_recipe_decides_itself_can_not_be_given(data, kind):
    X, y = make_X(kind, data[0]), make_y(kind, data[1])
    given = {"count_exponent": 0.5, "max_ratio": 3.0, "scale": None}
    message = refuse(X, y, "decides", *(f"{name}={value}" for name, value in given.items()),
                     compat=COMPAT, **given)  # fmt: skip
    assert not reads, message
    for name, value in given.items():
        assert f"{name}={value}" in refuse(X, y, compat=COMPAT, **{name: value})
    KMeansSMOTE(compat=COMPAT, random_state=0, cluster_balance_threshold=0.0).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("count_exponent", "auto"), ("count_exponent", np.nan), ("count_exponent", np.inf),
     ("max_ratio", 0.99), ("max_ratio", np.nan), ("max_ratio", "2"), ("scale", "robust"),
     ("scale", True)],
)  # fmt: skip
def test_bad_values_of_allocation_and_scale(data, name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of KMeansSMOTE"):
        KMeansSMOTE(**{name: value}).fit(*data)


@pytest.mark.parametrize("kind", EVERY)
def test_fit_refuses_as_fit_resample_does(data, kind):
    X, y = data
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        KMeansSMOTE(kmeans_estimator=SpyKMeans(3)).fit(make_X(kind, X), make_y(kind, y))
    assert not fits


@pytest.mark.parametrize("kind", EVERY)
def test_the_spies_see_what_a_good_input_does(data, kind):
    X, y = make_X(kind, data[0]), make_y(kind, data[1])
    KMeansSMOTE(kmeans_estimator=SpyKMeans(3, n_init=1), random_state=0).fit(X, y)
    assert fits == [N]
    assert len(reads) == (0 if kind in MEMORY else 2 * N_CHUNKS)
