"""What tasks return where there are no data: arrays of which only shape and type are there.

`StandIns` calls the function of a task as a worker would. What cuts, joins, counts or hands on is
the real function, and so is whatever works on small tables alone; a function that reads values of
rows has a rule in `RULES`, by its name, that gives back what it would, of the right size. One that
reads them without a rule is an error that names it: so graphs of any change of the package are of
the right size, or not made.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from dask_kmsmote.kernels.clusters.learning import Extent, Start
from dask_kmsmote.kernels.clusters.passes import Sums
from dask_kmsmote.kernels.groups.picking import Moments, Picked
from dask_kmsmote.kernels.groups.pieces import Piece
from dask_kmsmote.kernels.making.drawing import chosen_neighbor
from dask_kmsmote.kernels.making.interpolation import Wanted
from dask_kmsmote.kernels.neighbors.cells import Cells, Found, Points
from dask_kmsmote.kernels.neighbors.density import Density, Pairs, RangeNearest
from dask_kmsmote.kernels.neighbors.distances import Nearest
from dask_kmsmote.kernels.neighbors.recall import PROBE_ROWS
from dask_kmsmote.kernels.rows.census import Notes, Summary
from dask_kmsmote.kernels.rows.fingerprint import Fingerprint
from dask_kmsmote.kernels.rows.labels import LabelCounts
from dask_kmsmote.kernels.rows.metric import Spread
from dask_kmsmote.planning.cuts import offsets

# share of the nearest rows that 4 trees miss, by rows of the group: measured on 18 features
MISSED = [16_384, 51_000, 1_000_000], [0.15, 0.23, 0.35]


class NoRuleError(Exception):
    """A function reads values of rows that are not there."""


class Blank:
    """An array without values; `notes` say what a rule must know of it."""

    __array_ufunc__ = None

    def __init__(self, shape, dtype=np.float64, **notes):
        self.shape, self.dtype = tuple(int(n) for n in shape), np.dtype(dtype)
        self.notes = notes

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def nbytes(self):
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        first, *others = key if isinstance(key, tuple) else (key,)
        if any(other != slice(None) for other in others):
            raise NoRuleError("columns")
        if isinstance(first, slice):
            n = len(range(*first.indices(len(self))))
        elif isinstance(first, np.ndarray) and first.dtype.kind in "iu":
            n = len(first)
        else:
            raise NoRuleError("values")
        return Blank((n, *self.shape[1:]), self.dtype)

    def astype(self, dtype, **_):
        return Blank(self.shape, dtype, **self.notes)

    def __array__(self, *_, **__):
        raise NoRuleError("values")

    def __array_function__(self, function, _, args, options):
        if function is np.concatenate and not options.get("axis"):
            (parts,) = args
            return blank(sum(len(part) for part in parts), *parts[0].shape[1:], like=parts[0])
        if function is np.sum:
            axes = options["axis"]
            own = (axes,) if isinstance(axes, int) else axes
            kept = [1 if axis in own else n for axis, n in enumerate(self.shape)]
            return np.zeros(kept)
        raise NoRuleError("values")


def blank(*shape, like=None, dtype=np.float64, **notes):
    """A stand-in array, of the type of another one."""
    return Blank(shape, dtype if like is None else like.dtype, **notes)


def numbers(*shape, **notes):
    """A stand-in array of integers."""
    return Blank(shape, np.int64, **notes)


def flattened(value):
    """All that a result or an argument holds, however it is nested."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from flattened(part)
    elif isinstance(value, dict):
        yield from flattened(list(value.values()))
    else:
        yield value


def rows_of(value):
    """Rows of a result or an argument: of arrays that belong together, those of the longest."""
    if isinstance(value, (Blank, np.ndarray)):
        return value.shape[0] if value.ndim else 0
    if hasattr(value, "_fields"):
        return max(map(rows_of, value), default=0)
    if isinstance(value, (list, tuple)):
        return sum(map(rows_of, value))
    return 0


def bytes_of(value):
    """About what it takes to hold or send it."""
    return 100 + sum(getattr(part, "nbytes", 30) for part in flattened(value))


