"""Bad input is an error before heavy work, which names the place and the mend."""

from __future__ import annotations

import re
from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask_ml.cluster import KMeans as DaskKMeans
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE

N, N_CHUNKS = 120, 4
NAMES = ["f0", "f1", "f2", "f3"]
MEMORY = ["numpy", "pandas"]
ARRAYS = ["array", "unknown array"]
FRAMES = ["frame"]
EVERY = [*MEMORY, *ARRAYS, *FRAMES]
# a sentence that tells what to do
MEND = re.compile(
    r"(?i)\b(drop|fill|clip|encode|convert|pass|take|select|add|use|leave|rename|ask|call|give|check"
    r"|increase|lower|fewer|must|should|needs?|can be|cannot|at least|required|reshape|instead"
    r"|supports?)\b"
)
fits, reads = [], []


class SpyKMeans(KMeans):
    """Notes that it was asked to learn."""

    def fit(self, X, y=None, sample_weight=None):
        fits.append(len(X))
        return super().fit(X, y)


@pytest.fixture(autouse=True)
def _nothing_noted(one_thread):
    fits.clear()
    reads.clear()


@pytest.fixture
def data():
    return make_imbalanced(N, 4, 0.25, seed=3)


def note_read(block):
    reads.append(len(block))
    return block


def forget_chunks(array):
    return array[da.ones(array.shape[0], chunks=array.chunks[0], dtype=bool)]


def as_frame(content, cuts):
    parts = [dask.delayed(content.iloc[a:b]) for a, b in pairwise(cuts)]
    return dd.from_delayed(parts, meta=content.iloc[:0])


def cuts_of(n, n_chunks=N_CHUNKS):
    return np.linspace(0, n, n_chunks + 1).astype(int).tolist()


def make_X(kind, X, n_chunks=N_CHUNKS):
    """The features in some kind; a Dask kind counts how often its chunks are read."""
    if kind == "numpy":
        return X if isinstance(X, np.ndarray) else X.to_numpy()
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X, columns=NAMES[: X.shape[1]])
    if kind == "pandas":
        return frame
    cuts = cuts_of(len(frame), n_chunks)
    if kind == "frame":
        return as_frame(frame, cuts).map_partitions(note_read, meta=frame.iloc[:0])
    array = da.from_array(np.asarray(X), chunks=(tuple(np.diff(cuts).tolist()), 2))
    array = array if kind == "array" else forget_chunks(array)
    return array.rechunk({1: -1}).map_blocks(note_read, meta=np.empty((0, 0), array.dtype))


def make_y(kind, y, n_chunks=N_CHUNKS):
    if kind == "numpy":
        return np.asarray(y)
    if kind == "pandas":
        return pd.Series(y)
    cuts = cuts_of(len(y), n_chunks)
    if kind == "frame":
        return as_frame(pd.Series(y), cuts)
    array = da.from_array(np.asarray(y), chunks=(tuple(np.diff(cuts).tolist()), *np.shape(y)[1:]))
    return array if kind == "array" else forget_chunks(array)


def refuse(X, y, *words, mend=MEND, **params):
    """The message of the error, which has the words in this order, and comes before clustering."""
    params = {"random_state": 0, "kmeans_estimator": SpyKMeans(3, n_init=1)} | params
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is judged below
        KMeansSMOTE(**params).fit_resample(X, y)
    message = str(caught.value)
    assert re.search("(?s)" + ".*".join(words), message), message
    assert mend.search(message), message
    assert not fits
    # the census at most
    assert len(reads) <= N_CHUNKS
    fits.clear()
    return message


def whole(value):
    return rf"(?<![\w.]){re.escape(str(value))}(?![\w]|\.\d)"


def column(kind, number):
    return whole(number) if kind in ("numpy", *ARRAYS) else f"f{number}"


# values of X


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "inf")])
def test_values_that_are_not_finite(data, kind, dtype, value, word):
    X, y = data[0].astype(dtype), data[1]
    X[[3, 50, 51, 70, 119], 2] = value
    refuse(make_X(kind, X), make_y(kind, y), word, column(kind, 2), whole(5))


@pytest.mark.parametrize("kind", EVERY)
def test_each_column_is_named_with_its_count(data, kind):
    X, y = data
    X[:7, 1], X[5:16, 3] = np.nan, np.nan
    words = ["NaN", column(kind, 1), whole(7), column(kind, 3), whole(11)]
    refuse(make_X(kind, X), make_y(kind, y), *words)


@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_infinities_of_both_signs_do_not_hide(data, kind):
    X, y = data
    X[0, 1], X[1, 1] = np.inf, -np.inf
    refuse(make_X(kind, X), make_y(kind, y), "inf", whole(1), whole(2))


