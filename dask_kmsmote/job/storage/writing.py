"""A Dask frame as Parquet files: few of a sensible size, in folders where columns name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import Any
from uuid import uuid4

from ...errors import DestinationError, InputError
from ...graph.dask.tasks import Tasks, compute
from ...planning.cuts import bundle
from ..columns import as_option
from .drafts.draft import Drafted
from .folders import path_in
from .location import Location
from .manifest import published
from .parquet import free
from .schema import to_arrow
from .splitting import require_few, split


def write_table(
    frame: Any, draft: Drafted, schema: Any, stored: Any, n_rows: int
) -> list[dict[str, Any]]:
    """Write a Dask frame as Parquet; computes.

    Parameters
    ----------
    frame
        Of known divisions, its index 0 ... n - 1.
    draft
        Where, and by which columns in folders.
    schema, stored
        The types of the columns, and those that they are stored in.
    n_rows
        Most rows of a task, which writes a file of them in each folder, unless a partition has
        more.

    Returns
    -------
    list of dict
        Path where it is published, rows, bytes and values of the folders of each file: texts by
        column, None where they are missing.

    Raises
    ------
    DestinationError
        What lies there is not what was written.
    InputError
        Values can't name folders, or are too many.
    """
    location, tasks = draft.location, Tasks(uuid4().hex)
    location.fs.makedirs(location.path, exist_ok=True)
    args = location, schema, stored, draft.partition_by
    written = compute(
        *[
            tasks("write", _write, parts, draft.part(number), *args)
            for number, parts in enumerate(_runs(frame, n_rows))
        ]
    )
    files = list(chain.from_iterable(written))
    require_few(
        draft.partition_by, len({tuple(file["partition"].items()) for file in files}), "in all"
    )
    if draft.written() != {file["path"]: file["bytes"] for file in files}:
        raise DestinationError(
            f"What lies at {draft.destination.shown!r} is not what was written: look who else "
            "writes there, and run the job again."
        )
    return [file | {"path": published(file["path"])} for file in files]


def _runs(frame: Any, n_rows: int) -> list[list[Any]]:
    """The partitions of each task, as tasks."""
    parts, starts = frame.to_delayed(), frame.divisions
    # the last division is that of the last row
    lengths = [stop - start for start, stop in pairwise((*starts[:-1], starts[-1] + 1))]
    return [parts[low:high] for low, high in bundle(lengths, n_rows, len(lengths))]


def _write(
    parts: Sequence[Any],
    name: str,
    location: Location,
    schema: Any,
    stored: Any,
    partition_by: Sequence[str],
) -> list[dict[str, Any]]:
    import pyarrow as pa

    # row groups are cut anew: those of small parts would be small
    table = pa.concat_tables([to_arrow(part, schema) for part in parts])
    if stored != schema:
        table = pa.table([_stored(table[own.name], own) for own in stored], stored)
    files = [
        _write_file(rows, location, values, name) for values, rows in split(table, partition_by)
    ]
    del table
    free()
    return files


def _stored(values: Any, field: Any) -> Any:
    import pyarrow as pa

    if not field.nullable and values.null_count:
        raise InputError(
            f"The column {field.name!r} has missing values, and the destination has it NOT NULL: "
            "fill them before, or allow nulls in the table."
        )
    try:
        return values.cast(field.type)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The column {field.name!r} of {values.type} can't be written as {field.type}, which "
            f"the destination has: {error}. Leave it out with --drop {as_option([field.name])}, or "
            "write Parquet to another destination."
        ) from error


def _write_file(
    table: Any, location: Location, values: Mapping[str, str | None], name: str
) -> dict[str, Any]:
    import pyarrow.parquet as pq

    path = path_in(values, name)
    folder = path.rpartition("/")[0]
    if folder:
        location.fs.makedirs(location.path_of(folder), exist_ok=True)
    with location.fs.open(location.path_of(path), "wb") as file:
        pq.write_table(table.unify_dictionaries(), file)
        n_bytes = file.tell()
    return {"path": path, "rows": table.num_rows, "bytes": n_bytes, "partition": dict(values)}


def require_rows(n_written: int, n_rows: int) -> None:
    """Raise `DestinationError` where what was written is not what was planned."""
    if n_written != n_rows:
        raise DestinationError(
            f"{n_written} rows were written instead of {n_rows}: the source changed meanwhile. "
            "Run the job again when it is at rest."
        )
