"""Where a result has each original and each synthetic row, in either layout.

Rows are named by their position in the appended layout: the originals by their position in X, then
the synthetic rows by class and cluster. Interleaved, a row stands behind all whose place is
smaller (`planning.interleave`), so its position is a sum of counts, one for each run.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .places import RUNS, Mixture, Piece
from .mixing import order_of
from ..kernels.seeding import Floats, Ints


class Order(NamedTuple):
    """The order of a result.

    Attributes
    ----------
    n_originals, n_synthetic
        Rows.
    mixed
        Whether it is interleaved.
    """

    n_originals: int
    n_synthetic: int
    mixed: bool

    def positions(self, rows: Ints) -> Ints:
        """Positions in the result of some rows."""
        if not self.mixed:
            return rows
        found = np.empty_like(rows)
        for mine, sequence in enumerate(self._sequences()):
            inside = (rows >= sequence.start) & (rows < sequence.stop)
            found[inside] = self._positions(mine, rows[inside] - sequence.start)
        return found

    def rows(self, start: int, stop: int) -> Ints:
        """The rows at the positions [start, stop) of the result."""
        if not self.mixed:
            return np.arange(start, stop)
        sequences = self._sequences()
        totals = np.array([len(sequence) for sequence in sequences])
        # a row's position is its place times all rows, but for half a row of each sequence
        spare, n = len(sequences), totals.sum()
        lows, highs = _n_below((start - spare) / n, totals), _n_below((stop + spare) / n, totals)
        pieces = [Piece(*each) for each in zip(totals.tolist(), lows, highs - lows, strict=True)]
        parts = [
            np.arange(sequence.start + low, sequence.start + high)
            for sequence, low, high in zip(sequences, lows, highs, strict=True)
        ]
        order = order_of(Mixture(pieces[0], tuple(pieces[1:]), ()))
        first = lows.sum()
        return np.concatenate(parts)[order[start - first : stop - first]]

    def _sequences(self) -> list[range]:
        """The originals, then the runs of synthetic rows: each keeps its order."""
        bounds = [self.n_originals + self.n_synthetic * run // RUNS for run in range(RUNS + 1)]
        runs = [range(low, high) for low, high in pairwise(bounds) if low < high]
        return [range(self.n_originals), *runs]

    def _positions(self, mine: int, numbers: Ints) -> Ints:
        sequences = self._sequences()
        places = (numbers + 0.5) / len(sequences[mine])
        # of equal places the earlier sequence's comes first
        above = np.nextafter(places, np.inf)
        found = numbers.copy()
        for other, sequence in enumerate(sequences):
            if other != mine:
                found += _n_below(above if other < mine else places, len(sequence))
        return found


def _n_below(bounds: Floats | float, total: Ints | int) -> Ints:
    """Rows of so many whose places are below a bound, to the last bit."""
    found = np.clip(np.ceil(np.multiply(bounds, total) - 0.5), 0, total).astype(np.int64)
    while (high := (found > 0) & ((found - 0.5) / total >= bounds)).any():
        found -= high
    while (low := (found < total) & ((found + 0.5) / total < bounds)).any():
        found += low
    return found
