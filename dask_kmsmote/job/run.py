"""A job: a table in, the resampled table out, and a manifest of what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dask.utils import parse_bytes

from ..errors import (
    InputError,
    ParameterError,
    PlanWarning,
    UnsoundPlanError,
)
from ..events import Callback, Event, StageFinished
from ..graph.dask.watch import stage
from ..planning.cuts import block_rows
from ..planning.estimate import Estimate
from ..planning.plan import SamplingPlan
from ..process import ProcessSetting, muted
from . import place
from .cluster import ClusterSettings
from .columns import Columns
from .destinations import (
    added_before,
    draft_of,
    require_apart,
    require_format,
    require_kept,
    require_shared,
)
from .opening import bytes_of, prepared, read_table
from .record import record_of, source_of
from .storage import arrays
from .storage.drafts.draft import Drafted, writing_to
from .storage.location import Location, contains
from .storage.schema import schema_of_result
from .storage.source import Source, at_rest, open_source
from .storage.table import PARTITION_BYTES, Files, Table
from .storage.text.spans import TextFormat
from .storage.writing import require_rows, write_table

if TYPE_CHECKING:
    from ..sampler import KMeansSMOTE
    from ..selection.result import SearchResult

# warnings of a plan are events, and would be printed twice
_TOLD = ProcessSetting(partial(muted, "", PlanWarning))


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes
    ----------
    source, destination
        Places of tables; no destination for a dry run.
    columns
        What is done with the columns.
    parameters
        Of `KMeansSMOTE`.
    cluster
        Where it runs.
    format, text
        A key of `storage.source.FORMATS`; None guesses it from the path. How text is written.
    partition_size
        Most bytes of a partition, and of what a file of the result holds, such as "64MiB"; None is
        `storage.table.PARTITION_BYTES`.
    version
        Of a source that is a Delta table; the newest for None.
    mode
        What is done with a destination that is there: "error", "overwrite", or, of a Delta table,
        "append".
    destination_format
        "parquet" or "delta"; None is what the destination is, or else Parquet, and Zarr of arrays.
    layout
        Of `KMeansSMOTE`; synthetic rows alone have one order.
    strict
        A plan with warnings is an error, before rows are made.
    """

    source: Location
    destination: Location | None
    columns: Columns
    parameters: dict[str, Any] = field(default_factory=dict)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    format: str | None = None
    text: TextFormat = field(default_factory=TextFormat)
    partition_size: str | None = None
    version: int | None = None
    mode: str = "error"
    destination_format: str | None = None
    layout: str = "append"
    strict: bool = False

    @property
    def joins_source(self) -> bool:
        """Whether new rows are added to the table that they came from."""
        destination = self.destination
        is_same = destination is not None and contains(self.source, destination)
        return is_same and self.mode == "append"

    @property
    def partition_bytes(self) -> int:
        """Most bytes of a partition."""
        return int(parse_bytes(self.partition_size)) if self.partition_size else PARTITION_BYTES


@dataclass(frozen=True)
class Projection:
    """What a dry run tells: the plan, and rows and about as many bytes as would be written.

    `source` is as in a manifest, and `warnings` are of the plan and of the source.
    """

    estimate: Estimate
    n_rows: int
    n_bytes: int
    source: dict[str, Any]
    warnings: list[str]


def project(
    job: Job, callback: Callback, *, exact: bool = False, n_rows: int | None = None
) -> Projection:
    """Plan a job, and write nothing.

    Parameters
    ----------
    job, callback
        What to plan, and what is told of it.
    exact
        From all rows, as a run does.
    n_rows
        Most rows to plan from otherwise; see `estimate.plan_from_some`.

    Raises
    ------
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say.
    """
    from .estimate import bytes_held, plan_from_all, plan_from_some

    require_shared(job.source)
    source = open_source(job.source, job.format, job.version)
    files, columns, sampler = prepared(source, job, callback)
    n_bytes = bytes_of(source, files, columns)
    n_held = n_bytes if exact else bytes_held(sampler, n_bytes)
    with place.computing(job.cluster, n_held, callback), _TOLD:
        X, y, _ = read_table(source, files, columns)
        found = plan_from_all(sampler, X, y) if exact else plan_from_some(sampler, X, y, n_rows)
    _require_sound(found, job)
    plan = found.plan
    n_result = plan.n_synthetic + (0 if job.columns.only_synthetic else plan.n_rows)
    n_bytes = source.n_bytes * n_result // max(1, plan.n_rows)
    warnings = [*found.warnings, *source.warnings]
    return Projection(found, n_result, n_bytes, source_of(job, source), warnings)


