"""The two orders of a result, as objects: synthetic rows after the originals, or among them.

Rows are named by their number in the appended order: the originals by their position in X, then the
synthetic rows by class and cluster. An `Order` says where in the result a row is, which rows are at
some positions, and of what each partition of a lazy result is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..kernels.rows.blocks import take
from .places import Ints, Partition, Slice, Stretch, interleave, n_below, runs_of, sort_by_place


@dataclass(frozen=True)
class Order:
    """Where a result has each original and each synthetic row: here, one after the other.

    Attributes
    ----------
    n_originals, n_synthetic
        Rows of X, and synthetic rows.
    appends
        Whether the originals come first, as they were.
    """

    n_originals: int
    n_synthetic: int
    appends: ClassVar[bool] = True

    def partitions(self, lengths: Sequence[int], sizes: Sequence[int]) -> Iterator[Partition]:
        """Partitions of a result of chunks of originals, and blocks of synthetic rows."""
        for chunk, n_rows in enumerate(lengths):
            yield Partition(chunk=chunk, slices=(), stretches=(), n_rows=n_rows)
        for block, n_rows in enumerate(sizes):
            whole = (Slice(block, 0, n_rows),)
            yield Partition(chunk=None, slices=whole, stretches=(), n_rows=n_rows)

    def positions(self, rows: Ints) -> Ints:
        """Positions in the result of some rows."""
        return rows

    def rows(self, start: int, stop: int) -> Ints:
        """The rows at the positions [start, stop) of the result."""
        return np.arange(start, stop)

    def arranged(self, resampled: Any) -> Any:
        """A result in memory that has its synthetic rows after the originals, in this order."""
        return resampled


class Append(Order):
    """Synthetic rows after the originals, which are an untouched prefix."""


class Interleave(Order):
    """Synthetic rows spread evenly among the originals, see `places`.

    A row stands behind all whose place is smaller, so its position is a sum of counts, one for each
    run; no table of all rows is needed for a few of them.
    """

    appends = False

    def partitions(self, lengths: Sequence[int], sizes: Sequence[int]) -> Iterator[Partition]:
        """A chunk and slices of blocks each."""
        return interleave(lengths, sizes)

    def positions(self, rows: Ints) -> Ints:
        """How many rows have smaller places."""
        found = np.empty_like(rows)
        for mine, sequence in enumerate(self._sequences()):
            inside = (rows >= sequence.start) & (rows < sequence.stop)
            found[inside] = self._positions(mine, rows[inside] - sequence.start)
        return found

    def rows(self, start: int, stop: int) -> Ints:
        """A few more than asked for, sorted by place, and the asked ones of them."""
        sequences = self._sequences()
        totals = np.array([len(sequence) for sequence in sequences])
        # a row's position is its place times all rows, but for half a row of each sequence
        spare, n = len(sequences), totals.sum()
        lows, highs = n_below((start - spare) / n, totals), n_below((stop + spare) / n, totals)
        parts = [
            np.arange(sequence.start + low, sequence.start + high)
            for sequence, low, high in zip(sequences, lows, highs, strict=True)
        ]
        stretches = zip(totals.tolist(), lows, highs - lows, strict=True)
        order = sort_by_place([Stretch(*each) for each in stretches])
        # all rows before the lows have smaller places, so what was taken begins at this position
        first = lows.sum()
        return np.concatenate(parts)[order[start - first : stop - first]]

    def arranged(self, resampled: Any) -> Any:
        """Its rows, taken one by one."""
        order = self.rows(0, self.n_originals + self.n_synthetic)
        if isinstance(resampled, list):
            return [resampled[row] for row in order]
        if isinstance(resampled, pd.DataFrame | pd.Series):
            return resampled.iloc[order].reset_index(drop=True)
        return take(resampled, order)

    def _sequences(self) -> list[range]:
        """The originals, then the runs of synthetic rows: each keeps its order."""
        n = self.n_originals
        runs = [range(n + run.start, n + run.stop) for run in runs_of(self.n_synthetic)]
        return [range(n), *runs]

    def _positions(self, mine: int, numbers: Ints) -> Ints:
        sequences = self._sequences()
        places = (numbers + 0.5) / len(sequences[mine])
        # of equal places the earlier sequence's comes first
        above = np.nextafter(places, np.inf)
        # a x b c y d: before c are 2 of its own sequence, and 1 of x y, so its position is 3
        found = numbers.copy()
        for other, sequence in enumerate(sequences):
            if other != mine:
                found += n_below(above if other < mine else places, len(sequence))
        return found


ORDERS: Mapping[str, type[Order]] = {"append": Append, "interleave": Interleave}
