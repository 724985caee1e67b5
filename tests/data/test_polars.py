"""Frames and series of polars come back as such, of the same types, the originals as they were."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import dask
import dask.array as da
import dask.dataframe as dd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from dask_kmsmote import KMeansSMOTE, plots
from dask_kmsmote.errors import InputError
from statements import run, statements_of

pytestmark = pytest.mark.usefixtures("one_thread")
N = 240
RNG = np.random.default_rng(3)
CODES = RNG.integers(0, 3, N)
Y = (np.arange(N) % 6 == 0).astype(int)
TEXT = np.array(["x", "y", "z"])[CODES]
NUMBERS = pl.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N)})
PARAMS = {"random_state": 0, "kmeans_estimator": 2, "cluster_balance_threshold": 0.0}
MISSING = np.arange(N) % 7 == 3


def sampler_of(**params):
    return KMeansSMOTE(**PARAMS | params)


def gaps(values):
    return [None if gone else value for gone, value in zip(MISSING, values, strict=True)]


def resample(X, y=Y, **params):
    sampler = sampler_of(**params)
    X_res, y_res = sampler.fit_resample(X, y)
    found = sampler.validate(X_res, y_res)
    assert found["passed"].dropna().all(), found.to_string()
    assert isinstance(X_res, pl.DataFrame)
    assert X_res.schema == X.schema
    positions = sampler.order_.positions(np.arange(N))
    assert_frame_equal(X_res[positions], X)
    return X_res.filter(~pl.Series(np.isin(np.arange(len(X_res)), positions))), y_res


FEATURES = {
    "Float64": pl.Series(RNG.normal(size=N)),
    "Float32": pl.Series(RNG.normal(size=N), dtype=pl.Float32),
    "Int64": pl.Series(CODES * 3),
    "large": pl.Series(2**60 + CODES),
    "Int8": pl.Series(CODES, dtype=pl.Int8),
    "UInt64": pl.Series(CODES, dtype=pl.UInt64),
    "Boolean": pl.Series(CODES == 1),
    "String": pl.Series(TEXT),
    "Categorical": pl.Series(TEXT, dtype=pl.Categorical),
    "Enum": pl.Series(TEXT, dtype=pl.Enum(["z", "unused", "x", "y"])),
    "Decimal": pl.Series([Decimal(int(c)) / 4 for c in CODES], dtype=pl.Decimal(9, 2)),
}


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("layout", ["append", "interleave"])
def test_features(name, missing, layout):
    column = FEATURES[name]
    if missing:
        column = pl.Series(gaps(column.to_list()), dtype=column.dtype)
    X = NUMBERS.with_columns(own=column)
    made, y_res = resample(X, missing="keep" if missing else "error", layout=layout)
    assert len(made) == 160
    assert np.bincount(y_res).tolist() == [200, 200]
    assert bool(made["own"].null_count()) == missing
    if name in ("Boolean", "String", "Categorical", "Enum"):
        assert set(made["own"].drop_nulls().to_list()) <= set(column.to_list())
    else:
        low, high = column.min(), column.max()
        assert low <= made["own"].min() <= made["own"].max() <= high


KEPT = {
    "dates": pl.Series([dt.date(2024, 1, 1 + int(c)) for c in CODES]),
    "times": pl.Series([dt.time(int(c)) for c in CODES]),
    "stamps": pl.Series([dt.datetime(2024, 1, 1 + int(c)) for c in CODES]),  # noqa: DTZ001
    "zones": pl.Series(
        [dt.datetime(2024, 1, 1 + int(c), tzinfo=dt.UTC) for c in CODES],
        dtype=pl.Datetime("ms", "Europe/Rome"),
    ),
    "spans": pl.Series([dt.timedelta(int(c)) for c in CODES]),
    "lists": pl.Series([[int(c)] for c in CODES]),
    "arrays": pl.Series([[1, int(c)] for c in CODES], dtype=pl.Array(pl.Int8, 2)),
    "structs": pl.Series([{"a": int(c)} for c in CODES]),
    "binary": pl.Series([bytes([c]) for c in CODES]),
    "ints": pl.Series(CODES, dtype=pl.UInt16),
    "gaps": pl.Series(gaps(CODES.tolist())),
    "booleans": pl.Series(CODES == 1),
    "categories": FEATURES["Categorical"],
    "enums": FEATURES["Enum"],
    "nulls": pl.Series([None] * N),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
def test_what_rides_along_keeps_its_type(name, compat):
    X = NUMBERS.with_columns(kept=KEPT[name])
    # imbalanced-learn makes no rows where no cluster reaches its threshold
    made, _ = resample(X, passthrough=["kept"], compat=compat)
    assert made["kept"].null_count() == len(made) > 0


@pytest.mark.parametrize("compat", [None, "imbalanced-learn"])
@pytest.mark.parametrize("columns", ["floats", "mixed"])
def test_the_same_rows_as_of_pandas(compat, columns):
    X = NUMBERS if columns == "floats" else NUMBERS.with_columns(c=CODES, d=CODES.astype("f4"))
    made, _ = resample(X, compat=compat)
    expected, _ = sampler_of(compat=compat).fit_resample(X.to_pandas(), Y)
    pd.testing.assert_frame_equal(made.to_pandas(), expected[N:].reset_index(drop=True))


LABELS = {
    "Int64": pl.Series("t", Y),
    "Int8": pl.Series("t", Y, dtype=pl.Int8),
    "Boolean": pl.Series("t", Y == 1),
    "String": pl.Series("t", np.array(["common", "rare"])[Y]),
    "Categorical": pl.Series("t", np.array(["common", "rare"])[Y], dtype=pl.Categorical),
    "Enum": pl.Series("t", np.array(["common", "rare"])[Y], dtype=pl.Enum(["rare", "common"])),
}


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("beside", ["polars", "numpy", "pandas"])
def test_labels(name, beside):
    y = LABELS[name]
    X = {"polars": NUMBERS, "numpy": NUMBERS.to_numpy(), "pandas": NUMBERS.to_pandas()}[beside]
    sampler = sampler_of()
    X_res, y_res = sampler.fit_resample(X, y)
    assert type(X_res) is type(X)
    assert_series_equal(y_res[:N], y)
    assert y_res.dtype == y.dtype
    assert y_res[N:].to_list() == [y[0]] * 160
    assert sampler.sampling_strategy_ == {y[0]: 160}
    assert sampler.validate(X_res, y_res)["passed"].dropna().all()


@pytest.mark.parametrize("kind", ["numpy", "list", "pandas", "one-vs-all"])
def test_labels_of_other_kinds_come_back_as_they_came(kind):
    y = {"list": Y.tolist(), "pandas": pd.Series(Y, name="t"), "one-vs-all": np.eye(2)[Y]}.get(
        kind, Y
    )
    _, y_res = resample(NUMBERS, y)
    assert type(y_res) is type(y)


def test_synthetic_rows_alone_and_none():
    X_new, y_new = sampler_of().fit_synthesize(NUMBERS, LABELS["Enum"])
    assert X_new.shape == (160, 2)
    assert y_new.to_list() == ["rare"] * 160
    counts = {0: 200, 1: 40}
    made, _ = resample(NUMBERS.with_columns(c=FEATURES["Enum"]), sampling_strategy=counts)
    assert len(made) == 0


def test_names_plots_and_provenance():
    X = NUMBERS.with_columns(c=FEATURES["Categorical"])
    sampler = sampler_of()
    result = sampler.fit_resample(X, LABELS["String"])
    assert sampler.feature_names_in_.tolist() == ["a", "b", "c"]
    assert sampler.n_features_in_ == 3
    parents = sampler.provenance_.compute()
    base, other = (X["a"].to_numpy()[parents[name]] for name in ("base_row", "neighbor_row"))
    expected = base + parents["gap"] * (other - base)
    np.testing.assert_allclose(result[0]["a"].to_numpy()[N:], expected)
    plt.close(plots.scatter(*result, sampler).figure)
    plt.close(plots.nearest_original_distances(*result, sampler).figure)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 1e200])
def test_lines_that_mend_values(value):
    column = pl.Series("two words", [value if gone else 1.0 * n for n, gone in enumerate(MISSING)])
    X = NUMBERS.with_columns(column, text=pl.Series(TEXT))
    with pytest.raises(InputError) as caught:
        resample(X)
    lines = statements_of(str(caught.value))
    assert len(lines) == (1 if value is None or np.isnan(value) else 2)
    for line in lines:
        resample(run(line, X, Y)[0])


@pytest.mark.parametrize("name", ["dates", "stamps", "zones", "spans", "lists", "binary"])
def test_lines_that_mend_columns(name):
    X = NUMBERS.with_columns(kept=KEPT[name])
    with pytest.raises(InputError, match=r"passthrough=\['kept'\]") as caught:
        resample(X)
    lines = statements_of(str(caught.value))
    assert len(lines) == (2 if name in ("stamps", "zones") else 1)
    for line in lines:
        resample(run(line, X, Y)[0])


def test_types_that_arrow_does_not_have():
    X = NUMBERS.with_columns(wide=pl.Series(CODES, dtype=pl.Int128))
    with pytest.raises(InputError, match="'wide' is of Int128") as caught:
        resample(X)
    (line,) = statements_of(str(caught.value))
    resample(run(line, X, Y)[0])


@pytest.mark.parametrize("lazy", ["array", "frame"])
def test_beside_dask(lazy):
    X = NUMBERS.to_pandas()
    if lazy == "array":
        X = da.from_array(X.to_numpy(), chunks=(100, 2))
        _X_res, y_res = dask.compute(*sampler_of().fit_resample(X, LABELS["Int64"]))
        assert np.bincount(y_res).tolist() == [200, 200]
    with pytest.raises(InputError, match="X is a polars DataFrame, in memory, and y a Dask"):
        sampler_of().fit(NUMBERS, dd.from_pandas(pd.Series(Y), npartitions=2))


def test_it_is_not_imported_for_others():
    code = (
        "import sys, numpy as np; from dask_kmsmote import KMeansSMOTE;"
        "X = np.random.default_rng(0).normal(size=(100, 2)); y = (np.arange(100) % 5 == 0) * 1;"
        "s = KMeansSMOTE(kmeans_estimator=1); s.validate(*s.fit_resample(X, y));"
        "assert 'polars' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


@pytest.mark.parametrize("layout", ["append", "interleave"])
@pytest.mark.parametrize("passthrough", [[], [""]])
def test_a_column_without_a_name(layout, passthrough):
    resample(NUMBERS.rename({"a": ""}), layout=layout, passthrough=passthrough)
