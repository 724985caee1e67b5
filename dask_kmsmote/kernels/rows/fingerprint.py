"""Fingerprints of blocks, by which a later read of the data is known to be the same.

X and y are read more than once: by the census, by the survey, again where a worker died with what
it held, and for the originals in the result. Each read after the first is compared with it, block
by block. A fingerprint is 64 bits that depend on every value and on its place, from one pass at
the speed of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..compiled import compiled
from .blocks import Rows, SparseRows, is_sparse

_Words = NDArray[np.unsignedinteger]
_ABREAST = 16  # labels
_TOGETHER = 4096  # rows, so that a copy of them stays in the core's cache
_MISSING = np.uint64(0xD1B54A32D192ED03)  # no likely label


class Fingerprint(NamedTuple):
    """Rows of a block, and 64 bits of their values."""

    n_rows: int
    bits: int


class ChunkFingerprints(NamedTuple):
    """Fingerprints of one chunk's features and of its labels, and the chunk's number.

    That of `rows` is None where they are compared as they are read.
    """

    chunk: int
    rows: Fingerprint | None
    target: Fingerprint


def of_rows(rows: Rows) -> Fingerprint:
    """The fingerprint of rows in any order of memory; in another dtype they have another one."""
    if is_sparse(rows):
        parts = [_bits(_words(part)) for part in _canonical(rows)]
        return Fingerprint(int(rows.shape[0]), _bits(np.array(parts, dtype=np.uint64)))
    return Fingerprint(rows.shape[0], _bits(_words(np.asarray(rows))))


def combined(n_rows: int, parts: Sequence[int]) -> Fingerprint:
    """The fingerprint of a block that is made of parts, from the bits of each."""
    return Fingerprint(n_rows, _bits(np.array(parts, dtype=np.uint64)))


def of_labels(codes: NDArray[np.integer[Any]], labels: NDArray[Any]) -> Fingerprint:
    """The fingerprint of labels by their numbers in an array of the different ones."""
    if labels.dtype.kind in "biufmM":
        known = _words(labels).astype(np.uint64)
    else:
        known = np.array([_word(label) for label in labels.tolist()], dtype=np.uint64)
    # code -1, of a missing label, picks the appended word
    words = np.append(known, _MISSING)[codes]
    whole = len(words) // _ABREAST * _ABREAST
    # one chain of multiplications would take as long as the 18 of rows do
    parts = [_bits(words[:whole].reshape(-1, _ABREAST)), _bits(words[whole:])]
    return combined(len(codes), parts)


def _word(label: Any) -> int:
    # its type too: 1 and "1" have the same text
    text = f"{type(label).__name__} {label}".encode("utf8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def require_unchanged(now: Fingerprint, before: Fingerprint, name: str, chunk: int) -> None:
    """Raise `InputError` where a chunk of X or y is not what it was when it was read first."""
    if now == before:
        return
    what = f"{before.n_rows} rows at first and {now.n_rows} now"
    raise InputError(
        f"{name} changed between two reads: chunk {chunk} has "
        f"{'other values than at first' if now.n_rows == before.n_rows else what}. Its source was "
        "rewritten, or its tasks give other values each time. Seed what is random in them, or "
        "persist the data first: X, y = dask.persist(X, y)."
    )


def _canonical(rows: SparseRows) -> tuple[Any, Any, Any]:
    rows = rows if rows.format in ("csr", "csc") else rows.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows.data, rows.indices, rows.indptr


def _words(values: NDArray[Any]) -> _Words:
    """The values as unsigned integers of their size; long doubles as two each."""
    if values.dtype.char == "g":  # its padding is not initialized
        with np.errstate(over="ignore", invalid="ignore"):  # the census refuses what is infinite
            high = values.astype(np.float64)
            low = (values - high).astype(np.float64)
        values = np.concatenate([high, low])
    return values.view(f"u{values.dtype.itemsize}")


def _bits(words: _Words) -> int:
    words = words if words.ndim == 2 else words[:, np.newaxis]
    state = np.zeros(words.shape[1], dtype=np.uint64)
    for start in range(0, len(words), _TOGETHER):
        # of one type and layout, as each of another would be compiled anew
        _mix(np.require(words[start : start + _TOGETHER], np.uint64, ["C", "W"]), state)
    whole = np.zeros(1, dtype=np.uint64)
    _mix(state[:, np.newaxis], whole)
    return int(whole[0])


@compiled
def _mix(words, state):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    # a column is a chain of multiplications, as in FNV-1a; the columns of a row overlap
    # not a hash of hashlib's: 144 MB take blake2b 104 ms on one core, and this loop 5
    for i in range(words.shape[0]):
        for j in range(words.shape[1]):
            mixed = (state[j] ^ words[i, j]) * np.uint64(0x9E3779B97F4A7C15)
            state[j] = mixed ^ (mixed >> np.uint64(32))
