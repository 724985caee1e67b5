"""The lines in a refusal that mend it run as they are, for the kind of data that came."""

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

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError

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


HOLDERS = {
    "numpy": lambda X: X,
    "csr": sparse.csr_matrix,
    "dask array": lambda X: da.from_array(X, chunks=(90, 3)),
    "sparse blocks": lambda X: da.from_array(X, chunks=(90, 3)).map_blocks(sparse.csr_matrix),
}


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


def lines_of(message):
    """The statements on X, which go to the end of a sentence."""
    found = []
    for start in re.finditer(r"(?<![\w.])X(?=\[|\.data\b| = )", message):
        rest = message[start.start() :]
        ends = [end.start() for end in re.finditer(r"[.;,] |\.$|$", rest)]
        parsed = [rest[:end] for end in ends if is_statement(rest[:end])]
        if parsed:
            found.append(parsed[0])
    return found


def is_statement(text):
    try:
        (node,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return isinstance(node, ast.Assign)


def mended(line, X):
    space = {"X": X.copy(), "np": np, "pd": pd, "da": da}
    exec(line, space)  # noqa: S102 - the line is what is tested
    return space["X"]


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
    lines, ways = lines_of(message), parameters_of(message)
    assert len(lines) == 1
    assert ways == ([{"missing": "keep"}] if np.isnan(value) else [])
    resample(mended(lines[0], given))
    for way in ways:
        X_res, _ = resample(given, **way)
        assert X_res.shape[0] > N


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_of_frames(lazy, value):
    X = frame()
    X.loc[3:9, ["two words", "depth"]] = value
    given = as_dask(X) if lazy else X
    message = refusal(given)
    lines, ways = lines_of(message), parameters_of(message)
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
    for line in lines_of(message):
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
    for line in lines_of(message):
        resample(mended(line, given))
    assert lines_of(message)


def test_numbers_as_objects_on_dask():
    given = as_dask(frame().assign(odd=pd.Series(np.arange(N), dtype=object)))
    message = refusal(given)
    (line, *_) = lines_of(message)
    resample(mended(line, given))


def test_columns_in_another_order():
    X = frame()
    parts = [dask.delayed(part) for part in (X.iloc[:90], X.iloc[90:, ::-1])]
    given = dd.from_delayed(parts, meta=X.iloc[:0], verify_meta=False)
    y = as_dask(pd.Series(Y)).repartition(divisions=(0, 90, N - 1))
    with pytest.raises(InputError) as caught:
        KMeansSMOTE(random_state=0).fit(given, y)
    (line,) = lines_of(str(caught.value))
    KMeansSMOTE(random_state=0, kmeans_estimator=2).fit(mended(line, given), y)


@pytest.mark.parametrize("names", [[2], [0, 2]])
def test_text_in_an_array(names):
    X = numbers().astype(object)
    X[:, names] = "text"
    message = refusal(X)
    assert "text" in message
    # sparse rows have no place for codes
    rows = sparse.csr_matrix(numbers())
    message = refusal(rows, categorical_features=[0])
    (line, *_) = lines_of(message)
    resample(mended(line, rows), categorical_features=[0])
