"""Columns of every type: what comes back is of the type that came, whatever holds it."""

from __future__ import annotations

from decimal import Decimal

import dask
import dask.array as da
import dask.dataframe as dd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dask_kmsmote import KMeansSMOTE, plots
from dask_kmsmote.errors import InputError
from dask_kmsmote.graph import census
from dask_kmsmote.kernels.rows import categories
from statements import run, statements_of

pytestmark = pytest.mark.usefixtures("one_thread")
N = 240
RNG = np.random.default_rng(2)
CODES = RNG.integers(0, 3, N)
TEXT = np.array(list("xyz"))[CODES]
Y = (np.arange(N) % 6 == 0).astype(int)
BASE = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N)})
PARAMS = {"random_state": 0, "kmeans_estimator": 2, "cluster_balance_threshold": 0.0}


def sampler_of(**params):
    return KMeansSMOTE(**PARAMS, **params)


def on_dask(table, n=3):
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_pandas(table, npartitions=n)


def resample(X, **params):
    sampler = sampler_of(**params)
    y = on_dask(pd.Series(Y)) if hasattr(X, "npartitions") else pd.Series(Y)
    result = sampler.fit_resample(X, y)
    found = sampler.validate(*result)
    assert found["passed"].dropna().all(), found.to_string()
    return dask.compute(*result)[0]


LAZY = pytest.mark.parametrize("lazy", [False, True])


def given_as(lazy, table):
    return on_dask(table) if lazy else table


AS_OBJECTS = {
    "booleans": ((CODES == 1).astype(object), bool),
    "integers": (CODES.astype(object), int),
    "decimals": (np.array([Decimal(int(c)) / 4 for c in CODES], dtype=object), Decimal),
}


@pytest.mark.parametrize("name", AS_OBJECTS)
@pytest.mark.parametrize("missing", [False, True])
def test_numbers_as_objects(name, missing):
    values, kind = AS_OBJECTS[name]
    column = pd.Series(values.copy())
    if missing:
        column[::7] = None
    X = BASE.assign(odd=column)
    made = resample(X, categorical_features=[], missing="keep" if missing else "error")["odd"]
    assert made.dtype == object
    new = [value for value in made[N:] if value is not None]
    assert new
    assert {type(value) for value in new} == {kind}
    if kind is Decimal:
        assert {value.as_tuple().exponent for value in new} == {-2}
    assert made[N:].isna().any() == missing


@LAZY
def test_decimals_of_arrow_are_numbers(lazy):
    dtype = pd.ArrowDtype(pa.decimal128(9, 2))
    X = BASE.assign(price=pd.Series([Decimal(int(c)) / 4 for c in CODES], dtype=dtype))
    made = resample(given_as(lazy, X))["price"]
    assert made.dtype == dtype
    assert made[N:].nunique() > 3


@LAZY
def test_a_column_of_nulls_alone(lazy):
    dtype = pd.ArrowDtype(pa.null())
    X = BASE.assign(nothing=pd.Series([None] * N, dtype=dtype), void=np.nan)
    made = resample(given_as(lazy, X), missing="keep")
    assert made["nothing"].dtype == dtype
    assert made[["nothing", "void"]].isna().all(axis=None)
    with pytest.raises(InputError, match=f"column 'nothing' has {N}, column 'void' has {N}") as e:
        resample(given_as(lazy, X))
    # no mean fills them
    assert "fillna" not in str(e.value)