def search(job: Job, callback: Callback, **asked: Any) -> SearchResult:
    """Try settings around those of a job on a sample of its source; write nothing.

    Parameters
    ----------
    job, callback
        What to try, and what is told of it.
    **asked
        Further arguments of `dask_kmsmote.search`.

    Raises
    ------
    InputError, ParameterError, ClusterError
        As the messages say.
    """
    from ..selection.search import search as try_settings

    require_shared(job.source)
    source = open_source(job.source, job.format, job.version)
    files, columns, sampler = prepared(source, job, callback)
    with _computing(job, source, files, columns, callback) as hold:
        X, y, _ = read_table(source, files, columns, hold)
        seed = job.parameters.get("random_state")
        return try_settings(X, y, sampler=sampler, random_state=seed, callbacks=[callback], **asked)


def run(job: Job, callback: Callback) -> dict[str, Any]:
    """Resample the source to the destination, which appears whole or not at all.

    Returns
    -------
    dict
        The manifest, and the version that was committed to a Delta table.

    Raises
    ------
    DestinationError
        The destination is taken, or what was written is not whole.
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say; the destination is as it was.
    """
    if job.destination is None:
        raise ParameterError("The job has no destination: name one, or make a plan alone.")
    before = added_before(job, callback)
    if before is not None:
        return before
    started, start = datetime.now(UTC), perf_counter()
    require_shared(job.source, job.destination)
    # a result within the source would be read as a part of it the next time; a source within the
    # destination would go when that is replaced
    require_apart(job)
    seconds: dict[str, float] = {}

    def note(event: Event) -> None:
        if isinstance(event, StageFinished):
            seconds[event.stage] = event.seconds
        callback(event)

    # first: a destination that is taken is told before files are listed and a cluster starts
    with draft_of(job, job.destination) as draft:
        source = open_source(job.source, job.format, job.version)
        require_format(source, job)
        require_kept(source, job)
        files, columns, sampler = prepared(source, job, note)
        with (
            at_rest(source),
            _computing(job, source, files, columns, note) as hold,
        ):
            read = read_table(source, files, columns, hold)
            prepare = _frame_to_write if files else _arrays_to_write
            write = prepare(sampler, *read, replace(job, columns=columns), draft)
            # around the write alone: what refuses in the stages before is not the destination
            with stage("write", [note], frames=True), writing_to(job.destination):
                written = write()
        manifest = {
            **record_of(job, source, columns, sampler.plan_, written, read[2]),
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(perf_counter() - start, 3),
            "stages": {name: round(value, 3) for name, value in seconds.items()},
        }
        told = draft.finish(manifest)
    version = draft.version
    return told if version is None else {**told, "version": version}


def _require_sound(plan: SamplingPlan | Estimate, job: Job) -> None:
    if job.strict and plan.warnings:
        numbered = [f"({number}) {text}" for number, text in enumerate(plan.warnings, start=1)]
        raise UnsoundPlanError(
            f"--strict stops at what the plan warns of: {' '.join(numbered)}", plan
        )


def _require_something(plan: SamplingPlan, columns: Columns) -> None:
    if columns.only_synthetic and not plan.n_synthetic:
        raise InputError(
            "There is no synthetic row to write: the classes have their rows already. Ask for more "
            "with --strategy; to copy the originals elsewhere, leave out --only-synthetic."
        )


@contextmanager
def _computing(
    job: Job, source: Source, files: Files | None, columns: Columns, callback: Callback
) -> Iterator[Callable[[Any], Any]]:
    n_bytes = bytes_of(source, files, columns)
    with place.computing(job.cluster, n_bytes, callback) as hold, _TOLD:
        yield hold


def _frame_to_write(
    sampler: KMeansSMOTE, X: Any, y: Any, table: Table, job: Job, draft: Drafted
) -> Callable[[], list[dict[str, Any]]]:
    columns = job.columns
    schema = schema_of_result(table.schema, columns)
    stored = draft.accept(schema, columns)
    make = sampler.fit_synthesize if columns.only_synthetic else sampler.fit_resample
    result = make(X, y)
    plan = sampler.plan_
    _require_sound(plan, job)
    if job.mode == "append" and columns.only_synthetic and not plan.n_synthetic:
        # a night without new rows is no fault: the version that is committed says that it ran
        return list
    _require_something(plan, columns)
    frame = columns.joined(*result)
    n_rows = plan.n_synthetic + (0 if columns.only_synthetic else plan.n_rows)
    rows_of_file = job.partition_bytes * plan.n_rows // table.n_bytes

    def write() -> list[dict[str, Any]]:
        files = write_table(frame, draft, schema, stored, rows_of_file)
        require_rows(sum(file["rows"] for file in files), n_rows)
        return files

    return write


def _arrays_to_write(
    sampler: KMeansSMOTE, X: Any, y: Any, _: Any, job: Job, draft: Drafted
) -> Callable[[], list[dict[str, Any]]]:
    columns = job.columns
    make = sampler.fit_synthesize if columns.only_synthetic else sampler.fit_resample
    X, y = make(X, y)
    _require_sound(sampler.plan_, job)
    _require_something(sampler.plan_, columns)
    named = {(columns.features or ("X",))[0]: X, columns.target: y}
    return partial(arrays.write_arrays, named, block_rows(X.shape[1], job.partition_bytes), draft)
