"""Hostile values: rows of any dtype, columns of any pandas dtype."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4"]
FLOATS = ["f2", "f4", "f8", "g", ">f8"]
TEXTS = {"U5": "1", "S5": b"1", "V8": b"1"}
OTHERS = ["?", "M8[ns]", "m8[s]", "c16", "O", "object of floats", *TEXTS]
DTYPES = [*FLOATS, *INTEGERS, *FLOATS, *OTHERS]
KINDS = ["clouds", "clouds", "clouds", "constant", "duplicates", "grid", "scales", "line"]
EXTREMES = {
    "nan": np.nan, "inf": np.inf, "-inf": -np.inf, "subnormal": 5e-324, "1e308": 1e308,
    "1e200": 1e200, "1e149": 1e149, "-0.0": -0.0,
}  # fmt: skip
SPOILS = [None, None, None, None, *EXTREMES, "largest", "smallest", "nan column"]


def clouds(rng, n, n_features, kind):
    """Finite rows."""
    centers = rng.normal(0, 6, (4, n_features))
    X = centers[rng.integers(0, 4, n)] + rng.normal(0, 1, (n, n_features))
    return {
        "constant": lambda: np.full(X.shape, 3.5),
        "duplicates": lambda: X[rng.integers(0, max(1, n // 6), n)] if n else X,
        "grid": lambda: rng.integers(0, 3, X.shape).astype(float),
        "scales": lambda: X * 10.0 ** rng.integers(-12, 13, n_features),
        "line": lambda: np.repeat(np.linspace(0, 1, n)[:, None], n_features, axis=1),
    }.get(kind, lambda: X)()


def spoil(X, how, rng):
    """Rows of floats, some of their values hostile, the first among them."""
    if how is None or not X.size:
        return X
    X, spots = X.copy(), rng.random(X.shape) < 0.1
    spots.flat[0] = True
    info = np.finfo(X.dtype)
    ends = {"largest": info.max, "smallest": info.tiny}
    with np.errstate(over="ignore"):
        if how == "nan column":
            X[:, -1] = np.nan
        else:
            X[spots] = np.asarray(ends.get(how) if how in ends else EXTREMES[how]).astype(X.dtype)
    return X


def integers(X, dtype, extreme, rng):
    """Rows of an integer dtype, some of their values the ends of its range."""
    info = np.iinfo(np.dtype(dtype))
    whole = np.clip(np.rint(X), max(info.min, -100), 100).astype(dtype)
    ends = np.array([info.min, info.max, info.max - 1], dtype)
    spots = rng.random(X.shape) < (0.3 if extreme else 0)
    whole[spots] = rng.choice(ends, spots.sum())
    return whole


def as_dtype(X, dtype, how, rng):
    """Rows of a numpy dtype."""
    if dtype in FLOATS:
        with np.errstate(over="ignore"):
            return spoil(X.astype(dtype), how, rng)
    if dtype in INTEGERS:
        return integers(X, dtype, how is not None, rng)
    if dtype in TEXTS:
        return np.full(X.shape, TEXTS[dtype], dtype)
    return {
        "object of floats": lambda: spoil(X, how, rng).astype(object),
        "O": lambda: np.where(X > 0, np.array("x", object), 1.5) if how else X.astype(object),
        "?": lambda: X > 0,
    }.get(dtype, lambda: np.clip(np.rint(X), -999, 999).astype("i8").astype(dtype))()


def _whole(dtype):
    return lambda x, rng: _small(x).astype("i8").astype(dtype)


def _top(dtype):
    def make(x, rng):
        values = _small(x).to_numpy().astype("u8")
        values[rng.random(len(x)) < 0.2] = 2**64 - 1
        return pd.Series(values).astype(dtype)

    return make


def _holed(dtype):
    return lambda x, rng: _small(x).astype(dtype).mask(pd.Series(rng.random(len(x)) < 0.2))


def _flags(dtype):
    return lambda x, rng: pd.Series(np.nan_to_num(x) > 0).astype(dtype)


def _floats(dtype):
    return lambda x, rng: pd.Series(x).astype(dtype)


def _small(x):
    return pd.Series(np.clip(np.rint(np.nan_to_num(x)), 0, 100))


def _words(dtype):
    return lambda x, rng: _small(x).astype("i8").astype(str).astype(dtype)


COLUMNS = {
    **{t: _floats(t) for t in ("float64", "float32", "Float64", "object", "double[pyarrow]")},
    **{t: _floats(np.dtype(t)) for t in ("longdouble", "float16")},
    **{t: _whole(t) for t in ("int64", "int8", "Int64", "Int8", "int64[pyarrow]", "complex128")},
    **{t: _top(t) for t in ("uint64", "UInt64", "uint64[pyarrow]")},
    **{t: _flags(t) for t in ("bool", "boolean", "bool[pyarrow]")},
    **{f"{t} with NA": _holed(t) for t in ("Float64", "Int64", "int64[pyarrow]")},
    **{t: _words(t) for t in ("category", "string", "string[pyarrow]")},
    "timedelta": _whole("timedelta64[s]"),
    "datetime": _whole("datetime64[ns]"),
    "date": lambda x, rng: _whole("datetime64[ns]")(x, rng).astype("date32[pyarrow]"),
    "decimal": _whole(pd.ArrowDtype(pa.decimal128(25, 2))),
    "decimals": lambda x, rng: pd.Series([Decimal(int(v)) for v in _small(x)], dtype=object),
    "interval": lambda x, rng: pd.Series(pd.arrays.IntervalArray.from_breaks(range(len(x) + 1))),
    "period": lambda x, rng: pd.Series(pd.period_range("2020-01-01", periods=len(x))),
    "sparse": lambda x, rng: pd.Series(
        pd.arrays.SparseArray(np.where(x > 0, x, 0.0), fill_value=0.0)
    ),
}
