"""Schemas of Parquet files: whether they agree, and the types that hold all of their values."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...errors import InputError
from .location import Location
from .source import Source

_FOOTER_THREADS = 16
_HEADER_BYTES = 2**18  # stores fetch a block, which is 50 MiB by default


def _read_schema(source: Source) -> Any:
    """The Arrow schema of the first Parquet file."""
    return read_footers(source.location, list(source.files)[:1])[0].schema.to_arrow_schema()


def require_one_schema(source: Source) -> dict[str, bool]:
    """Columns of integers and booleans, and whether a value of them may be missing.

    Raises
    ------
    InputError
        A file has other columns, or other types, than the first.
    """
    from ...kernels.rows.columns import is_whole_in_arrow

    footers = read_footers(source.location, list(source.files))
    first = footers[0].schema.to_arrow_schema()
    _require_names_once(source, first.names)
    for name, footer in zip(source.files, footers, strict=True):
        schema = footer.schema.to_arrow_schema()
        for column in dict.fromkeys([*first.names, *schema.names]):
            ours, theirs = (
                str(s.field(column).type) if column in s.names else "absent"
                for s in (first, schema)
            )
            # where a file has no value in a column, pandas writes the type null
            if ours != theirs and "null" not in (ours, theirs):
                raise InputError(
                    f"The files of {source.location.shown!r} differ: the column {column!r} is "
                    f"{theirs} in {name!r}, {ours} in {next(iter(source.files))!r}. Write them "
                    "anew with one schema."
                )
    if sum(footer.num_rows for footer in footers) == 0:
        raise InputError(f"The source {source.location.shown!r} has no rows.")
    # of a column without statistics anything may be missing
    return {
        field.name: any(_n_nulls(footer, field.name) != 0 for footer in footers)
        for field in first
        if is_whole_in_arrow(field.type)
    }


def _n_nulls(footer: Any, name: str) -> int | None:
    places = [j for j in range(footer.num_columns) if footer.schema.column(j).path == name]
    total = 0
    for group in range(footer.num_row_groups):
        for place in places:
            found = footer.row_group(group).column(place).statistics
            if found is None or found.null_count is None:
                return None
            total += found.null_count
    return total


def require_one_header(source: Source) -> dict[str, bool]:
    """No columns: those of CSV files have the types that pandas gives them.

    Raises
    ------
    InputError
        A file has a column twice, or others than the first file.
    """
    import pandas as pd

    def read(name: str) -> list[str]:
        path = f"{source.location.path}/{name}".rstrip("/")
        how = {"compression": "infer", "block_size": _HEADER_BYTES}
        with source.location.fs.open(path, **how) as file:
            # as a row: of a header x,x, pandas makes x and x.1, which would hide the double. And a
            # column may be called NA.
            names = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False)
        return [str(name).removeprefix("\ufeff") for name in names.iloc[0]]

    with ThreadPoolExecutor(_FOOTER_THREADS) as threads:
        headers = list(threads.map(read, source.files))
    _require_names_once(source, headers[0])
    for name, header in zip(source.files, headers, strict=True):
        if header != headers[0]:
            raise InputError(
                f"The files of {source.location.shown!r} differ: {name!r} has the columns "
                f"{header}, {next(iter(source.files))!r} {headers[0]}. Write them anew with one "
                "header."
            )
    return {}


def _require_names_once(source: Source, names: Sequence[str]) -> None:
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise InputError(
            f"The source {source.location.shown!r} has two columns {twice[0]!r}: rename one."
        )


def schema_of(source: Source, names: Sequence[str], mark: str | None) -> Any:
    """The Arrow schema of a result with these columns; "infer" where files of text have none."""
    import pyarrow as pa

    if source.format == "csv":
        return "infer"
    schema = _read_schema(source)
    fields = [
        pa.field(name, pa.bool_()) if name == mark else schema.field(name).with_nullable(True)
        for name in names
        if name == mark or name in schema.names
    ]
    # columns that folders name (city=c0) are in no file: Dask infers those that are left out
    return pa.schema(fields) if len(fields) == len(names) else {f.name: f.type for f in fields}


def read_footers(location: Location, names: Sequence[str]) -> list[Any]:
    """The metadata of Parquet files, several at a time.

    Raises
    ------
    InputError
        A file is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(name: str) -> Any:
        path = f"{location.path}/{name}".rstrip("/")
        try:
            with location.fs.open(path) as file:
                return pq.read_metadata(file)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path!r} can't be read as Parquet: {error}") from error

    with ThreadPoolExecutor(_FOOTER_THREADS) as threads:
        return list(threads.map(read, names))
