"""Random streams, each keyed by what it is for.

A stream is numpy's PCG64 on a `SeedSequence` with the root seed as entropy and the use as spawn
key, so no stream depends on which other streams were drawn before it, or where: block 3 of class 1
in cluster 7 has the stream of the key (SYNTHESIS, 1, 7, 3), on whichever worker it is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# keys of streams: a new use goes behind the last, or every seed means other rows
SAMPLE, START, SYNTHESIS, PAIRS, TREES, PROBES, INSPECTION, SELECTION, ESTIMATE = range(9)
# of samples that are drawn from one another
CENSUS_SAMPLE, START_SAMPLE, SMALL_START_SAMPLE, LEARNING_SAMPLE, INDICATED_SAMPLE = range(5)


def root_seed(random_state: Any) -> int:
    """A non-negative integer from any kind of seed.

    An integer stands for itself; a `RandomState` or `Generator` gives its next numbers; None is
    numpy's global `RandomState`.
    """
    if random_state is None:
        # numpy's own, as scikit-learn has it: a worker draws from keyed streams, and imports it not
        from sklearn.utils import check_random_state

        random_state = check_random_state(None)
    if isinstance(random_state, np.random.RandomState):
        words = random_state.randint(0, 2**32, size=4, dtype=np.uint32)
        return int.from_bytes(words.tobytes(), "little")
    if isinstance(random_state, np.random.Generator):
        return int.from_bytes(random_state.bytes(16), "little")
    return int(random_state)


def stream(seed: int, *key: int) -> np.random.Generator:
    """The stream of the root seed for one use."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def small_seed(seed: int, *key: int) -> int:
    """A seed for scikit-learn (below 2**31) from the root seed, for one use."""
    return int(stream(seed, *key).integers(2**31))


def sample_rows(n: int, size: int, seed: int, level: int) -> NDArray[np.int64]:
    """Sorted numbers of `size` of n rows; all of them where there are no more.

    `level` tells a sample from one that is drawn from it: from one stream, both would have the
    same numbers, and the first rows would be in the second twice as often as others.
    """
    if size >= n:
        return np.arange(n, dtype=np.int64)
    # sorted below, so not shuffled; up to n / 20 rows numpy draws without a table of all n
    chosen = stream(seed, SAMPLE, level).choice(n, size, replace=False, shuffle=False)
    return np.sort(chosen).astype(np.int64)
