"""New rows on the segments between base rows and neighbours.

Every function here is handed the rows, and for each new row its base, its k nearest, which of them
was chosen, and the gap. What numbers are made of is a recipe's (`Interpolation`), and by ours they
need the chosen neighbour alone; rows of a large group are brought from many blocks, so a recipe
says which it wants. A category is a vote of all k (`vote`), whatever the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..groups.picking import Picked, join_picked
from ..groups.pieces import GroupRows
from ..neighbors.density import Density
from ..rows.blocks import Ints, Rows, in_native_order, is_sparse, take
from .drawing import Draw, Stream, all_neighbors

Choosing = Callable[[Draw], Draw]


@dataclass(frozen=True)
class Interpolation:
    """What a recipe makes numbers by.

    Attributes
    ----------
    make
        New rows, in the dtype and format of the given ones, shape (n, n_features); what it makes
        of the codes of categories is replaced.
    parents
        The draw with the neighbours that `make` looks at.
    """

    make: Callable[[Rows, Draw], Any]
    parents: Choosing = all_neighbors

    def parents_for(self, n_categorical: int) -> Choosing:
        """The same for rows with so many categories, which are a vote of all neighbours."""
        return all_neighbors if n_categorical else self.parents


def draw_block(density: Density, stream: Stream, parents: Choosing) -> Draw:
    """The draw of an output block of a group that is held in one block."""
    return parents(stream.draw(density.neighbors))


def draw_in_sector(wanted: Wanted, stream: Stream, parents: Choosing) -> Draw:
    """The draw of an output block of a sector."""
    return parents(wanted.draw(stream))


class Wanted(NamedTuple):
    """What a sector asks of its group: see `planning.cuts.sectors`.

    Attributes
    ----------
    numbers
        Rows that are a parent of one of its new rows, each once, ascending.
    low, neighbors
        Its first base row, and the neighbours of all of its base rows.
    """

    numbers: Ints
    low: int
    neighbors: Ints

    def draw(self, stream: Stream) -> Draw:
        """The draw of one of its output blocks."""
        return stream.draw(self.neighbors).behind(self.low)


class Parents(NamedTuple):
    """What a sector asked for, with the rows."""

    wanted: Wanted
    picked: Picked


def wanted_of(
    density: Density, low: int, high: int, streams: Sequence[Stream], parents: Choosing
) -> Wanted:
    """What the base rows [low, high) of a group are asked for by some output blocks."""
    wanted = Wanted(np.empty(0, dtype=np.int64), low, density.neighbors[low:high])
    asked = np.zeros(len(density.neighbors), dtype=np.bool_)
    for stream in streams:
        asked[parents(wanted.draw(stream)).wanted] = True
    return wanted._replace(numbers=np.flatnonzero(asked))


def numbers_of(wanted: Wanted) -> Ints:
    """Numbers of the rows to bring."""
    return wanted.numbers


def join_parents(parts: Sequence[Picked], wanted: Wanted) -> Parents:
    """What was asked for, from what each block of the group holds of it."""
    return Parents(wanted, join_picked(parts))


def make_from_block(
    block: GroupRows,
    density: Density,
    stream: Stream,
    interpolation: Interpolation,
    n_categorical: int,
) -> Any:
    """Rows of an output block of a group that is held in one block."""
    draw = draw_block(density, stream, interpolation.parents_for(n_categorical))
    return _make(block.rows, draw, interpolation, n_categorical)


def make_from_parents(
    parents: Parents, stream: Stream, interpolation: Interpolation, n_categorical: int
) -> Any:
    """Rows of an output block of a sector."""
    wanted, picked = parents
    draw = draw_in_sector(wanted, stream, interpolation.parents_for(n_categorical))
    return _make(picked.rows, draw.within(picked), interpolation, n_categorical)


def _make(rows: Rows, draw: Draw, interpolation: Interpolation, n_categorical: int) -> Any:
    made = in_native_order(interpolation.make(rows, draw))
    if n_categorical:
        # what a recipe made is this task's own
        vote(rows, draw, made[:, -n_categorical:])
    return made


def vote(rows: Any, draw: Draw, out: NDArray[Any]) -> None:
    """The code that most of a base row's k nearest have in each of the last columns.

    Of those that as many have, each is as likely: Chawla et al., "SMOTE: Synthetic Minority
    Over-sampling Technique", JAIR 2002, section 6.1, where ties are not settled.

    Parameters
    ----------
    rows
        The codes are the last columns.
    draw
        All neighbours, in numbers of these rows.
    out
        Written to, shape (n, n_categorical).
    """
    codes = np.ascontiguousarray(rows[:, rows.shape[1] - out.shape[1] :], dtype=np.int64)
    _vote(codes, draw.neighbors, draw.ties, out)


@compiled
def _vote(codes, neighbors, ties, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    k = neighbors.shape[1]
    own, tied = np.empty(k, dtype=np.int64), np.empty(k, dtype=np.int64)
    for i in range(len(neighbors)):
        for feature in range(out.shape[1]):
            for rank in range(k):
                # sorted as they come: k is small
                code, at = codes[neighbors[i, rank], feature], rank
                while at > 0 and own[at - 1] > code:
                    own[at] = own[at - 1]
                    at -= 1
                own[at] = code
            # equal codes are runs now: of 2 2 5 7 7 the longest are 2 and 7
            most, n_tied, length = 0, 0, 0
            for rank in range(k):
                length = length + 1 if rank > 0 and own[rank] == own[rank - 1] else 1
                if length > most:
                    most, n_tied = length, 0
                if length == most:
                    tied[n_tied] = own[rank]
                    n_tied += 1
            # other bits for each feature (the finalizer of splitmix64)
            bits = ties[i] + np.uint64(feature + 1) * np.uint64(0x9E3779B97F4A7C15)
            bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            bits ^= bits >> np.uint64(31)
            out[i, feature] = tied[np.int64(bits % np.uint64(n_tied))]


def interpolate_nearest(rows: Rows, draw: Draw) -> Any:
    """``base + gap * (neighbor - base)`` in float64; integers move a whole number of steps.

    A number is missing where the base row's is; where only the neighbour's is, it is the base's.
    """
    if rows.dtype.kind in "biu":
        return _interpolate_whole(rows, draw)
    if is_sparse(rows):
        return _interpolate_sparse(rows, draw)
    # numba knows no half floats, long doubles or other byte orders
    native = rows.dtype in (np.float32, np.float64)
    values: Any = rows if native else rows.astype(np.float64)
    out = np.empty((len(draw.base), rows.shape[1]), dtype=values.dtype)
    _write(values, draw.base, draw.neighbor, draw.gap, out)
    return out.astype(rows.dtype, copy=False)


def _parents(rows: Rows, draw: Draw) -> tuple[Any, Any]:
    return take(rows, draw.base), take(rows, draw.neighbor)


def _interpolate_sparse(rows: Rows, draw: Draw) -> Any:
    base, neighbor = (part.astype(np.float64) for part in _parents(rows, draw))
    step = neighbor - base
    # where one of the two is missing: what is missing of the base stays so
    step.data[np.isnan(step.data)] = 0
    # the matrix times its row's gap, kept in the format of the input
    new = base + step.multiply(draw.gap[:, np.newaxis])
    return _as_format(new, rows)


def _as_format(new: Any, like: Any) -> Any:
    # scipy's operators turn arrays into matrices, and csc into csr
    return type(like)(new.asformat(like.format)).astype(like.dtype)


def _interpolate_whole(rows: Rows, draw: Draw) -> Any:
    left, right = (part.toarray() if is_sparse(part) else part for part in _parents(rows, draw))
    # 64 bits hold any difference; a float64 does not, so it decides the step alone:
    # from -2**63 to 2**63 - 1 are 2**64 - 1 steps, and unsigned numbers count them
    low, high = left.astype(np.uint64), right.astype(np.uint64)
    up = right >= left
    # modulo 2**64: from -3 to 4, high - low is 4 - (2**64 - 3) = 7
    span = np.where(up, high - low, low - high)
    step = np.rint(draw.gap[:, np.newaxis] * span.astype(np.float64))
    # a span near 2**64 is 2**64 as a float, which no uint64 holds: that step is the span itself
    whole = step >= span.astype(np.float64)
    step = np.where(whole, span, np.where(whole, 0, step).astype(np.uint64))
    new = np.where(up, low + step, low - step).astype(rows.dtype)
    return type(rows)(new) if is_sparse(rows) else new  # type: ignore[call-arg] # scipy's


@compiled
def _write(rows, base, neighbor, gap, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba types it
    # straight into the block: numpy's indexing would hold two more blocks of its size
    for i in range(len(base)):
        left = rows[base[i]]
        right = rows[neighbor[i]]
        for feature in range(out.shape[1]):
            start, stop = np.float64(left[feature]), np.float64(right[feature])
            if np.isnan(stop):
                stop = start
            out[i, feature] = start + gap[i] * (stop - start)


def interpolate_in_dtype(rows: Rows, draw: Draw) -> Any:
    """imbalanced-learn's: the difference in the dtype of the rows, integers truncated."""
    base, neighbor = _parents(rows, draw)
    gap = draw.gap[:, np.newaxis]
    # differences of integers may wrap around to rows beyond the dtype
    with np.errstate(over="ignore", invalid="ignore"):
        if is_sparse(base):
            step: Any = type(base)(gap)  # type: ignore[call-arg] # scipy's
            return _as_format(base + step.multiply(neighbor - base), rows)
        return (base + gap * (neighbor - base)).astype(rows.dtype)