@pytest.mark.parametrize("kind", ["csr", "csc", "dask"])
def test_sparse_values_that_are_not_finite(data, kind):
    X, y = data
    X[np.abs(X) < 2] = 0
    X[[3, 50, 51], 2] = np.nan
    if kind == "dask":
        given = make_X("array", X).map_blocks(sparse.csr_matrix, meta=sparse.csr_matrix((0, 0)))
        refuse(given, make_y("array", y), "NaN", whole(2), whole(3))
    else:
        given = sparse.csr_matrix(X) if kind == "csr" else sparse.csc_array(X)
        refuse(given, y, "NaN", whole(2), whole(3))


@pytest.mark.parametrize("kind", ["pandas", "frame"])
@pytest.mark.parametrize(
    "dtype", ["Float64", "Int64", "boolean", "UInt8", "double[pyarrow]", "int64[pyarrow]"]
)
def test_missing_values_of_nullable_types(data, kind, dtype):
    X, y = pd.DataFrame(data[0], columns=NAMES), data[1]
    values = X["f2"] > 0 if dtype == "boolean" else np.abs(X["f2"]).round()
    X["f2"] = values.astype(dtype)
    X.loc[[3, 50, 51], "f2"] = pd.NA
    refuse(make_X(kind, X), make_y(kind, y), "NaN|missing", "f2", whole(3))


