"""Data in memory as the input of a run: checked by errors of ours, computed in this process.

The rows are not copied: their chunks refer to the array that the user gave. The result is of the
kind that came in, a list for a list.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import dask.array as da
import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names, validate_data

from ..errors import InputError, InputTypeError
from ..graph.chunks import Chunks, Source, Table
from ..graph.dask.tasks import Tasks, compute, persist
from ..kernels.making.partitions import (
    array_of,
    frame_of,
    full_labels,
    one_hot,
    series_of,
    with_null_columns,
)
from ..kernels.rows.blocks import between, is_sparse, require_sound, stack, unmasked
from ..kernels.rows.encoding import Encoding
from ..kernels.rows.labels import count_labels, label_values
from ..kernels.rows.schema import (
    Schema,
    Wanted,
    require_names,
    schema_of_array,
    schema_of_frame,
)
from ..kernels.rows.table import factorized
from ..planning import checks
from ..planning.cuts import block_rows, cut
from ..process import ProcessSetting, muted
from ..threads import count_threads, in_this_process
from .kinds import is_polars
from .polars import as_pandas, with_labels, with_rows
from .result import Arrangement, Output

CHUNK_BYTES = 32 * 2**20
FEW = 2**16  # values of X, as 5,000 x 10 are fewer
# classes are judged by our errors; sparse columns of a frame stay what they are
_QUIET = ProcessSetting(
    partial(muted, "The number of unique classes|pandas.DataFrame with sparse columns")
)


@dataclass(frozen=True)
class MemoryInput:
    """X and y in this process.

    Attributes
    ----------
    tasks
        Makes the tasks of the run.
    source
        What the stages read; it refers to `rows`.
    X, y
        As the user gave them.
    frame
        X as a frame of pandas, where it is read by column: itself, or what was made of a frame of
        polars, or of objects and text in an array.
    rows, target
        X as an array or sparse matrix, or the frame; and y as an array of labels.
    one_vs_all
        Whether y has a column for each class.
    n_jobs
        Threads.
    is_few
        So few rows that one thread computes them.
    """

    tasks: Tasks
    source: Source
    X: Any
    y: Any
    frame: pd.DataFrame | None
    rows: Any
    target: NDArray[Any]
    one_vs_all: bool
    n_jobs: int | None
    is_few: bool

    def computing(self) -> AbstractContextManager[None]:
        """Where its stages compute: here."""
        return in_this_process(self.n_jobs, few=self.is_few)

    def resampled(self, wanted: Arrangement) -> tuple[Any, Any]:
        """X and y of the kinds that came in; computes."""
        blocks = wanted.blocks
        with self.computing():
            encoding, *made = compute(wanted.run.encoding, *[block.rows for block in blocks])
        counts = [(block.n_rows, label) for block, label in zip(blocks, wanted.labels, strict=True)]
        n = 0 if wanted.output is Output.SYNTHETIC else None
        rows = self._resampled_rows(made, wanted, encoding, n)
        labels = self._resampled_one_hot(counts, n) if self.one_vs_all else self._labels(counts, n)
        if wanted.output is not Output.BOTH:
            return rows, labels
        return wanted.order.arranged(rows), wanted.order.arranged(labels)

    def _resampled_rows(
        self, made: Sequence[Any], wanted: Arrangement, encoding: Encoding, n: int | None
    ) -> Any:
        schema = wanted.run.schema
        if self.frame is not None:
            return self._extended(self.frame, made, wanted, encoding, n)
        if not schema.is_plain:
            made = [array_of(block, schema, encoding, self.rows.dtype) for block in made]
        if isinstance(self.X, list):
            return [*self.X[:n], *(row for block in made for row in block.tolist())]
        return stack([self.rows if n is None else self.rows[:n], *made])

    def _extended(
        self,
        frame: pd.DataFrame,
        made: Sequence[Any],
        wanted: Arrangement,
        encoding: Encoding,
        n: int | None,
    ) -> Any:
        schema, to_whole = wanted.run.schema, wanted.run.recipe.to_whole
        own = with_null_columns(frame, schema)
        nothing = own.iloc[:0]
        parts = [frame_of(block, 0, nothing, schema, encoding, to_whole) for block in made]
        if is_polars(self.X):
            kept = [schema.columns[place] for place in schema.passthrough]
            return with_rows(self.X, n, pd.concat([nothing, *parts], ignore_index=True), kept)
        found = pd.concat([own.iloc[:n], *parts], ignore_index=True)
        return found if frame is self.X else self._as_objects(found)

    def _as_objects(self, frame: pd.DataFrame) -> Any:
        n_rows = len(self.rows)
        values = frame.to_numpy(dtype=object)
        if isinstance(self.X, list):
            return [*self.X[: len(values)], *values[n_rows:].tolist()]
        # the originals as they came: a frame may know None by another name
        own: NDArray[Any] = np.asarray(self.X)
        return np.concatenate([own, values[n_rows:].astype(own.dtype)])

    def _labels(self, counts: Sequence[tuple[int, Any]], n: int | None) -> Any:
        y, target = self.y, self.target
        if is_polars(y):
            return with_labels(y, n, counts)
        if isinstance(y, pd.Series):
            parts = [series_of(m, label, 0, y.iloc[:0]) for m, label in counts]
            return pd.concat([y.iloc[:n], *parts], ignore_index=True)
        fillers = [full_labels(m, label, target.dtype) for m, label in counts]
        labels = np.concatenate([target[:n], *fillers])
        if isinstance(y, pd.DataFrame):
            return pd.DataFrame(labels, columns=y.columns).astype(y.dtypes)
        return labels.tolist() if isinstance(y, list) else labels

    def _resampled_one_hot(self, counts: Sequence[tuple[int, int]], n: int | None) -> Any:
        indicators = np.asarray(self.y)
        width, dtype = indicators.shape[1], indicators.dtype
        parts = [one_hot(m, column, width, dtype) for m, column in counts]
        resampled = np.concatenate([indicators[:n], *parts])
        return resampled.tolist() if isinstance(self.y, list) else resampled


def from_memory(
    sampler: BaseEstimator, X: Any, y: Any, n_jobs: int | None, wanted: Wanted
) -> MemoryInput:
    """X and y in memory as the input of a run; the sampler learns the features' names.

    Raises
    ------
    InputError, ParameterError
        They can't be resampled, or not as wanted; where scikit-learn says so, in its words.
    """
    frame, rows, target, one_vs_all, schema = _checked(sampler, X, y, wanted)
    is_few = rows.shape[0] * rows.shape[1] <= FEW
    n_threads = 1 if is_few else count_threads(n_jobs)
    # a chunk for each thread, of what fits in its share of a cache or two
    size = min(block_rows(rows.shape[1], CHUNK_BYTES), max(1, -(-rows.shape[0] // n_threads)))
    # a new name for each run
    tasks = Tasks(uuid4().hex)
    with in_this_process(n_jobs, few=is_few):
        source = source_in_memory(tasks, rows, target, size, schema)
    return MemoryInput(
        tasks=tasks,
        source=source,
        X=X,
        y=y,
        frame=frame,
        rows=rows,
        target=target,
        one_vs_all=one_vs_all,
        n_jobs=n_jobs,
        is_few=is_few,
    )


def source_in_memory(
    tasks: Tasks, rows: Any, target: NDArray[Any], chunk_rows: int, schema: Schema
) -> Source:
    """An array, sparse matrix or frame in this process, as chunks that refer to it."""
    spans = cut(rows.shape[0], chunk_rows)
    lengths = tuple(stop - start for start, stop in spans)
    # without a name nothing is hashed: the array is its own
    labels = da.from_array(target, chunks=(lengths,), name=False)
    by_chunk = list(labels.to_delayed(optimize_graph=False))
    if isinstance(rows, pd.DataFrame) or not schema.is_plain:
        slices = [between(rows, *span) for span in spans]
        # text takes longer to tell apart than its codes to hold: once, and not at each read
        parts = persist(*[tasks("input-part", factorized, own, schema) for own in slices])
        return Table(parts, by_chunk, schema, lengths, is_held=True)
    matrix = da.from_array(rows, chunks=(lengths, (rows.shape[1],)), name=False, asarray=False)
    blocks = list(matrix.to_delayed(optimize_graph=False).ravel())
    return Chunks(blocks, by_chunk, schema, lengths, rows.dtype)


class _Checked(NamedTuple):
    """What was made of X and y, as `MemoryInput` has it."""

    frame: pd.DataFrame | None
    rows: Any
    target: NDArray[Any]
    one_vs_all: bool
    schema: Schema


def _checked(sampler: BaseEstimator, X: Any, y: Any, wanted: Wanted) -> _Checked:
    X, y = unmasked(X, "X"), as_pandas(unmasked(y, "y"))
    # of which numpy makes objects or floats
    y = label_values(pd.Series(y)) if isinstance(y, pd.api.extensions.ExtensionArray) else y
    require_sound(X, "X")
    if getattr(X, "ndim", 0) > 2:
        checks.check_dimensions(X.shape)
    by_column = isinstance(X, pd.DataFrame) or is_polars(X) or _is_of_objects(X, wanted)
    rows, schema = rows_with_schema(X, wanted) if by_column else (X, None)
    frame = rows if by_column else None
    try:
        if y is not None:
            _check_target(rows, y)
        with _QUIET:
            # of plain numbers scikit-learn makes an array, at no cost
            if schema is not None and not _is_array_like(rows, schema):
                target, one_vs_all = _validated_target(sampler, rows, y)
                return _Checked(frame, rows, target, one_vs_all, schema)
            rows, target, one_vs_all = _validated(sampler, rows, y)
    except InputError:
        raise
    # scikit-learn's, that say what is wrong
    except TypeError as error:
        raise InputTypeError(f"{_where_text_is(X)}{error}") from error
    except (ValueError, OverflowError) as error:
        raise InputError(f"{_where_text_is(X)}{error}") from error
    schema = schema or replace(rows_with_schema(rows, wanted)[1], holder=_holder_of(X))
    return _Checked(frame, rows, target, one_vs_all, schema)


def _holder_of(X: Any) -> str:
    """What numbers came in, by which a line mends them."""
    if is_sparse(X):
        is_flat = getattr(getattr(X, "data", None), "dtype", np.dtype(object)).kind != "O"
        return "sparse" if is_flat else "sparse of objects"
    return "numbers as objects" if np.asarray(X).dtype.kind == "O" else "numpy"


def rows_with_schema(X: Any, wanted: Wanted) -> tuple[Any, Schema]:
    """An array, sparse matrix or frame of some data, and its schema.

    A frame of polars becomes one of pandas, and so does an array or a list that has text among its
    categories.

    Raises
    ------
    InputError, ParameterError
        They are not as wanted.
    """
    if isinstance(X, pd.DataFrame):
        return X, schema_of_frame(X, wanted, "pandas")
    if is_polars(X):
        frame = as_pandas(X)
        return frame, schema_of_frame(frame, wanted, "polars")
    if is_sparse(X):
        return X, schema_of_array(X.shape[1], X.dtype, wanted, "sparse")
    if _is_of_objects(X, wanted):
        require_names(wanted)
        # numbers among text are numbers still
        frame = pd.DataFrame(np.asarray(X, dtype=object)).infer_objects()
        return frame, schema_of_frame(frame, wanted, "array of objects")
    rows = np.asarray(X)
    return rows, schema_of_array(rows.shape[1], rows.dtype, wanted, "numpy")


def _is_array_like(frame: pd.DataFrame, schema: Schema) -> bool:
    odd = any(isinstance(dtype, pd.ArrowDtype) or _is_filled(dtype) for dtype in frame.dtypes)
    return schema.is_plain and not (schema.keeps_missing or schema.exact or odd)


def _is_filled(dtype: Any) -> bool:
    """Whether it is of sparse columns, of which pandas makes no matrix."""
    return isinstance(dtype, pd.SparseDtype) and dtype.fill_value != 0


def _is_of_objects(X: Any, wanted: Wanted) -> bool:
    """Whether categories of an array may be text, which scikit-learn would not take."""
    named = wanted.categorical_features
    if (isinstance(named, str) and named == "auto") or named is None:
        return False
    if isinstance(X, list):
        return np.asarray(X, dtype=object).ndim == 2 and np.asarray(X).dtype.kind in "OUS"
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OUS"


def _validated_target(sampler: Any, frame: Any, y: Any) -> tuple[Any, bool]:
    """Labels as an array, beside a frame that scikit-learn would refuse; it learns the names."""
    n_rows = len(frame)
    # a column of zeros in place of X: the checks of y are its own
    _, target, one_vs_all = _validated(clone(sampler), np.zeros((n_rows, 1)), y)
    _check_feature_names(sampler, frame, reset=True)
    sampler.n_features_in_ = frame.shape[1]
    return target, one_vs_all


def _check_target(X: Any, y: Any) -> None:
    """Every row of X has one label in y, none of them missing, continuous or without an order."""
    labels = y if hasattr(y, "ndim") else np.asarray(y, dtype=object)
    n_rows = X.shape[:1] if hasattr(X, "shape") else (len(X),) if hasattr(X, "__len__") else ()
    if labels.ndim not in (1, 2) or is_sparse(labels) or np.iscomplexobj(labels):
        return  # refused by scikit-learn
    if n_rows:
        checks.check_lengths(n_rows, [len(labels)])
    found = count_labels(labels)
    checks.check_labels(found.n_missing, found.n_continuous, found.n_not_one_hot)
    checks.sum_counts([found.counts])


def _where_text_is(X: Any) -> str:
    """Which value of an array of objects is no number: scikit-learn does not say where."""
    if not isinstance(X, np.ndarray) or X.dtype != object or X.ndim != 2:
        return ""
    for (row, column), value in np.ndenumerate(X):
        try:
            float(0 if value is None else value)  # None is a missing number
        except (TypeError, ValueError, OverflowError):
            return (
                f"X has {reprlib.repr(value)} in row {row}, column {column}. Encode the column, or "
                f"drop it: X = np.delete(X, {column}, axis=1). "
            )
    return ""


def _validated(sampler: BaseEstimator, X: Any, y: Any) -> tuple[Any, Any, bool]:
    if y is not None:
        check_classification_targets(y)
    X, y = (np.asarray(part) if isinstance(part, list | tuple) else part for part in (X, y))
    y, one_vs_all = check_target_type(y, indicate_one_vs_all=True)
    # what is not finite is left to the census, which says where
    X, y = validate_data(
        sampler, X=X, y=y, reset=True, accept_sparse=["csr", "csc"], ensure_all_finite=False
    )
    return X, y, one_vs_all
