"""Tables in files: Parquet, CSV (in only) and Zarr groups, as Dask collections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ...errors import DestinationError, InputError, ParameterError
from .destination import Draft
from .manifest import PART
from .schema import read_footers, require_one_header, require_one_schema
from .source import Source

_METADATA = ".zarray", "zarr.json"
TO_UTF_8 = "Convert it, e.g. with iconv -f latin1 -t utf-8."


def read_table(source: Source, partition_size: str | None) -> Any:
    """Parquet or CSV files as a Dask frame; of Parquet in types that hold all values, and nulls.

    pandas' own types do not: an int64 column with nulls becomes float64.

    Raises
    ------
    InputError
        The files can't be read, or do not have the same columns.
    """
    from ...kernels.rows.columns import exact_type, type_without_nulls

    try:
        require = require_one_schema if source.format == "parquet" else require_one_header
        whole = require(source)
        # what has no nulls needs no type that has; where all are such, Dask has a layer less
        mapper = exact_type if any(whole.values()) else type_without_nulls
        table = _read(source, partition_size, mapper)
        plain = {name: table.dtypes[name] for name, has_nulls in whole.items() if not has_nulls}
        if mapper is exact_type and plain:
            table = table.astype({name: own.numpy_dtype for name, own in plain.items()})
        index = table.index.name  # the first look at the files
    except InputError:
        raise
    except PermissionError:
        # the data are not at fault: exit code 5, with a hint of credentials
        raise
    except (ValueError, OSError) as error:
        hint = f". {TO_UTF_8}" if isinstance(error, UnicodeDecodeError) else ""
        raise InputError(
            f"The source {source.location.shown!r} can't be read as {source.format}: "
            f"{source.location.masked(error)}{hint}"
        ) from error
    if index is not None:
        raise InputError(
            f"The source has the index {index!r}, which synthetic rows can't have: "
            "write it as a column, frame.reset_index(), or leave it out, to_parquet(index=False)."
        )
    return table


def _read(source: Source, partition_size: str | None, mapper: Callable[[Any], Any]) -> Any:
    import dask.dataframe as dd

    options: dict[str, Any] = {}
    if partition_size:
        options["blocksize"] = partition_size
    read = dd.read_csv
    if source.format == "csv":
        # types that have nulls: Dask guesses them from the first rows, and others may have some
        options["dtype_backend"] = "numpy_nullable"
    if source.format == "parquet":
        read, options["arrow_to_pandas"] = dd.read_parquet, {"types_mapper": mapper}
    # by files, not by folder: what is read is what was looked at and has the fingerprint
    return read(source.urls, storage_options=source.location.options or None, **options)


def read_arrays(source: Source, features: str, target: str) -> tuple[Any, Any]:
    """Two arrays of a Zarr group: features, shape (n_rows, n_features), and labels."""
    import dask.array as da

    _require_zarr()
    options = source.location.options or None
    arrays = []
    for name in (features, target):
        if not any(path.startswith(f"{name}/") for path in source.files):
            there = sorted({path.partition("/")[0] for path in source.files if "/" in path})
            raise InputError(
                f"The source {source.location.shown!r} has no array {name!r}: it has {there}. Name "
                "one of them with --features or --target."
            )
        _require_plain_codecs(source, name)
        arrays.append(da.from_zarr(source.location.url, component=name, storage_options=options))
    return arrays[0], arrays[1]


def _require_plain_codecs(source: Source, name: str) -> None:
    """Raise `InputError` where an array of a Zarr group is made of pickled Python objects."""
    location = source.location
    for path in (f"{name}/{file}" for file in _METADATA):
        if path not in source.files:
            continue
        try:
            names = set(_names(json.loads(location.fs.cat_file(f"{location.path}/{path}"))))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path!r} of {location.shown!r} is not JSON: {error}") from error
        if any("pickle" in name for name in names):
            raise InputError(
                f"The array {name!r} of {location.shown!r} is stored by pickle, which could run "
                "anything when it is read: write it anew as an array of numbers or text."
            )


def _names(metadata: Any) -> Iterator[str]:
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            # codecs have an id in Zarr 2, a name in Zarr 3; attributes are texts of the user
            if key in ("id", "name") and isinstance(value, str):
                yield value.lower()
            elif key != "attributes":
                yield from _names(value)
    elif isinstance(metadata, list):
        for value in metadata:
            yield from _names(value)


def _require_zarr() -> None:
    try:
        import zarr  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ParameterError(
            "Zarr groups need another package: pip install 'dask-kmsmote[zarr]'."
        ) from error


def write_table(frame: Any, draft: Draft, schema: Any) -> list[dict[str, Any]]:
    """Write a Dask frame as Parquet, a file for each partition; computes.

    Returns
    -------
    list of dict
        Path where it is published, rows and bytes of each file.
    """
    location = draft.location
    frame.to_parquet(
        location.fs.unstrip_protocol(location.path),
        storage_options=location.options or None,
        write_index=False,
        name_function=(PART + draft.ending).format,
        schema=schema,
    )
    files = location.files()
    footers = read_footers(location, list(files))
    return [
        {
            "path": name.removesuffix(draft.ending),
            "rows": footer.num_rows,
            "bytes": int(info["size"]),
        }
        for (name, info), footer in zip(files.items(), footers, strict=True)
    ]


def write_arrays(arrays: dict[str, Any], rows: int, draft: Draft) -> list[dict[str, Any]]:
    """Write Dask arrays as a Zarr group, in chunks of so many rows; computes."""
    import dask

    _require_zarr()
    location = draft.location
    options = location.options or None
    jobs = [
        array.rechunk({0: rows}).to_zarr(
            location.url, component=name, storage_options=options, compute=False
        )
        for name, array in arrays.items()
    ]
    dask.compute(*jobs)
    return [{"path": name, "bytes": int(info["size"])} for name, info in location.files().items()]


def require_rows(n_written: int, n_rows: int) -> None:
    """Raise `DestinationError` where what was written is not what was planned."""
    if n_written != n_rows:
        raise DestinationError(
            f"{n_written} rows were written instead of {n_rows}: the source changed meanwhile. "
            "Run the job again when it is at rest."
        )
