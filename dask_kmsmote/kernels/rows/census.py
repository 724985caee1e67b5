"""What a census notes of one block, and how the notes of many blocks combine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .blocks import (
    Floats,
    Ints,
    Rows,
    columns_of,
    is_sparse,
    require_rows,
    stack,
    take,
    unmasked,
)
from .categories import (
    Categories,
    count_categories,
    kept_types,
    merge_categories,
    merge_types,
)
from .encoding import Encoding, encoded, encoding_of, rows_by_code
from .fingerprint import ChunkFingerprints, Fingerprint, of_rows
from .labels import LabelCounts, count_labels
from .metric import Indicators, indicate
from .schema import Schema
from .table import fingerprint_of, read, sampled_table

_HUGE = 1e150  # sums of many squares of such values are finite
_TOGETHER = 64  # rows


class Summary(NamedTuple):
    """Notes of consecutive blocks.

    Attributes
    ----------
    rows
        Fingerprint of each block of X.
    labels
        Labels of each block.
    n_nan, n_inf, n_huge
        Missing and infinite values of each number, and those whose squares overflow float64, shape
        (n_numbers,).
    peaks
        Largest absolute value of each number; of sparse rows that of all; shape (n_numbers,).
    categories
        Of each feature of categories.
    kept
        By place, the categorical types of columns that are only taken along.
    """

    rows: tuple[Fingerprint, ...]
    labels: tuple[LabelCounts, ...]
    n_nan: NDArray[np.int64]
    n_inf: NDArray[np.int64]
    n_huge: NDArray[np.int64]
    peaks: Floats
    categories: tuple[Categories, ...]
    kept: dict[int, pd.CategoricalDtype]

    @property
    def n_rows(self) -> tuple[int, ...]:
        """Rows of X of each block."""
        return tuple(part.n_rows for part in self.rows)

    def fingerprints(self) -> tuple[ChunkFingerprints, ...]:
        """Fingerprints by chunk."""
        found = zip(self.rows, self.labels, strict=True)
        return tuple(
            ChunkFingerprints(chunk=chunk, rows=x, target=y.own)
            for chunk, (x, y) in enumerate(found)
        )


class Notes(NamedTuple):
    """What is noted of consecutive blocks, and what was sampled of each: rows, or tables."""

    summary: Summary
    sampled: tuple[Any, ...]


def note_rows(rows: Any, target: Any, n_features: int, sample: Ints) -> Notes:
    """Notes of one block of X and y, of an array of `n_features` columns, and some rows.

    Sampled numbers beyond its end are left out, as its length is still a claim.
    """
    rows = require_rows(rows, n_features)
    # of csc before it becomes csr: later reads are compared in the format that they come in
    summary = _noted(rows, of_rows(rows), target)
    return Notes(summary, (take(rows, sample[sample < rows.shape[0]]),))


def note_table(part: Any, target: Any, schema: Schema, sample: Ints) -> Notes:
    """The same of one partition, or one block of an array with categories."""
    table = read(part, schema)
    summary = _noted(table.numbers, fingerprint_of(part, table, schema), target)
    kept = kept_types(part, schema)
    summary = summary._replace(categories=count_categories(part, table, schema), kept=kept)
    return Notes(summary, (sampled_table(part, schema, sample),))


def _noted(rows: Rows, own: Fingerprint, target: Any) -> Summary:
    n_features = rows.shape[1]
    columns = columns_of(rows) if is_sparse(rows) else None
    values: Any = rows.data if is_sparse(rows) else rows
    peaks = _peaks(values, n_features)
    if values.dtype.kind != "f" or (peaks <= _HUGE).all():
        n_nan = n_inf = n_huge = np.zeros(n_features, dtype=np.int64)
    else:
        peaks = np.nan_to_num(_peaks(np.where(np.isfinite(values), values, 0), n_features))
        n_nan = _by_column(np.isnan(values), columns, n_features)
        n_inf = _by_column(np.isinf(values), columns, n_features)
        with np.errstate(over="ignore"):
            # of float32 nothing finite is, and 1e150 is infinite
            is_huge = (np.abs(values) > _HUGE) & np.isfinite(values)
        n_huge = _by_column(is_huge, columns, n_features)
    return Summary(
        rows=(own,),
        labels=(count_labels(unmasked(target, "y")),),
        n_nan=n_nan,
        n_inf=n_inf,
        n_huge=n_huge,
        peaks=peaks,
        categories=(),
        kept={},
    )


def _peaks(values: NDArray[Any], n_features: int) -> Floats:
    """Largest absolute value of each column; NaN where one is."""
    if values.size == 0:
        return np.zeros(n_features)
    if values.ndim == 1:
        # of sparse rows, which do not lie by column
        return np.full(n_features, max(abs(float(values.max())), abs(float(values.min()))))
    whole = len(values) // _TOGETHER * _TOGETHER
    if values.flags.c_contiguous and whole:
        # many rows as one, whose columns add up to whole vectors: 1 ms of 18 MB, and not 9
        wide = values[:whole].reshape(-1, _TOGETHER * n_features)
        ends = [bound(wide, axis=0).reshape(_TOGETHER, -1) for bound in (np.max, np.min)]
        values = np.concatenate([*ends, values[whole:]])
    # as floats: the least integer of 64 bits has no absolute value among them
    high, low = (bound(values, axis=0).astype(np.float64) for bound in (np.max, np.min))
    peaks: Floats = np.maximum(np.abs(high), np.abs(low))
    return peaks


def _by_column(
    flags: NDArray[np.bool_], columns: NDArray[np.integer] | None, n_features: int
) -> NDArray[np.int64]:
    if columns is None:
        return np.asarray(flags.sum(axis=0), dtype=np.int64)
    return np.bincount(columns[flags], minlength=n_features).astype(np.int64)


def merge_notes(parts: Sequence[Notes]) -> Notes:
    """Notes of consecutive runs of blocks as one."""
    sampled = tuple(own for part in parts for own in part.sampled)
    return Notes(merge_summaries([part.summary for part in parts]), sampled)


def merge_summaries(parts: Sequence[Summary]) -> Summary:
    """Summaries of consecutive runs of blocks as one."""
    return Summary(
        rows=tuple(own for part in parts for own in part.rows),
        labels=tuple(labels for part in parts for labels in part.labels),
        n_nan=np.sum([part.n_nan for part in parts], axis=0),
        n_inf=np.sum([part.n_inf for part in parts], axis=0),
        n_huge=np.sum([part.n_huge for part in parts], axis=0),
        peaks=np.max([part.peaks for part in parts], axis=0),
        categories=tuple(
            merge_categories(own) for own in zip(*(part.categories for part in parts), strict=True)
        ),
        kept=merge_types([part.kept for part in parts]),
    )


def summary_of(notes: Notes) -> Summary:
    """The summary alone."""
    return notes.summary


def noted_rows(notes: Notes) -> Any:
    """The sampled rows of all blocks."""
    return stack(notes.sampled)


def encoded_sample(notes: Notes, encoding: Encoding, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The sampled rows of all tables, encoded."""
    return np.concatenate([encoded(part, encoding, dtype) for part in notes.sampled])


def without_values(summary: Summary) -> Summary:
    """The notes without the categories themselves, which may be many."""
    return summary._replace(
        categories=tuple(own._replace(counts=None) for own in summary.categories)
    )


def encode_noted(summary: Summary) -> Encoding:
    """What codes mean, when all chunks were noted."""
    return encoding_of(summary.categories, summary.kept)


def indicate_noted(summary: Summary, encoding: Encoding) -> Indicators:
    """Indicators of the categories, when all chunks were noted."""
    return indicate(rows_by_code(summary.categories, encoding))
