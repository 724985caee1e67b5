"""Synthesis: the lazy part. Each output block is made alone, from its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dask.delayed import Delayed

from ..errors import ParameterError
from ..kernels.groups.pieces import positions_of
from ..kernels.making.drawing import Stream
from ..kernels.making.interpolation import (
    Interpolation,
    draw_block,
    draw_in_sector,
    join_parents,
    make_from_block,
    make_from_parents,
    numbers_of,
    wanted_of,
)
from ..planning.cuts import Sector
from ..planning.groups import neighbors_in
from ..planning.plan import SamplingPlan
from ..recipes import Recipe
from .dask.tasks import Tasks, nested
from .density.measure import DenseGroup


@dataclass(frozen=True)
class SyntheticBlock:
    """One output block.

    Attributes
    ----------
    n_rows, class_code
        Its rows and their class.
    rows
        A task: the new rows.
    draw, positions
        Tasks: base rows, neighbours and gaps, in numbers of the group; and the positions in X of
        the group's rows, a part for each of its blocks.
    """

    n_rows: int
    class_code: int
    rows: Delayed
    draw: Delayed
    positions: list[Delayed]


@dataclass(frozen=True)
class Synthesis:
    """All synthetic rows, lazy, in output order."""

    blocks: list[SyntheticBlock]


def synthesize(
    tasks: Tasks,
    groups: Sequence[DenseGroup],
    kept: Sequence[int],
    plan: SamplingPlan,
    recipe: Recipe,
) -> Synthesis:
    """The output blocks of all groups.

    Parameters
    ----------
    tasks, groups
        The run and its kept groups.
    kept
        Numbers of these in the plan.
    plan, recipe
        Who gets how many rows, and how they are made.
    """
    sizes: dict[int, list[int]] = {number: [] for number in kept}
    for block in plan.blocks():
        sizes[block.group].append(block.n_rows)
    blocks: list[SyntheticBlock] = []
    for number, dense in zip(kept, groups, strict=True):
        # all that a stream must know of the group: the neighbours are not here
        n_pairs = dense.group.n_rows * neighbors_in(dense.group.n_rows, plan.k_neighbors)
        streams = recipe.make_streams(plan.seed, dense.group.key, sizes[number], n_pairs)
        if [stream.n_rows for stream in streams] != sizes[number]:
            raise ParameterError(
                f"The recipe made streams of {[stream.n_rows for stream in streams]} rows for "
                f"blocks of {sizes[number]}."
            )
        blocks += _blocks(tasks, dense, streams, recipe, plan.n_categorical)
    return Synthesis(blocks)


def _blocks(
    tasks: Tasks,
    dense: DenseGroup,
    streams: Sequence[Stream],
    recipe: Recipe,
    n_categorical: int,
) -> list[SyntheticBlock]:
    group, how = dense.group, (recipe.interpolation, n_categorical)
    # for the provenance alone, shared by all output blocks of the group
    positions = [tasks("synthesis-positions", positions_of, block) for block in group.blocks]
    parents = recipe.interpolation.parents_for(n_categorical)
    if len(group.blocks) == 1:
        made = [
            (
                tasks("synthesis", make_from_block, group.blocks[0], dense.density, stream, *how),
                tasks("synthesis-draw", draw_block, dense.density, stream, parents),
            )
            for stream in streams
        ]
    else:
        sizes = [stream.n_rows for stream in streams]
        made = [
            made
            for sector in recipe.sectors(group.n_rows, sizes)
            for made in _sector(tasks, dense, sector, streams, how)
        ]
    return [
        SyntheticBlock(
            n_rows=stream.n_rows,
            class_code=group.key[0],
            rows=rows,
            draw=draw,
            positions=positions,
        )
        for stream, (rows, draw) in zip(streams, made, strict=True)
    ]


def _sector(
    tasks: Tasks,
    dense: DenseGroup,
    sector: Sector,
    streams: Sequence[Stream],
    how: tuple[Interpolation, int],
) -> list[tuple[Delayed, Delayed]]:
    """The rows and the draw of each output block, whose parents are brought together once."""
    own, parents = streams[sector.first : sector.last], how[0].parents_for(how[1])
    args = dense.density, sector.low, sector.high, list(own), parents
    wanted = tasks("synthesis-wanted", wanted_of, *args)
    numbers = nested(numbers_of, wanted)
    picked = dense.group.pick(tasks, "synthesis-pick", numbers)
    brought = tasks("synthesis-parents", join_parents, picked, wanted)
    return [
        (
            tasks("synthesis", make_from_parents, brought, stream, *how),
            tasks("synthesis-draw", draw_in_sector, wanted, stream, parents),
        )
        for stream in own
    ]
