"""The lines in a refusal that mend it run as they are, for the kind of data that came."""

from __future__ import annotations

import ast
import re

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sparse as pydata_sparse
from scipy import sparse

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError
from statements import run, statements_of

pytestmark = pytest.mark.usefixtures("one_thread")
N = 200
Y = (np.arange(N) % 5 == 0).astype(int)


def numbers():
    return np.random.default_rng(0).normal(0, 1, (N, 3))


def frame():
    rng = np.random.default_rng(1)
    found = pd.DataFrame(numbers(), columns=["height", "two words", "depth"])
    return found.assign(color=rng.choice(["red", "blue"], N), flag=rng.random(N) < 0.5)


def as_dask(table):
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_pandas(table, npartitions=3)


def blocks_of(kind):
    return lambda X: da.from_array(X, chunks=(90, 3)).map_blocks(kind)


def with_none(X):
    # None is a missing number, as in JSON
    return np.where(np.isnan(X), None, X)


HOLDERS = {
    "numpy": lambda X: X,
    "objects": lambda X: X.astype(object),
    "objects with None": with_none,
    "list": lambda X: X.tolist(),
    "list with None": lambda X: with_none(X).tolist(),
    "tuples": lambda X: tuple(map(tuple, X)),
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_matrix,
    "bsr": sparse.bsr_matrix,
    "dask array": lambda X: da.from_array(X, chunks=(90, 3)),
    "csr blocks": blocks_of(sparse.csr_matrix),
    "csc blocks": blocks_of(sparse.csc_array),
}