KEPT = {
    "category": pd.Series(TEXT, dtype="category"),
    "category of ints": pd.Series(CODES, dtype="category"),
    "category of floats": pd.Series(CODES / 2, dtype="category"),
    "category of dates": pd.Series(pd.Timestamp(0) + pd.to_timedelta(CODES, "D"), dtype="category"),
    "category of booleans": pd.Series(CODES == 1, dtype="category"),
    "ints": pd.Series(CODES),
    "unsigned": pd.Series(CODES.astype("u1")),
    "bool": pd.Series(CODES == 1),
    "sparse ints": pd.Series(pd.arrays.SparseArray(CODES)),
    "sparse bool": pd.Series(pd.arrays.SparseArray(CODES == 1)),
    "sparse floats": pd.Series(pd.arrays.SparseArray(CODES * 0.5)),
    "intervals": pd.Series(pd.arrays.IntervalArray.from_breaks(np.arange(N + 1))),
    "periods": pd.Series(pd.period_range("2024", periods=N)),
    "lists": pd.Series([[int(c)] for c in CODES]),
    "zones": pd.Series(pd.date_range("2024", periods=N, tz="UTC")),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("how", ["pandas", "known", "unknown"])
def test_what_rides_along(name, layout, how):
    X = BASE.assign(kept=KEPT[name])
    given = given_as(how != "pandas", X)
    if how == "unknown" and isinstance(X["kept"].dtype, pd.CategoricalDtype):
        given["kept"] = given["kept"].cat.as_unknown()
    sampler = sampler_of(passthrough=["kept"], layout=layout)
    y = on_dask(pd.Series(Y)) if how != "pandas" else pd.Series(Y)
    X_res, _ = sampler.fit_resample(given, y)
    (found,) = dask.compute(X_res)
    is_new = ~np.isin(np.arange(len(found)), sampler.order_.positions(np.arange(N)))
    assert found["kept"][is_new].isna().all()
    assert found["kept"][~is_new].astype(object).tolist() == X["kept"].astype(object).tolist()
    if how != "pandas":
        assert X_res.dtypes["kept"] == found["kept"].dtype or name.startswith("category")
        if name.startswith("category"):
            dtypes = {
                str(part["kept"].dtype.categories) for part in dask.compute(*X_res.partitions)
            }
            assert len(dtypes) == 1


def from_parts(parts):
    meta = parts[0].iloc[:0]
    return dd.from_map(lambda number: parts[number], range(len(parts)), meta=meta)


def two_dictionaries():
    second = pd.Categorical(np.array(list("xw"))[CODES[120:] % 2])
    return [
        BASE[:120].assign(c=pd.Categorical(TEXT[:120])),
        BASE[120:].assign(c=second),
    ]


def test_a_partition_with_categories_that_its_frame_does_not_know():
    X = from_parts(two_dictionaries())
    y = on_dask(pd.Series(Y), 2)
    with pytest.raises(InputError, match=r"'c' that its frame does not know: \['w'\]") as caught:
        sampler_of().fit(X, y)
    assert "X['c'] = X['c'].cat.as_unknown()" in str(caught.value)
    X["c"] = X["c"].cat.as_unknown()
    for layout in ("append", "interleave"):
        X_res, _ = sampler_of(layout=layout).fit_resample(X, y)
        types = {str(part["c"].cat.categories) for part in dask.compute(*X_res.partitions)}
        # one for all, in the order of the values, as the files have several
        assert len(types) == 1
        assert X_res.compute()["c"].cat.categories.tolist() == list("wxyz")


@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_the_same_of_a_column_that_rides_along(layout):
    X, y = from_parts(two_dictionaries()), on_dask(pd.Series(Y), 2)
    sampler = sampler_of(passthrough=["c"], layout=layout)
    with pytest.raises(InputError, match=r"'c' that its frame does not know: \['w'\]") as caught:
        sampler.fit(X, y)
    (line,) = statements_of(str(caught.value))
    found = sampler.fit_resample(run(line, X, y)[0], y)[0].compute()["c"]
    originals = found.iloc[sampler.order_.positions(np.arange(N))]
    assert originals.tolist() == [*TEXT[:120], *np.array(list("xw"))[CODES[120:] % 2]]


def test_categories_without_rows_are_no_strange_ones():
    parts = two_dictionaries()
    parts[1]["c"] = pd.Categorical(TEXT[120:], categories=list("wxyz"))
    y = on_dask(pd.Series(Y), 2)
    for params in ({}, {"passthrough": ["c"]}):
        found = sampler_of(**params).fit_resample(from_parts(parts), y)[0].compute()["c"]
        assert found[:N].tolist() == TEXT.tolist()


def test_nulls_in_a_partition_whose_type_has_none():
    X = BASE.assign(c=CODES)
    second = X[120:].astype({"c": float})
    second.loc[130:140, "c"] = np.nan
    given, y = from_parts([X[:120], second]), on_dask(pd.Series(Y), 2)
    with pytest.raises(InputError, match=r"X = X.astype\({'c': 'Int64'}\)"):
        sampler_of(missing="keep").fit(given, y)
    X_res, _ = sampler_of(missing="keep").fit_resample(given.astype({"c": "Int64"}), y)
    assert X_res.compute()["c"].dtype == "Int64"


@LAZY
def test_large_unsigned_categories_of_arrays(lazy):
    X = np.column_stack([np.uint64(2**63) + CODES.astype("u8"), np.arange(N, dtype="u8")])
    given, y = X, Y
    if lazy:
        given, y = da.from_array(X, chunks=(100, 2)), da.from_array(Y, chunks=100)
    sampler = sampler_of(categorical_features=[0])
    result = sampler.fit_resample(given, y)
    assert sampler.validate(*result)["passed"].dropna().all()
    found = np.unique(dask.compute(*result)[0][N:, 0])
    assert found.tolist() == [2**63, 2**63 + 1, 2**63 + 2]


def test_lists_of_numbers_and_text():
    X = [[a, b, text] for a, b, text in zip(BASE["a"], BASE["b"], TEXT, strict=True)]
    sampler = sampler_of(categorical_features=[2])
    X_res, y_res = sampler.fit_resample(X, Y.tolist())
    assert isinstance(X_res, list)
    assert [type(value) for value in X_res[-1]] == [float, float, str]
    assert sampler.validate(X_res, y_res)["passed"].dropna().all()
    plt.close(plots.scatter(X_res, y_res, sampler).figure)


def test_arrays_that_are_read_by_column_alone():
    dates = np.datetime64("2024") + CODES[:, np.newaxis].astype("m8[D]")
    for given in (dates, da.from_array(dates, chunks=100)):
        y = Y if given is dates else da.from_array(Y, chunks=100)
        with pytest.raises(InputError, match="Pass a frame"):
            sampler_of(categorical_features=[0]).fit(given, y)
    objects = da.from_array(np.column_stack([TEXT, CODES]).astype(object), chunks=(100, 2))
    with pytest.raises(InputError, match="Pass a frame"):
        sampler_of(categorical_features=[0]).fit(objects, da.from_array(Y, chunks=100))


def test_more_categories_than_there_may_be(monkeypatch):
    for module in (categories, census):
        monkeypatch.setattr(module, "MOST_CATEGORIES", 100)
    X = BASE.assign(c=np.arange(N), d=TEXT)
    for lazy in (False, True):
        with pytest.raises(InputError, match=r"'c' has more than .* as an id has"):
            resample(given_as(lazy, X), categorical_features=["c", "d"])


def test_columns_that_are_named_by_numbers():
    X = BASE.assign(c=TEXT, d=(CODES == 1))
    X.columns = [2, 0, 3, 1]
    with pytest.raises(InputError, match=r"categorical_features=\[2, 3\]"):
        resample(X, categorical_features=[3])
    # places, as scikit-learn has it
    made = resample(X, categorical_features=[2, 3])
    assert set(made[3][N:]) <= set("xyz")


def test_compat_offers_nothing_that_it_refuses():
    X = BASE.assign(c=TEXT)
    with pytest.raises(InputError) as caught:
        KMeansSMOTE(compat="imbalanced-learn").fit(X, Y)
    assert "categorical_features" not in str(caught.value)
    X = BASE.copy()
    X.iloc[3, 0] = np.nan
    with pytest.raises(InputError) as caught:
        KMeansSMOTE(compat="imbalanced-learn").fit(X, Y)
    assert "missing=" not in str(caught.value)
