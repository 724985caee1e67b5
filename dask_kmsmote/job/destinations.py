"""Where a job writes: which kind of destination, what it may not be, and what it has already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ..errors import DestinationError, ParameterError
from ..events import Callback, Noted
from .opening import opened
from .record import asked_of
from .storage.delta.draft import committed
from .storage.delta.log import has_log, open_snapshot
from .storage.delta.runs import commits, has_all_of, recent_manifests
from .storage.destination import whole_or_absent
from .storage.drafts.draft import Drafted
from .storage.location import Location, contains
from .storage.source import Source, guess_format, open_source

if TYPE_CHECKING:
    from .run import Job


def require_apart(job: Job) -> None:
    """Raise `ParameterError` where source and destination lie within each other."""
    source, destination = job.source, job.destination
    if destination is None:
        return
    within = contains(source, destination), contains(destination, source)
    # a Delta table may be both, as a version stays as it is when the next is committed
    if any(within) and not (all(within) and has_log(destination)):
        raise ParameterError(
            f"The destination {destination.shown!r} and the source {source.shown!r} lie within "
            "each other: name a destination beside it."
        )


def require_shared(*places: Location | None) -> None:
    """Raise `ParameterError` where workers would not find a place."""
    for own in places:
        if own is not None and own.url.startswith("memory:"):
            raise ParameterError(
                f"{own.shown!r} is in the memory of one process, which workers do not share: "
                "name a path or a store."
            )


def require_format(source: Source, job: Job) -> None:
    """Raise `ParameterError` where another format is asked for than is written."""
    destination = cast("Location", job.destination)
    kinds = ["zarr"] if source.format == "zarr" else ["parquet", "delta"]
    asked = {job.destination_format, guess_format(destination, None)} - {None, "parquet"}
    if job.destination_format == "parquet" and "delta" in asked:
        raise ParameterError(
            f"The destination {destination.shown!r} is named as a Delta table, and Parquet is "
            "asked for: leave out --destination-format, or name one that ends in .parquet."
        )
    if (job.destination_format or kinds[0]) not in kinds or asked - {*kinds}:
        raise ParameterError(
            f"From {source.format} files, {' or '.join(kinds)} is written, and another format is "
            f"asked for: name a destination that ends in .{kinds[0]}, or in nothing, and no other "
            "--destination-format."
        )


def require_kept(source: Source, job: Job) -> None:
    """Raise `ParameterError` where a table would lose what was written since a version of it."""
    snapshot, destination = source.snapshot, cast("Location", job.destination)
    # what is written since the newest was opened is a conflict of the commit
    if snapshot is None or job.version is None or job.mode != "overwrite":
        return
    if not contains(job.source, destination):
        return
    # what runs have committed was made of that version, and is replaced
    later = commits(open_snapshot(destination), snapshot.version + 1)
    lost = sorted(number for number, manifest in later if manifest is None)
    if lost:
        raise ParameterError(
            f"The Delta table {destination.shown!r} would lose what others wrote since version "
            f"{snapshot.version}, in {lost}: leave out --version, or name another destination."
        )


@contextmanager
def draft_of(job: Job, destination: Location) -> Iterator[Drafted]:
    """What is written, and becomes the destination when the body is done."""
    is_table = has_log(destination)
    kind = job.destination_format or ("delta" if is_table or _names_delta(destination) else None)
    if is_table and kind != "delta":
        raise DestinationError(
            f"The destination {destination.shown!r} is a Delta table: leave out "
            f"--destination-format {kind}, or name another destination."
        )
    if kind == "delta":
        _require_new_rows(job)
        with committed(destination, job.mode) as draft:
            yield draft
    elif job.mode == "append":
        raise ParameterError(
            f"--mode append is of Delta tables, and {destination.shown!r} is none: leave it out, "
            "or make one with --destination-format delta."
        )
    else:
        with whole_or_absent(destination, job.mode == "overwrite") as draft_of_files:
            yield draft_of_files


def _names_delta(destination: Location) -> bool:
    return guess_format(destination, None) == "delta"


def _require_new_rows(job: Job) -> None:
    """Raise `ParameterError` where a table would get rows that it has."""
    if job.joins_source and not job.columns.only_synthetic:
        raise ParameterError(
            f"--mode append would add the rows of {job.source.shown!r} to it a second time: name "
            "--only-synthetic, too."
        )


_ADDED = (
    "The Delta table {!r} has these rows since version {}, from the same source with the same seed "
    "and options: nothing was added. To add others, name another --seed."
)


def added_before(job: Job, callback: Callback) -> dict[str, Any] | None:
    """The manifest of a run that has added the same rows to a table; None where there is none.

    A job that is tried again, as its exit code was lost, would add them twice. Without a seed, its
    rows are others.
    """
    destination = cast("Location", job.destination)
    is_seeded = job.parameters.get("random_state") is not None
    if job.mode != "append" or not is_seeded or not has_log(destination):
        return None
    table = open_snapshot(destination)
    recent = recent_manifests(table)
    if not recent or job.destination_format == "parquet":
        return None
    source = open_source(job.source, job.format, job.version)
    _, columns = opened(source, job, lambda _: None)
    # as JSON has it: lists for tuples
    asked = json.loads(json.dumps(asked_of(job, source, columns)))
    for version, content in recent.items():
        if asked.items() <= content.items() and has_all_of(table, content):
            callback(Noted(_ADDED.format(destination.shown, version)))
            return {**content, "version": version}
    return None