def rows_of(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def target_of(X):
    if isinstance(X, da.Array):
        return da.from_array(Y, chunks=90)
    return as_dask(pd.Series(Y)) if hasattr(X, "npartitions") else pd.Series(Y)


def refusal(X, **params):
    with pytest.raises(InputError) as caught:
        resample(X, **params)
    return str(caught.value)


def resample(X, **params):
    sampler = KMeansSMOTE(random_state=0, kmeans_estimator=2, **params)
    return dask.compute(*sampler.fit_resample(X, target_of(X)))


def mended(line, X):
    return run(line, X.copy() if hasattr(X, "copy") else X, None)[0]


def parameters_of(message):
    """What the message says to pass."""
    found = re.findall(r"(passthrough|categorical_features|missing)=(\[.*?\]|'.*?')", message)
    return [{name: ast.literal_eval(value)} for name, value in found]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_of_arrays(holder, value):
    X = numbers()
    X[3:9, 1] = value
    given = HOLDERS[holder](X)
    message = refusal(given)
    lines, ways = statements_of(message), parameters_of(message)
    assert len(lines) == 1
    assert ways == ([{"missing": "keep"}] if np.isnan(value) else [])
    resample(mended(lines[0], given))
    for way in ways:
        X_res, _ = resample(given, **way)
        assert rows_of(X_res) > N


@pytest.mark.parametrize("kind", [sparse.lil_matrix, sparse.dok_array])
def test_values_of_matrices_that_no_line_mends(kind):
    X = numbers()
    X[3:9, 1] = np.nan
    message = refusal(kind(X))
    assert not statements_of(message)
    for way in parameters_of(message):
        resample(kind(X), **way)


def test_originals_of_a_list_stay_as_they_were():
    X = with_none(np.where(np.arange(3) == 1, np.nan, numbers())).tolist()
    X_res, _ = resample(X, missing="keep")
    assert X_res[:N] == X
    assert all(np.isnan(row[1]) for row in X_res[N:])


SPARSE = pd.SparseDtype
WITHOUT_MEAN = [
    "Int64", "boolean", "int64[pyarrow]", "string", "category", SPARSE(float), SPARSE(float, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", ["Float64", "Float32", "double[pyarrow]"])
def test_missing_values_of_columns_with_nulls(lazy, dtype):
    X = frame().assign(whole=pd.array(np.arange(N), dtype="Int64"))
    X.loc[3:9, "depth"] = np.nan
    X = X.astype({"depth": dtype})
    given = as_dask(X) if lazy else X
    message = refusal(given)
    (line,) = statements_of(message)
    resample(mended(line, given))
    for way in parameters_of(message):
        resample(given, **way)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", WITHOUT_MEAN, ids=str)
def test_missing_values_that_have_no_mean(lazy, dtype):
    X = frame()
    X["depth"] = (X["depth"] > 0).astype(int).astype("Int64")
    X.loc[3:9, "depth"] = pd.NA
    X["depth"] = (X["depth"].astype(float) if isinstance(dtype, SPARSE) else X["depth"]).astype(
        dtype
    )
    given = as_dask(X) if lazy else X
    message = refusal(given)
    assert not statements_of(message)
    assert parameters_of(message) == [{"missing": "keep"}]
    resample(given, missing="keep")


def test_missing_values_beside_text_of_an_array():
    X = np.column_stack([with_none(numbers()), np.where(Y, "a", "b").astype(object)])
    X[3:9, 1] = None
    for given in (X, X.tolist()):
        with pytest.raises(InputError) as caught:
            resample(given, categorical_features=[3])
        (line,) = statements_of(str(caught.value))
        resample(mended(line, given), categorical_features=[3])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_of_frames(lazy, value):
    X = frame()
    X.loc[3:9, ["two words", "depth"]] = value
    given = as_dask(X) if lazy else X
    message = refusal(given)
    lines, ways = statements_of(message), parameters_of(message)
    assert len(lines) == (1 if np.isnan(value) else 2)
    for line in lines:
        resample(mended(line, given))
    for way in ways:
        resample(given, **way)


COLUMNS = {
    "dates": pd.date_range("2024", periods=N),
    "zones": pd.date_range("2024", periods=N, tz="UTC"),
    "lists": [[1]] * N,
    "complex": np.full(N, 1j),
}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_frames(lazy, name):
    X = frame().assign(odd=COLUMNS[name], other=COLUMNS[name])
    given = as_dask(X) if lazy else X
    message = refusal(given)
    ways = parameters_of(message)
    assert {"passthrough": ["odd", "other"]} in ways
    for way in ways:
        resample(given, **way)
    for line in statements_of(message):
        found = mended(line, given)
        if "drop" in line:
            resample(found)
        else:
            # of one date; the other is named next
            assert "other" in refusal(found)
            resample(found, passthrough=["other"])


@pytest.mark.parametrize("lazy", [False, True])
def test_text_that_a_list_leaves_out(lazy):
    given = as_dask(frame()) if lazy else frame()
    message = refusal(given, categorical_features=["flag"])
    assert {"categorical_features": ["color", "flag"]} in parameters_of(message)
    for way in parameters_of(message):
        resample(given, **{"categorical_features": ["flag"]} | way)


@pytest.mark.parametrize("lazy", [False, True])
def test_objects_of_several_types(lazy):
    X = frame().assign(odd=pd.Series(["x", 1] * (N // 2), dtype=object))
    given = as_dask(X) if lazy else X
    message = refusal(given)
    assert "odd" in message
    for way in parameters_of(message):
        resample(given, **way)
    for line in statements_of(message):
        resample(mended(line, given))
    assert statements_of(message)


def test_numbers_as_objects_on_dask():
    given = as_dask(frame().assign(odd=pd.Series(np.arange(N), dtype=object)))
    message = refusal(given)
    (line, *_) = statements_of(message)
    resample(mended(line, given))


def test_columns_in_another_order():
    X = frame()
    parts = [dask.delayed(part) for part in (X.iloc[:90], X.iloc[90:, ::-1])]
    given = dd.from_delayed(parts, meta=X.iloc[:0], verify_meta=False)
    y = as_dask(pd.Series(Y)).repartition(divisions=(0, 90, N - 1))
    with pytest.raises(InputError) as caught:
        KMeansSMOTE(random_state=0).fit(given, y)
    (line,) = statements_of(str(caught.value))
    KMeansSMOTE(random_state=0, kmeans_estimator=2).fit(mended(line, given), y)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    "names",
    [["a", "a", "b", "c", "d"], [0, 0, 1, 0, 2], [None, 1, "a", "b", "c"], [np.nan, *"abcd"]],
)
def test_names_of_columns(lazy, names):
    X = frame().set_axis(pd.Index(names), axis=1)
    # Dask renames or refuses doubles in most places: this one lets them through
    parts = [X[:67], X[67:134], X[134:]]
    given = dd.from_map(lambda place: parts[place], range(3), meta=X[:0]) if lazy else X
    (line,) = statements_of(refusal(given))
    found = mended(line, given)
    if not lazy:  # scikit-learn wants all of them to be text, or none
        found.columns = found.columns.map(str)
    resample(found)


@pytest.mark.parametrize("how", ["default", "arrow"])
@pytest.mark.parametrize("as_what", ["feature", "kept", "target"])
def test_folders_that_name_a_null(tmp_path, how, as_what):
    table = frame().assign(city=np.resize(np.array(["rome", None, "oslo"], dtype=object), N), t=Y)
    table.to_parquet(tmp_path / "table", partition_cols=["city"])
    path = tmp_path / "table"
    params = {"passthrough": ["city"]} if as_what == "kept" else {"missing": "keep"}
    target = "city" if as_what == "target" else "t"

    def resampled(table):
        X, y = table.drop(columns=target), table[target]
        X_res, _ = KMeansSMOTE(random_state=0, kmeans_estimator=2, **params).fit_resample(X, y)
        return X_res.compute()

    given = dd.read_parquet(path, filesystem="arrow" if how == "arrow" else None)
    if how == "arrow" and as_what != "target":  # whose frame knows the names of the first folder
        given["city"] = given["city"].cat.as_unknown()
    with pytest.raises(InputError, match="names a null") as caught:
        resampled(given)
    line = re.search(r"dd\.read_parquet\(.*\}\)", str(caught.value))[0]
    table = eval(line, {"dd": dd, "pa": pa, "path": path})  # noqa: S307 - the line is what is tested
    if as_what == "target":
        table = table[table["city"].notnull()]
    found = resampled(table)
    assert len(found) > len(table)
    if as_what != "target":
        assert found["city"][:N].isna().sum() == 67


CHUNKS = {
    "objects": lambda block: block.astype(object),
    "pandas": pd.DataFrame,
    "lists": lambda block: block.tolist(),
    "coo": sparse.coo_matrix,
    "lil": sparse.lil_array,
    "COO": pydata_sparse.COO.from_numpy,
    "COO of ones": lambda block: pydata_sparse.COO.from_numpy(block, fill_value=1.0),
    "GCXS": pydata_sparse.GCXS.from_numpy,
}


@pytest.mark.parametrize("name", CHUNKS)
@pytest.mark.parametrize("is_known", [False, True])
def test_chunks_of_another_kind(name, is_known):
    X = numbers()
    parts = [dask.delayed(CHUNKS[name])(X[low : low + 90]) for low in range(0, N, 90)]
    # what an array says of its blocks may be so, or not
    meta = CHUNKS[name](X[:0]) if is_known and name not in ("pandas", "lists") else None
    shapes = [(90, 3), (90, 3), (20, 3)]
    given = da.concatenate(
        [
            da.from_delayed(part, shape, X.dtype, meta=meta)
            for part, shape in zip(parts, shapes, strict=True)
        ]
    )
    (line,) = statements_of(refusal(given))
    X_res, _ = resample(mended(line, given))
    X_res = X_res.toarray() if sparse.issparse(X_res) else X_res
    np.testing.assert_array_equal(X_res[:N], X)


@pytest.mark.parametrize("fill", [1.0, -1.0, np.nan, 0.0])
@pytest.mark.parametrize("n_sparse", [1, 3])
@pytest.mark.parametrize("lazy", [False, True])
def test_sparse_columns_of_any_fill_value(fill, n_sparse, lazy):
    X = pd.DataFrame(np.where(np.abs(numbers()) < 0.5, 1.0, numbers()), columns=list("abc"))
    dtypes = dict.fromkeys(list("abc")[:n_sparse], SPARSE(float, fill))
    given = X.astype(dtypes)
    found, _ = resample(as_dask(given) if lazy else given)
    assert found.dtypes.tolist() == given.dtypes.tolist()
    pd.testing.assert_frame_equal(found[:N].astype(float), X)
    dense, _ = resample(X)
    # means of zeros that are not stored may round otherwise
    np.testing.assert_allclose(found.astype(float), dense, rtol=1e-12)


@pytest.mark.parametrize("names", [[2], [0, 2]])
def test_text_in_an_array(names):
    X = numbers().astype(object)
    X[:, names] = "text"
    message = refusal(X)
    assert "text" in message
    # sparse rows have no place for codes
    rows = sparse.csr_matrix(numbers())
    message = refusal(rows, categorical_features=[0])
    (line, *_) = statements_of(message)
    resample(mended(line, rows), categorical_features=[0])
