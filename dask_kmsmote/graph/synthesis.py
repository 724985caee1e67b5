"""Synthesis: the lazy part. Each output block is made alone, from its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed

from ..kernels.making import imbalanced_learn as compat

from ..kernels.making import interpolation

from ..kernels import seeding
from ..kernels.rows.blocks import Rows
from ..kernels.neighbors.density import Density
from ..kernels.groups.picking import Picked, pick, together
from ..kernels.groups.pieces import GroupRows
from ..kernels.seeding import Choices, Ints
from .density.measure import Group
from .dask.tasks import Tasks


class Stream(NamedTuple):
    """Where the choices of a block come from: its key, or imbalanced-learn's state."""

    seed: int
    key: tuple[int, int, int]
    n: int
    state: compat.BlockState | None = None


@dataclass(frozen=True)
class SyntheticBlock:
    """One output block.

    Attributes
    ----------
    n_rows, class_code
        Its rows and their class.
    rows
        A task: the new rows.
    parents
        A task: base rows, neighbour rows and gaps, the rows as positions in X.
    """

    n_rows: int
    class_code: int
    rows: Delayed
    parents: Delayed


def choose(density: Density, stream: Stream) -> Choices:
    """Draw the choices of a block."""
    if stream.state is not None:
        return compat.draw(stream.state, density.neighbors)
    return seeding.draw(stream.seed, stream.key, density.neighbors, stream.n)


def synthesize(block: GroupRows, density: Density, stream: Stream) -> Rows:
    """Rows of an output block of a group that is held in one block."""
    return _interpolate(block.rows, block.rows, choose(density, stream), stream)


def _interpolate(bases: Rows, neighbors: Rows, choices: Choices, stream: Stream) -> Rows:
    method = interpolation if stream.state is None else compat
    return method.interpolate(bases, neighbors, choices)


def blend(picked: Sequence[Picked], choices: Choices, stream: Stream) -> Rows:
    """Rows of an output block from the parents of all blocks of a large group."""
    return _interpolate(*together(picked, choices), stream)


def positions_of(block: GroupRows) -> Ints:
    """Positions in X of a block of a group."""
    return block.positions


def trace(choices: Choices, parts: Sequence[Ints]) -> Choices:
    """The choices with positions in X, of which each block has a part, for rows of the group."""
    positions = np.concatenate(parts)
    return choices._replace(base=positions[choices.base], neighbor=positions[choices.neighbor])


def make_blocks(tasks: Tasks, group: Group, streams: Sequence[Stream]) -> list[SyntheticBlock]:
    """The output blocks of a group."""
    made = []
    positions = [tasks("positions", positions_of, block) for block in group.blocks]
    for stream in streams:
        choices = tasks("choose", choose, group.density, stream)
        if len(group.blocks) == 1:
            rows = tasks("synthesis", synthesize, group.blocks[0], group.density, stream)
        else:
            picked = [
                tasks("pick", pick, block, choices, number * group.size)
                for number, block in enumerate(group.blocks)
            ]
            rows = tasks("synthesis", blend, picked, choices, stream)
        parents = tasks("provenance", trace, choices, positions)
        made.append(SyntheticBlock(stream.n, group.key[0], rows, parents))
    return made


def make_streams(
    seed: int, key: tuple[int, int], sizes: Sequence[int], compat_cells: int | None
) -> list[Stream]:
    """A stream for each block of a group.

    Parameters
    ----------
    seed, key
        Root seed, and class and cluster.
    sizes
        Rows of each block.
    compat_cells
        Rows times neighbours of the group where imbalanced-learn's stream is wanted.
    """
    states: list[Any] = [None] * len(sizes)
    if compat_cells is not None:
        states = list(compat.block_states(seed, compat_cells, list(sizes)))
    return [
        Stream(seed, (*key, block), n, state)
        for block, (n, state) in enumerate(zip(sizes, states, strict=True))
    ]
