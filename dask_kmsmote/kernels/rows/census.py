"""What a census notes of one block, and how the notes of many blocks combine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .blocks import Rows, columns_of, is_sparse, require_rows, take, unmasked
from .categories import (
    Categories,
    count_categories,
    kept_types,
    merge_categories,
    merge_types,
)
from .encoding import Encoding, encoding_of, rows_by_code
from .fingerprint import ChunkFingerprints, Fingerprint, of_rows
from .labels import LabelCounts, count_labels
from .metric import Indicators, indicate
from .schema import Schema
from .table import fingerprint_of, read

_HUGE = 1e150  # sums of many squares of such values are finite


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


def summarize(rows: Any, target: Any, n_features: int) -> Summary:
    """Notes of one block of X and y, of an array of `n_features` columns."""
    rows = require_rows(rows, n_features)
    # of csc before it becomes csr: later reads are compared in the format that they come in
    return _noted(rows, of_rows(rows), target)


def summarize_table(part: Any, target: Any, schema: Schema) -> Summary:
    """Notes of one partition, or one block of an array with categories."""
    table = read(part, schema)
    summary = _noted(table.numbers, fingerprint_of(part, table, schema), target)
    kept = kept_types(part, schema)
    return summary._replace(categories=count_categories(part, table, schema), kept=kept)


def _noted(rows: Rows, own: Fingerprint, target: Any) -> Summary:
    n_features = rows.shape[1]
    columns = columns_of(rows) if is_sparse(rows) else None
    values: Any = rows.data if is_sparse(rows) else rows
    if values.dtype.kind != "f" or _has_finite_squares(values):
        n_nan = n_inf = n_huge = np.zeros(n_features, dtype=np.int64)
    else:
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
        categories=(),
        kept={},
    )


def _has_finite_squares(values: NDArray[np.floating]) -> bool:
    # a finite sum has neither NaN nor infinity among its terms: one fast pass, no temporary
    with np.errstate(all="ignore"):
        # squares of float32 are finite in float64, so only NaN and infinity are looked for
        if values.dtype.itemsize < 8:
            return bool(np.isfinite(values.sum(dtype=np.float64)))
        # one value beyond `_HUGE` reaches the bound alone; 3 ms, where isfinite and abs take 20
        flat = values.ravel(order="K")
        return bool(np.dot(flat, flat) < _HUGE**2)


def _by_column(
    flags: NDArray[np.bool_], columns: NDArray[np.integer] | None, n_features: int
) -> NDArray[np.int64]:
    if columns is None:
        return np.asarray(flags.sum(axis=0), dtype=np.int64)
    return np.bincount(columns[flags], minlength=n_features).astype(np.int64)


def sampled(rows: Any, n_features: int, indices: NDArray[np.int64]) -> Any:
    """Some rows of a block; numbers beyond its end are left out, as its length is still a claim."""
    rows = require_rows(rows, n_features)
    return take(rows, indices[indices < rows.shape[0]])


def merge_summaries(parts: Sequence[Summary]) -> Summary:
    """Notes of consecutive runs of blocks as one."""
    return Summary(
        rows=tuple(own for part in parts for own in part.rows),
        labels=tuple(labels for part in parts for labels in part.labels),
        n_nan=np.sum([part.n_nan for part in parts], axis=0),
        n_inf=np.sum([part.n_inf for part in parts], axis=0),
        n_huge=np.sum([part.n_huge for part in parts], axis=0),
        categories=tuple(
            merge_categories(own) for own in zip(*(part.categories for part in parts), strict=True)
        ),
        kept=merge_types([part.kept for part in parts]),
    )


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
