"""Tables that are refused: at once, with the names of columns and parameters in the text."""

from __future__ import annotations

import re

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dask_kmsmote import KMeansSMOTE
from dask_kmsmote.errors import InputError, ParameterError
from kinds import as_frame

pytestmark = pytest.mark.usefixtures("one_thread")
BOUNDS = (0, 50, 50, 120)
N = BOUNDS[-1]
Y = np.arange(N) % 5 // 4
KINDS = ["pandas", "frame"]


def sound_frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(0, 1, (N, 3)), columns=["height", "width", "depth"])
    return frame.assign(colour=rng.choice(["red", "green", "blue"], N))


def given_as(kind, frame, reads=None):
    """X and y; of frames the reads of partitions are noted."""
    if kind == "pandas":
        return frame, pd.Series(Y)

    def note(part):
        reads.append(len(part))
        return part

    X = as_frame(frame, BOUNDS)
    X = X if reads is None else X.map_partitions(note, meta=X._meta)
    return X, as_frame(pd.Series(Y), BOUNDS)


def refused(X, y, *words, error=ValueError, **params):
    """The message has all the words."""
    with pytest.raises(error) as caught:
        KMeansSMOTE(**{"random_state": 0} | params).fit_resample(X, y)
    for word in words:
        pattern = rf"(?<![\w.]){re.escape(str(word))}(?!\w|\.\d)"
        assert re.search(pattern, str(caught.value)), (word, str(caught.value))


COLUMNS = {
    "absent": ({"categorical_features": ["colour", "shape"]}, ["shape"]),
    "twice": ({"categorical_features": ["colour", "colour"]}, ["colour"]),
    "twice by number": ({"categorical_features": [3, 3]}, ["categorical_features"]),
    "beyond": ({"categorical_features": [3, 99]}, ["99"]),
    "mask": ({"categorical_features": [False, True]}, ["categorical_features"]),
    "both": ({"categorical_features": ["colour"], "passthrough": ["colour"]}, ["colour"]),
    "absent rider": ({"passthrough": ["shape"]}, ["shape"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", COLUMNS)
def test_columns_that_are_not_there_or_twice(case, kind):
    params, words = COLUMNS[case]
    reads = []
    refused(*given_as(kind, sound_frame(), reads), *words, **params)
    assert not reads


@pytest.mark.parametrize("features", [[4], [-5], [1, 1], [True], ["height"]])
def test_features_that_an_array_does_not_have(features):
    X = sound_frame()[["height", "width", "depth"]].to_numpy()
    refused(X, Y, categorical_features=features)
    refused(da.from_array(X, chunks=50), da.from_array(Y, chunks=50), categorical_features=features)


def test_columns_ride_along_in_frames_alone():
    X = sound_frame()[["height", "width", "depth"]].to_numpy()
    refused(X, Y, "passthrough", passthrough=[0])


ODD = {
    "dates": pd.date_range("2024", periods=N),
    "spans": pd.to_timedelta(np.arange(N), "s"),
    "zones": pd.date_range("2024", periods=N, tz="UTC"),
    "periods": pd.period_range("2024", periods=N),
    "complex": np.arange(N) * 1j,
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_columns_of_wrong_types_are_named_before_rows_are_read(kind):
    frame, reads = sound_frame().assign(**ODD), []
    refused(*given_as(kind, frame, reads), *ODD, error=InputError)
    assert not reads
    for name in ODD:
        refused(*given_as(kind, frame[["height", name, "colour"]]), name, error=InputError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [["red", 1.5], [["red"], ["blue"]], [{"red": 1}, None]])
def test_objects_that_are_neither_text_nor_numbers(values, kind):
    # Dask would make text of them
    with dask.config.set({"dataframe.convert-string": False}):
        odd = pd.Series(values * (N // 2), dtype=object)
        X, y = given_as(kind, sound_frame().assign(odd=odd))
        refused(X, y, "odd", error=InputError)
        refused(X, y, "odd", error=InputError, missing="keep")


def with_gaps():
    frame = sound_frame().astype({"colour": "category"}).assign(text="some", grown=True)
    frame = frame.astype({"grown": "boolean"})
    for name, value, n in [
        ("height", np.nan, 13), ("width", np.inf, 17), ("colour", None, 19),
        ("text", None, 23), ("grown", pd.NA, 29),
    ]:  # fmt: skip
        frame.loc[frame.index[-n:], name] = value
    return frame


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_missing_and_infinite_is_said_together(kind):
    words = ["height", 13, "width", 17, "colour", 19, "text", 23, "grown", 29]
    refused(*given_as(kind, with_gaps()), *words, error=InputError)
    refused(*given_as(kind, with_gaps()), *words, error=InputError, missing="error")
    # "keep" is of what is missing, and an infinity is not
    refused(*given_as(kind, with_gaps()), "width", 17, error=InputError, missing="keep")


@pytest.mark.parametrize("lazy", [False, True])
def test_missing_and_infinite_values_of_arrays(lazy):
    X, y = sound_frame()[["height", "width", "depth"]].to_numpy(copy=True), Y
    X[:, 2] = np.arange(N) % 3
    X[:13, 0], X[:17, 1], X[:19, 2] = np.nan, np.inf, np.nan
    if lazy:
        X, y = da.from_array(X, chunks=(50, 2)), da.from_array(y, chunks=50)
    refused(X, y, 13, 17, 19, error=InputError, categorical_features=[2])
    refused(X, y, 1, 17, error=InputError, categorical_features=[2], missing="keep")


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows_have_no_categories(make):
    X = make(sound_frame()[["height", "width"]].to_numpy())
    refused(X, Y, "sparse", error=InputError, categorical_features=[0])


TABLE_PARAMETERS = {
    "categorical_features": [0], "missing": "keep", "categorical_weight": 2.0,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE_PARAMETERS)
def test_imbalanced_learn_has_no_such_parameter(name):
    X = sound_frame()[["height", "width"]].to_numpy()
    params = {name: TABLE_PARAMETERS[name], "compat": "imbalanced-learn"}
    refused(X, Y, name, error=ParameterError, **params)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("categorical_features", "colour"), ("categorical_features", 3),
        ("missing", "drop"), ("missing", True), ("passthrough", "colour"),
        ("categorical_weight", -1.0), ("categorical_weight", np.nan),
        ("categorical_weight", np.inf), ("categorical_weight", "median"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_values_that_a_parameter_can_not_have(name, value, kind):
    refused(*given_as(kind, sound_frame()), name, **{name: value})


def test_columns_in_another_order_than_the_frame_says():
    frame = sound_frame()
    swapped = frame[["height", "depth", "width", "colour"]]
    parts = [dask.delayed(part) for part in (frame.iloc[:50], swapped.iloc[50:])]
    X = dd.from_delayed(parts, meta=frame.iloc[:0], verify_meta=False)
    refused(X, as_frame(pd.Series(Y), (0, 50, N)), "width", "depth", error=InputError)
