"""Data in memory as the input of a run: checked by errors of ours, computed in this process.

The rows are not copied: their chunks refer to the array that the user gave. The result is of the
kind that came in, a list for a list.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ..errors import InputError, InputTypeError
from ..graph.chunks import Chunks
from ..graph.dask.tasks import Tasks
from ..kernels.making.partitions import frame_of, full_labels, one_hot, series_of
from ..kernels.rows.blocks import Rows, is_sparse, require_sound, stack, unmasked
from ..kernels.rows.columns import check_columns
from ..kernels.rows.labels import count_labels
from ..planning import checks
from ..planning.cuts import block_rows, cut
from ..process import ProcessSetting, muted
from ..threads import count_threads, in_this_process
from .result import Arrangement, Output

CHUNK_BYTES = 32 * 2**20
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
    chunks
        What the stages read; they refer to `rows`.
    X, y
        As the user gave them.
    rows, target
        The same as an array or sparse matrix, and as an array of labels.
    one_vs_all
        Whether y has a column for each class.
    n_jobs
        Threads.
    """

    tasks: Tasks
    chunks: Chunks
    X: Any
    y: Any
    rows: Rows
    target: NDArray[Any]
    one_vs_all: bool
    n_jobs: int | None

    def computing(self) -> AbstractContextManager[None]:
        """Where its stages compute: here."""
        return in_this_process(self.n_jobs)

    def resampled(self, wanted: Arrangement) -> tuple[Any, Any]:
        """X and y of the kinds that came in; computes."""
        blocks = wanted.blocks
        with self.computing():
            made = list(dask.compute(*[block.rows for block in blocks]))
        counts = [(block.n_rows, label) for block, label in zip(blocks, wanted.labels, strict=True)]
        n = 0 if wanted.output is Output.SYNTHETIC else None
        rows = self._resampled_rows(made, wanted, n)
        labels = self._resampled_one_hot(counts, n) if self.one_vs_all else self._labels(counts, n)
        if wanted.output is not Output.BOTH:
            return rows, labels
        return wanted.order.arranged(rows), wanted.order.arranged(labels)

    def _resampled_rows(self, made: Sequence[Rows], wanted: Arrangement, n: int | None) -> Any:
        if isinstance(self.X, pd.DataFrame):
            to_whole = wanted.run.recipe.to_whole
            parts = [frame_of(block, 0, self.X.iloc[:0], to_whole) for block in made]
            return pd.concat([self.X.iloc[:n], *parts], ignore_index=True)
        resampled = stack([self.rows if n is None else self.rows[:n], *made])
        return resampled.tolist() if isinstance(self.X, list) else resampled

    def _labels(self, counts: Sequence[tuple[int, Any]], n: int | None) -> Any:
        y, target = self.y, self.target
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


def from_memory(sampler: BaseEstimator, X: Any, y: Any, n_jobs: int | None) -> MemoryInput:
    """X and y in memory as the input of a run; the sampler learns the features' names.

    Raises
    ------
    InputError
        They can't be resampled; where scikit-learn says so, in its words.
    """
    rows, target, one_vs_all = _checked(sampler, X, y)
    n_threads = count_threads(n_jobs)
    # a chunk for each thread, of what fits in its share of a cache or two
    size = min(block_rows(rows.shape[1], CHUNK_BYTES), max(1, -(-rows.shape[0] // n_threads)))
    names = getattr(sampler, "feature_names_in_", range(rows.shape[1]))
    chunks = chunks_in_memory(rows, target, size, tuple(names))
    return MemoryInput(
        # a new name for each run
        tasks=Tasks(uuid4().hex),
        chunks=chunks,
        X=X,
        y=y,
        rows=rows,
        target=target,
        one_vs_all=one_vs_all,
        n_jobs=n_jobs,
    )


def chunks_in_memory(
    rows: Rows, target: NDArray[Any], chunk_rows: int, names: tuple[Any, ...]
) -> Chunks:
    """An array or sparse matrix in this process, as chunks that refer to it."""
    n = rows.shape[0]
    lengths = tuple(stop - start for start, stop in cut(n, chunk_rows))
    # without a name nothing is hashed: the array is its own
    matrix = da.from_array(rows, chunks=(lengths, (rows.shape[1],)), name=False, asarray=False)
    labels = da.from_array(target, chunks=(lengths,), name=False)
    return Chunks(
        matrix=matrix,
        target=list(labels.to_delayed(optimize_graph=False)),
        feature_names=names,
        partitions=[],
    )


def _checked(sampler: BaseEstimator, X: Any, y: Any) -> tuple[Any, Any, bool]:
    if isinstance(X, pd.DataFrame):
        check_columns(X)
    elif getattr(X, "ndim", 0) > 2:
        checks.check_dimensions(X.shape)
    X, y = unmasked(X, "X"), unmasked(y, "y")
    require_sound(X, "X")
    try:
        if y is not None:
            _check_target(X, y)
        with _QUIET:
            return _validated(sampler, X, y)
    except InputError:
        raise
    # scikit-learn's, that say what is wrong
    except TypeError as error:
        raise InputTypeError(f"{_where_text_is(X)}{error}") from error
    except (ValueError, OverflowError) as error:
        raise InputError(f"{_where_text_is(X)}{error}") from error


def _check_target(X: Any, y: Any) -> None:
    """Every row of X has one label in y, none of them missing, continuous or without an order."""
    if isinstance(y, pd.DataFrame) and y.shape[1] > 1:
        raise InputError(
            f"y is two-dimensional, with the columns {list(y.columns)}: pass one of them, "
            f"y = y[{y.columns[0]!r}], or a one-vs-all array, y.to_numpy()."
        )
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
    y = np.asarray(y) if isinstance(y, list) else y
    y, one_vs_all = check_target_type(y, indicate_one_vs_all=True)
    # what is not finite is left to the census, which says where
    X, y = validate_data(
        sampler, X=X, y=y, reset=True, accept_sparse=["csr", "csc"], ensure_all_finite=False
    )
    return X, y, one_vs_all