OTHER_COLUMNS = {
    "str": lambda n: pd.Series(["x", "1"] * (n // 2)),
    "object": lambda n: pd.Series(["x", "1"] * (n // 2), dtype=object),
    "string[pyarrow]": lambda n: pd.Series(["x", "1"] * (n // 2), dtype="string[pyarrow]"),
    "category": lambda n: pd.Series(["x", "1"] * (n // 2), dtype="category"),
    "category of ints": lambda n: pd.Series([2, 1] * (n // 2), dtype="category"),
    "datetime": lambda n: pd.Series(pd.date_range("2020-01-01", periods=n)),
    "timedelta": lambda n: pd.Series(pd.timedelta_range("1h", periods=n)),
    "complex": lambda n: pd.Series(np.full(n, 1j)),
}


@pytest.mark.parametrize("kind", ["pandas", "frame"])
@pytest.mark.parametrize("name", OTHER_COLUMNS)
def test_columns_that_are_no_numbers(data, kind, name):
    X = pd.DataFrame(data[0], columns=NAMES).assign(where=OTHER_COLUMNS[name](N))
    message = refuse(make_X(kind, X), make_y(kind, data[1]), "where")
    assert "f1" not in message
    # the dtypes are known without reading
    assert not reads


@pytest.mark.parametrize("kind", ["pandas", "frame"])
def test_all_such_columns_are_named(data, kind):
    X = pd.DataFrame(data[0], columns=NAMES)
    X = X.assign(city="x", when=pd.Timestamp("2020-01-01"), kind=pd.Categorical(["a"] * N))
    refuse(make_X(kind, X), make_y(kind, data[1]), "city", "when", "kind")


@pytest.mark.parametrize("dtype", ["U", "O", "M8[D]", "c16"])
@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_arrays_that_are_no_numbers(data, dtype, kind):
    X = np.full((N, 4), "x", dtype) if dtype in "UO" else np.ones((N, 4)).astype(dtype)
    given = X if kind == "numpy" else da.from_array(X, chunks=(30, 4))
    with pytest.raises(ValueError):  # noqa: PT011 - scikit-learn words it in memory
        KMeansSMOTE(kmeans_estimator=SpyKMeans(3)).fit_resample(given, make_y(kind, data[1]))
    assert not fits


@pytest.mark.parametrize("kind", ["pandas", "frame"])
def test_duplicate_column_names(data, kind):
    X = pd.DataFrame(data[0], columns=["a", "b", "c", "b"])
    if kind == "frame":
        # Dask renames or refuses them in most places: this one lets them through
        X = dd.from_map(lambda part: X.iloc[part * 30 : part * 30 + 30], range(4), meta=X.iloc[:0])
    message = refuse(X, make_y(kind, data[1]), "duplicate", "b")
    assert "'a'" not in message


# shapes


@pytest.mark.parametrize("kind", MEMORY + ARRAYS[:1])
def test_lengths_differ(data, kind):
    X, y = data
    refuse(make_X(kind, X), make_y(kind, y[:100]), whole(120), whole(100))


@pytest.mark.parametrize("kinds", [("unknown array",) * 2, ("frame",) * 2, ("array", "frame")])
def test_lengths_of_partitions_differ(data, kinds):
    X, y = data
    # as many partitions, but the labels are fewer: which partition, how many of each
    words = [whole(0), whole(30), whole(25)]
    refuse(make_X(kinds[0], X), make_y(kinds[1], y[:100]), *words)


@pytest.mark.parametrize("kind", ["unknown array", "frame"])
@pytest.mark.parametrize(("n_rows", "n_labels"), [(30, 40), (40, 30)])
def test_partitions_misaligned_at_equal_length(data, kind, n_rows, n_labels):
    X, y = data
    if kind == "frame":
        given = as_frame(pd.DataFrame(X, columns=NAMES), [0, 30, 30 + n_rows, N])
        labels = as_frame(pd.Series(y), [0, 30, 30 + n_labels, N])
    else:
        given = forget_chunks(da.from_array(X, chunks=((30, n_rows, 90 - n_rows), 4)))
        labels = forget_chunks(da.from_array(y, chunks=((30, n_labels, 90 - n_labels),)))
    # the first that differs, the rows and the labels it has
    refuse(given, labels, whole(1), whole(n_rows), whole(n_labels))


@pytest.mark.parametrize(
    "kinds", [("unknown array",) * 2, ("frame",) * 2, ("unknown array", "frame")]
)
def test_numbers_of_partitions_differ(data, kinds):
    X, y = data
    refuse(make_X(kinds[0], X), make_y(kinds[1], y, 3), whole(4), whole(3))
    assert not reads


@pytest.mark.parametrize("kind", EVERY)
def test_no_rows(kind):
    X, y = np.empty((0, 4)), np.empty(0, dtype=int)
    given = make_X(kind, X) if kind in [*MEMORY, "frame"] else da.from_array(X, chunks=(1, 4))
    refuse(given, make_y(kind, y) if kind in [*MEMORY, "frame"] else da.from_array(y), "0|no rows")


@pytest.mark.parametrize("kind", ["unknown array", "frame"])
def test_every_row_filtered_away(data, kind):
    X, y = make_X(kind, data[0]), make_y(kind, data[1])
    if kind == "frame":
        both = as_frame(pd.DataFrame(data[0], columns=NAMES).assign(t=data[1]), cuts_of(N))
        both = both[both["t"] > 5]
        X, y = both[NAMES], both["t"]
    else:
        X, y = X[y > 5], y[y > 5]
    refuse(X, y, "0|no rows")


@pytest.mark.parametrize("kind", ["numpy", "pandas", "array", "frame"])
def test_no_columns(data, kind):
    frame = pd.DataFrame(index=range(N))
    X = {
        "numpy": lambda: np.empty((N, 0)),
        "pandas": lambda: frame,
        "array": lambda: da.empty((N, 0), chunks=(30, 0)),
        "frame": lambda: as_frame(frame, cuts_of(N)),
    }[kind]()
    refuse(X, make_y(kind, data[1]), "(?i)column|feature")


@pytest.mark.parametrize("kind", ["numpy", "array"])
@pytest.mark.parametrize("shape", [(N,), (N, 2, 2)])
def test_features_of_other_dimensions(data, kind, shape):
    X = np.ones(shape)
    X = X if kind == "numpy" else da.from_array(X, chunks=30)
    refuse(X, make_y(kind, data[1]), "dim|2D|<= 2")


@pytest.mark.parametrize("kind", MEMORY + ARRAYS + FRAMES)
@pytest.mark.parametrize("name", ["multilabel", "multioutput"])
def test_two_dimensional_labels(data, kind, name):
    X, y = data
    other = np.random.default_rng(0).integers(0, 2 if name == "multilabel" else 4, N)
    Y = np.column_stack([y, y, other])
    Y[0] = [1, 1, 0] if name == "multilabel" else [1, 3, 2]
    given = {
        "pandas": lambda: pd.DataFrame(Y),
        "frame": lambda: as_frame(pd.DataFrame(Y, columns=list("abc")), cuts_of(N)),
    }.get(kind, lambda: make_y(kind, Y))()
    refuse(make_X(kind, X), given, "(?i)two-dimensional|multilabel|multioutput|1d")


# labels


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("label", [7, "only"])
def test_one_class(data, kind, label):
    refuse(make_X(kind, data[0]), make_y(kind, [label] * N), "(?i)class", whole(label))


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("labels", [[0, 1], ["common", "rare"]], ids=["ints", "strings"])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 2), (5, 6)])
def test_class_too_small_for_its_neighbors(data, kind, labels, n, k):
    X, y = data[0], np.array([labels[0]] * (N - n) + [labels[1]] * n)
    given = make_X(kind, X), make_y(kind, y)
    message = refuse(*given, whole(labels[1]), whole(n), k_neighbors=k)
    assert re.search(whole(k + 1), message) or re.search(whole(k), message)
    reads.clear()
    search = NearestNeighbors(n_neighbors=k + 1)
    refuse(*given, whole(labels[1]), whole(n), k_neighbors=search)


@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_small_class_is_fine_where_nothing_is_made_of_it(data, kind):
    X, y = data
    y = y.copy()
    y[np.flatnonzero(y == 0)[0]] = 2
    sampler = KMeansSMOTE(sampling_strategy={1: 95}, kmeans_estimator=3, random_state=0)
    _, labels = dask.compute(*sampler.fit_resample(make_X(kind, X), make_y(kind, y)))
    assert np.bincount(labels).tolist() == [89, 95, 1]


@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_named_mend_of_a_small_class_works(data, kind):
    X, y = data[0], np.array([0] * (N - 5) + [1] * 5)
    X[-5:] = X[-1] + np.arange(5)[:, None] * 0.01
    message = refuse(make_X(kind, X), make_y(kind, y), "k_neighbors=", k_neighbors=9)
    k = int(re.search(r"k_neighbors=(\d+) or", message)[1])
    assert k == 4
    sampler = KMeansSMOTE(k_neighbors=k, random_state=0, kmeans_estimator=1)
    assert sampler.fit_resample(make_X(kind, X), make_y(kind, y))[0].shape == (2 * (N - 5), 4)


MISSING = {
    "float": lambda y: np.where(np.arange(N) % 40 == 3, np.nan, y),
    "object": lambda y: np.where(np.arange(N) % 40 == 3, None, np.array(["a", "b"], object)[y]),
    "object with nan": lambda y: np.where(
        np.arange(N) % 40 == 3, np.nan, np.array(["a", "b"], object)[y]
    ),
}
MISSING_SERIES = ["str", "string", "category", "Int64", "boolean", "int64[pyarrow]", "Float64"]


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("name", MISSING)
def test_missing_labels(data, kind, name):
    refuse(make_X(kind, data[0]), make_y(kind, MISSING[name](data[1])), "NaN|missing", whole(3))


@pytest.mark.parametrize("kind", ["pandas", "frame"])
@pytest.mark.parametrize("dtype", MISSING_SERIES)
def test_missing_labels_of_nullable_types(data, kind, dtype):
    words = dtype in ("str", "string", "category")
    y = pd.Series(np.array(["a", "b"])[data[1]] if words else data[1]).astype(dtype)
    y[[3, 43, 83]] = None if words else pd.NA
    assert y.isna().sum() == 3
    given = y if kind == "pandas" else as_frame(y, cuts_of(N))
    refuse(make_X(kind, data[0]), given, "NaN|missing", whole(3))


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_continuous_labels(data, kind, dtype):
    y = np.random.default_rng(0).normal(0, 1, N).astype(dtype)
    refuse(make_X(kind, data[0]), make_y(kind, y), "(?i)continuous")


@pytest.mark.parametrize("kind", ["pandas", "frame"])
@pytest.mark.parametrize("dtype", ["Float64", "double[pyarrow]"])
def test_continuous_labels_of_nullable_types(data, kind, dtype):
    y = pd.Series(data[1] + np.linspace(0, 0.5, N)).astype(dtype)
    refuse(make_X(kind, data[0]), y if kind == "pandas" else as_frame(y, cuts_of(N)), "continuous")


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


@pytest.mark.parametrize("kind", EVERY)
def test_clusters_with_too_few_rows(kind):
    X, y = make_imbalanced(N, 4, 0.25, seed=3)
    given = make_X(kind, X), make_y(kind, y)
    frozen = FrozenEstimator(KMeans(6, n_init=1, random_state=0).fit(X))
    most = np.bincount(frozen.predict(X)[y == 1]).max()
    params = {"kmeans_estimator": frozen, "random_state": 0, "cluster_balance_threshold": 0.0}
    with pytest.raises(RuntimeError) as caught:
        KMeansSMOTE(k_neighbors=int(most), **params).fit_resample(*given)
    message = str(caught.value)
    assert re.search(whole(most), message), message
    assert re.search("class.*1", message), message
    k = int(re.search(r"k_neighbors=(\d+)", message)[1])
    assert k == most - 1
    assert KMeansSMOTE(k_neighbors=k, **params).fit(*given).report_["kept"].sum() >= 1


@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_threshold_reached_only_where_rows_are_too_few(kind):
    # four rows of the class alone in a far cluster, the others spread thin
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (N, 4))
    y = np.zeros(N, int)
    y[:12] = 1
    X[:4] += 100
    params = {"kmeans_estimator": 2, "random_state": 0, "k_neighbors": 5}
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