def name_of(function):
    """A name for what a task calls: of a function of the package, its own."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    room = getattr(function, "__module__", None) or "numpy"
    return name if room.startswith("dask_kmsmote") else f"{room}.{name}"


def _near(n, k, **notes):
    return Nearest(blank(n, k, **notes), numbers(n, k))


def _found(n, k, trees):
    return Found(numbers(n), _near(n, k, trees=trees))


def _cut_evenly(n, widths):
    """N rows in parts as wide as these, to the row."""
    edges = np.rint(np.cumsum([0, *widths]) * n / max(1, sum(widths))).astype(int)
    return np.diff(edges).tolist()


def merge_pieces(parts):
    starts = np.sum([part.starts for part in parts], axis=0)
    return Piece(
        rows=np.concatenate([part.rows for part in parts]),
        positions=numbers(starts[-1]),
        starts=starts,
        counts=np.sum([part.counts for part in parts], axis=0),
        inertia=sum(part.inertia for part in parts),
    )


def pick(block, wanted, start):
    n = len(block.rows)
    if isinstance(wanted, Blank):
        n *= wanted.notes["share"]
    else:
        inside = np.unique(wanted)
        n = np.count_nonzero((inside >= start) & (inside < start + n))
    return Picked(numbers(n), blank(n, block.rows.shape[1]))


def sample_pairs(m, n, *_):
    # drawn evenly: some rows more than once
    return numbers(2, n, share=-math.expm1(-2 * n / m))


def _points(n, n_features):
    return Points(blank(n, n_features), numbers(n), blank(n))


def route(part, cells, firsts, _):
    return [_points(n, part.rows.shape[1]) for n in _cut_evenly(len(part.rows), [1] * len(firsts))]


def grow_in_cell(parts, k, trees, *_):
    return [_found(sum(len(part.rows) for part in parts), k, trees)]


def split_found(runs, edges):
    found = [part for run in runs for part in run]
    squared, n = found[0].nearest.squared, sum(len(part.numbers) for part in found)
    trees = squared.notes["trees"]
    return [_found(own, squared.shape[1], trees) for own in _cut_evenly(n, np.diff(edges))]


def merge_found(known, runs, start, n_rows, k):
    found = [part for run in runs for part in run]
    grown = sum(len(own.numbers) * own.nearest.squared.notes["trees"] for own in found)
    before = 0 if known is None else known.squared.notes["trees"]
    return _near(n_rows, k, trees=before + grown / n_rows)


def count_in_block(nearest, start, probes, _):
    n, k = nearest.squared.shape
    inside = np.count_nonzero((probes >= start) & (probes < start + n))
    missed = float(np.interp(np.log(probes.max() + 1), np.log(MISSED[0]), MISSED[1]))
    return int(inside * k * (1 - missed ** (nearest.squared.notes["trees"] / 4)))


def measure_pairs(left, right, a, b, k, _):
    return Pairs(a, b, 1.0, _near(a.stop - a.start, k), _near(b.stop - b.start, k))


def collect_range(own, pairs):
    return RangeNearest(1.0, _near(own.stop - own.start, pairs[0].near_left.indices.shape[1]))


def from_sample(_, nearest):
    return Density(1.0, 1e-4, np.concatenate([part.indices for part in nearest]))


def wanted_of(density, low, high, streams, parents):
    m, k = density.neighbors.shape
    drawn, k = sum(stream.n_rows for stream in streams), 1 if parents is chosen_neighbor else k
    # base rows that are drawn at all, and the different ones among their neighbours elsewhere
    base = (high - low) * -math.expm1(-drawn / (high - low))
    near = (m - (high - low)) * -math.expm1(-k * base / m)
    n = min(m, round(base + near))
    return Wanted(numbers(n, share=n / m), low, numbers(high - low, k))


def _random(*shape):
    # moves in every pass: all passes that are allowed are made
    return np.random.default_rng().normal(size=shape)


RULES = {
    # census
    "measure_spread": lambda rows, n: Spread(np.zeros(n), np.ones(n)),
    # clustering
    "coordinates_of": lambda rows, _: blank(*rows.shape),
    "measure_extent": lambda rows: Extent(np.zeros(rows.shape[1]), 1.0),
    "count_distinct": lambda _, enough: enough,
    "find_start": lambda rows, _, k, *__: Start(_random(k, rows.shape[1]), 1.0),
    "refine_best": lambda starts, *_: starts[0].centers,
    "sum_by_center": lambda rows, asked: Sums(
        np.zeros(len(asked.centers), np.int64),
        np.zeros((len(asked.centers), *asked.roundings.shape)),
        np.zeros((len(asked.centers), 0), np.int64),
    ),
    # survey, gather
    "merge_pieces": merge_pieces,
    # density
    "pick": pick,
    "pick_in_order": lambda parts, wanted, _: blank(len(wanted), parts[0].rows.shape[1]),
    "sample_pairs": sample_pairs,
    "measure_own_pairs": lambda _, m, n, *__: Moments(n, 1.0, 0.1),
    "measure_picked_pairs": lambda _, pairs, __: Moments(pairs.shape[1], 1.0, 0.1),
    "measure_pairs": measure_pairs,
    "of_one_range": lambda _, m, k, __: Density(1.0, 0.0, numbers(m, k)),
    "collect_range": collect_range,
    "merge_range": lambda parts: parts[0],
    "probe_block": lambda sample, _, k, __: blank(min(PROBE_ROWS, len(sample)), k + 1),
    "true_limits": lambda parts: blank(len(parts[0])),
    "points_of": lambda block, *_: _points(*block.rows.shape),
    "cut_cells": lambda sample, n, *_: Cells(
        *[np.zeros((n - 1, sample.shape[1]))] * 2, np.zeros(n - 1)
    ),
    "route": route,
    "grow_in_cell": grow_in_cell,
    "split_found": split_found,
    "merge_found": merge_found,
    "count_in_block": count_in_block,
    "from_sample": from_sample,
    # synthesis
    "wanted_of": wanted_of,
    "make_from_block": lambda block, _, stream, *__: blank(stream.n_rows, block.rows.shape[1]),
    "make_from_parents": lambda parents, stream, *_: blank(
        stream.n_rows, parents.picked.rows.shape[1]
    ),
    "unchanged_rows": lambda rows, *_: rows,
    "unchanged_labels": lambda target, _: target,
}  # fmt: skip


class StandIns:
    """Calls the functions of tasks on stand-ins for data.

    Parameters
    ----------
    table
        Rows by cluster and class, shape (n_clusters, n_classes); others have the same shares.
    """

    def __init__(self, table):
        self.table = np.asarray(table)
        self.rules = RULES | {"note_rows": self._note, "survey_chunk": self._survey}

    def __call__(self, function, args, options):
        """What the function would return, of the right shapes and counts.

        Raises
        ------
        NoRuleError
            It reads values that are not there.
        """
        name = name_of(function)
        while isinstance(function, partial):
            args, options = (*function.args, *args), function.keywords | options
            function = function.func
        try:
            return self.rules.get(name, function)(*args, **options)
        except Exception as error:
            raise NoRuleError(
                f"{name} can't do with arrays without values ({type(error).__name__}: {error}): "
                "give it a rule, or mend the one it has, in standins.RULES."
            ) from error

    def chunk(self, start, stop, n_features):
        """A chunk of X and one of y."""
        n = stop - start
        return blank(n, n_features, start=start), Blank((n,), np.int8)

    def _counts(self, rows, start):
        # of rows counted from the first, so that chunks add up to the row
        sums = np.cumsum(self.table)
        first, last = (sums * end // sums[-1] for end in (start, start + len(rows)))
        return np.diff(last - first, prepend=0).reshape(self.table.shape)

    def _note(self, rows, _, n_features, sample):
        own = Fingerprint(len(rows), 2**63 + 1)
        by_class = dict(enumerate(self._counts(rows, rows.notes["start"]).sum(axis=0).tolist()))
        none, peaks = np.zeros(n_features, dtype=np.int64), np.ones(n_features)
        labels = LabelCounts(by_class, 0, 0, 0, own)
        return Notes(Summary((own,), (labels,), none, none, none, peaks, (), {}), (rows[sample],))

    def _survey(self, rows, target, clusters, start, fingerprints, model):
        counts = self._counts(rows, start)
        starts = np.array(offsets(counts[:, list(model.wanted)].T.ravel().tolist()))
        n = starts[-1]
        return Piece(blank(n, rows.shape[1]), numbers(n), starts, counts, 1.0)
