"""What X and y are, in a user's words; what can't be read is refused, with a line that mends it.

Arrays, matrices, frames, series and lists are read: whether their values can be taken is judged
where that is done. A line runs as it is, on what came: None stands for a value that needs none, and
"" for one that no line is known for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask.array as da
import pandas as pd
from dask.base import is_dask_collection
from dask.delayed import Delayed

from ..errors import InputError
from ..kernels.rows.blocks import is_sparse

_LINES = {
    "duckdb DuckDBPyRelation": "{0} = {0}.df()",
    "narwhals DataFrame": "{0} = {0}.to_native()",
    "narwhals LazyFrame": "{0} = {0}.to_native()",
    "narwhals Series": "{0} = {0}.to_native()",
    "pandas SparseArray": "{0} = pd.Series({0})",
    "polars LazyFrame": "{0} = {0}.collect()",
    "pyarrow ChunkedArray": "{0} = {0}.to_pandas()",
}
# of a list of tables, which is no list of rows
_JOINS = {
    "Dask Array": "da.concatenate(X)",
    "Dask DataFrame": "dd.concat(X)",
    "Dask Delayed": "list(dask.compute(*X))",
    "numpy ndarray": "np.concatenate(X)",
    "pandas DataFrame": "pd.concat(X)",
    "polars DataFrame": "pl.concat(X)",
}


def require_kinds(X: Any, y: Any) -> None:
    """Raise `InputError` where X is no table, or y no labels, of a kind that is read."""
    if len(_shape_of(X)) == 1 and len(_shape_of(y)) == 2:
        raise InputError("X has one dimension and y has two: pass the rows first, X, y = y, X.")
    line = _line_to_rows(X)
    if line is not None:
        way = f"pass a table of rows, {line}" if line else "pass a frame, an array or a list"
        raise InputError(f"X is {called(X)}: {way}.")
    if y is None:
        raise InputError("Over-sampling requires y to be passed, but the target y is None.")
    line = _line_to_labels(X, y)
    if line is not None:
        way = f"pass one column of labels, {line}" if line else "pass one label for each row"
        shape = ", two-dimensional" if len(_shape_of(y)) == 2 else ""
        raise InputError(f"y is {called(y)}{shape}: {way}.")
    # of frames of Dask, whose lengths are unknown, None
    if (None,) != _shape_of(X)[1:] == _shape_of(y)[:1] != _shape_of(X)[:1]:
        rows, columns = X.shape
        raise InputError(
            f"X has {rows} rows and {columns} columns, and y {columns} labels: X = X.T."
        )


def called(value: Any) -> str:
    """What a user calls the type of a value: "a pandas Series", "a Dask Bag", "an int", "None"."""
    kind = _kind_of(value)
    return "None" if value is None else f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _kind_of(value: Any) -> str:
    root, name = _root_of(value), type(value).__name__
    if root == "dask":
        return f"Dask {'Delayed' if isinstance(value, Delayed) else name}"
    return name if root in ("builtins", "main") else f"{root} {name}"


def _root_of(value: Any) -> str:
    return type(value).__module__.partition(".")[0].strip("_")


def is_polars(value: Any) -> bool:
    """Whether it is of polars, which need not be installed."""
    return _root_of(value) == "polars"


def is_dask_frame(value: Any) -> bool:
    """Whether it is a frame, series or index of Dask."""
    # a Delayed has every attribute that it is asked for
    is_lazy = is_dask_collection(value) and not isinstance(value, Delayed)
    return is_lazy and hasattr(value, "map_partitions") and getattr(value, "ndim", 0) > 0


def _shape_of(value: Any) -> tuple[Any, ...]:
    if is_dask_frame(value):
        return (None,) * int(value.ndim)
    shape = () if isinstance(value, Delayed) else getattr(value, "shape", ())
    return shape if isinstance(shape, tuple) else ()


def _is_column(value: Any) -> bool:
    if is_dask_frame(value):
        return bool(value.ndim == 1)
    return isinstance(value, pd.Series | pd.Index) or _kind_of(value) == "polars Series"


def _is_frame(value: Any) -> bool:
    is_held = isinstance(value, pd.DataFrame) or _kind_of(value) == "polars DataFrame"
    return is_held or (is_dask_frame(value) and not _is_column(value))


def _line_to_rows(X: Any) -> str | None:
    if _is_frame(X) or is_sparse(X):
        return None
    if _is_column(X):
        return "X = X.to_frame()"
    if isinstance(X, da.Array):
        return _line_of_array(X)
    if isinstance(X, list | tuple) and len(X):
        return _line_of_parts(X)
    if not is_dask_collection(X) and getattr(getattr(X, "dtype", None), "names", None):
        return "X = pd.DataFrame(X)"
    return _line_of(X, "X")


def _line_of_array(X: da.Array) -> str | None:
    if X.dtype.names:
        return "X = dd.from_dask_array(X)"
    if _root_of(X._meta) == "sparse":
        return "X = X.map_blocks(lambda b: b.todense(), dtype=X.dtype)"
    return None


def _line_of_parts(X: Any) -> str | None:
    kind, n = _kind_of(X[0]), len(_shape_of(X[0]))
    if kind == "Dask Array" and n == 1:
        return "X = da.stack(X)"
    is_table = n == 2 or kind == "Dask Delayed"
    return f"X = {_JOINS[kind]}" if is_table and kind in _JOINS else None


def _line_to_labels(X: Any, y: Any) -> str | None:
    if _is_frame(y):
        return _line_of_label_frame(X, y)
    if isinstance(y, da.Array):
        return _line_of_label_array(y)
    if _is_column(y):
        is_index = is_dask_frame(y) and isinstance(y._meta, pd.Index)
        return "y = y.to_series()" if is_index else None
    if is_sparse(y):
        return f"y = y.toarray(){'.ravel()' if 1 in y.shape else ''}"
    if isinstance(y, str) and y in getattr(X, "columns", ()):
        columns = repr(y) if is_polars(X) else f"columns={[y]!r}"
        return f"X, y = X.drop({columns}), X[{y!r}]"
    return _line_of(y, "y")


def _line_of_label_frame(X: Any, y: Any) -> str | None:
    names = list(y.columns)
    if not names:
        return ""
    is_held = not is_dask_collection(X) and isinstance(y, pd.DataFrame)
    if is_held and len(names) == 1:
        is_dense = not isinstance(y.dtypes.iloc[0], pd.SparseDtype)
        return None if is_dense else "y = y.sparse.to_dense()"
    one_hot = "; or, where they are one-vs-all, y = y.to_numpy()" if is_held else ""
    return f"y = y[{names[0]!r}], of its columns {names}{one_hot}"


def _line_of_label_array(y: da.Array) -> str | None:
    if y.ndim not in (1, 2):
        return ""
    for is_it, dense in (
        (is_sparse(y._meta), "toarray"),
        (_root_of(y._meta) == "sparse", "todense"),
    ):
        if is_it:
            return f"y = y.map_blocks(lambda b: b.{dense}(), dtype=y.dtype)"
    return "y = y[:, 0]" if y.ndim == 2 and y.shape[1] == 1 else None


def _line_of(value: Any, name: str) -> str | None:
    """A line for a value of any other kind."""
    if is_dask_collection(value):
        return "" if _kind_of(value) == "Dask Scalar" else f"{name} = {name}.compute()"
    line = _LINES.get(_kind_of(value)) or _line_by_protocol(value)
    if line:
        return line.format(name)
    if isinstance(value, dict):
        return f"{name} = pd.{'DataFrame' if name == 'X' else 'Series'}({name})"
    is_text = isinstance(value, str | bytes | set | frozenset)
    is_array = hasattr(value, "__array__") or hasattr(value, "__len__")
    return None if is_array and not is_text else ""


def _line_by_protocol(value: Any) -> str:
    if isinstance(value, Iterator):
        return "{0} = list({0})"
    if _root_of(value) == "sparse":
        return "{0} = {0}.todense()"
    names = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
    if any(hasattr(value, name) for name in names):
        has_own = hasattr(value, "to_pandas")
        return "{0} = {0}.to_pandas()" if has_own else "{0} = pa.table({0}).to_pandas()"
    return ""
