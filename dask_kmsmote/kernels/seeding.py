"""Random streams, each keyed by what it is for, and the choices drawn from them.

A stream is numpy's PCG64 on a `SeedSequence` with the root seed as entropy and the use as spawn
key, so no stream depends on which other streams were drawn before it, or where.
"""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SAMPLE, START, SYNTHESIS, PAIRS, TREES, PROBES, INSPECTION = range(7)
CENSUS_SAMPLE, START_SAMPLE, SMALL_START_SAMPLE = range(3)  # drawn from one another


class Choices(NamedTuple):
    """What was drawn for each synthetic row.

    Attributes
    ----------
    base, neighbor
        Rows of the group, shape (n,).
    gap
        Where between the two, in [0, 1), shape (n,).
    """

    base: Ints
    neighbor: Ints
    gap: Floats


def root_seed(random_state: Any) -> int:
    """A non-negative integer from any kind of seed.

    An integer stands for itself; a `RandomState` or `Generator` gives its next numbers; None asks
    the operating system.
    """
    if isinstance(random_state, np.random.RandomState):
        words = random_state.randint(0, 2**32, size=4, dtype=np.uint32)
        return int.from_bytes(words.tobytes(), "little")
    if isinstance(random_state, np.random.Generator):
        return int.from_bytes(random_state.bytes(16), "little")
    if random_state is None:
        return secrets.randbits(128)
    return int(random_state)


def stream(seed: int, *key: int) -> np.random.Generator:
    """The stream of the root seed for one use."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def small_seed(seed: int, *key: int) -> int:
    """A seed for scikit-learn (below 2**31) from the root seed, for one use."""
    return int(stream(seed, *key).integers(2**31))


def sample_rows(n: int, size: int, seed: int, level: int) -> Ints:
    """Sorted numbers of `size` of n rows; all of them where there are no more.

    `level` tells a sample from one that is drawn from it: from one stream, both would have the
    same numbers, and the first rows would be in the second twice as often as others.
    """
    if size >= n:
        return np.arange(n, dtype=np.int64)
    chosen = stream(seed, SAMPLE, level).choice(n, size, replace=False, shuffle=False)
    return np.sort(chosen).astype(np.int64)


def draw(seed: int, key: tuple[int, int, int], neighbors: Ints, n: int) -> Choices:
    """Choices of one block: base rows, neighbours and gaps all uniform.

    Parameters
    ----------
    seed, key
        Root seed, and class, cluster and block.
    neighbors
        Rows of the group nearest to each of its rows, shape (m, k).
    n
        Rows of the block.
    """
    rng = stream(seed, SYNTHESIS, *key)
    cells = rng.integers(0, neighbors.size, n)
    gap = rng.random(n)
    base, column = np.divmod(cells, neighbors.shape[1])
    return Choices(base, neighbors[base, column], gap)
