"""The rows that trials see: all, or some chosen by position, so many of each class as it has share.

Chosen are ranks within a class: of a class with 1,000 rows in all the data and 20 wanted, 20 of
0 ... 999. So a sample is the same for any chunks; a chunk that holds the rows 300 ... 399 of the
class gives those of them that were drawn, and no more leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd
from dask.base import is_dask_collection
from dask.dataframe.dispatch import concat
from numpy.typing import NDArray

from ..data.collections import from_dask
from ..data.kinds import require_kinds
from ..data.memory import from_memory
from ..errors import InputError
from ..graph.census import take_census
from ..graph.chunks import Source, in_chunks
from ..graph.dask.tasks import Tasks, compute
from ..graph.dask.watch import watched
from ..kernels.rows.blocks import Ints, stack, take
from ..kernels.rows.census import Summary, merge_notes, summary_of
from ..kernels.rows.labels import LabelCounts, count_labels, keys, label_values, numbers_of
from ..kernels.rows.labels import code as coded
from ..kernels.rows.schema import Schema
from ..kernels.seeding import SELECTION, stream
from ..parameters import settings_of, wanted_of
from ..planning import checks
from ..planning.advice import Advice, advise
from ..planning.cuts import offsets
from ..planning.strategy import Label
from ..sampler import KMeansSMOTE
from ..threads import on_active_scheduler

_SAMPLE = 0  # of the streams of a selection
_NO_POSITIONS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Sample:
    """The rows that trials see, in this process.

    Attributes
    ----------
    X
        Features alone: an array, a sparse matrix or a frame of pandas.
    y
        Labels, shape (n_rows,).
    classes, codes
        The different labels, sorted, and the number of each row's.
    positions
        Of the rows in the data.
    n_all
        Rows of the data.
    schema
        What the columns of the data are.
    advice
        What to look at: categories that look like an id.
    """

    X: Any
    y: NDArray[Any]
    classes: NDArray[Any]
    codes: Ints
    positions: Ints
    n_all: int
    schema: Schema
    advice: tuple[Advice, ...]

    @property
    def n_rows(self) -> int:
        """Rows of the sample."""
        return len(self.y)

    @property
    def positive(self) -> int:
        """Number of the smallest class."""
        return int(np.bincount(self.codes).argmin())

    def counts(self, rows: Ints | slice = slice(None)) -> dict[Label, int]:
        """Rows of each class among some of the rows."""
        numbers = np.bincount(self.codes[rows], minlength=len(self.classes))
        return dict(zip(keys(self.classes), numbers.tolist(), strict=True))

    @property
    def categories(self) -> list[int]:
        """Places in X of the features that are categories."""
        kept = [p for p in range(len(self.schema.columns)) if p not in self.schema.passthrough]
        return [kept.index(place) for place in self.schema.categories]


class Drawn(NamedTuple):
    """Rows that were drawn: X, y, and their positions in the data; and all rows of those."""

    X: Any
    y: NDArray[Any]
    positions: Ints
    n_all: int


class Counted(NamedTuple):
    """Dask collections whose labels are counted, and nothing else of them read."""

    tasks: Tasks
    source: Source
    labels: list[LabelCounts]

    @property
    def counts(self) -> dict[Label, int]:
        """Rows of each class, in label order, whatever chunks they are in."""
        return _counts_of(self.labels)

    @property
    def lengths(self) -> list[int]:
        """Rows of each chunk."""
        return [own.n_rows for own in self.labels]


def take_sample(sampler: KMeansSMOTE, X: Any, y: Any, n_rows: int, seed: int) -> Sample:
    """Bring the rows here, and check them as the sampler does; computes where they are of Dask.

    Raises
    ------
    InputError, ParameterError
        They can't be resampled, or the sampler has a parameter that is of no use.
    """
    require_kinds(X, y)
    on_dask = is_dask_collection(X) or is_dask_collection(y)
    draw = _drawn_on_cluster if on_dask else _drawn_here
    drawn = draw(sampler, X, y, n_rows, seed)
    data = from_memory(sampler, drawn.X, drawn.y, None, wanted_of(sampler))
    with data.computing():
        census = take_census(data.tasks, data.source, settings_of(sampler, drawn.y))
    classes, codes = np.unique(data.target, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"y has rows of class {keys(classes)[0]!r} alone: pass rows of two classes or more."
        )
    schema = data.source.schema
    rows = data.rows
    if schema.passthrough:
        rows = rows.drop(columns=[schema.columns[place] for place in schema.passthrough])
    return Sample(
        X=rows,
        y=data.target,
        classes=classes,
        codes=codes.astype(np.int64),
        positions=drawn.positions,
        n_all=drawn.n_all,
        schema=schema,
        # of plans there are many, and none is made for the user
        advice=advise((), census.counts, 1, None, replace(census.features, spread=None)),
    )


def _drawn_here(sampler: KMeansSMOTE, X: Any, y: Any, n_rows: int, seed: int) -> Drawn:
    data = from_memory(sampler, X, y, None, wanted_of(sampler))
    target, n = data.target, len(data.target)
    if n <= n_rows:
        return Drawn(data.rows, target, np.arange(n), n)
    counts = _counts_of([count_labels(target)])
    inside = inside_of(target, draw_ranks(counts, n_rows, seed))
    return Drawn(_taken(data.rows, inside), target[inside], inside, n)


def _drawn_on_cluster(sampler: KMeansSMOTE, X: Any, y: Any, n_rows: int, seed: int) -> Drawn:
    counted = count_on_cluster(sampler, X, y)
    return bring(counted, draw_ranks(counted.counts, n_rows, seed))


def count_on_cluster(sampler: KMeansSMOTE, X: Any, y: Any) -> Counted:
    """Count the labels of Dask collections; computes."""
    with on_active_scheduler(), watched("sample"):
        tasks = Tasks(uuid4().hex)
        source = from_dask(tasks, X, y, wanted_of(sampler)).source
        labels = compute(*[tasks("sample-labels", count_labels, own) for own in source.target])
    return Counted(tasks, source.of_lengths(tuple(own.n_rows for own in labels)), labels)


def note_all(counted: Counted) -> Summary:
    """What a census notes of all rows; computes."""
    tasks = counted.tasks
    notes = counted.source.notes(tasks, _NO_POSITIONS)
    with on_active_scheduler(), watched("sample"):
        merged = tasks.tree("sample-notes", merge_notes, notes)
        (summary,) = compute(tasks("sample-summary", summary_of, merged))
    found: Summary = summary
    return found


def bring(counted: Counted, ranks: Mapping[Label, Ints], positions: Ints = _NO_POSITIONS) -> Drawn:
    """Bring rows here: those of some ranks within their classes, and those at some positions.

    Each chunk that has some is read once; computes.
    """
    tasks, source, lengths = counted.tasks, counted.source, counted.lengths
    ranked = _by_chunk(ranks, [own.counts for own in counted.labels])
    wanted = list(zip(ranked, in_chunks(lengths, positions), strict=True))
    chosen = [n for n, (own, at) in enumerate(wanted) if len(at) or any(map(len, own.values()))]
    with on_active_scheduler(), watched("sample"):
        args = [(n, source.parts[n], source.target[n], *wanted[n]) for n in chosen]
        found = compute(*[tasks("sample-rows", pick_rows, *own) for own in args])
    starts = offsets(lengths)
    return Drawn(
        _joined([own[0] for own in found]),
        np.concatenate([own[1] for own in found]),
        np.concatenate([starts[n] + own[2] for n, own in zip(chosen, found, strict=True)]),
        starts[-1],
    )


def _counts_of(labels: Sequence[LabelCounts]) -> dict[Label, int]:
    """Rows of each class, in label order, whatever chunks they are in."""
    checks.check_labels(
        sum(own.n_missing for own in labels),
        sum(own.n_continuous for own in labels),
        sum(own.n_not_one_hot for own in labels),
    )
    return checks.sum_counts([own.counts for own in labels])


def draw_ranks(
    counts: Mapping[Label, int], n_rows: int, seed: int, least: int = 0
) -> dict[Label, Ints]:
    """Ranks of the rows to take of each class, ascending; as many as its share of all.

    Parameters
    ----------
    counts
        Rows of each class.
    n_rows
        Most rows in all, but for rounding.
    seed
        Root seed.
    least
        Fewest rows of a class that has as many, whatever its share.
    """
    n = sum(counts.values())
    share = min(1.0, n_rows / n)
    ranks = {}
    for number, (label, n_class) in enumerate(counts.items()):
        drawn = stream(seed, SELECTION, _SAMPLE, number)
        size = max(round(share * n_class), min(least, n_class))
        ranks[label] = np.sort(drawn.choice(n_class, size, replace=False, shuffle=False))
    return ranks


def _by_chunk(
    ranks: Mapping[Label, Ints], counts: Sequence[Mapping[Label, int]]
) -> list[dict[Label, Ints]]:
    """The ranks within each chunk, from those within all."""
    chunks: list[dict[Label, Ints]] = [{} for _ in counts]
    for label, own in ranks.items():
        # of chunks with 3, 0 and 4 rows of a class: edges 0 3 3 7
        edges = np.cumsum([0, *(chunk.get(label, 0) for chunk in counts)])
        places = np.searchsorted(own, edges)
        for number, chunk in enumerate(chunks):
            chunk[label] = own[places[number] : places[number + 1]] - edges[number]
    return chunks


def inside_of(target: Any, ranks: Mapping[Label, Ints]) -> Ints:
    """Positions of the rows of some ranks within their classes, ascending."""
    numbers = numbers_of(coded(target), list(ranks))
    chosen = [np.flatnonzero(numbers == place)[own] for place, own in enumerate(ranks.values())]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def pick_rows(
    chunk: int, rows: Any, target: Any, ranks: Mapping[Label, Ints], places: Ints
) -> tuple[Any, Any, Ints]:
    """Rows, labels and positions in a chunk, of some ranks within its classes, and some places."""
    if rows.shape[0] != len(target):
        raise checks.unequal(chunk, rows.shape[0], len(target))
    inside = np.union1d(inside_of(target, ranks), places)
    return _taken(rows, inside), label_values(target)[inside], inside


def _taken(rows: Any, inside: Ints) -> Any:
    return rows.iloc[inside] if isinstance(rows, pd.DataFrame) else take(rows, inside)


def _as_pandas_reads(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with texts of the type that pandas has for them: encoders know no NA of Arrow's."""
    own = frame.copy(deep=False)
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, pd.StringDtype):
            texts = frame[name].astype(object).where(frame[name].notna(), None)
            own[name] = pd.Series(texts.tolist(), index=frame.index)
    return own


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], pd.DataFrame):
        # Dask's, which joins categories of partitions that know different ones
        return _as_pandas_reads(concat(list(parts), ignore_index=True))
    return stack(parts)
