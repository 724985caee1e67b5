"""Class labels of one block, as numpy values and as codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import InputError
from .blocks import Ints
from .fingerprint import Fingerprint, of_labels


class LabelCounts(NamedTuple):
    """Labels of one block.

    Attributes
    ----------
    counts
        Rows by label.
    n_missing
        Labels that are None, NaN or NA.
    n_continuous
        Labels that are no whole numbers.
    n_not_one_hot
        Rows of a two-dimensional target without exactly one 1 among zeros.
    own
        The fingerprint of the block.
    """

    counts: dict[Any, int]
    n_missing: int
    n_continuous: int
    n_not_one_hot: int
    own: Fingerprint

    @property
    def n_rows(self) -> int:
        """Length of the block."""
        return self.own.n_rows


class Coded(NamedTuple):
    """The labels of a block as numbers of the different ones (-1: missing), and these."""

    codes: NDArray[np.integer[Any]]
    labels: NDArray[Any]


def label_values(block: Any) -> NDArray[Any]:
    """The labels of a numpy or pandas block as a one-dimensional numpy array.

    A one-vs-all block, shape (m, n_classes), gives the column of each row's 1, or -1. Nullable and
    pyarrow integers and booleans become numpy's, strings and categories objects.
    """
    if isinstance(block, (pd.Series, pd.Index)):
        dtype = block.dtype
        if isinstance(dtype, np.dtype) or block.isna().any():
            return _indexable(block.to_numpy())
        if pd.api.types.is_bool_dtype(dtype):
            return block.to_numpy(dtype=bool)
        if pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
            kind = getattr(dtype, "numpy_dtype", np.dtype(object))
            return _indexable(block.to_numpy(dtype=kind))
        values = np.asarray(block)
        return values if values.dtype.kind in "iubmM" else values.astype(object)
    values = np.asarray(block)
    if values.ndim not in (1, 2) or values.dtype.kind == "V":
        raise InputError(
            f"y, or a chunk of it, is a {type(block).__name__} of shape {values.shape} and dtype "
            f"{values.dtype}: pass one label for each row, in an array or a series."
        )
    if values.ndim == 2:
        return _columns_of_ones(values) if values.shape[1] > 1 else _indexable(values.ravel())
    return _indexable(values)


def _columns_of_ones(rows: NDArray[Any]) -> Ints:
    # -1 where a row is not exactly one 1 among zeros
    ones = rows == 1
    one_hot = ((rows == 0) | ones).all(axis=1) & (ones.sum(axis=1) == 1)
    return np.where(one_hot, ones.argmax(axis=1), -1)


def _indexable(values: NDArray[Any]) -> NDArray[Any]:
    # pandas has no index of bytes, half floats, long doubles or another byte order
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "S":
        return values.astype(object)
    return values.astype(np.float64) if values.dtype.char in "eg" else values


def count_labels(block: Any) -> LabelCounts:
    """Count the labels of one block, and what can't be a label."""
    codes, labels = code(block)
    present = codes[codes >= 0]
    numbers = np.bincount(present, minlength=len(labels))
    n_not_one_hot = n_continuous = 0
    if getattr(block, "ndim", 1) == 2 and block.shape[1] > 1:
        n_not_one_hot = int(numbers[labels == -1].sum())
    try:
        values = pd.Series(labels).infer_objects().to_numpy()  # objects may be floats
    except UnicodeEncodeError as error:
        raise InputError(
            f"y has a label that pandas has no string of ({error}): encode it otherwise, or give "
            "the classes numbers."
        ) from error
    if values.dtype.kind == "f":
        n_continuous = int(numbers[(values != np.floor(values)) | np.isinf(values)].sum())
    # continuous labels are refused later, and their table would be as long as the block
    counts = {}
    if not n_continuous:
        counts = {label: int(n) for label, n in zip(keys(labels), numbers, strict=True)}
    own = of_labels(codes, labels)
    return LabelCounts(
        counts=counts,
        n_missing=len(codes) - len(present),
        n_continuous=n_continuous,
        n_not_one_hot=n_not_one_hot,
        own=own,
    )


def keys(labels: NDArray[Any]) -> list[Any]:
    """The labels as Python compares them; dates as pandas has them."""
    if labels.dtype.kind in "mM":
        # `tolist` makes plain integers of dates in nanoseconds
        return list(pd.Index(labels))
    return [label.item() if isinstance(label, np.generic) else label for label in labels.tolist()]


def code(block: Any) -> Coded:
    """The labels of one block as numbers, by their first appearance."""
    whole = isinstance(block, (pd.Series, pd.Index)) and not isinstance(block.dtype, np.dtype)
    values = block if whole else label_values(block)
    try:
        # an extension type as it is: 1,000,000 categories take 2 ms, as objects 64
        codes, labels = pd.factorize(values)
    except (TypeError, NotImplementedError) as error:  # Arrow's is of the second
        kinds = sorted({type(label).__name__ for label in values})
        raise InputError(
            f"y has labels of the types {kinds}, some of which can't be told apart ({error}): "
            "use numbers or strings, e.g. y = y.astype(str)."
        ) from error
    return Coded(codes.astype(np.int64), label_values(labels))


def numbers_of(coded: Coded, classes: Sequence[Any]) -> Ints:
    """Number of each row's label in `classes`; -1 for one that is not among them.

    Labels are those of Python: 1, 1.0 and True are one, in whatever types blocks have them.
    """
    # no index of pandas: one that threads share may not find its labels (pandas issue 21150)
    number_of = {label: number for number, label in enumerate(classes)}
    # code -1, of a missing label, picks the last entry
    numbers = np.array([*(number_of.get(label, -1) for label in keys(coded.labels)), -1])
    found: Ints = numbers.astype(np.int64)[coded.codes]
    return found


def encode(coded: Coded, classes: Sequence[Any]) -> Ints:
    """Number of each row's label in `classes`.

    Raises
    ------
    InputError
        One is not among them.
    """
    numbers = numbers_of(coded, classes)
    if len(numbers) and numbers.min() < 0:
        strange = keys(coded.labels)[coded.codes[numbers.argmin()]]
        raise InputError(
            f"y has the label {strange!r}, which was not there when its labels were counted: its "
            "source changed meanwhile. Persist it first: y = y.persist()."
        )
    return numbers
