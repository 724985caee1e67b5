"""A block of rows: a numpy array or a scipy sparse matrix, and what all kernels ask of it.

No kernel tells the two apart by itself where a function here does: `take` and `stack` keep the
format, `as_dense` is what distances are measured on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...errors import InputError
from ...planning.cuts import block_rows, cut

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PIECE_BYTES = 8 * 2**20
_ROWS_IN_CACHE = 2048


class Rows(Protocol):
    """Rows of features: an array, or a csr or csc matrix or array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def astype(self, dtype: Any, /) -> Any:
        """The same in another type."""


class SparseRows(Rows, Protocol):
    """What scipy's csr and csc have more; they have no static types."""

    @property
    def format(self) -> str:
        """Either csr or csc."""

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    has_canonical_format: bool

    def toarray(self) -> NDArray[Any]:
        """The same, dense."""

    def tocsr(self) -> Any:
        """The same as csr."""

    def copy(self) -> Any:
        """The same, apart."""

    def sum_duplicates(self) -> None:
        """Have each entry once, in order; in place."""


def is_sparse(rows: object) -> TypeGuard[SparseRows]:
    """Whether it is a sparse matrix or array of scipy."""
    return bool(sparse.issparse(rows))


def as_dense(rows: Rows) -> Floats:
    """The rows as C-contiguous float64, dense."""
    # one type and layout for the loops that measure: numba compiles them anew for any other
    return np.ascontiguousarray(rows.toarray() if is_sparse(rows) else rows, dtype=np.float64)


def dense_pieces(rows: Rows) -> Iterator[Floats]:
    """The rows as `as_dense` has them, one piece below the other, for one pass.

    What is of that form is the only piece; of other rows a few MiB are copied at a time.
    """
    size = block_rows(rows.shape[1], _PIECE_BYTES)
    if is_sparse(rows):
        rows = rows.tocsr()
    elif rows.dtype == np.float64 and np.asarray(rows).flags.c_contiguous:
        size = max(1, rows.shape[0])
    for low, high in cut(rows.shape[0], size):
        yield as_dense(rows[low:high])


def columns_of(rows: SparseRows) -> NDArray[np.integer[Any]]:
    """Column of each stored value of sparse rows, in the order of their `data`."""
    if rows.format == "csr":
        return rows.indices
    # csc: of 3 columns with 2, 0 and 1 values, 0 0 2
    return np.repeat(np.arange(rows.shape[1]), np.diff(rows.indptr))


def take(rows: Rows, indices: Ints) -> Any:
    """Some of the rows, in the order of the indices, in the same format."""
    if is_sparse(rows):
        return rows.tocsr()[indices].asformat(rows.format)
    return rows[indices]


def stack(parts: Sequence[Rows]) -> Any:
    """The parts one below the other, in the same format and type."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if is_sparse(first):
        return sparse.vstack(parts, format=first.format, dtype=first.dtype)
    return np.concatenate(parts)  # type: ignore[arg-type] # none of them is sparse


def in_native_order(rows: Any) -> Any:
    """The rows or labels in the machine's own order of bytes, as joined blocks have them."""
    return rows.astype(rows.dtype.newbyteorder("="), copy=False)


def between(rows: Any, low: int, high: int) -> Any:
    """Rows [low, high) of a block, or of a partition of pandas."""
    if hasattr(rows, "iloc"):
        return rows.iloc[low:high]
    # csr, where the values of a row lie together
    return (rows.tocsr() if is_sparse(rows) else rows)[low:high]


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
            f"chunks): fill them first, e.g. {name} = {name}.filled(0), of a Dask array {name} = "
            f"da.ma.filled({name}, 0), or drop those rows."
        )
    return block.data


def require_sound(block: Any, name: str) -> None:
    """Raise `InputError` where the indices of a sparse block lie outside of it."""
    if not is_sparse(block) or not hasattr(block, "indptr"):
        return
    try:
        # of another object: the check may shorten what it checks
        parts = block.data, block.indices, block.indptr
        type(block)(parts, shape=block.shape).check_format(full_check=True)  # type: ignore[call-arg, attr-defined] # scipy's
    except ValueError as error:
        raise InputError(
            f"{name} is a sparse {block.format} matrix whose parts contradict each other "
            f"({error}): build it anew, e.g. from (data, (rows, columns))."
        ) from error


def require_rows(block: Any, n_features: int) -> Any:
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
    # a matrix of numpy has two dimensions whatever is taken of it
    dense = isinstance(block, np.ndarray) and not isinstance(block, np.matrix)
    known = dense or getattr(block, "format", None) in ("csr", "csc")
    if not known or len(shape) != 2 or shape[1] != n_features or dtype.kind not in "biuf":
        raise InputError(
            f"A chunk of X is a {type(block).__name__} of shape {shape} and dtype {dtype}; it "
            f"must be a numpy array or a csr or csc matrix of numbers, with {n_features} columns: "
            f"{_mend_of(block)}."
        )
    return block


def _mend_of(block: Any) -> str:
    """What makes a block of rows of a chunk, where it has rows of numbers."""
    if len(np.shape(block)) != 2:
        return "convert it where X is made"
    if is_sparse(block):
        return "X = X.map_blocks(scipy.sparse.csr_matrix)"
    if hasattr(block, "todense"):  # of the package sparse
        return "X = X.map_blocks(lambda b: b.todense(), dtype=X.dtype)"
    if getattr(getattr(block, "dtype", None), "kind", "f") not in "biufO":
        return "convert it where X is made"
    return "X = X.map_blocks(lambda b: np.asarray(b, dtype=float), dtype=float)"


def frame_values(frame: Any, places: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Columns of numbers of a pandas partition as rows of one dtype, C-contiguous.

    Missing values become NaN. An integer dtype is kept only where nothing is missing, so that a
    census finds what is.
    """
    columns = [frame.iloc[:, place] for place in places]
    is_float = np.issubdtype(dtype, np.floating)
    if not is_float and any(own.isna().any() for own in columns):
        dtype, is_float = np.dtype(np.float64), True
    # a float as it is, at no cost
    args = {"dtype": dtype} | ({"na_value": np.nan} if is_float else {})
    return _side_by_side(
        [own.to_numpy() if own.dtype == dtype else own.to_numpy(**args) for own in columns], dtype
    )


def _side_by_side(columns: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    out = np.empty((len(columns[0]), len(columns)), dtype=dtype)
    # some rows at a time, which stay in the core's cache until all columns are written
    for low, high in cut(len(out), _ROWS_IN_CACHE):
        for place, column in enumerate(columns):
            out[low:high, place] = column[low:high]
    return out
