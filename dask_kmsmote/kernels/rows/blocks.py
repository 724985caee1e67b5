"""A block of rows: a numpy array or a scipy sparse matrix, and what all kernels ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...errors import InputError

Rows = Any  # NDArray | csr/csc matrix or array: scipy.sparse has no static types


def as_dense(rows: Rows) -> NDArray[np.float64]:
    """The rows as C-contiguous float64, dense."""
    if sparse.issparse(rows):
        rows = rows.toarray()
    return np.ascontiguousarray(rows, dtype=np.float64)


def take(rows: Rows, indices: NDArray[np.int64]) -> Rows:
    """Some of the rows, in the order of the indices, in the same format."""
    if sparse.issparse(rows):
        return rows.tocsr()[indices].asformat(rows.format)
    return rows[indices]


def stack(parts: Sequence[Rows]) -> Rows:
    """The parts one below the other, in the same format and type."""
    if len(parts) == 1:
        return parts[0]
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format=parts[0].format, dtype=parts[0].dtype)
    return np.concatenate(parts)


def unmasked(block: Any, name: str) -> Any:
    """The block; the plain values of a masked array in which nothing is masked.

    Raises
    ------
    InputError
        Something is masked.
    """
    if not isinstance(block, np.ma.MaskedArray):
        return block
    n = int(np.sum(block.mask))
    if n:
        raise InputError(
            f"{name} is a masked array with {n} masked values (in this chunk, where it has "
            f"chunks): fill them first, e.g. {name} = {name}.filled(0), or drop those rows."
        )
    return block.data


def require_sound(block: Any, name: str) -> None:
    """Raise `InputError` where the indices of a sparse block lie outside of it."""
    if not sparse.issparse(block) or not hasattr(block, "indptr"):
        return
    try:
        # of another object: the check may shorten what it checks
        parts = block.data, block.indices, block.indptr
        type(block)(parts, shape=block.shape).check_format(full_check=True)
    except ValueError as error:
        raise InputError(
            f"{name} is a sparse {block.format} matrix whose parts contradict each other "
            f"({error}): build it anew, e.g. from (data, (rows, columns))."
        ) from error


def require_rows(block: Any, n_features: int) -> Rows:
    """A chunk of X as rows of numbers, which its Dask array may have claimed wrongly.

    Raises
    ------
    InputError
        It is of another type or shape, has masked values, or sparse indices outside of it.
    """
    block = unmasked(block, "X")
    require_sound(block, "A chunk of X")
    shape: Any = getattr(block, "shape", ())
    dtype: Any = getattr(block, "dtype", None)
    dense = isinstance(block, np.ndarray) and not isinstance(block, np.matrix)
    known = dense or getattr(block, "format", None) in ("csr", "csc")
    if not known or len(shape) != 2 or shape[1] != n_features or dtype.kind not in "biuf":
        raise InputError(
            f"A chunk of X is a {type(block).__name__} of shape {shape} and dtype {dtype}; it "
            f"must be a numpy array or a csr or csc matrix of numbers, with {n_features} columns: "
            "convert it where X is made, e.g. X = X.map_blocks(scipy.sparse.csr_matrix)."
        )
    return block


def between(rows: Any, low: int, high: int) -> Any:
    """Rows [low, high) of a block, or of a partition of pandas."""
    if hasattr(rows, "iloc"):
        return rows.iloc[low:high]
    return (rows.tocsr() if hasattr(rows, "tocsr") else rows)[low:high]


def frame_to_rows(frame: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A pandas partition as rows of one dtype; missing values become NaN.

    An integer dtype is kept only where nothing is missing, so that a census finds what is.
    """
    return np.ascontiguousarray(frame_values(frame, dtype))


def frame_values(frame: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The same in any order of memory, at no cost where pandas holds them so."""
    if all(own == dtype for own in frame.dtypes):
        return np.asarray(frame.to_numpy())
    if np.issubdtype(dtype, np.floating):
        return np.asarray(frame.to_numpy(dtype=dtype, na_value=np.nan))
    if frame.isna().to_numpy().any():
        return np.asarray(frame.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(frame.to_numpy(dtype=dtype))
