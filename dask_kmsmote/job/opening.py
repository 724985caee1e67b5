"""What is known of a job before the work: the files of its source, its columns, a sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError
from ..events import Callback, Noted, Warned
from ..graph.dask.tasks import same
from .columns import Columns
from .storage import arrays
from .storage.delta.files import open_delta
from .storage.parquet import open_parquet
from .storage.schema import empty_frame, schema_of_result
from .storage.source import Source
from .storage.table import Files
from .storage.text.files import open_text
from .storage.text.spans import TextFormat

if TYPE_CHECKING:
    from ..sampler import KMeansSMOTE
    from .run import Job

_SHOWN = 5  # files in a message


def prepared(
    source: Source, job: Job, callback: Callback
) -> tuple[Files | None, Columns, KMeansSMOTE]:
    """What can be known before a cluster starts, which takes seconds: files, columns, a sampler."""
    files, columns = opened(source, job, callback)
    sampler = _sampler(job, columns, callback)
    _require_possible(sampler, source, files, columns)
    return files, columns, sampler


def bytes_of(source: Source, files: Files | None, columns: Columns) -> int:
    """About what the table takes in memory."""
    if files is not None:
        return files.n_bytes(columns.of_result)
    return sum(int(own.nbytes) for own in read_table(source, files, columns)[:2])


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
        X, y, _ = read_table(source, files, columns)
        recipe.check_dtype(sampler._input(X, y).source.dtype)
        return
    declared = files.declared(columns.of_result)
    if declared is not None:
        schema_of_result(declared, columns)
        empty = empty_frame(declared, ())
        columns.require_labels(empty)
        recipe.check_dtype(schema_of_frame(columns.split(empty)[0], wanted, "dask frame").dtype)


def opened(source: Source, job: Job, callback: Callback) -> tuple[Files | None, Columns]:
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


def read_table(
    source: Source, files: Files | None, columns: Columns, hold: Callable[[Any], Any] = same
) -> tuple[Any, Any, Any]:
    """X and y, and the table that they are of, whose frame is held; none of arrays."""
    if files is None:
        features = (columns.features or ("X",))[0]
        return *arrays.read_arrays(source, features, columns.target), None
    table = files.typed(columns.of_result, columns.keep, columns.unnamed)
    return *columns.split(hold(table.frame)), table
