"""Bad input is an error before heavy work, which names the place and the mend."""

from __future__ import annotations

import ast
import re

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from conftest import make_imbalanced
from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import FewNeighborsWarning, InputError
from refusals import (
    ARRAYS,
    EVERY,
    FRAMES,
    MEMORY,
    NAMES,
    N,
    SpyKMeans,
    as_frame,
    column,
    cuts_of,
    fits,
    forget_chunks,
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
    X = X.assign(wave=1j)
    message = refuse(make_X(kind, X), make_y(kind, data[1]), "when", "wave")
    assert "city" not in message
    # what is text is none of the categories that are named
    features = {"categorical_features": ["kind"]}
    refuse(make_X(kind, X), make_y(kind, data[1]), "city", "when", "wave", **features)


@pytest.mark.parametrize("dtype", ["U", "O", "M8[D]", "c16"])
@pytest.mark.parametrize("kind", ["numpy", "array"])
def test_arrays_that_are_no_numbers(data, dtype, kind):
    X = np.full((N, 4), "x", dtype) if dtype in "UO" else np.ones((N, 4)).astype(dtype)
    given = X if kind == "numpy" else da.from_array(X, chunks=(30, 4))
    with pytest.raises(ValueError):  # noqa: PT011 - scikit-learn words it in memory
        KMeansSMOTE(kmeans_estimator=SpyKMeans(3)).fit_resample(given, make_y(kind, data[1]))
    assert not fits


@pytest.mark.parametrize(
    "value", ["abc", 1j, [1, 2], 10**400], ids=["text", "complex", "list", "big"]
)
def test_values_among_objects_that_are_no_numbers(data, value):
    X, y = data[0].astype(object), data[1]
    X[3, 0] = None  # a missing number
    for place in ((7, 2), (60, 1)):
        X[place] = value
    refuse(X, y, "row 7, column 2", re.escape("X = np.delete(X, 2, axis=1)"))


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


COMPAT = {"compat": "imbalanced-learn"}


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("labels", [[0, 1], ["common", "rare"]], ids=["ints", "strings"])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 2), (5, 6)])
def test_class_too_small_for_its_neighbors(data, kind, labels, n, k):
    X, y = data[0], np.array([labels[0]] * (N - n) + [labels[1]] * n)
    given = make_X(kind, X), make_y(kind, y)
    message = refuse(*given, whole(labels[1]), whole(n), k_neighbors=k, **COMPAT)
    assert re.search(whole(k + 1), message) or re.search(whole(k), message)
    reads.clear()
    search = NearestNeighbors(n_neighbors=k + 1)
    refuse(*given, whole(labels[1]), whole(n), k_neighbors=search, **COMPAT)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("k", [6, NearestNeighbors(n_neighbors=7)])
@pytest.mark.parametrize("n", [2, 5])
def test_small_classes_do_not_stop_a_run(data, kind, n, k):
    X, y = data[0], np.array([0] * (N - n) + [1] * n)
    X[-n:] = X[-1] + np.arange(n)[:, None] * 0.01
    sampler = KMeansSMOTE(k_neighbors=k, random_state=0, kmeans_estimator=2)
    with pytest.warns(FewNeighborsWarning, match=rf"Class 1 has 6 rows or fewer.*\({n} rows\)"):
        X_res, y_res = sampler.fit_resample(make_X(kind, X), make_y(kind, y))
    assert np.bincount(dask.compute(y_res)[0]).tolist() == [N - n, N - n]
    assert set(sampler.report_.query("kept").reason) == {"fewer neighbours"}
    parents = sampler.provenance_.compute()
    assert (parents.base_row != parents.neighbor_row).all()
    assert set(parents.neighbor_row) <= set(range(N - n, N))
    assert sampler.validate(X_res, y_res).passed.dropna().all()


@pytest.mark.parametrize("kind", EVERY)
def test_classes_of_one_row_are_told_together_with_what_leaves_them_out(data, kind):
    X, y = data[0], data[1].copy()
    y[:2] = 7, 9
    given = make_X(kind, X), make_y(kind, y)
    message = refuse(*given, "7 has 1, 9 has 1", r"sampling_strategy=\{1: ")
    mend = ast.literal_eval(re.search(r"sampling_strategy=(\{.*?\})", message)[1])
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=3, sampling_strategy=mend)
    y_res = np.asarray(dask.compute(sampler.fit_resample(*given)[1])[0])
    counts = dict(zip(*np.unique(y_res, return_counts=True), strict=True))
    assert counts[7] == counts[9] == 1
    assert counts[0] == counts[1]


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
    message = refuse(make_X(kind, X), make_y(kind, y), "k_neighbors=", k_neighbors=9, **COMPAT)
    k = int(re.search(r"[Pp]ass k_neighbors=(\d+) or", message)[1])
    assert k == 4
    sampler = KMeansSMOTE(k_neighbors=k, random_state=0, kmeans_estimator=1, **COMPAT)
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


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_infinities_are_not_values_beyond_a_bound(dtype):
    X, y = make_imbalanced(90, 3, 0.25, seed=1)
    X = X.astype(dtype)
    X[3, 1] = np.inf
    with pytest.raises(InputError, match="infinity: column 1 has 1") as caught:
        KMeansSMOTE(kmeans_estimator=2).fit(X, y)
    assert "beyond 1e150" not in str(caught.value)
