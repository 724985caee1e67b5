"""What codes mean, and chunks as rows: numbers, then the codes of their categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import InputError
from ..compiled import compiled
from .blocks import Ints
from .categories import Categories, in_order
from .fingerprint import ChunkFingerprints, require_unchanged
from .labels import Coded, keys
from .schema import Schema
from .table import Table, fingerprint_of, read


@dataclass(frozen=True)
class Encoding:
    """What codes mean.

    Attributes
    ----------
    categories
        Of each feature its categories, in the order of their values; an absent one has the code
        behind the last.
    declared
        Of each feature the categorical type of its columns, or None.
    kept
        By place, the categorical types of columns that are only taken along.
    """

    categories: tuple[tuple[Any, ...], ...]
    declared: tuple[pd.CategoricalDtype | None, ...]
    kept: Mapping[int, pd.CategoricalDtype]

    def write_codes(self, feature: int, coded: Coded, out: NDArray[Any]) -> None:
        """Write the codes of some rows, shape (m,).

        Raises
        ------
        InputError
            A category was not there when they were counted.
        """
        code_of, values = self._code_of[feature], keys(coded.labels)
        # -1, of an absent category, picks the last
        known = np.array([*(code_of.get(value, -1) for value in values), len(code_of)])
        _write_codes(coded.codes, known, out)
        strange = np.flatnonzero(known[:-1] < 0)
        # of too many categories none are known, which the census refuses
        if code_of and len(strange) and np.isin(coded.codes, strange).any():
            found = next(int(own) for own in strange if (coded.codes == own).any())
            raise InputError(
                f"X has the category {values[found]!r}, which was not there when its categories "
                "were counted: its source changed meanwhile. Persist it first: X = X.persist()."
            )

    @cached_property
    def _code_of(self) -> list[dict[Any, int]]:
        # no index of pandas: one that threads share may not find its labels (pandas issue 21150)
        return [{value: code for code, value in enumerate(own)} for own in self.categories]

    # what is cached is made anew where it is sent
    def __reduce__(self) -> tuple[Any, ...]:
        return Encoding, (self.categories, self.declared, self.kept)


@compiled
def _write_codes(codes, known, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    for i in range(len(codes)):
        out[i] = known[codes[i]]


def encoding_of(found: Sequence[Categories], kept: Mapping[int, pd.CategoricalDtype]) -> Encoding:
    """The encoding that all chunks together make."""
    return Encoding(
        categories=tuple(tuple(in_order(own.counts or ())) for own in found),
        declared=tuple(own.declared for own in found),
        kept=kept,
    )


def rows_by_code(found: Sequence[Categories], encoding: Encoding) -> list[Ints]:
    """Rows of each code of each feature, the absent ones last (where there are none, 0)."""
    return [
        np.array([*((own.counts or {})[value] for value in known), own.n_missing], dtype=np.int64)
        for own, known in zip(found, encoding.categories, strict=True)
    ]


def encoded(table: Table, encoding: Encoding, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows of a chunk: numbers, then codes."""
    if not table.coded:
        return np.ascontiguousarray(table.numbers)
    n_numbers = table.numbers.shape[1]
    # integers of a partition in which one is missing came as floats, and are refused later
    dtype = np.result_type(dtype, table.numbers.dtype) if n_numbers else dtype
    out = np.empty((table.n_rows, n_numbers + len(table.coded)), dtype=dtype)
    out[:, :n_numbers] = table.numbers
    for feature, coded in enumerate(table.coded):
        encoding.write_codes(feature, coded, out[:, n_numbers + feature])
    return out


def coded_rows(
    part: Any, schema: Schema, encoding: Encoding, before: ChunkFingerprints | None
) -> NDArray[Any]:
    """The rows of a chunk, which must be what they were before, where that is known.

    Raises
    ------
    InputError
        They are not.
    """
    table = read(part, schema)
    if before is not None and before.rows is not None:
        own = fingerprint_of(part, table, schema)
        require_unchanged(own, before.rows, "X", before.chunk)
    return encoded(table, encoding, schema.dtype)
