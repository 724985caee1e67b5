"""What became of a case: a right result, or an error that is named."""

from __future__ import annotations

import warnings
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils._param_validation import InvalidParameterError

from alarm import time_limit
from dask_kmsmote import KMeansSMOTE, errors

SECONDS = 120  # for a case of a second or less, on a machine with much else to do
NAMED = tuple(
    cls for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, Exception) and cls.__module__ == errors.__name__
)  # fmt: skip


@dataclass
class Result:
    """X and y as given and as resampled, in memory, and the sampler."""

    X: Any
    y: Any
    X_new: Any
    y_new: Any
    parents: pd.DataFrame
    sampler: KMeansSMOTE


def outcome(case):
    """ "right", or the name of the error; anything else is raised."""
    X, y = case.build()
    before = [part if dask.is_dask_collection(part) else deepcopy(part) for part in (X, y)]
    try:
        with time_limit(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("error")
            # hostile data are small
            warnings.simplefilter("ignore", errors.PlanWarning)
            result = resample(X, y, case.params)
    except (*NAMED, InvalidParameterError) as error:
        found = type(error).__name__
    else:
        check(case, result)
        found = "right"
    for old, new in zip(before, (X, y), strict=True):
        assert new is old or same(old, new), "the input was modified"
    return found


def resample(X, y, params):
    sampler = KMeansSMOTE(**params)
    X_new, y_new = (dask.compute(part)[0] for part in sampler.fit_resample(X, y))
    parents = sampler.provenance_.compute()
    return Result(dask.compute(X)[0], dask.compute(y)[0], X_new, y_new, parents, sampler)


def same(old, new):
    """Whether two inputs are equal to the byte."""
    if sparse.issparse(old):
        return old.shape == new.shape and same(old.data, new.data)
    if isinstance(old, pd.DataFrame | pd.Series):
        return type(old) is type(new) and old.equals(new) and old.index.equals(new.index)
    if isinstance(old, np.ndarray) and old.dtype.kind != "O":
        return old.dtype == new.dtype and old.tobytes() == new.tobytes()
    return repr(old) == repr(new)


def plain_dtype(dtype):
    """The numpy dtype of a column's values."""
    return np.dtype(getattr(dtype, "subtype", getattr(dtype, "numpy_dtype", dtype)))


def dtypes(X):
    """The dtype of each column; in native byte order, as numpy's concatenation makes it."""
    if isinstance(X, pd.DataFrame):
        return list(X.dtypes)
    X = X if hasattr(X, "dtype") else np.asarray(X)
    # objects that are numbers come back as what scikit-learn makes of them
    return [X.dtype.newbyteorder("=") if X.dtype.kind != "O" else np.dtype("f8")] * X.shape[1]


def exact(X):
    """Values as long doubles, which hold all of 64 bits."""
    if isinstance(X, pd.DataFrame):
        columns = [X.iloc[:, j].to_numpy(plain_dtype(dtype)) for j, dtype in enumerate(X.dtypes)]
        return np.stack([column.astype(np.longdouble) for column in columns], axis=1)
    return np.asarray(X.toarray() if sparse.issparse(X) else X).astype(np.longdouble)


def plain_labels(y):
    """Labels as a list, that of each row hashable; dates as pandas has them."""
    if isinstance(y, list):
        return [tuple(label) if isinstance(label, list) else label for label in y]
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if values.ndim == 2:
        return [row[0] if len(row) == 1 else tuple(row) for row in values.tolist()]
    return [pd.Timestamp(x) for x in values] if values.dtype.kind == "M" else values.tolist()


def check(case, result):
    """Exact counts, originals untouched and in order, new rows finite and between parents."""
    n, made = case.n, len(result.parents)
    old, new = exact(result.X), exact(result.X_new)
    assert made == result.sampler.report_.n_synthetic.sum()
    assert new.shape == (n + made, old.shape[1])
    assert np.isfinite(new).all()
    assert dtypes(result.X) == dtypes(result.X_new)
    own, added = places(case, n, made, result.parents)
    assert (new[own] == old).all()
    assert (np.signbit(new[own]) == np.signbit(old)).all()
    check_labels(case, result, own, added)
    base, neighbor = (
        result.parents.base_row.to_numpy(int),
        result.parents.neighbor_row.to_numpy(int),
    )
    gap = result.parents.gap.to_numpy(float)[:, None]
    assert ((gap >= 0) & (gap < 1)).all()
    if case.params["compat"] and any(plain_dtype(d).kind in "iub" for d in dtypes(result.X)):
        return  # its differences are taken in the dtype of the rows, and wrap around there
    error = np.abs(new[added] - (old[base] + gap * (old[neighbor] - old[base])))
    assert (error <= tolerance(result.X, old)).all(), error.max()


def places(case, n, made, parents):
    """Where the originals lie in the result, and the synthetic rows."""
    added = np.arange(n, n + made)
    if case.params["layout"] == "interleave" and made:
        added = parents.index.to_numpy()
    return np.setdiff1d(np.arange(n + made), added), added


def check_labels(case, result, own, added):
    before, after = plain_labels(result.y), plain_labels(result.y_new)
    assert [after[i] for i in own] == before
    mine = [after[i] for i in added]
    for parent in (result.parents.base_row, result.parents.neighbor_row):
        assert [before[i] for i in parent] == mine
    amounts = result.sampler.sampling_strategy_
    if not case.params["compat"] and case.label != "one-hot":
        assert Counter(mine) == Counter({x: n for x, n in amounts.items() if n})


def tolerance(X, old):
    """Rounding of each column's dtype."""
    slack = []
    for dtype, most in zip(map(plain_dtype, dtypes(X)), np.abs(old).max(axis=0), strict=True):
        if dtype.kind in "biu":
            slack.append(0.5 + 4e-16 * most)
        else:
            info = np.finfo(dtype if dtype.itemsize < 8 else "f8")
            slack.append(4 * float(info.eps) * most + float(info.smallest_subnormal))
    return np.array(slack)
