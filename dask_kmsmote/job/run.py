"""A job: a table in, the resampled table out, and a manifest of what was done."""

from __future__ import annotations

import json
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
from ..events import Callback, Event, Noted, StageFinished, Warned
from ..graph.dask.tasks import same
from ..graph.dask.watch import stage
from ..planning.cuts import block_rows
from ..planning.estimate import Estimate
from ..planning.plan import SamplingPlan
from ..process import ProcessSetting, muted
from . import place
from .cluster import ClusterSettings
from .columns import Columns
from .destinations import draft_of, require_apart, require_format, require_kept, require_shared
from .record import asked_of, record_of, source_of
from .storage import arrays
from .storage.delta.files import open_delta
from .storage.delta.log import has_log, open_snapshot
from .storage.drafts.draft import Drafted, writing_to
from .storage.location import Location, contains
from .storage.parquet import open_parquet
from .storage.schema import empty_frame, schema_of_result
from .storage.source import Source, at_rest, open_source
from .storage.table import PARTITION_BYTES, Files, Table
from .storage.text.files import open_text
from .storage.text.spans import TextFormat
from .storage.writing import require_rows, write_table

if TYPE_CHECKING:
    from ..sampler import KMeansSMOTE
    from ..selection.result import SearchResult

_SHOWN = 5  # files in a message
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
    files, columns, sampler = _prepared(source, job, callback)
    n_bytes = _bytes_of(source, files, columns)
    n_held = n_bytes if exact else bytes_held(sampler, n_bytes)
    with place.computing(job.cluster, n_held, callback), _TOLD:
        X, y, _ = _read(source, files, columns)
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
    files, columns, sampler = _prepared(source, job, callback)
    with _computing(job, source, files, columns, callback) as hold:
        X, y, _ = _read(source, files, columns, hold)
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
    if (before := _added_before(job, job.destination)) is not None:
        callback(Noted(_ADDED.format(job.destination.shown, before["version"])))
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
        files, columns, sampler = _prepared(source, job, note)
        with (
            at_rest(source),
            _computing(job, source, files, columns, note) as hold,
        ):
            read = _read(source, files, columns, hold)
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


_ADDED = (
    "The Delta table {!r} has these rows since version {}, from the same source with the same seed "
    "and options: nothing was added. To add others, name another --seed."
)


def _added_before(job: Job, destination: Location) -> dict[str, Any] | None:
    """The manifest of a run that has added the same rows to a table, such as one tried again."""
    is_asked = job.mode == "append" and job.destination_format in {None, "delta"}
    if not is_asked or job.parameters.get("random_state") is None:
        return None
    if not has_log(destination):
        return None
    table = open_snapshot(destination)
    recent = table.recent_manifests()
    if not recent:
        return None
    source = open_source(job.source, job.format, job.version)
    # as JSON has it: lists for tuples
    asked = json.loads(json.dumps(asked_of(job, source, _opened(source, job, _untold)[1])))
    same_run = (
        {**content, "version": number}
        for number, content in recent.items()
        if asked.items() <= content.items() and table.has_all_of(content)
    )
    return next(same_run, None)


def _untold(_: Event) -> None:
    """Tell nobody: the run itself does."""


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


def _prepared(
    source: Source, job: Job, callback: Callback
) -> tuple[Files | None, Columns, KMeansSMOTE]:
    """What can be known before a cluster starts, which takes seconds: files, columns, a sampler."""
    files, columns = _opened(source, job, callback)
    sampler = _sampler(job, columns, callback)
    _require_possible(sampler, source, files, columns)
    return files, columns, sampler


@contextmanager
def _computing(
    job: Job, source: Source, files: Files | None, columns: Columns, callback: Callback
) -> Iterator[Callable[[Any], Any]]:
    n_bytes = _bytes_of(source, files, columns)
    with place.computing(job.cluster, n_bytes, callback) as hold, _TOLD:
        yield hold


def _bytes_of(source: Source, files: Files | None, columns: Columns) -> int:
    """About what the table takes in memory."""
    if files is not None:
        return files.n_bytes(columns.of_result)
    return sum(int(own.nbytes) for own in _read(source, files, columns)[:2])


def _sampler(job: Job, columns: Columns, callback: Callback) -> KMeansSMOTE:
    from ..sampler import KMeansSMOTE

    of_columns: dict[str, Any] = {}
    if columns.categorical is not None:
        of_columns["categorical_features"] = list(columns.categorical)
    if columns.passthrough:
        of_columns["passthrough"] = columns.passthrough
    return KMeansSMOTE(**job.parameters, **of_columns, layout=job.layout, callbacks=[callback])


def _require_possible(
    sampler: KMeansSMOTE, source: Source, files: Files | None, columns: Columns
) -> None:
    """Raise what is wrong with the parameters, and with the types of a table, unread."""
    from ..kernels.rows.schema import schema_of_frame
    from ..parameters import settings_of, wanted_of

    sampler._validate_params()
    recipe, wanted = settings_of(sampler, None).recipe, wanted_of(sampler)
    if files is None:
        X, y, _ = _read(source, files, columns)
        recipe.check_dtype(sampler._input(X, y).source.dtype)
        return
    declared = files.declared(columns.of_result)
    if declared is not None:
        schema_of_result(declared, columns)
        empty = empty_frame(declared, ())
        columns.require_labels(empty)
        recipe.check_dtype(schema_of_frame(columns.split(empty)[0], wanted, "dask frame").dtype)


def _opened(source: Source, job: Job, callback: Callback) -> tuple[Files | None, Columns]:
    """The files of a table, and what is done with its columns; no files where it is arrays."""
    columns, text = job.columns, job.text
    if source.format != "csv" and text != TextFormat():
        raise ParameterError(
            f"--separator, --decimal and --encoding are of text, and the source is {source.format}."
        )
    if source.format == "zarr":
        others = columns.drop, columns.keep, columns.mark, columns.categorical, columns.partition_by
        if any(others) or len(columns.features or ()) > 1:
            raise ParameterError(
                "A Zarr group has no columns to --drop, --keep, mark, partition by or take as "
                "--categorical: "
                "--features names its one array of features, --target that of labels."
            )
        return None, columns
    n_bytes = job.partition_bytes
    files: Files
    if source.format == "csv":
        files = open_text(source, text, n_bytes, callback)
    elif source.snapshot is not None:
        files = open_delta(source, source.snapshot, n_bytes)
    else:
        files = open_parquet(source, n_bytes)
    columns = columns.resolved(files.names, files.index)
    for warning in source.warnings:
        callback(Warned(warning))
    if source.ignored:
        some = ", ".join(source.ignored[:_SHOWN])
        callback(
            Noted(f"Not read, as they are no {source.format}: {len(source.ignored)} files, {some}")
        )
    if files.unread:
        callback(Noted(f"Left out, as the index of a frame: {', '.join(files.unread)}"))
    if columns.left_out:
        callback(Noted(f"Left out, as no option names them: {', '.join(columns.left_out)}"))
    return files, columns


def _read(
    source: Source, files: Files | None, columns: Columns, hold: Callable[[Any], Any] = same
) -> tuple[Any, Any, Any]:
    """X and y, and the table that they are of, whose frame is held; none of arrays."""
    if files is None:
        features = (columns.features or ("X",))[0]
        return *arrays.read_arrays(source, features, columns.target), None
    table = files.typed(columns.of_result, columns.keep, columns.unnamed)
    return *columns.split(hold(table.frame)), table


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
