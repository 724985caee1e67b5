"""Rows of a group by their numbers, brought together from the blocks that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..rows.blocks import Rows, stack, take
from .pieces import GroupRows
from ..seeding import Choices, Ints


class Picked(NamedTuple):
    """Those of some chosen rows that one block holds, and their places among the chosen."""

    at_base: Ints
    bases: Rows
    at_neighbor: Ints
    neighbors: Rows


def pick(block: GroupRows, choices: Choices, start: int) -> Picked:
    """Base rows and neighbours that a block holds; it begins at row `start` of the group."""
    stop = start + block.rows.shape[0]
    at_base = np.flatnonzero((choices.base >= start) & (choices.base < stop))
    at_neighbor = np.flatnonzero((choices.neighbor >= start) & (choices.neighbor < stop))
    return Picked(
        at_base,
        take(block.rows, choices.base[at_base] - start),
        at_neighbor,
        take(block.rows, choices.neighbor[at_neighbor] - start),
    )


def together(picked: Sequence[Picked], choices: Choices) -> tuple[Rows, Rows, Choices]:
    """Base rows and neighbours of all blocks, and the choices numbered in these."""
    own = choices._replace(
        base=_inverse([part.at_base for part in picked]),
        neighbor=_inverse([part.at_neighbor for part in picked]),
    )
    bases = stack([part.bases for part in picked])
    neighbors = stack([part.neighbors for part in picked])
    return bases, neighbors, own


def _inverse(parts: Sequence[Ints]) -> Ints:
    places = np.concatenate(parts)
    inverse = np.empty_like(places)
    inverse[places] = np.arange(len(places))
    return inverse
