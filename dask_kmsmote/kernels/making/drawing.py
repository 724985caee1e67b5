"""What is drawn for each synthetic row: a base row, one of its k nearest, a gap, and how ties end.

The rows of a group are cut into output blocks, and each block has a stream of its own, so that any
worker can make any block. The package keys a stream by class, cluster and block (`KeyedStream`).
imbalanced-learn has one stream for a whole group, which it starts anew in every cluster; the states
that it has at the start of each block make the same rows block by block (`RestartedStream`).

Both draw a number below m * k for each row, m rows with k neighbours each; of m = 4 and k = 3, the
number 7 is row 2 (7 // 3) and its neighbour 1 (7 % 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..groups.picking import Picked, index_in
from ..rows.blocks import Floats, Ints
from ..seeding import SYNTHESIS, stream

_State = dict[str, Any]


class Draw(NamedTuple):
    """What was drawn for n synthetic rows, in numbers of rows of the group.

    Attributes
    ----------
    base
        Shape (n,).
    neighbors
        The k nearest of each base row, nearest first, shape (n, k).
    chosen
        Which of them the row is joined to, shape (n,).
    gap
        Where between the two, in [0, 1), shape (n,).
    ties
        Of each row 64 random bits, which settle what its neighbours vote alike; shape (n,).
    """

    base: Ints
    neighbors: Ints
    chosen: Ints
    gap: Floats
    ties: NDArray[np.uint64]

    @property
    def neighbor(self) -> Ints:
        """The chosen neighbours, shape (n,)."""
        return np.take_along_axis(self.neighbors, self.chosen[:, np.newaxis], axis=1)[:, 0]

    @property
    def wanted(self) -> Ints:
        """Numbers of all rows that are asked for."""
        # all k, as a recipe may take a vote of them; to interpolate needs one
        return np.column_stack([self.base, self.neighbors])

    def behind(self, low: int) -> Draw:
        """The same for base rows that were drawn among those from `low` on."""
        return self._replace(base=self.base + low)

    def within(self, picked: Picked) -> Draw:
        """The same in numbers of picked rows."""
        base, *neighbors = index_in(picked, self.wanted).T
        return self._replace(base=base, neighbors=np.stack(neighbors, axis=1))


def all_neighbors(draw: Draw) -> Draw:
    """The draw as it is, for rows that are made of all k neighbours."""
    return draw


def chosen_neighbor(draw: Draw) -> Draw:
    """The draw with the chosen neighbours alone, so that no other rows are brought for it."""
    return draw._replace(neighbors=draw.neighbor[:, np.newaxis], chosen=np.zeros_like(draw.chosen))


class Stream(Protocol):
    """Where the draw of one block comes from; pickled into its task."""

    @property
    def n_rows(self) -> int:
        """Rows of the block."""

    def draw(self, neighbors: Ints) -> Draw:
        """Draw from the neighbours of all m rows of the group, shape (m, k)."""


def draw_from(numbers: Ints, gap: Floats, ties: NDArray[np.uint64], neighbors: Ints) -> Draw:
    """The draw that numbers below m * k, shape (n,), mean."""
    base, chosen = np.divmod(numbers, neighbors.shape[1])
    return Draw(base=base, neighbors=neighbors[base], chosen=chosen, gap=gap, ties=ties)


class KeyedStream(NamedTuple):
    """A stream of its own for each block: base rows, neighbours, gaps and ties all uniform.

    Attributes
    ----------
    seed, key
        Root seed, and class, cluster and block.
    n_rows
        Rows of the block.
    """

    seed: int
    key: tuple[int, int, int]
    n_rows: int

    def draw(self, neighbors: Ints) -> Draw:
        """As `Stream` says."""
        rng = stream(self.seed, SYNTHESIS, *self.key)
        # numbers, gaps, ties: the order is part of what a seed means
        numbers = rng.integers(0, neighbors.size, self.n_rows)
        gap = rng.random(self.n_rows)
        ties = rng.integers(0, 2**64, self.n_rows, dtype=np.uint64)
        return draw_from(numbers, gap, ties, neighbors)


def keyed_streams(
    seed: int,
    key: tuple[int, int],
    sizes: Sequence[int],
    n_pairs: int,  # noqa: ARG001 - a rule's
) -> list[KeyedStream]:
    """A stream for each block of a group.

    Parameters
    ----------
    seed, key
        Root seed, and class and cluster.
    sizes
        Rows of each block.
    n_pairs
        Rows times neighbours of the group.
    """
    # so the rows of a block are part of what a seed means (the pipeline's OUTPUT_BYTES)
    return [KeyedStream(seed, (*key, block), n) for block, n in enumerate(sizes)]


class RestartedStream(NamedTuple):
    """Where the two draws of one block start in imbalanced-learn's stream of a group."""

    numbers: _State
    gaps: _State
    n_rows: int

    def draw(self, neighbors: Ints) -> Draw:
        """As `Stream` says."""
        rng = np.random.RandomState()
        rng.set_state(self.numbers)
        numbers = rng.randint(0, neighbors.size, self.n_rows)
        rng.set_state(self.gaps)
        gap = rng.uniform(size=self.n_rows)
        # it makes no categories, and so draws for no ties
        ties = np.zeros(self.n_rows, dtype=np.uint64)
        return draw_from(numbers.astype(np.int64), gap, ties, neighbors)


def restarted_streams(
    seed: int,
    key: tuple[int, int],  # noqa: ARG001 - the same stream in every group
    sizes: Sequence[int],
    n_pairs: int,
) -> list[RestartedStream]:
    """A stream for each block, as `keyed_streams`: it draws all numbers first, then all gaps.

    For blocks of 4, 4 and 2 rows it draws 4 + 4 + 2 numbers and 4 + 4 + 2 gaps; the second block
    starts at the states behind 4 numbers, and behind 10 numbers and 4 gaps.
    """
    rng = np.random.RandomState(seed)
    numbers, gaps = [], []
    for size in sizes:
        numbers.append(_state(rng))
        # drawn and dropped: this generator can't skip numbers
        rng.randint(0, n_pairs, size)
    for size in sizes:
        gaps.append(_state(rng))
        rng.uniform(size=size)
    return [RestartedStream(*block) for block in zip(numbers, gaps, sizes, strict=True)]


def _state(rng: np.random.RandomState) -> _State:
    state: _State = rng.get_state(legacy=False)
    return state
