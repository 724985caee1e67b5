"""Tables in files: Parquet, CSV (in only) and Zarr groups, as Dask collections."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..errors import DestinationError, InputError, ParameterError
from .location import Location, fingerprint
from .manifest import MANIFEST, read_manifest

FORMATS = {"parquet": (".parquet", ".parq", ".pq"), "csv": (".csv", ".csv.gz"), "zarr": (".zarr",)}
FOOTER_THREADS = 16


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes
    ----------
    location, format
        The place, and a key of `FORMATS`.
    files
        Paths relative to the place, and what is known of each.
    """

    location: Location
    format: str
    files: dict[str, dict[str, Any]]

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(int(info.get("size") or 0) for info in self.files.values())

    @property
    def fingerprint(self) -> str:
        """Changes with the files."""
        return fingerprint(self.files)

    @property
    def urls(self) -> list[str]:
        """URLs of the files."""
        place = self.location
        return [
            place.fs.unstrip_protocol(f"{place.path}/{name}".rstrip("/")) for name in self.files
        ]


def guess_format(location: Location, given: str | None) -> str:
    """The format, from what is given or from the end of the path; else Parquet."""
    if given is not None:
        return given
    for name, endings in FORMATS.items():
        if location.path.endswith(endings):
            return name
    return "parquet"


def open_source(location: Location, given: str | None = None) -> Source:
    """Look what files there are.

    Raises
    ------
    InputError
        There is nothing, or no file of the format.
    """
    kind = guess_format(location, given)
    if not location.exists():
        raise InputError(f"The source {location.url!r} does not exist: check its path.")
    manifest = read_manifest(location)
    if manifest is not None and kind == "parquet":
        wanted = {part["path"] for part in manifest["files"]}
        files = {name: info for name, info in location.files().items() if name in wanted}
    else:
        files = {name: info for name, info in location.files().items() if _is_data(name, kind)}
    if not files:
        raise InputError(
            f"The source {location.url!r} has no {kind} files: check its path, or name the format "
            "with --format."
        )
    return Source(location, kind, files)


def _is_data(name: str, kind: str) -> bool:
    if kind == "zarr" or not name:
        return name.rpartition("/")[2] != MANIFEST
    hidden = any(part.startswith(("_", ".")) for part in name.split("/"))
    return name.endswith(FORMATS[kind]) and not hidden


def read_table(source: Source, partition_size: str | None) -> Any:
    """Parquet or CSV files as a Dask frame.

    Raises
    ------
    InputError
        The files can't be read, or do not have the same columns.
    """
    import dask.dataframe as dd

    size = {"blocksize": partition_size} if partition_size else {}
    options = source.location.options or None
    whole = list(source.files) == [""] or source.format == "csv"
    paths = source.urls if whole or _has_manifest(source) else source.location.url
    try:
        if source.format == "csv":
            return dd.read_csv(paths, storage_options=options, **size)
        require_one_schema(source)
        table = dd.read_parquet(paths, storage_options=options, **size)
        index = table.index.name  # the first look at the files
    except InputError:
        raise
    except PermissionError:
        raise
    except (ValueError, OSError) as error:
        raise InputError(
            f"The source {source.location.url!r} can't be read as {source.format}: {error}"
        ) from error
    if index is not None:
        raise InputError(
            f"The source has the index {index!r}, which synthetic rows can't have: "
            "write it as a column, frame.reset_index(), or leave it out, to_parquet(index=False)."
        )
    return table


def _has_manifest(source: Source) -> bool:
    return read_manifest(source.location) is not None


def read_schema(source: Source) -> Any:
    """The Arrow schema of the first Parquet file."""
    return _read_footers(source.location, list(source.files)[:1])[0].schema.to_arrow_schema()


def require_one_schema(source: Source) -> None:
    """Raise `InputError` where a file has other columns, or other types, than the first."""
    footers = _read_footers(source.location, list(source.files))
    first = footers[0].schema.to_arrow_schema()
    for name, footer in zip(source.files, footers, strict=True):
        schema = footer.schema.to_arrow_schema()
        for column in dict.fromkeys([*first.names, *schema.names]):
            ours, theirs = (
                str(s.field(column).type) if column in s.names else "absent"
                for s in (first, schema)
            )
            if ours != theirs and "null" not in (ours, theirs):
                raise InputError(
                    f"The files of {source.location.url!r} differ: the column {column!r} is "
                    f"{theirs} in {name!r}, {ours} in {next(iter(source.files))!r}. Write them "
                    "anew with one schema."
                )
    if sum(footer.num_rows for footer in footers) == 0:
        raise InputError(f"The source {source.location.url!r} has no rows.")


def _read_footers(location: Location, names: Sequence[str]) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(name: str) -> Any:
        path = f"{location.path}/{name}".rstrip("/")
        try:
            with location.fs.open(path) as file:
                return pq.read_metadata(file)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path!r} can't be read as Parquet: {error}") from error

    with ThreadPoolExecutor(FOOTER_THREADS) as threads:
        return list(threads.map(read, names))


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
                f"The source {source.location.url!r} has no array {name!r}: it has {there}. Name "
                "one of them with --features or --target."
            )
        arrays.append(da.from_zarr(source.location.url, component=name, storage_options=options))
    return arrays[0], arrays[1]


def _require_zarr() -> None:
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise ParameterError(
            "Zarr groups need another package: pip install 'dask-kmsmote[zarr]'."
        ) from error


def part_name(number: int) -> str:
    """Name of a part, such that names sort as the parts do."""
    return f"part-{number:06d}.parquet"


def write_table(
    frame: Any, location: Location, schema: dict[str, Any] | str
) -> list[dict[str, Any]]:
    """Write a Dask frame as Parquet, a file for each partition; computes.

    Returns
    -------
    list of dict
        Path, rows and bytes of each file.
    """
    frame.to_parquet(
        location.fs.unstrip_protocol(location.path),
        storage_options=location.options or None,
        write_index=False,
        name_function=part_name,
        schema=schema,
    )
    files = location.files()
    footers = _read_footers(location, list(files))
    return [
        {"path": name, "rows": footer.num_rows, "bytes": int(info["size"])}
        for (name, info), footer in zip(files.items(), footers, strict=True)
    ]


def write_arrays(arrays: dict[str, Any], location: Location, rows: int) -> list[dict[str, Any]]:
    """Write Dask arrays as a Zarr group, in chunks of so many rows; computes."""
    import dask

    _require_zarr()
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
