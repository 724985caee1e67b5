"""Synthesis: the lazy part. Each output block is made alone, from its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dask.delayed import Delayed

from ..errors import ParameterError
from ..kernels.groups.pieces import positions_of
from ..kernels.making.drawing import Stream
from ..kernels.making.interpolation import (
    draw_block,
    make_from_block,
    make_from_picked,
    wanted_of,
)
from ..planning.groups import neighbors_in
from ..planning.plan import SamplingPlan
from ..recipes import Recipe
from .dask.tasks import Tasks
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
    group = dense.group
    # for the provenance alone, shared by all output blocks of the group
    positions = [tasks("synthesis-positions", positions_of, block) for block in group.blocks]
    made, how = [], (recipe.interpolation, n_categorical)
    for stream in streams:
        # of a group of one block, for the provenance alone as well
        draw = tasks("synthesis-draw", draw_block, dense.density, stream, *how)
        if len(group.blocks) == 1:
            # drawn again where the rows are: cheaper than to bring the draw there
            rows = tasks("synthesis", make_from_block, group.blocks[0], dense.density, stream, *how)
        else:
            wanted = tasks("synthesis-wanted", wanted_of, draw)
            picked = group.pick(tasks, "synthesis-pick", wanted)
            rows = tasks("synthesis", make_from_picked, picked, draw, *how)
        made.append(
            SyntheticBlock(
                n_rows=stream.n_rows,
                class_code=group.key[0],
                rows=rows,
                draw=draw,
                positions=positions,
            )
        )
    return made
