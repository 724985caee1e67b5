"""What hostile data come in: memory, kinds of arrays and frames, chunks, indices, names."""

from __future__ import annotations

from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from scipy import sparse


def bounds(n, cuts):
    return [0, *(min(cut, n) for cut in cuts), n]


def chunked(values, cuts, **options):
    """A Dask array of uneven chunks, some empty."""
    sizes = tuple(np.diff(bounds(len(values), cuts)).tolist())
    return da.from_array(values, chunks=(sizes, *((m,) for m in values.shape[1:])), **options)


def unknown(values, cuts):
    """The same with chunks of unknown length."""
    array = chunked(values, cuts)
    return array[da.ones(array.shape[0], chunks=(array.chunks[0],), dtype=bool)]


def partitioned(content, cuts):
    """A Dask frame or series of uneven partitions, some empty."""
    parts = [dask.delayed(content.iloc[a:b]) for a, b in pairwise(bounds(len(content), cuts))]
    return dd.from_delayed(parts, meta=content.iloc[:0], verify_meta=False)


def sparsable(content):
    """The rows in a dtype that scipy has sparse matrices of."""
    known = content.dtype.kind in "biufc" and content.dtype.isnative and content.dtype != "f2"
    return content if known else np.zeros(content.shape)


def sparse_chunks(content, cuts):
    content = sparsable(content)
    meta = sparse.csr_matrix((0, 0), dtype=content.dtype)
    return chunked(content, cuts).map_blocks(sparse.csr_matrix, meta=meta)


def read_only(content, cuts):
    content.flags.writeable = False
    return content


def strided(content, cuts):
    return np.repeat(np.repeat(content, 2, axis=0), 2, axis=1)[::2, ::2]


def masked(content, cuts):
    """Every other one has a masked value; numpy warns of half floats and their fill value."""
    content = content.astype("f4") if content.dtype == "f2" else content
    mask = np.zeros(content.shape, bool)
    mask[: len(mask) % 2, :1] = True
    return np.ma.masked_array(content, mask)


def first_column(content, cuts):
    if isinstance(content, pd.DataFrame):
        return content.iloc[:, 0] if content.shape[1] else content
    return content[:, 0] if content.shape[1] else content


OF_ARRAYS = {
    "numpy": lambda content, cuts: content,
    "fortran": lambda content, cuts: np.asfortranarray(content),
    "read-only": read_only,
    "strided": strided,
    "reversed": lambda content, cuts: content[::-1, ::-1],
    "masked": masked,
    "list": lambda content, cuts: content.tolist(),
    "csr_matrix": lambda content, cuts: sparse.csr_matrix(sparsable(content)),
    "csr_array": lambda content, cuts: sparse.csr_array(sparsable(content)),
    "csc_matrix": lambda content, cuts: sparse.csc_matrix(sparsable(content)),
    "coo_matrix": lambda content, cuts: sparse.coo_matrix(sparsable(content)),
    "array": chunked,
    "array of columns": lambda content, cuts: chunked(content, cuts).rechunk({1: 1}),
    "unknown array": unknown,
    "sparse array": sparse_chunks,
    "masked array": lambda content, cuts: chunked(masked(content, cuts), cuts, asarray=False),
    "3-d": lambda content, cuts: content[:, :, None],
    "1-d": first_column,
}
OF_FRAMES = {
    "pandas": lambda content, cuts: content,
    "frame": partitioned,
    "series": first_column,
}

NAMES = {
    "ints": lambda n: list(range(n, 0, -1)),
    "mixed": lambda n: [j if j % 2 else f"f{j}" for j in range(n)],
    "duplicate": lambda n: ["twice"] * n,
    "unicode": lambda n: [f"größe \U0001f600 {j}\n" for j in range(n)],
    "multi": lambda n: pd.MultiIndex.from_tuples([("a", j) for j in range(n)]) if n else [],
    "none": lambda n: [f"f{j}" if j else None for j in range(n)],
    "tuples": lambda n: pd.Index([("a", j) for j in range(n)], tupleize_cols=False),
    "empty": lambda n: [" " * j for j in range(n)],
    "bools": lambda n: [bool(j) if j < 2 else j + 0.5 for j in range(n)],
}
INDICES = {
    "duplicate": lambda n, rng: np.zeros(n, int),
    "unsorted": lambda n, rng: rng.permutation(n),
    "multi": lambda n, rng: pd.MultiIndex.from_arrays([np.arange(n) // 2, np.arange(n) % 2]),
    "dates": lambda n, rng: pd.date_range("2020-01-01", periods=n),
    "text": lambda n, rng: pd.Index([f"r{i % 7}" for i in range(n)], dtype=object),
    "floats": lambda n, rng: np.where(np.arange(n) % 5 == 0, np.nan, np.arange(n)),
}


def in_series(y, rows):
    """Labels as pandas has them, with the index of X where that is as long."""
    rows = rows if rows is not None and len(rows) == len(y) else None
    if y.ndim == 1:
        return pd.Series(y, index=rows)
    return pd.DataFrame(y, index=rows, columns=[f"c{j}" for j in range(y.shape[1])])


def like(X):
    """The kind of labels that goes with X."""
    if isinstance(X, pd.DataFrame):
        return "series"
    if hasattr(X, "map_partitions"):
        return "dask series"
    if isinstance(X, da.Array):
        return "unknown array" if np.isnan(X.shape[0]) else "array"
    return "numpy"


def make_y(kind, y, X, rows, cuts):
    """Labels in some kind; `rows` is the index of X."""
    if kind == "short":
        y, kind = y[: max(len(y) - 1, 0)], "alike"
    return {
        "numpy": lambda: y,
        "list": y.tolist,
        "series": lambda: in_series(y, rows),
        "dask series": lambda: partitioned(in_series(y, rows), cuts),
        "array": lambda: chunked(y, cuts),
        "unknown array": lambda: unknown(y, cuts),
    }[like(X) if kind == "alike" else kind]()
